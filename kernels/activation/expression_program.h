// Builds an Expression node by node: constants are folded, equal nodes are one, and forms that overflow become the function they mean.
// For use inside kernels/. Thread-safety: a builder belongs to one thread.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "kernels/activation/expression.h"

namespace vp {

// Of a node; names stay valid for the builder's life.
using ExpressionNode = int;

class ExpressionBuilder {
 public:
  ExpressionBuilder();
  static constexpr ExpressionNode kX = 0;
  ExpressionNode constant(double value);
  ExpressionNode unary(ExpressionOp op, ExpressionNode a);
  ExpressionNode binary(ExpressionOp op, ExpressionNode a, ExpressionNode b);
  ExpressionNode power(ExpressionNode base, double exponent);

  // nullopt: not a constant.
  std::optional<double> constant_of(ExpressionNode node) const;
  // What went wrong since the start, e.g. a constant that is not finite; the nodes are then without meaning. Empty: nothing.
  const std::string& problem() const { return problem_; }

  // Nodes that `root` does not need are dropped. Empty, with problem() set, where it needs too much.
  std::optional<Expression> finish(ExpressionNode root, std::string text);

 private:
  struct Node {
    ExpressionOp op;
    ExpressionNode a, b;  // -1: none
    double constant;
    bool operator==(const Node&) const = default;
  };
  enum : ExpressionNode { kNone = -1 };

  bool is(ExpressionNode node, ExpressionOp op) const { return !is_leaf(node) && nodes_[static_cast<std::size_t>(node)].op == op; }
  bool is_leaf(ExpressionNode node) const { return nodes_[static_cast<std::size_t>(node)].a == kNone; }
  ExpressionNode argument(ExpressionNode node) const { return nodes_[static_cast<std::size_t>(node)].a; }
  ExpressionNode add_node(const Node& node);
  ExpressionNode folded(ExpressionOp op, double a, double b);
  ExpressionNode quotient(ExpressionNode a, ExpressionNode b);
  ExpressionNode whole_power(ExpressionNode base, int exponent);
  ExpressionNode exponent_of_one_plus_exp(ExpressionNode node) const;
  std::vector<int> last_uses(ExpressionNode root) const;

  std::vector<Node> nodes_;
  std::string problem_;
};

}  // namespace vp
