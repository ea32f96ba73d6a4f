#include "kernels/verify/finding.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <exception>
#include <limits>

namespace vp {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity(), kLargestFloat = std::numeric_limits<float>::max();

// NaN compares as false everywhere: what is not provably within the tolerance is infinitely wrong.
double multiple_of(double error, double tolerance) {
  if (error == 0) return 0;
  const double multiple = error / tolerance;
  return multiple <= std::numeric_limits<double>::max() ? multiple : kInfinity;
}

void book(Finding& finding, std::string_view what, std::size_t i, double actual, double expected, double multiple) {
  ++finding.compared;
  finding.worst = std::max(finding.worst, multiple);
  if (multiple <= 1 || !finding.fault.empty()) return;
  finding.fault =
      std::string(what) + ": element " + std::to_string(i) + " is " + to_text(actual) + ", the reference says " + to_text(expected);
}

template <class A>
Finding compare_all(std::string_view what, std::span<const A> actual, std::span<const double> expected, double tolerance) {
  if (actual.size() != expected.size()) return fault_finding(std::string(what) + ": sizes differ");
  Finding finding;
  for (std::size_t i = 0; i < actual.size(); ++i) {
    const auto a = static_cast<double>(actual[i]);
    book(finding, what, i, a, expected[i], multiple_of(std::abs(a - expected[i]), tolerance));
  }
  return finding;
}

double largest(std::span<const double> x) {
  double most = 0;
  for (const double v : x) most = std::max(most, std::abs(v));
  return most;
}

double special_multiple(double actual, double expected, double tolerance, double bound) {
  if (std::isnan(expected)) return std::isnan(actual) ? 0 : kInfinity;
  if (std::abs(expected) <= kLargestFloat) return multiple_of(std::abs(actual - expected), tolerance);
  if (std::isinf(actual) || std::isinf(expected)) return std::isinf(actual) && (actual > 0) == (expected > 0) ? 0 : kInfinity;
  return multiple_of(std::abs(actual - expected), bound * 0x1p-23 * std::abs(expected));
}

}  // namespace

void Finding::add(const Finding& other, std::string_view where) {
  worst = std::max(worst, other.worst);
  compared += other.compared;
  if (fault.empty() && !other.fault.empty()) fault = where.empty() ? other.fault : std::string(where) + ": " + other.fault;
}

Finding fault_finding(const std::string& fault) { return {.worst = kInfinity, .compared = 0, .fault = fault}; }

Finding compare_within(std::string_view what, std::span<const float> actual, std::span<const double> expected, double tolerance) {
  return compare_all(what, actual, expected, tolerance);
}
Finding compare_within(std::string_view what, std::span<const double> actual, std::span<const double> expected, double tolerance) {
  return compare_all(what, actual, expected, tolerance);
}
Finding compare(std::string_view what, std::span<const float> actual, std::span<const double> expected, double bound) {
  return compare_all(what, actual, expected, bound * 0x1p-23 * largest(expected));
}
Finding compare(std::string_view what, std::span<const double> actual, std::span<const double> expected, double bound) {
  return compare_all(what, actual, expected, bound * 0x1p-23 * largest(expected));
}

std::string to_text(double x) {
  char text[32];
  std::snprintf(text, sizeof text, "%.9g", x);
  return text;
}

double max_finite(std::span<const double> x) {
  double most = 0;
  for (const double v : x)
    if (std::abs(v) <= kLargestFloat) most = std::max(most, std::abs(v));
  return most;
}

Finding compare_special(std::string_view what, std::span<const double> actual, std::span<const double> expected, double bound) {
  if (actual.size() != expected.size()) return fault_finding(std::string(what) + ": sizes differ");
  const double tolerance = bound * std::max(0x1p-23 * max_finite(expected), 0x1p-149);
  Finding finding;
  for (std::size_t i = 0; i < actual.size(); ++i)
    book(finding, what, i, actual[i], expected[i], special_multiple(actual[i], expected[i], tolerance, bound));
  return finding;
}

Finding run_check(const Check& check) {
  try {
    return check.run();
  } catch (const std::exception& error) {
    return fault_finding(error.what());
  }
}

}  // namespace vp
