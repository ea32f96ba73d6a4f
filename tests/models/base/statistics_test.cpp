#include "models/base/statistics.h"

#include <gtest/gtest.h>

#include <array>
#include <vector>

#include "tests/compare.h"

namespace vp::test {
namespace {

TEST(Statistics, StudentQuantilesAreTheTabulatedOnes) {
  const double known[][2] = {{1, 12.7062047}, {2, 4.3026527},  {3, 3.1824463},    {4, 2.7764451},
                             {9, 2.2621572},  {30, 2.0422725}, {1000, 1.9623391}, {1e6, 1.9599664}};
  for (const auto& [degrees, quantile] : known) EXPECT_TRUE(near(student_t_975(degrees), quantile, 2e-7 * quantile)) << degrees;
  EXPECT_TRUE(near(student_t_975(99999), student_t_975(100001), 1e-7));
}

TEST(Statistics, IntervalOfTheMean) {
  const std::array values = {1.0, 2.0, 4.0};  // mean 7/3, standard deviation 1.527525
  const auto interval = mean_interval(values);
  ASSERT_TRUE(interval.has_value());
  EXPECT_TRUE(near(interval->low, 7.0 / 3 - 4.3026527 * 1.5275252 / std::sqrt(3.0), 1e-6));
  EXPECT_TRUE(near(interval->high, 7.0 / 3 + 4.3026527 * 1.5275252 / std::sqrt(3.0), 1e-6));
  EXPECT_FALSE(mean_interval(std::array{1.0}).has_value());
}

TEST(Statistics, CentralRange) {
  std::vector<double> values;
  for (int i = 200; i >= 0; --i) values.push_back(i);
  const auto range = central_range(values);
  ASSERT_TRUE(range.has_value());
  EXPECT_TRUE(near(range->low, 5, 1e-12));
  EXPECT_TRUE(near(range->high, 195, 1e-12));
}

// A point of weight n counts as n points.
TEST(Statistics, WeightedLeastSquaresSlope) {
  const std::array x = {0.0, 1.0, 2.0, 5.0}, y = {1.0, 3.0, 2.0, 9.0}, weights = {3.0, 1.0, 2.0, 1.0};
  const std::array repeated_x = {0.0, 0.0, 0.0, 1.0, 2.0, 2.0, 5.0}, repeated_y = {1.0, 1.0, 1.0, 3.0, 2.0, 2.0, 9.0};
  EXPECT_TRUE(near(*least_squares_slope(x, y, weights), *least_squares_slope(repeated_x, repeated_y), 1e-14));
  EXPECT_EQ(*least_squares_slope(x, y, std::array{1.0, 1.0, 1.0, 1.0}), *least_squares_slope(x, y));
}

TEST(Statistics, LeastSquaresSlope) {
  const std::array x = {0.0, 1.0, 2.0, 5.0}, y = {1.0, 3.0, 2.0, 9.0};
  EXPECT_TRUE(near(*least_squares_slope(x, y), 22.0 / 14, 1e-12));
  EXPECT_FALSE(least_squares_slope(std::array{2.0, 2.0}, std::array{1.0, 3.0}).has_value());
}

}  // namespace
}  // namespace vp::test
