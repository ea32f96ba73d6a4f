#include "experiments/claims/statistics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <utility>
#include <vector>

#include "tests/compare.h"

namespace vp::test {
namespace {

using Values = std::vector<double>;

TEST(ClaimStatistics, MedianOfOddAndEvenNumbers) {
  EXPECT_TRUE(near(median(Values{3, 1, 2}), 2, 0));
  EXPECT_TRUE(near(median(Values{4, 1, 2, 3}), 2.5, 0));
}

TEST(ClaimStatistics, QuantilesOfStudentsT) {
  const std::pair<double, double> known[] = {{1, 12.7062}, {2.5, 3.57465}, {2, 4.30265},   {3, 3.18245},
                                             {4, 2.77645}, {30, 2.04227},  {1000, 1.96234}};
  for (const auto& [df, t] : known) EXPECT_TRUE(near(student_t_975(df), t, 3e-5)) << df;
}

// Coverage by counting: n = 6: 1 - 2/64 = 0.969; n = 9: 2nd and 8th, 1 - 2 * 10/512 = 0.961; n = 7 at 97.5 %: 1 - 2/128 = 0.984.
TEST(ClaimStatistics, MedianLiesBetweenOrderStatistics) {
  EXPECT_FALSE(median_interval(Values{1, 2, 3, 4, 5}, 0.95));
  const auto six = median_interval(Values{6, 5, 4, 3, 2, 1}, 0.95);
  ASSERT_TRUE(six);
  EXPECT_EQ(std::pair(six->low, six->high), std::pair(1.0, 6.0));
  const auto nine = median_interval(Values{9, 1, 8, 2, 7, 3, 6, 4, 5}, 0.95);
  ASSERT_TRUE(nine);
  EXPECT_EQ(std::pair(nine->low, nine->high), std::pair(2.0, 8.0));
  EXPECT_FALSE(median_interval(Values{1, 2, 3, 4, 5, 6}, 0.975));
  EXPECT_TRUE(median_interval(Values{1, 2, 3, 4, 5, 6, 7}, 0.975));
}

// scipy.stats.ttest_ind([1, 2, 3, 5], [2, 2.5, 7], equal_var=False): 3.1458 degrees of freedom.
TEST(ClaimStatistics, WelchDifference) {
  const auto i = difference_interval(Values{1, 2, 3, 5}, Values{2, 2.5, 7}, false);
  ASSERT_TRUE(i);
  EXPECT_TRUE(near(i->low, -6.679042, 1e-5));
  EXPECT_TRUE(near(i->high, 4.512375, 1e-5));
}

// Differences of pairs are 1, 2, 3: mean 2, standard error 1 / sqrt(3), t = 4.30265.
TEST(ClaimStatistics, PairedDifference) {
  const auto i = difference_interval(Values{11, 22, 33}, Values{10, 20, 30}, true);
  ASSERT_TRUE(i);
  EXPECT_TRUE(near(i->low, 2 - 4.302653 / std::sqrt(3.0), 1e-5));
  EXPECT_TRUE(near(i->high, 2 + 4.302653 / std::sqrt(3.0), 1e-5));
}

// Pairs in a constant ratio: no uncertainty in it however much they vary. Without pairing there is.
TEST(ClaimStatistics, FiellerUsesTheCovarianceOfPairs) {
  const Values a = {20, 22, 24}, b = {10, 11, 12};
  const auto paired = ratio_interval(a, b, true), unpaired = ratio_interval(a, b, false);
  ASSERT_TRUE(paired && unpaired);
  EXPECT_TRUE(near(paired->low, 2, 1e-7));
  EXPECT_TRUE(near(paired->high, 2, 1e-7));
  EXPECT_LT(unpaired->low, 1.7);
  EXPECT_GT(unpaired->high, 2.3);
}

// Without pairs, the degrees of freedom are those of mean(a) - r mean(b) at the estimated ratio r, here 2.4. With NumPy and SciPy, va and
// vb the variances of the means: nu = (va + r^2 vb)^2 / (va^2/3 + (r^2 vb)^2/2) = 3.467344, t = scipy.stats.t.ppf(.975, nu), and the roots
// of (mb^2 - t^2 vb) x^2 - 2 ma mb x + ma^2 - t^2 va. At ratio 1 the degrees would be 3.086, and the interval 1.595190 to 3.178335.
TEST(ClaimStatistics, FiellerTakesDegreesOfFreedomAtTheEstimatedRatio) {
  const auto i = ratio_interval(Values{21, 25, 19, 30}, Values{9.5, 10.5, 10.1}, false);
  ASSERT_TRUE(i);
  EXPECT_TRUE(near(i->low, 1.638842, 1e-6));
  EXPECT_TRUE(near(i->high, 3.130263, 1e-6));
  const auto small = ratio_interval(Values{1, 2, 3, 5}, Values{12, 19, 17, 15, 14}, false);  // nu = 3.384971; at ratio 1 6.75
  ASSERT_TRUE(small);
  EXPECT_TRUE(near(small->low, 0.012908414, 1e-5));
  EXPECT_TRUE(near(small->high, 0.364993691, 1e-6));
}

// The ends of Fieller's interval are the ratios r at which mean(a - r b) is just t standard errors from zero.
TEST(ClaimStatistics, FiellerEndsSolveTheirEquation) {
  const Values a = {2.5, 2.1, 3.3, 2.8}, b = {1.1, 0.9, 1.2, 1.3};
  const auto interval = ratio_interval(a, b, true);
  ASSERT_TRUE(interval);
  for (const double r : {interval->low, interval->high}) {
    Values d;
    for (std::size_t i = 0; i < a.size(); ++i) d.push_back(a[i] - r * b[i]);
    const auto zero = mean_interval(d);
    ASSERT_TRUE(zero);
    EXPECT_TRUE(near(std::min(std::abs(zero->low), std::abs(zero->high)), 0, 1e-6)) << r;
  }
}

TEST(ClaimStatistics, RatioIsUnboundedWhereTheDenominatorMayBeZero) {
  EXPECT_FALSE(ratio_interval(Values{1, 1.1, 0.9}, Values{-1, 2, 0.5}, false));
  EXPECT_FALSE(ratio_interval(Values{1, 1.1, 0.9}, Values{-1, 2, 0.5}, true));
}

TEST(ClaimStatistics, MediansCompareByBothIntervals) {
  const Values a = {10, 11, 12, 13, 14, 15, 16}, b = {1, 2, 3, 4, 5, 6, 8};
  const auto difference = median_difference_interval(a, b), ratio = median_ratio_interval(a, b);
  ASSERT_TRUE(difference && ratio);
  EXPECT_EQ(std::pair(difference->low, difference->high), std::pair(2.0, 15.0));
  EXPECT_EQ(std::pair(ratio->low, ratio->high), std::pair(1.25, 16.0));
  EXPECT_FALSE(median_ratio_interval(a, Values{-1, 2, 3, 4, 5, 6, 8}));
}

// A quotient x / y with x in [low, high] and y in an interval that leaves out 0 has its ends at ends of both, whatever the signs are.
TEST(ClaimStatistics, RatioOfMediansOfNegativeNumbers) {
  const Values rising = {1, 2, 3, 4, 5, 6, 7}, falling = {-1, -2, -3, -4, -5, -6, -7}, across = {-3, -2, -1, 0, 1, 2, 5};
  const auto ends = [](const Values& a, const Values& b) {
    const auto i = median_ratio_interval(a, b);
    return i ? std::pair(i->low, i->high) : std::pair(std::nan(""), std::nan(""));
  };
  EXPECT_EQ(ends(falling, rising), std::pair(-7.0, -1.0 / 7));
  EXPECT_EQ(ends(rising, falling), std::pair(-7.0, -1.0 / 7));
  EXPECT_EQ(ends(falling, falling), std::pair(1.0 / 7, 7.0));
  EXPECT_EQ(ends(across, rising), std::pair(-3.0, 5.0));
  EXPECT_EQ(ends(across, falling), std::pair(-5.0, 3.0));
}

}  // namespace
}  // namespace vp::test
