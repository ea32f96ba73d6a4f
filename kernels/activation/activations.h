// The activation functions, one row each: value, derivative, stated error bounds.
//
// To add one: a row in kActivations (activations.cpp), its scalar formula beside it, its vector formula in vector_math-inl.h and a line in
// rnn_forward of pointwise_simd.cpp.
// Tests, parity checks and benchmarks loop over activations(), so the new one is checked and timed for free.
// A user's own, "expr: ...", is made by custom_activation.h.
// Thread-safety: all of it is constant.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

namespace vp {

struct Expression;

// The table's, in its order, and last what stands in no table: a formula of the user's.
enum class ActivationKind : std::uint8_t { kLinear, kRelu, kLeakyRelu, kElu, kSigmoid, kTanh, kSoftplus, kGelu, kExpression };

// A value f(z) and its derivative f'(z), computed together because they share their exponentials.
template <class T>
struct ValueAndSlope {
  T value;
  T slope;
};

struct Activation {
  ActivationKind kind;
  std::string_view name;
  std::string_view formula;  // as a user would write it
  double max_slope;          // sup |f'|, for bounds of the form ||W|| * max|f'|
  double value_bound_ulp;    // |float value - f(z)| in units in the last place of f(z), for every float z, denormal results included
  double slope_bound_ulp;    // the same for f'(z); gelu's, which has a zero at -0.75, in those of its larger term, Phi(z) or z phi(z)
  bool bounded;              // its range is finite
  std::shared_ptr<const Expression> expression = nullptr;  // of kExpression; holds the texts that name and formula refer to
};

// In the order they are listed to the user.
std::span<const Activation> activations();

// nullptr if there is none of that name.
const Activation* find_activation(std::string_view name);

// Scalar oracle, T = float or double. NaN in gives NaN out (value and slope). relu'(0) = 0, leaky_relu'(0) = 0.01 (PyTorch's choice).
// leaky_relu slope 0.01, elu alpha 1, gelu is the exact one, z * Phi(z).
template <class T>
ValueAndSlope<T> activate(const Activation& activation, T z);

}  // namespace vp
