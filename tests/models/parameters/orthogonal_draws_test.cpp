// Orthogonal draws are uniform over the group (Haar measure; Mezzadri 2007): no row, column or direction is different from another.
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <ios>
#include <string>
#include <vector>

#include "models/parameters/initializers.h"
#include "tests/compare.h"

namespace vp::test {
namespace {

constexpr int kMatrices = 40'000;
constexpr double kErrors = 5;  // standard errors: some 700 means are looked at

struct Size {
  int rows, cols;
  int elements() const { return rows * cols; }
};

constexpr Size kSizes[] = {{2, 2}, {3, 3}, {2, 3}, {3, 2}, {4, 2}};

std::vector<double> draw(Size size, std::uint64_t seed) {
  InitSpec init;
  init.scheme = "orthogonal";
  std::vector<double> w(static_cast<std::size_t>(size.elements()));
  const WeightShape shape{.units = size.rows, .fan_in = size.cols, .fan_out = size.rows, .hidden = size.cols};
  initialize_weights(init, WeightRole::kRecurrent, shape, seed, 3, w);
  return w;
}

// Of a set of elements, one bit each: whether some row or column has an odd number of them.
bool is_odd(Size size, unsigned set) {
  for (int r = 0; r < size.rows; ++r) {
    unsigned row = 0;
    for (int c = 0; c < size.cols; ++c) row |= 1U << (r * size.cols + c);
    if (std::popcount(set & row) % 2 == 1) return true;
  }
  for (int c = 0; c < size.cols; ++c) {
    unsigned col = 0;
    for (int r = 0; r < size.rows; ++r) col |= 1U << (r * size.cols + c);
    if (std::popcount(set & col) % 2 == 1) return true;
  }
  return false;
}

struct Mean {
  double sum = 0, squares = 0;
  void add(double x) { sum += x, squares += x * x; }
  ::testing::AssertionResult is(double expected) const {
    const double mean = sum / kMatrices, variance = squares / kMatrices - mean * mean;
    return near(mean, expected, kErrors * std::sqrt(variance / kMatrices));
  }
};

// Changing the sign of a row or of a column leaves the distribution as it is: the mean of every product of elements that holds an odd
// number of one row or column is zero.
TEST(OrthogonalDraws, SignsOfRowsAndColumnsAreFree) {
  for (const Size size : kSizes) {
    const unsigned sets = 1U << size.elements();
    std::vector<Mean> means(sets);
    std::vector<double> products(sets, 1);
    for (int i = 0; i < kMatrices; ++i) {
      const std::vector<double> w = draw(size, static_cast<std::uint64_t>(i));
      for (unsigned set = 1; set < sets; ++set) {
        products[set] = products[set & (set - 1)] * w[std::countr_zero(set)];
        means[set].add(products[set]);
      }
    }
    for (unsigned set = 1; set < sets; ++set)
      EXPECT_TRUE(!is_odd(size, set) || means[set].is(0)) << size.rows << " x " << size.cols << ", elements " << std::hex << set;
  }
}

// A row or column of n elements is a direction uniform over the sphere: E x^2 = 1/n, E x^4 = 3/(n(n+2)), E x^2 y^2 = 1/(n(n+2)).
TEST(OrthogonalDraws, DirectionsAreUniform) {
  for (const Size size : kSizes) {
    const int n = std::max(size.rows, size.cols), elements = size.elements(), next = size.rows <= size.cols ? 1 : size.cols;
    std::vector<Mean> second(elements), fourth(elements), mixed(elements);
    for (int i = 0; i < kMatrices; ++i) {
      const std::vector<double> w = draw(size, static_cast<std::uint64_t>(i));
      for (int e = 0; e < elements; ++e) {
        const double x = w[e] * w[e], y = w[(e + next) % elements];
        second[e].add(x), fourth[e].add(x * x), mixed[e].add(x * y * y);
      }
    }
    for (int e = 0; e < elements; ++e) {
      const std::string what = std::to_string(size.rows) + " x " + std::to_string(size.cols) + ", element " + std::to_string(e);
      EXPECT_TRUE(second[e].is(1.0 / n)) << what;
      EXPECT_TRUE(fourth[e].is(3.0 / (n * (n + 2)))) << what;
      const bool same_line = next == 1 ? e % size.cols + 1 < size.cols : e + next < elements;
      EXPECT_TRUE(!same_line || mixed[e].is(1.0 / (n * (n + 2)))) << what;
    }
  }
}

}  // namespace
}  // namespace vp::test
