// The table of activations, made of the functions' rows; activate<float> computes in double and rounds once.
#include "kernels/activation/activations.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "kernels/activation/expression.h"
#include "kernels/activation/functions-inl.h"

namespace vp {
namespace {

template <class Function>
Activation row_of(int place) {
  Activation row{Function::kRow, place, Function::in_double};
  if constexpr (requires { Function::slope_scale; }) row.slope_scale = Function::slope_scale;
  return row;
}

template <class... Functions>
auto rows_of(HWY_NAMESPACE::FunctionList<Functions...>) {
  int place = 0;
  return std::array{row_of<Functions>(place++)...};
}

// Made at its first use, because an Activation may own a formula and is no constant to the compiler.
const auto& table() {
  static const auto rows = rows_of(HWY_NAMESPACE::BuiltInFunctions());
  return rows;
}

}  // namespace

std::span<const Activation> activations() { return table(); }

const Activation* find_activation(std::string_view name) {
  const auto* found = std::find_if(table().begin(), table().end(), [&](const Activation& a) { return a.name == name; });
  return found == table().end() ? nullptr : found;
}

template <class T>
ValueAndSlope<T> activate(const Activation& activation, T z) {
  const auto x = static_cast<double>(z);
  if (!activation.expression && std::isnan(z)) return {z, z};
  const ValueAndSlope<double> f = activation.expression ? evaluate(*activation.expression, x) : activation.in_double(x);
  return {static_cast<T>(f.value), static_cast<T>(f.slope)};
}

template ValueAndSlope<float> activate(const Activation&, float);
template ValueAndSlope<double> activate(const Activation&, double);

}  // namespace vp
