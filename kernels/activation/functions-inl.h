// The built-in activation functions, a struct each: its row of the table, f and f' in double, f and f' as vectors of float.
//
// To add one: its struct, and its name in the list at the end. Kernels, tables, checks, benchmarks and `vpoint list activations` follow the
// list. Included once per Highway target.
//
// The vectors keep the rules of vector_math-inl.h. Largest error over every 256th float bit pattern in ULP, value and slope:
// elu 1.01, 1.02; sigmoid 2.65, 4.13; tanh 2.68, 4.12; softplus 2.62, 2.65; gelu 6.89, 7.74. The rows' bounds are those, rounded up
// (activations_test). The doubles are called with numbers and infinities alone: activate() answers NaN itself.

// NOLINTNEXTLINE: Highway's include guard for headers compiled once per target
#if defined(VP_KERNELS_ACTIVATION_FUNCTIONS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef VP_KERNELS_ACTIVATION_FUNCTIONS_INL_H_
#undef VP_KERNELS_ACTIVATION_FUNCTIONS_INL_H_
#else
#define VP_KERNELS_ACTIVATION_FUNCTIONS_INL_H_
#endif

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numbers>

#include "kernels/activation/activations.h"
#include "kernels/simd/vector_math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace vp::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

struct Linear {
  static constexpr ActivationRow kRow{"linear", "z", 1, 0, 0, false};
  static ValueAndSlope<double> in_double(double z) { return {z, 1}; }

  template <class D, class V>
  HWY_INLINE VectorResult<V> operator()(D d, V z) const {
    return {z, nan_if_nan(z, hn::Set(d, 1.0f))};
  }
};

struct Relu {
  static constexpr ActivationRow kRow{"relu", "max(z, 0)", 1, 0, 0, false};
  static ValueAndSlope<double> in_double(double z) { return {z > 0 ? z : 0, z > 0 ? 1.0 : 0.0}; }

  template <class D, class V>
  HWY_INLINE VectorResult<V> operator()(D d, V z) const {
    const V slope = hn::IfThenElseZero(hn::Gt(z, hn::Zero(d)), hn::Set(d, 1.0f));
    return {at_least(d, z, hn::Zero(d)), nan_if_nan(z, slope)};
  }
};

struct LeakyRelu {
  static constexpr ActivationRow kRow{"leaky_relu", "z > 0 ? z : 0.01 z", 1, 1, 0.5, false};
  static ValueAndSlope<double> in_double(double z) { return {z > 0 ? z : 0.01 * z, z > 0 ? 1 : 0.01}; }

  template <class D, class V>
  HWY_INLINE VectorResult<V> operator()(D d, V z) const {
    const V small = hn::Set(d, 0.01f);
    const auto positive = hn::Gt(z, hn::Zero(d));
    return {hn::IfThenElse(positive, z, hn::Mul(small, z)), nan_if_nan(z, hn::IfThenElse(positive, hn::Set(d, 1.0f), small))};
  }
};

struct Elu {
  static constexpr ActivationRow kRow{"elu", "z > 0 ? z : exp(z) - 1", 1, 1.2, 1.2, false};
  static ValueAndSlope<double> in_double(double z) { return {z > 0 ? z : std::expm1(z), z > 0 ? 1 : std::exp(z)}; }

  template <class D, class V>
  HWY_INLINE VectorResult<V> operator()(D d, V z) const {
    const ExpAndExpm1<V> e = exp_nonpositive(d, minus_abs(d, z), hn::Zero(d));
    const auto positive = hn::Gt(z, hn::Zero(d));
    return {hn::IfThenElse(positive, z, e.expm1), hn::IfThenElse(positive, hn::Set(d, 1.0f), e.exp)};
  }
};

// e = exp(-|z|) never overflows; 1 / (1 + e) or e / (1 + e), slope e / (1 + e)^2: both tails keep their relative precision.
struct Sigmoid {
  static constexpr ActivationRow kRow{"sigmoid", "1 / (1 + exp(-z))", 0.25, 3, 4.5, true};
  static ValueAndSlope<double> in_double(double z) {
    const double e = std::exp(-std::abs(z)), q = 1 / (1 + e);
    return {z >= 0 ? q : e * q, e * q * q};
  }

  template <class D, class V>
  HWY_INLINE VectorResult<V> operator()(D d, V z) const {
    const V one = hn::Set(d, 1.0f);
    const V e = exp_nonpositive(d, minus_abs(d, z), hn::Zero(d)).exp;
    const V q = hn::Div(one, hn::Add(one, e)), eq = hn::Mul(e, q);
    return {hn::IfThenElse(hn::Gt(z, hn::Zero(d)), q, eq), hn::Mul(eq, q)};
  }
};

struct Tanh {
  static constexpr ActivationRow kRow{"tanh", "tanh(z)", 1, 3, 5, true};

  // 1 - tanh^2 would be 0 beyond |z| = 19; 4 e / (1 + e)^2 with e = exp(-2 |z|) is right to |z| = 370.
  static ValueAndSlope<double> in_double(double z) {
    const double e = std::exp(-2 * std::abs(z)), q = 1 / (1 + e);
    return {std::tanh(z), 4 * e * q * q};
  }

  // With e = exp(-2|z|): tanh |z| = (1 - e) / (1 + e), slope 4 e / (1 + e)^2. Up to 0.55, 1 - e is computed without the cancellation and
  // the slope is 1 - tanh^2; beyond, the value is 1 - 2 e / (1 + e), where roundings are those of a smaller number. On inputs drawn from
  // N(0, 1) as exact as 1 - h^2 with the C library's h (root mean square 0.34 and 0.52, there 0.40 and 0.62, in units of 2^-24).
  template <class D, class V>
  HWY_INLINE VectorResult<V> operator()(D d, V z) const {
    const V one = hn::Set(d, 1.0f), negative = minus_abs(d, z);
    const ExpAndExpm1<V> e = exp_nonpositive(d, hn::Add(negative, negative), hn::Zero(d));
    const V q = hn::Div(one, hn::Add(one, e.exp)), eq = hn::Mul(e.exp, q), near_zero = hn::Mul(e.expm1, q);
    const auto large = hn::Lt(negative, hn::Set(d, -0.55f));
    const V h = hn::IfThenElse(large, hn::NegMulAdd(hn::Set(d, 2.0f), eq, one), near_zero);
    const V slope = hn::Mul(hn::Mul(hn::Set(d, 4.0f), eq), q);
    return {hn::CopySign(h, z), hn::IfThenElse(large, slope, hn::NegMulAdd(near_zero, near_zero, one))};
  }
};

struct Softplus {
  static constexpr ActivationRow kRow{"softplus", "log(1 + exp(z))", 1, 3, 3, false};
  static ValueAndSlope<double> in_double(double z) {
    return {std::max(z, 0.0) + std::log1p(std::exp(-std::abs(z))), Sigmoid::in_double(z).value};
  }

  // log(1 + e) = 2 atanh(s), s = e / (2 + e) <= 1/3; its series beyond 2 s as a polynomial in s^2, to 5e-9 of the result.
  template <class D, class V>
  HWY_INLINE VectorResult<V> operator()(D d, V z) const {
    const V one = hn::Set(d, 1.0f);
    const V e = exp_nonpositive(d, minus_abs(d, z), hn::Zero(d)).exp;
    const V s = hn::Div(e, hn::Add(hn::Set(d, 2.0f), e)), s2 = hn::Mul(s, s);
    V p = hn::MulAdd(s2, hn::Set(d, 0x1.1efa3ep-2f), hn::Set(d, 0x1.1eb5bap-2f));
    p = hn::MulAdd(p, s2, hn::Set(d, 0x1.99d28p-2f));
    p = hn::MulAdd(p, s2, hn::Set(d, 0x1.5555p-1f));
    const V log1p = hn::MulAdd(hn::Mul(p, s2), s, hn::Add(s, s));
    const V q = hn::Div(one, hn::Add(one, e));
    const V slope = hn::IfThenElse(hn::Gt(z, hn::Zero(d)), q, hn::Mul(e, q));
    return {hn::Add(at_least(d, z, hn::Zero(d)), log1p), slope};
  }
};

// z Phi(z) = max(z, 0) - x Phi(-x) with x = |z|: no cancellation in the left tail. The slope is Phi(z) + z phi(z).
struct Gelu {
  // The slope is largest at sqrt 2: Phi(sqrt 2) + sqrt 2 phi(sqrt 2).
  static constexpr ActivationRow kRow{"gelu", "z Phi(z)", 1.1289041451, 7, 8, false};

  // Beyond 40 the density is 0 in double, and inf * 0 is avoided.
  static ValueAndSlope<double> in_double(double z) {
    const double x = std::min(std::abs(z), 40.0);
    const double density = std::exp(-x * x / 2) / std::sqrt(2 * std::numbers::pi);
    const double lower = std::erfc(x * std::numbers::sqrt2 / 2) / 2;
    const double left_slope = lower - x * density;
    return {std::max(z, 0.0) - x * lower, z > 0 ? 1 - left_slope : left_slope};
  }

  // The slope has a zero at -0.75, so its error is measured in its larger term.
  static double slope_scale(double z) {
    const double x = std::min(std::abs(z), 40.0);
    const double density = std::exp(-x * x / 2) * std::numbers::inv_sqrtpi / std::numbers::sqrt2;
    return std::max(std::erfc(-z / std::numbers::sqrt2) / 2, x * density);
  }

  // Phi(-x) = exp(-x^2/2) mills(x); beyond 14.5 all is 0.
  template <class D, class V>
  HWY_INLINE VectorResult<V> operator()(D d, V z) const {
    const V x = at_most(d, hn::Abs(z), hn::Set(d, 14.5f));
    const V e = exp_of_square(d, x, -0.5f);
    const V m = mills(d, x);
    const V left_slope = hn::Mul(e, hn::NegMulAdd(x, hn::Set(d, 0.3989422804f), m));
    const auto positive = hn::Gt(z, hn::Zero(d));
    const V slope = hn::IfThenElse(positive, hn::Sub(hn::Set(d, 1.0f), left_slope), left_slope);
    return {hn::Sub(at_least(d, z, hn::Zero(d)), hn::Mul(e, hn::Mul(x, m))), slope};
  }
};

template <class... Functions>
struct FunctionList {
  // body(function of that place), place in activations().
  template <class Body>
  static HWY_INLINE void visit(int place, const Body& body) {
    int i = 0;
    ((i++ == place ? body(Functions()) : void()), ...);
  }
};

// In the order in which they are listed to the user.
using BuiltInFunctions = FunctionList<Linear, Relu, LeakyRelu, Elu, Sigmoid, Tanh, Softplus, Gelu>;

}  // namespace vp::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // VP_KERNELS_ACTIVATION_FUNCTIONS_INL_H_
