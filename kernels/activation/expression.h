// Formulas of one variable, x, as a user writes them: read, compiled to a short program over registers, and run with its derivative beside
// it (forward mode). kernels/activation/custom_activation.h makes activations of them.
//
//   sum     = product { ("+" | "-") product }
//   product = signed { ("*" | "/") signed }
//   signed  = "-" signed | power
//   power   = primary [ "^" signed ]            so 2^3^2 = 2^(3^2), -x^2 = -(x^2)
//   primary = number | "x" | "(" sum ")" | name "(" sum [ "," sum ] ")"
//
// At most kMaxBytes bytes, nested kMaxDepth deep; every number and every constant part is finite and at most kMaxConstant. An exponent is a
// constant of at most kMaxExponent: products for whole ones, times sqrt for halves, else exp(c log(...)), which is no number below 0.
// Two forms are computed as the functions they are, because as written they overflow: log(1 + exp(u)) as softplus(u), a / (1 + exp(u)) as
// a sigmoid(-u). Parts that occur twice are computed once.
// Thread-safety: an Expression is constant; the functions are pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/activation/activations.h"

namespace vp {

enum class ExpressionOp : std::uint8_t {
  kAdd,
  kSubtract,
  kMultiply,
  kDivide,
  kMax,
  kMin,  // of two
  kNegate,
  kAbs,
  kRelu,
  kExp,
  kLog,
  kLog1p,
  kSqrt,
  kTanh,
  kSigmoid,
  kSoftplus,
  kSin,
  kCos,
  kAtan,
  kErf,
};
inline constexpr bool is_binary(ExpressionOp op) { return op <= ExpressionOp::kMin; }

// A register, or, where that is negative, a constant.
struct ExpressionOperand {
  int place = -1;
  double constant = 0;
};

struct ExpressionStep {
  ExpressionOp op;
  int out;  // register; may be one of the operands'
  ExpressionOperand a, b;
};

// x stands in register 0 before the first step.
struct Expression {
  std::string text;  // as it was written
  std::vector<ExpressionStep> steps;
  int registers = 1;
  int result = 0;  // its register

  static constexpr std::size_t kMaxBytes = 1000;
  static constexpr int kMaxDepth = 64, kMaxSteps = 500, kMaxRegisters = 64;
  static constexpr double kMaxConstant = 1e30, kMaxExponent = 64;
};

// What is wrong with a text, and where.
struct ExpressionError {
  std::size_t position = 0;  // of a byte, from 0
  std::string what;          // e.g. there is no function "tahn"
  std::string name;          // the unknown name, if that is what is wrong
};

// nullopt, with `error` filled in, where the text is no formula that contains x. Any bytes; time and memory are bounded.
std::optional<Expression> parse_expression(std::string_view text, ExpressionError& error);

struct ExpressionFunction {
  std::string_view name;
  ExpressionOp op;
  std::string_view meaning;                         // where its slope is a matter of choice, or its domain is not everything
  double value_bound_ulp = 0, slope_bound_ulp = 0;  // of the vector version, as in Activation; 0: its operation is exact or built in
};

// Those that can be called.
std::span<const ExpressionFunction> expression_functions();

// One step on numbers, each with its slope: the oracle. Computed in double, rounded once to T. NaN stays NaN, in value and slope. The slope
// of a constant is not looked at: at infinity 0.1 x has the slope 0.1, not 0.1 + 0 infinity.
template <class T>
ValueAndSlope<T> apply(const ExpressionStep& step, ValueAndSlope<T> a, ValueAndSlope<T> b);

// f(x) and f'(x), every step in T.
template <class T>
ValueAndSlope<T> evaluate(const Expression& f, T x);

}  // namespace vp
