// The only place that compares floats. A comparison passes if |actual - expected| <= tolerance, written so that NaN fails.
//
// tolerance = c * eps(T) * scale * growth: c is the constant the caller states, scale the largest magnitude in `expected` (or one given),
// growth how much rounding the computation may gather (say, sqrt of the number of terms, or the number of time steps).
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>
#include <string>

namespace vp::test {

struct Bound {
  double c = 4;       // stated constant
  double growth = 1;  // of rounding with the size of the problem
  double scale = 0;   // 0: max |expected|
};

// Largest magnitude; NaN if any is NaN.
template <class T>
double max_magnitude(std::span<const T> x) {
  double largest = 0;
  for (const T v : x) {
    if (std::isnan(v)) return std::numeric_limits<double>::quiet_NaN();
    largest = std::max(largest, std::abs(static_cast<double>(v)));
  }
  return largest;
}

// eps is that of A, the type under test; E is usually double.
template <class A, class E>
::testing::AssertionResult close(std::span<const A> actual, std::span<const E> expected, Bound bound) {
  if (actual.size() != expected.size())
    return ::testing::AssertionFailure() << "sizes differ: " << actual.size() << " and " << expected.size();
  const double scale = bound.scale > 0 ? bound.scale : max_magnitude(expected);
  const double tolerance = bound.c * std::numeric_limits<A>::epsilon() * scale * bound.growth;
  for (std::size_t i = 0; i < actual.size(); ++i) {
    const double a = static_cast<double>(actual[i]), e = static_cast<double>(expected[i]);
    if (!(std::abs(a - e) <= tolerance))
      return ::testing::AssertionFailure() << "element " << i << ": " << a << ", expected " << e << " within " << tolerance;
  }
  return ::testing::AssertionSuccess();
}

// Two numbers within an absolute tolerance; NaN fails.
inline ::testing::AssertionResult near(double actual, double expected, double tolerance) {
  if (std::abs(actual - expected) <= tolerance) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << actual << ", expected " << expected << " within " << tolerance;
}

}  // namespace vp::test
