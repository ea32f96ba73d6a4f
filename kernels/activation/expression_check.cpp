#include "kernels/activation/expression_check.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

namespace vp {
namespace {

constexpr double kGridStep = 1.0 / 64, kFinest = 0x1p-28;
constexpr double kTolerance = 1e-3;           // of 1 + |slope|
constexpr double kLargest = 1e30;             // of a value or slope: a float, with room for what it is multiplied with
constexpr std::int64_t kMaxWork = 1'500'000;  // steps of programs: some 0.1 s; the grid alone takes 1,000,000 of the longest program

std::string number(double x) {
  if (std::isnan(x)) return "nan";
  std::array<char, 32> text;
  std::snprintf(text.data(), text.size(), "%.6g", x);
  return text.data();
}

// Which side abs, relu, max and min take, folded into one number; 0 before the first.
struct Sides {
  std::uint64_t hash = 0;
  void add(double difference) { hash = hash * 0x9E3779B97F4A7C15u + (difference > 0 ? 3 : difference < 0 ? 2 : 1); }
};

struct Point {
  double x, value, slope;
  Sides sides;
};

bool is_usable(double v) { return std::abs(v) <= kLargest; }

class Checker {
 public:
  explicit Checker(const Expression& f) : f_(f) {}

  ExpressionReport run() {
    Point left = at(-kCheckedRange);
    check_as_float(left.x);
    const auto steps = static_cast<int>(2 * kCheckedRange / kGridStep);
    for (int i = 1; i <= steps && report_.problem.empty(); ++i) {
      const Point right = at(-kCheckedRange + i * kGridStep);
      check_as_float(right.x);
      check_interval(left, right);
      left = right;
    }
    if (report_.max_slope == 0) refuse("its slope is 0 on all of [-8, 8]: nothing could be learnt through it");
    return std::move(report_);
  }

 private:
  void refuse(std::string problem) {
    if (report_.problem.empty()) report_.problem = std::move(problem);
  }

  Point at(double x) {
    std::array<ValueAndSlope<double>, Expression::kMaxRegisters> registers;
    registers[0] = {x, 1};
    const auto read = [&](const ExpressionOperand& o) {
      return o.place < 0 ? ValueAndSlope<double>{o.constant, 0} : registers[static_cast<std::size_t>(o.place)];
    };
    Point p{.x = x};
    for (const ExpressionStep& step : f_.steps) {
      const auto a = read(step.a), b = read(step.b);
      if (step.op == ExpressionOp::kAbs || step.op == ExpressionOp::kRelu) p.sides.add(a.value);
      if (step.op == ExpressionOp::kMax || step.op == ExpressionOp::kMin) p.sides.add(a.value - b.value);
      registers[static_cast<std::size_t>(step.out)] = apply(step, a, b);
    }
    work_ += static_cast<std::int64_t>(f_.steps.size()) + 1;
    p.value = registers[static_cast<std::size_t>(f_.result)].value;
    p.slope = registers[static_cast<std::size_t>(f_.result)].slope;
    check_finite(p);
    report_.max_value = std::max(report_.max_value, std::abs(p.value));
    report_.max_slope = std::max(report_.max_slope, std::abs(p.slope));
    return p;
  }

  void check_finite(const Point& p) {
    if (!is_usable(p.value)) return refuse("not finite, or above 1e30: its value at x = " + number(p.x) + " is " + number(p.value));
    if (std::isfinite(p.slope) && !is_usable(p.slope))
      return refuse("too steep: its slope at x = " + number(p.x) + " is " + number(p.slope));
    if (!is_usable(p.slope))
      return refuse("not differentiable at x = " + number(p.x) + ": its value there is " + number(p.value) + ", its slope " +
                    number(p.slope));
  }

  // The range of a float is smaller: a part that overflows there would train to NaN. On the grid, whose points are floats.
  void check_as_float(double x) {
    const ValueAndSlope<float> f = evaluate(f_, static_cast<float>(x));
    if (std::isfinite(f.value) && std::isfinite(f.slope)) return;
    refuse("a part of it leaves the range of a float at x = " + number(x) + ": value and slope come out as " +
           number(static_cast<double>(f.value)) + " and " + number(static_cast<double>(f.slope)) + " there");
  }

  // Do the slopes agree with the difference over [a, b]? Rounding of the values enters the difference as eps / width.
  static bool agrees(const Point& a, const Point& m, const Point& b, double difference) {
    const double noise = 0x1p-46 * std::max({std::abs(a.value), std::abs(m.value), std::abs(b.value)}) / (b.x - a.x);
    const double allowed = kTolerance * (1 + std::max({std::abs(a.slope), std::abs(m.slope), std::abs(b.slope)})) + noise;
    return std::abs(difference - m.slope) <= allowed && std::abs(difference - (a.slope + b.slope) / 2) <= allowed;
  }

  void check_interval(const Point& a, const Point& b) {
    if (!report_.problem.empty()) return;
    if (work_ > kMaxWork) return refuse("it changes too fast near x = " + number(a.x) + " for its slope to be checked there");
    const Point m = at((a.x + b.x) / 2);
    if (!report_.problem.empty()) return;
    const double difference = (b.value - a.value) / (b.x - a.x);
    if (agrees(a, m, b, difference)) return;
    if (b.x - a.x > kFinest) {
      check_interval(a, m);
      return check_interval(m, b);
    }
    book_break(a, m, b, difference);
  }

  // Below the finest width: a kink of abs and its like is allowed, if the value does not jump.
  void book_break(const Point& a, const Point& m, const Point& b, double difference) {
    const double slope = std::max({1.0, std::abs(a.slope), std::abs(b.slope)});
    if (std::abs(difference) > 2 * slope)
      return refuse("its value jumps at x = " + number(m.x) + ", from " + number(a.value) + " to " + number(b.value) +
                    ": the slope there is " + number(m.slope) + ", the central difference " + number(difference));
    if (a.sides.hash == b.sides.hash && a.sides.hash == m.sides.hash)
      return refuse("not differentiable at x = " + number(m.x) + ": the slope there is " + number(m.slope) + ", the central difference " +
                    number(difference));
    const bool known = !report_.kinks.empty() && m.x - report_.kinks.back().x < 4 * kFinest;
    if (known) report_.kinks.back().right_slope = b.slope;
    if (!known) report_.kinks.push_back({.x = std::round(m.x * 0x1p20) / 0x1p20, .left_slope = a.slope, .right_slope = b.slope});
  }

  const Expression& f_;
  ExpressionReport report_;
  std::int64_t work_ = 0;
};

}  // namespace

ExpressionReport check_expression(const Expression& f) { return Checker(f).run(); }

}  // namespace vp
