// What expressions need beside vector_math-inl.h: log, log1p, sqrt, sin, cos, atan, erf, abs for float, value and slope together. Included
// once per Highway target. NaN in gives NaN out; right for infinities, zeros and denormals. Bounds: expression_scalar.cpp.
// Polynomials: minimax in relative error (Lawson's iteration on Chebyshev nodes), coefficients then rounded to float.

// NOLINTNEXTLINE: Highway's include guard for headers compiled once per target
#if defined(VP_KERNELS_EXPRESSION_MATH_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef VP_KERNELS_EXPRESSION_MATH_INL_H_
#undef VP_KERNELS_EXPRESSION_MATH_INL_H_
#else
#define VP_KERNELS_EXPRESSION_MATH_INL_H_
#endif

#include <cmath>
#include <limits>

#include "hwy/highway.h"
#include "kernels/simd/lanes-inl.h"
#include "kernels/simd/vector_math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace vp::HWY_NAMESPACE {

// c[0] + c[1] x + ... by Horner.
template <std::size_t kTerms>
HWY_INLINE VF polynomial(const float (&c)[kTerms], VF x) {
  const F d;
  VF p = hn::Set(d, c[kTerms - 1]);
  for (std::size_t i = kTerms - 1; i-- > 0;) p = hn::MulAdd(p, x, hn::Set(d, c[i]));
  return p;
}

struct ExpOp {
  HWY_INLINE VectorResult<VF> operator()(F d, VF z) const {
    const VF e = exp_any(d, z);
    return {e, e};
  }
};

// z = 2^n (1 + m), 1 + m in [sqrt(1/2), sqrt(2)): n ln 2 + m - m^2/2 + m^3 P(m), P to 0.1 half-ULP. Denormal numbers are scaled up first.
HWY_INLINE VF log_value(VF z) {
  static constexpr float kP[] = {0x1.555554p-2f, -0x1.00022ap-2f, 0x1.99a014p-3f, -0x1.547126p-3f,
                                 0x1.22d812p-3f, -0x1.0d8ecep-3f, 0x1.056f9cp-3f, -0x1.38b45ep-4f};
  const F d;
  const hn::RebindToSigned<F> di;
  const VF zero = hn::Zero(d), infinity = hn::Set(d, std::numeric_limits<float>::infinity());
  const auto tiny = hn::Lt(z, hn::Set(d, std::numeric_limits<float>::min()));
  const VF x = hn::IfThenElse(tiny, hn::Mul(z, hn::Set(d, 0x1p32f)), z);
  const auto bits = hn::Sub(hn::BitCast(di, x), hn::Set(di, 0x3F3504F3));  // of sqrt(1/2)
  const auto exponent = hn::ShiftRight<23>(bits);
  const VF m = hn::Sub(hn::BitCast(d, hn::Add(hn::And(bits, hn::Set(di, 0x7FFFFF)), hn::Set(di, 0x3F3504F3))), hn::Set(d, 1.0f));
  const VF n = hn::Sub(hn::ConvertTo(d, exponent), hn::IfThenElseZero(tiny, hn::Set(d, 32.0f)));
  const VF square = hn::Mul(m, m);
  VF low = hn::Mul(hn::Mul(square, m), polynomial(kP, m));
  low = hn::MulAdd(n, hn::Set(d, -0x1.bd0106p-13f), low);  // ln 2 in two parts, the first of 9 bits
  low = hn::NegMulAdd(square, hn::Set(d, 0.5f), low);
  VF result = hn::MulAdd(n, hn::Set(d, 0x1.63p-1f), hn::Add(m, low));
  result = hn::IfThenElse(hn::Eq(z, zero), hn::Neg(infinity), hn::IfThenElse(hn::Eq(z, infinity), infinity, result));
  return hn::IfThenElse(hn::Ge(z, zero), result, hn::Set(d, std::numeric_limits<float>::quiet_NaN()));
}

struct LogOp {
  HWY_INLINE VectorResult<VF> operator()(F d, VF z) const {
    const VF slope = hn::Div(hn::Set(d, 1.0f), z);
    return {log_value(z), hn::IfThenElse(hn::Lt(z, hn::Zero(d)), hn::Set(d, std::numeric_limits<float>::quiet_NaN()), slope)};
  }
};

// With u = 1 + z rounded: log u + (z - (u - 1)) / u, where the second term is what rounding lost; beyond 2^25 that is z's own 1.
struct Log1pOp {
  HWY_INLINE VectorResult<VF> operator()(F d, VF z) const {
    const VF one = hn::Set(d, 1.0f), u = hn::Add(one, z), slope = hn::Div(one, u);
    const VF lost = hn::Mul(hn::Sub(z, hn::Sub(u, one)), slope);
    const auto corrected = hn::And(hn::Lt(z, hn::Set(d, 0x1p25f)), hn::Gt(u, hn::Zero(d)));
    const VF value = hn::Add(log_value(u), hn::IfThenElseZero(corrected, lost));
    // -0 and denormals: log u is 0 there, and 0 + lost would lose the sign of 0.
    const VF exact = hn::IfThenElse(hn::Eq(u, one), z, value);
    return {exact, hn::IfThenElse(hn::Lt(u, hn::Zero(d)), hn::Set(d, std::numeric_limits<float>::quiet_NaN()), slope)};
  }
};

struct SqrtOp {
  HWY_INLINE VectorResult<VF> operator()(F d, VF z) const {
    const VF root = hn::Sqrt(z);
    return {root, hn::Div(hn::Set(d, 0.5f), root)};
  }
};

struct AbsOp {
  HWY_INLINE VectorResult<VF> operator()(F d, VF z) const {
    return {hn::Abs(z), hn::IfThenElse(hn::Eq(z, hn::Zero(d)), hn::Zero(d), nan_if_nan(z, hn::CopySign(hn::Set(d, 1.0f), z)))};
  }
};

struct NegateOp {
  HWY_INLINE VectorResult<VF> operator()(F d, VF z) const { return {hn::Neg(z), nan_if_nan(z, hn::Set(d, -1.0f))}; }
};

struct SineAndCosine {
  VF sin, cos;
};

// |z| <= kCircle: z = n pi/2 + r, n < 2^10, with pi/2 in four parts, the first three so short that n times them is exact without FMA too.
constexpr float kCircle = 1000;
HWY_INLINE SineAndCosine sine_and_cosine(VF z) {
  static constexpr float kSin[] = {-0x1.555544p-3f, 0x1.110722p-7f, -0x1.993af8p-13f};
  static constexpr float kCos[] = {0x1.55554ap-5f, -0x1.6c0c18p-10f, 0x1.99e378p-16f};
  const F d;
  const hn::RebindToSigned<F> di;
  const VF magic = hn::Set(d, 12582912.0f), one = hn::Set(d, 1.0f);
  const VF shifted = hn::Add(hn::Mul(z, hn::Set(d, 0x1.45f306p-1f)), magic);
  const VF n = hn::Sub(shifted, magic);
  VF r = hn::NegMulAdd(n, hn::Set(d, 0x1.92p+0f), z);
  r = hn::NegMulAdd(n, hn::Set(d, 0x1.fb4p-12f), r);
  r = hn::NegMulAdd(n, hn::Set(d, 0x1.444p-24f), r);
  r = hn::NegMulAdd(n, hn::Set(d, 0x1.68c234p-39f), r);
  const VF t = hn::Mul(r, r);
  const VF sine = hn::MulAdd(hn::Mul(r, t), polynomial(kSin, t), r);
  const VF cosine = hn::Add(one, hn::MulAdd(hn::Mul(t, t), polynomial(kCos, t), hn::Mul(t, hn::Set(d, -0.5f))));
  const auto quadrant = hn::BitCast(di, shifted);
  const auto odd = hn::RebindMask(d, hn::TestBit(quadrant, hn::Set(di, 1)));
  const auto sine_sign = hn::BitCast(d, hn::ShiftLeft<30>(hn::And(quadrant, hn::Set(di, 2))));
  const auto cosine_sign = hn::BitCast(d, hn::ShiftLeft<30>(hn::And(hn::Add(quadrant, hn::Set(di, 1)), hn::Set(di, 2))));
  return {hn::Xor(hn::IfThenElse(odd, cosine, sine), sine_sign), hn::Xor(hn::IfThenElse(odd, sine, cosine), cosine_sign)};
}

// Any z: larger ones, which an activation hardly sees, number by number.
HWY_INLINE SineAndCosine any_sine_and_cosine(VF z) {
  const F d;
  const SineAndCosine near = sine_and_cosine(z);
  const auto far = hn::Gt(hn::Abs(z), hn::Set(d, kCircle));
  if (HWY_LIKELY(hn::AllFalse(d, far))) return near;
  HWY_ALIGN float x[kLanes], sines[kLanes], cosines[kLanes];
  hn::Store(z, d, x);
  hn::Store(near.sin, d, sines);
  hn::Store(near.cos, d, cosines);
  for (std::int64_t i = 0; i < kLanes; ++i) {
    if (!(std::abs(x[i]) > kCircle)) continue;
    sines[i] = static_cast<float>(std::sin(static_cast<double>(x[i])));
    cosines[i] = static_cast<float>(std::cos(static_cast<double>(x[i])));
  }
  return {hn::Load(d, sines), hn::Load(d, cosines)};
}

struct SinOp {
  HWY_INLINE VectorResult<VF> operator()(F, VF z) const {
    const SineAndCosine r = any_sine_and_cosine(z);
    return {r.sin, r.cos};
  }
};

struct CosOp {
  HWY_INLINE VectorResult<VF> operator()(F, VF z) const {
    const SineAndCosine r = any_sine_and_cosine(z);
    return {r.cos, hn::Neg(r.sin)};
  }
};

// t = |z| or, above 1, its inverse: t + t^3 P(t^2), or pi/2 minus it; slope 1 / (1 + t^2), times t^2 above 1, which underflows gradually.
struct AtanOp {
  HWY_INLINE VectorResult<VF> operator()(F d, VF z) const {
    static constexpr float kP[] = {-0x1.55553ep-2f, 0x1.9991fep-3f,  -0x1.2421b6p-3f, 0x1.c099fep-4f,  -0x1.583492p-4f,
                                   0x1.dac9e6p-5f,  -0x1.fed162p-6f, 0x1.65a66p-7f,   -0x1.d62ff4p-10f};
    const VF one = hn::Set(d, 1.0f), x = hn::Abs(z);
    const auto large = hn::Gt(x, one);
    const VF t = hn::IfThenElse(large, hn::Div(one, x), x), square = hn::Mul(t, t);
    const VF small = hn::MulAdd(hn::Mul(square, t), polynomial(kP, square), t);
    const VF rest = hn::Sub(hn::Set(d, 0x1.921fb6p+0f), hn::Add(small, hn::Set(d, 0x1.777a5cp-25f)));  // pi/2 in two parts
    const VF q = hn::Div(one, hn::Add(one, square));
    return {hn::CopySign(hn::IfThenElse(large, rest, small), z), hn::IfThenElse(large, hn::Mul(square, q), q)};
  }
};

// Below 0.95 x P(x^2), above it 1 - 2 Phi(-x sqrt 2); slope 2 / sqrt(pi) exp(-x^2), 0 beyond 10.25.
struct ErfOp {
  HWY_INLINE VectorResult<VF> operator()(F d, VF z) const {
    static constexpr float kP[] = {-0x1.812742p-2f, 0x1.ce2dcap-4f, -0x1.b80962p-6f, 0x1.549664p-8f, -0x1.a88d8ap-11f, 0x1.574ec6p-14f};
    const VF one = hn::Set(d, 1.0f), x = at_most(d, hn::Abs(z), hn::Set(d, 10.25f));
    const VF e = exp_of_square(d, x, -1.0f), square = hn::Mul(x, x);
    const VF p =
        hn::MulAdd(polynomial(kP, square), square, hn::Set(d, -0x1.fd9358p-25f));  // 2 / sqrt(pi) is 0x1.20dd76p+0 and a rest in here
    const VF small = hn::MulAdd(x, hn::Set(d, 0x1.20dd76p+0f), hn::Mul(x, p));
    const VF m = mills(d, hn::Mul(x, hn::Set(d, 0x1.6a09e6p+0f)));
    const VF large = hn::NegMulAdd(e, hn::Add(m, m), one);
    const VF value = hn::IfThenElse(hn::Lt(x, hn::Set(d, 0.95f)), small, large);
    return {hn::CopySign(value, z), hn::Mul(e, hn::Set(d, 0x1.20dd76p+0f))};
  }
};

}  // namespace vp::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // VP_KERNELS_EXPRESSION_MATH_INL_H_
