// The table of activations and their scalar formulas, evaluated in double for either precision: activate<float> rounds once.
#include "kernels/activation/activations.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "kernels/activation/expression.h"

namespace vp {
namespace {

using enum ActivationKind;

// value_bound_ulp and slope_bound_ulp: measured maximum over every 256th float bit pattern on every target, rounded up (activations_test).
// max_slope of gelu: f'(sqrt 2) = Phi(sqrt 2) + sqrt 2 phi(sqrt 2).
// Made at its first use, because an Activation may own a formula and is no constant to the compiler.
const auto& table() {
  static const std::array kActivations{
      //         kind        name          formula                    max_slope     value  slope  bounded
      Activation{kLinear, "linear", "z", 1, 0, 0, false},
      Activation{kRelu, "relu", "max(z, 0)", 1, 0, 0, false},
      Activation{kLeakyRelu, "leaky_relu", "z > 0 ? z : 0.01 z", 1, 1, 0.5, false},
      Activation{kElu, "elu", "z > 0 ? z : exp(z) - 1", 1, 1.2, 1.2, false},
      Activation{kSigmoid, "sigmoid", "1 / (1 + exp(-z))", 0.25, 3, 4.5, true},
      Activation{kTanh, "tanh", "tanh(z)", 1, 3, 5, true},
      Activation{kSoftplus, "softplus", "log(1 + exp(z))", 1, 3, 3, false},
      Activation{kGelu, "gelu", "z Phi(z)", 1.1289041451, 7, 8, false},
  };
  return kActivations;
}

struct DoubleResult {
  double value;
  double slope;
};

// e = exp(-|z|) never overflows, and both tails of value and slope keep their relative precision.
DoubleResult sigmoid(double z) {
  const double e = std::exp(-std::abs(z)), q = 1 / (1 + e);
  return {z >= 0 ? q : e * q, e * q * q};
}

// 1 - tanh^2 would be 0 beyond |z| = 19; 4 e / (1 + e)^2 with e = exp(-2 |z|) is right to |z| = 370.
DoubleResult tanh_and_slope(double z) {
  const double e = std::exp(-2 * std::abs(z)), q = 1 / (1 + e);
  return {std::tanh(z), 4 * e * q * q};
}

DoubleResult softplus(double z) { return {std::max(z, 0.0) + std::log1p(std::exp(-std::abs(z))), sigmoid(z).value}; }

DoubleResult elu(double z) {
  if (z > 0) return {z, 1};
  return {std::expm1(z), std::exp(z)};
}

// z Phi(z) = max(z, 0) - |z| Phi(-|z|): no cancellation in the left tail. Beyond 40 the density is 0 in double and inf * 0 is avoided.
DoubleResult gelu(double z) {
  const double x = std::min(std::abs(z), 40.0);
  const double density = std::exp(-x * x / 2) / std::sqrt(2 * std::numbers::pi);
  const double lower = std::erfc(x * std::numbers::sqrt2 / 2) / 2;
  const double left_slope = lower - x * density;
  return {std::max(z, 0.0) - x * lower, z > 0 ? 1 - left_slope : left_slope};
}

DoubleResult evaluate(ActivationKind kind, double z) {
  if (std::isnan(z)) return {z, z};
  switch (kind) {
    case kLinear:
      return {z, 1};
    case kRelu:
      return z > 0 ? DoubleResult{z, 1} : DoubleResult{0, 0};
    case kLeakyRelu:
      return z > 0 ? DoubleResult{z, 1} : DoubleResult{0.01 * z, 0.01};
    case kElu:
      return elu(z);
    case kSigmoid:
      return sigmoid(z);
    case kTanh:
      return tanh_and_slope(z);
    case kSoftplus:
      return softplus(z);
    case kGelu:
      return gelu(z);
    case kExpression:
      break;  // activate() sees to it
  }
  return {std::nan(""), std::nan("")};  // not reached: the switch names every kind
}

}  // namespace

std::span<const Activation> activations() { return table(); }

const Activation* find_activation(std::string_view name) {
  const auto* found = std::find_if(table().begin(), table().end(), [&](const Activation& a) { return a.name == name; });
  return found == table().end() ? nullptr : found;
}

template <class T>
ValueAndSlope<T> activate(const Activation& activation, T z) {
  if (activation.kind == kExpression) {
    const ValueAndSlope<double> f = vp::evaluate(*activation.expression, static_cast<double>(z));
    return {static_cast<T>(f.value), static_cast<T>(f.slope)};
  }
  const DoubleResult r = evaluate(activation.kind, static_cast<double>(z));
  return {static_cast<T>(r.value), static_cast<T>(r.slope)};
}

template ValueAndSlope<float> activate(const Activation&, float);
template ValueAndSlope<double> activate(const Activation&, double);

}  // namespace vp
