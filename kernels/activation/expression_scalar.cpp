// The functions of expressions as scalar formulas, and programs step by step: the oracle.
#include <array>
#include <cmath>
#include <limits>
#include <numbers>

#include "kernels/activation/expression.h"

namespace vp {
namespace {

using enum ExpressionOp;

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

// Bounds: measured maximum over every 256th float bit pattern on every target, rounded up (expression_math_test).
constexpr std::array kFunctions{
    ExpressionFunction{"exp", kExp, "", 1.2, 1.2},
    ExpressionFunction{"log", kLog, "no number below 0", 1.5, 1},
    ExpressionFunction{"log1p", kLog1p, "log(1 + x), exact near 0; no number below -1", 3, 2},
    ExpressionFunction{"sqrt", kSqrt, "no number below 0, slope infinite at 0", 1, 1.5},
    ExpressionFunction{"tanh", kTanh, "", 3, 5},
    ExpressionFunction{"sigmoid", kSigmoid, "1 / (1 + exp(-x))", 3, 4.5},
    ExpressionFunction{"sin", kSin, "", 2, 2},
    ExpressionFunction{"cos", kCos, "", 2, 2},
    ExpressionFunction{"atan", kAtan, "", 3, 5},
    ExpressionFunction{"erf", kErf, "", 3, 4},
    ExpressionFunction{"abs", kAbs, "slope 0 at 0", 0, 0},
    ExpressionFunction{"relu", kRelu, "max(x, 0), slope 0 at 0", 0, 0},
    ExpressionFunction{"max", kMax, "max(a, b); the slope of b where both are equal", 0, 0},
    ExpressionFunction{"min", kMin, "min(a, b); the slope of b where both are equal", 0, 0},
};

// The table's function of that name; looked up once for each operation.
template <ExpressionOp>
ValueAndSlope<double> built_in(std::string_view name, double x) {
  static const Activation& f = *find_activation(name);
  return activate(f, x);
}

// f(x) and f'(x) of the functions of one variable.
ValueAndSlope<double> function(ExpressionOp op, double x) {
  switch (op) {
    case kNegate:
      return {-x, -1};
    case kAbs:
      return {std::abs(x), x > 0 ? 1.0 : x < 0 ? -1.0 : 0.0};
    case kRelu:
      return built_in<kRelu>("relu", x);
    case kExp:
      return {std::exp(x), std::exp(x)};
    case kLog:
      return {std::log(x), x < 0 ? kNaN : 1 / x};
    case kLog1p:
      return {std::log1p(x), x < -1 ? kNaN : 1 / (1 + x)};
    case kSqrt:
      return {std::sqrt(x), 0.5 / std::sqrt(x)};
    case kTanh:
      return built_in<kTanh>("tanh", x);
    case kSigmoid:
      return built_in<kSigmoid>("sigmoid", x);
    case kSoftplus:
      return built_in<kSoftplus>("softplus", x);
    case kSin:
      return {std::sin(x), std::cos(x)};
    case kCos:
      return {std::cos(x), -std::sin(x)};
    case kAtan:
      return {std::atan(x), 1 / (1 + x * x)};
    case kErf:
      return {std::erf(x), 2 * std::numbers::inv_sqrtpi * std::exp(-x * x)};
    default:
      return {kNaN, kNaN};  // not reached: the others are of two
  }
}

ValueAndSlope<double> apply_to_two(const ExpressionStep& step, ValueAndSlope<double> a, ValueAndSlope<double> b) {
  const auto term = [](const ExpressionOperand& o, double factor, double slope) { return o.place < 0 ? 0 : factor * slope; };
  switch (step.op) {
    case kAdd:
      return {a.value + b.value, a.slope + b.slope};
    case kSubtract:
      return {a.value - b.value, a.slope - b.slope};
    case kMultiply:
      return {a.value * b.value, term(step.b, a.value, b.slope) + term(step.a, b.value, a.slope)};
    case kDivide:
      return {a.value / b.value, (a.slope - term(step.b, a.value / b.value, b.slope)) / b.value};
    case kMax:
      return a.value > b.value ? a : b;
    case kMin:
      return a.value < b.value ? a : b;
    default:
      return {kNaN, kNaN};
  }
}

ValueAndSlope<double> apply_in_double(const ExpressionStep& step, ValueAndSlope<double> a, ValueAndSlope<double> b) {
  if (std::isnan(a.value) || std::isnan(b.value)) return {kNaN, kNaN};
  if (is_binary(step.op)) return apply_to_two(step, a, b);
  const ValueAndSlope<double> f = function(step.op, a.value);
  return {f.value, f.slope * a.slope};
}

}  // namespace

std::span<const ExpressionFunction> expression_functions() { return kFunctions; }

template <class T>
ValueAndSlope<T> apply(const ExpressionStep& step, ValueAndSlope<T> a, ValueAndSlope<T> b) {
  const ValueAndSlope<double> r = apply_in_double(step, {static_cast<double>(a.value), static_cast<double>(a.slope)},
                                                  {static_cast<double>(b.value), static_cast<double>(b.slope)});
  return {static_cast<T>(r.value), static_cast<T>(r.slope)};
}

template <class T>
ValueAndSlope<T> evaluate(const Expression& f, T x) {
  std::array<ValueAndSlope<T>, Expression::kMaxRegisters> registers;
  registers[0] = {x, std::isnan(x) ? x : T(1)};
  const auto read = [&](const ExpressionOperand& o) {
    return o.place < 0 ? ValueAndSlope<T>{static_cast<T>(o.constant), 0} : registers[static_cast<std::size_t>(o.place)];
  };
  for (const ExpressionStep& step : f.steps) registers[static_cast<std::size_t>(step.out)] = apply(step, read(step.a), read(step.b));
  return registers[static_cast<std::size_t>(f.result)];
}

template ValueAndSlope<float> apply(const ExpressionStep&, ValueAndSlope<float>, ValueAndSlope<float>);
template ValueAndSlope<double> apply(const ExpressionStep&, ValueAndSlope<double>, ValueAndSlope<double>);
template ValueAndSlope<float> evaluate(const Expression&, float);
template ValueAndSlope<double> evaluate(const Expression&, double);

}  // namespace vp
