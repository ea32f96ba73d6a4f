#include "kernels/block_squares.h"

#include <gtest/gtest.h>

#include <vector>

#include "kernels/pointwise_simd.h"
#include "kernels/random_data.h"

namespace vp::test {
namespace {

// Bit by bit those of the plain loop, on every instruction set: norms of gradients are results.
TEST(BlockSquares, AreThePlainLoops) {
  for (const std::string_view target : simd_target_names()) {
    force_simd_target(target);
    for (const std::int64_t block : {1, 4, 7, 64})
      for (const std::int64_t n : {1, 5, 63, 64, 16 * 64, 16 * 64 + 1, 40 * 64 - 3}) {
        const std::vector<float> x = random_floats(n, 3, -2, 5);
        const auto blocks = static_cast<std::size_t>((n + block - 1) / block);
        std::vector<double> expected(blocks, 0.0), actual(blocks, -1.0);
        for (std::int64_t i = 0; i < n; ++i) {
          const double v = static_cast<double>(x[static_cast<std::size_t>(i)]);
          expected[static_cast<std::size_t>(i / block)] += v * v;
        }
        sum_squares_of_blocks(x.data(), n, block, actual.data());
        EXPECT_EQ(actual, expected) << target << ' ' << block << ' ' << n;
      }
  }
  force_simd_target("");
}

}  // namespace
}  // namespace vp::test
