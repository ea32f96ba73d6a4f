// The comparer itself: it must reject what a broken kernel produces.
#include "tests/compare.h"

#include <cmath>
#include <limits>
#include <vector>

namespace vp::test {
namespace {

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN(), kInf = std::numeric_limits<float>::infinity();

class Compare : public ::testing::Test {
 protected:
  static bool accepts(const std::vector<float>& actual, const std::vector<double>& expected, Bound bound = {}) {
    return static_cast<bool>(close<float, double>(actual, expected, bound));
  }
  const std::vector<double> expected_{0.5, -0.25, 1.5, -2.0, 0.75};
  const std::vector<float> exact_{expected_.begin(), expected_.end()};
};

TEST_F(Compare, AcceptsExactAndRoundedValues) {
  EXPECT_TRUE(accepts(exact_, expected_));
  std::vector<float> rounded = exact_;
  for (float& v : rounded) v = std::nextafter(v, 10.0f);
  EXPECT_TRUE(accepts(rounded, expected_));
}

TEST_F(Compare, RejectsZeros) { EXPECT_FALSE(accepts(std::vector<float>(5, 0.0f), expected_)); }

TEST_F(Compare, RejectsAWholeSignFlipAndOneSignFlip) {
  std::vector<float> flipped = exact_;
  flipped[1] = -flipped[1];
  EXPECT_FALSE(accepts(flipped, expected_));
  for (std::size_t i = 0; i < flipped.size(); ++i) flipped[i] = -exact_[i];
  EXPECT_FALSE(accepts(flipped, expected_));
}

TEST_F(Compare, RejectsNaNAndInfinityInEitherArgument) {
  for (const float bad : {kNaN, kInf, -kInf}) {
    std::vector<float> actual = exact_;
    actual[3] = bad;
    EXPECT_FALSE(accepts(actual, expected_)) << bad;
  }
  for (const double bad : {std::nan(""), static_cast<double>(kInf)}) {
    std::vector<double> expected = expected_;
    expected[3] = bad;
    EXPECT_FALSE(accepts(exact_, expected) && std::isnan(bad)) << bad;
  }
  std::vector<double> expected = expected_;
  expected[0] = std::nan("");
  std::vector<float> both = exact_;
  both[0] = kNaN;
  EXPECT_FALSE(accepts(both, expected)) << "NaN equals nothing";
}

TEST_F(Compare, RejectsOneWrongElementWhereverItStands) {
  for (std::size_t i = 0; i < exact_.size(); ++i) {
    std::vector<float> actual = exact_;
    actual[i] += 16 * std::numeric_limits<float>::epsilon() * 2;  // the default tolerance is 4 eps * 2
    EXPECT_FALSE(accepts(actual, expected_)) << i;
  }
}

TEST_F(Compare, RejectsSwappedBuffersAndOtherSizes) {
  EXPECT_FALSE(accepts({exact_.rbegin(), exact_.rend()}, expected_));
  EXPECT_FALSE(accepts({exact_.begin(), exact_.end() - 1}, expected_));
  EXPECT_FALSE(accepts({}, expected_));
}

TEST_F(Compare, AllZeroExpectationAllowsNothingElse) {
  EXPECT_TRUE(accepts({0, 0}, {0, 0}));
  EXPECT_FALSE(accepts({0, std::numeric_limits<float>::denorm_min()}, {0, 0}));
}

TEST_F(Compare, BoundIsTheProductOfItsFactors) {
  const double eps = std::numeric_limits<float>::epsilon();
  EXPECT_TRUE(accepts({static_cast<float>(1 + 5 * eps)}, {1}, {.c = 6}));
  EXPECT_FALSE(accepts({static_cast<float>(1 + 7 * eps)}, {1}, {.c = 6}));
  EXPECT_TRUE(accepts({static_cast<float>(1 + 11 * eps)}, {1}, {.c = 6, .growth = 2}));
  EXPECT_FALSE(accepts({static_cast<float>(1 + 5 * eps)}, {1}, {.c = 6, .scale = 0.5}));
}

TEST_F(Compare, NearFailsOnNaN) {
  EXPECT_TRUE(near(1, 1.5, 0.5));
  EXPECT_FALSE(near(1, 1.5, 0.25));
  EXPECT_FALSE(near(std::nan(""), 1, 10));
  EXPECT_FALSE(near(1, std::nan(""), 10));
  EXPECT_FALSE(near(1, 1, std::nan("")));
}

}  // namespace
}  // namespace vp::test
