#include "kernels/activation/expression_program.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace vp {
namespace {

using enum ExpressionOp;

bool is_power_of_two(double c) {
  int exponent = 0;
  return c != 0 && std::abs(std::frexp(c, &exponent)) == 0.5;
}

}  // namespace

ExpressionBuilder::ExpressionBuilder() { nodes_.push_back({kAdd, kNone, kNone, 0}); }  // kX

ExpressionNode ExpressionBuilder::add_node(const Node& node) {
  const auto first = nodes_.begin() + 1;  // x equals no other
  if (const auto found = std::find(first, nodes_.end(), node); found != nodes_.end()) return static_cast<int>(found - nodes_.begin());
  if (nodes_.size() > 2 * Expression::kMaxSteps) {
    problem_ = "too many operations";
    return kX;
  }
  nodes_.push_back(node);
  return static_cast<ExpressionNode>(nodes_.size()) - 1;
}

ExpressionNode ExpressionBuilder::constant(double value) {
  if (!(std::abs(value) <= Expression::kMaxConstant)) {
    problem_ = "this part is a constant, and not a number of at most 1e30 in magnitude";
    return kX;
  }
  return add_node({kAdd, kNone, kNone, value + 0.0});
}

std::optional<double> ExpressionBuilder::constant_of(ExpressionNode node) const {
  if (node == kX || !is_leaf(node)) return std::nullopt;
  return nodes_[static_cast<std::size_t>(node)].constant;
}

ExpressionNode ExpressionBuilder::folded(ExpressionOp op, double a, double b) {
  return constant(apply<double>({.op = op, .out = 0}, {a, 0}, {b, 0}).value);
}

// u where the node is 1 + exp(u), in either order; else kNone.
ExpressionNode ExpressionBuilder::exponent_of_one_plus_exp(ExpressionNode node) const {
  if (!is(node, kAdd)) return kNone;
  const Node& sum = nodes_[static_cast<std::size_t>(node)];
  for (const auto& [one, power] : {std::pair(sum.a, sum.b), std::pair(sum.b, sum.a)})
    if (constant_of(one) == 1.0 && is(power, kExp)) return argument(power);
  return kNone;
}

ExpressionNode ExpressionBuilder::unary(ExpressionOp op, ExpressionNode a) {
  if (const auto c = constant_of(a)) return folded(op, *c, 0);
  if (op == kNegate && is(a, kNegate)) return argument(a);
  if (op == kLog1p && is(a, kExp)) return unary(kSoftplus, argument(a));
  if (op == kLog)
    if (const ExpressionNode u = exponent_of_one_plus_exp(a); u != kNone) return unary(kSoftplus, u);
  return add_node({op, a, kNone, 0});
}

ExpressionNode ExpressionBuilder::quotient(ExpressionNode a, ExpressionNode b) {
  if (const auto c = constant_of(b); c && is_power_of_two(*c)) return binary(kMultiply, a, constant(1 / *c));
  if (const ExpressionNode u = exponent_of_one_plus_exp(b); u != kNone) {
    if (is(a, kExp) && argument(a) == u) return unary(kSigmoid, u);
    const ExpressionNode falling = unary(kSigmoid, unary(kNegate, u));
    return constant_of(a) == 1.0 ? falling : binary(kMultiply, a, falling);
  }
  return add_node({kDivide, a, b, 0});
}

ExpressionNode ExpressionBuilder::binary(ExpressionOp op, ExpressionNode a, ExpressionNode b) {
  const auto left = constant_of(a), right = constant_of(b);
  if (left && right) return folded(op, *left, *right);
  if (op == kDivide) return quotient(a, b);
  return add_node({op, a, b, 0});
}

// By squares: x^6 = (x x^2)^2.
ExpressionNode ExpressionBuilder::whole_power(ExpressionNode base, int exponent) {
  if (exponent == 1) return base;
  if (exponent % 2 != 0) return binary(kMultiply, base, whole_power(base, exponent - 1));
  const ExpressionNode root = whole_power(base, exponent / 2);
  return binary(kMultiply, root, root);
}

ExpressionNode ExpressionBuilder::power(ExpressionNode base, double exponent) {
  if (exponent < 0) return binary(kDivide, constant(1), power(base, -exponent));
  if (exponent == 0) return constant(1);
  const double whole = std::floor(exponent);
  if (exponent == whole) return whole_power(base, static_cast<int>(whole));
  if (exponent - whole != 0.5) return unary(kExp, binary(kMultiply, constant(exponent), unary(kLog, base)));
  const ExpressionNode root = unary(kSqrt, base);
  return whole == 0 ? root : binary(kMultiply, whole_power(base, static_cast<int>(whole)), root);
}

// For every node the number of the last one that needs it; -1: none does. The root is needed by the end.
std::vector<int> ExpressionBuilder::last_uses(ExpressionNode root) const {
  std::vector<int> last(nodes_.size(), -1);
  last[static_cast<std::size_t>(root)] = static_cast<int>(nodes_.size());
  for (ExpressionNode n = root; n >= 0; --n) {  // operands stand before what is made of them
    if (last[static_cast<std::size_t>(n)] < 0) continue;
    for (const ExpressionNode operand : {nodes_[static_cast<std::size_t>(n)].a, nodes_[static_cast<std::size_t>(n)].b})
      if (operand != kNone) last[static_cast<std::size_t>(operand)] = std::max(last[static_cast<std::size_t>(operand)], n);
  }
  return last;
}

std::optional<Expression> ExpressionBuilder::finish(ExpressionNode root, std::string text) {
  const std::vector<int> last = last_uses(root);
  Expression f{.text = std::move(text)};
  std::vector<int> place(nodes_.size(), 0), free;
  const auto operand = [&](ExpressionNode n) {
    if (n == kNone) return ExpressionOperand{};
    if (const auto c = constant_of(n)) return ExpressionOperand{.constant = *c};
    return ExpressionOperand{.place = place[static_cast<std::size_t>(n)]};
  };
  for (ExpressionNode n = 1; n <= root; ++n) {
    const Node& node = nodes_[static_cast<std::size_t>(n)];
    if (last[static_cast<std::size_t>(n)] < 0 || is_leaf(n)) continue;
    ExpressionStep step{.op = node.op, .out = 0, .a = operand(node.a), .b = operand(node.b)};
    for (const ExpressionNode used : {node.a, node.b == node.a ? kNone : node.b})
      if (used != kNone && last[static_cast<std::size_t>(used)] == n && !constant_of(used))
        free.push_back(place[static_cast<std::size_t>(used)]);
    if (free.empty()) free.push_back(f.registers++);
    step.out = place[static_cast<std::size_t>(n)] = free.back();
    free.pop_back();
    f.steps.push_back(step);
  }
  f.result = place[static_cast<std::size_t>(root)];
  if (f.registers > Expression::kMaxRegisters) problem_ = "too many intermediate results at a time (64 at most)";
  if (f.steps.size() > Expression::kMaxSteps) problem_ = "too many operations (500 at most)";
  if (!problem_.empty()) return std::nullopt;
  return f;
}

}  // namespace vp
