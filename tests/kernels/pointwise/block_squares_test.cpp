#include "kernels/pointwise/block_squares.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <span>
#include <vector>

#include "kernels/pointwise/pointwise_simd.h"
#include "kernels/verify/random_data.h"

namespace vp::test {
namespace {

// As the header says: element j to chain j mod 16, the chains pairwise.
double chained_squares(std::span<const float> x) {
  double chains[16] = {};
  for (std::size_t j = 0; j < x.size(); ++j) chains[j % 16] += static_cast<double>(x[j]) * static_cast<double>(x[j]);
  for (std::size_t half = 8; half >= 1; half /= 2)
    for (std::size_t i = 0; i < half; ++i) chains[i] += chains[i + half];
  return chains[0];
}

// Bit by bit, on every instruction set: norms of gradients are results.
TEST(BlockSquares, AreTheChainsOfTheirDefinition) {
  for (const std::string_view target : simd_target_names()) {
    force_simd_target(target);
    for (const std::int64_t block : {1, 4, 7, 64})
      for (const std::int64_t n : {1, 5, 63, 64, 16 * 64, 16 * 64 + 1, 40 * 64 - 3}) {
        const std::vector<float> x = random_floats(n, 3, -2, 5);
        std::vector<double> expected;
        for (std::int64_t first = 0; first < n; first += block)
          expected.push_back(
              chained_squares(std::span(x).subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(std::min(block, n - first)))));
        std::vector<double> actual(expected.size(), -1.0);
        sum_squares_of_blocks(x.data(), n, block, actual.data());
        EXPECT_EQ(actual, expected) << target << ' ' << block << ' ' << n;
      }
  }
  force_simd_target("");
}

}  // namespace
}  // namespace vp::test
