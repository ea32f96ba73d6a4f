// Is a formula fit to be an activation: finite, and differentiable but for the kinks of abs, relu, max and min? Looked at on
// [-kCheckedRange, kCheckedRange]: on a grid of 1/64, every interval of which is halved until the slope agrees with the central difference
// in its middle and with the difference over it, down to 2^-28; where it never does, there is a kink, a jump or a pole.
// Thread-safety: pure functions.
#pragma once

#include <string>
#include <vector>

#include "kernels/activation/expression.h"

namespace vp {

inline constexpr double kCheckedRange = 8;

// Where the slope jumps because of abs, relu, max or min, and between what.
struct ExpressionKink {
  double x, left_slope, right_slope;
};

struct ExpressionReport {
  std::string problem;  // empty: it is fit; else why not, with the point and the numbers
  double max_slope = 0;
  double max_value = 0;  // both in magnitude, on the grid
  std::vector<ExpressionKink> kinks;
};

ExpressionReport check_expression(const Expression& f);

}  // namespace vp
