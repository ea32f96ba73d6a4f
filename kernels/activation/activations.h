// The activation functions: value, derivative, stated error bounds.
//
// To add one: functions-inl.h. Tests, parity checks and benchmarks loop over activations(), so the new one is checked and timed for free.
// A user's own, "expr: ...", is made by custom_activation.h.
// Thread-safety: all of it is constant.
#pragma once

#include <memory>
#include <span>
#include <string_view>

namespace vp {

struct Expression;

// A value f(z) and its derivative f'(z), computed together because they share their exponentials.
template <class T>
struct ValueAndSlope {
  T value;
  T slope;
};

struct ActivationRow {
  std::string_view name;
  std::string_view formula;  // as a user would write it
  double max_slope;          // sup |f'|, for bounds of the form ||W|| * max|f'|
  double value_bound_ulp;    // |float value - f(z)| in units in the last place of f(z), for every float z, denormal results included
  double slope_bound_ulp;    // the same for f'(z), in those of slope_scale(z) where there is one
  bool bounded;              // its range is finite
};

struct Activation : ActivationRow {
  int place = -1;                                          // in activations(); -1: a formula of the user's
  ValueAndSlope<double> (*in_double)(double z) = nullptr;  // of the table's, z not NaN
  double (*slope_scale)(double z) = nullptr;               // what an error of f'(z) is measured in, where |f'(z)| passes through 0
  std::shared_ptr<const Expression> expression = nullptr;  // of a formula; holds the texts that name and formula refer to
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
