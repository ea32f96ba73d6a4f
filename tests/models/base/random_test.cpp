#include "models/base/random.h"

#include <Random123/philox.h>
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <map>
#include <numeric>
#include <set>
#include <stdexcept>
#include <vector>

#include "tests/compare.h"

namespace vp {
namespace {

std::vector<std::uint64_t> permutation(std::uint64_t n, std::uint64_t seed, RandomUse use, std::uint64_t round) {
  std::vector<std::uint64_t> p(n);
  for (std::uint64_t i = 0; i < n; ++i) p[i] = permuted(i, n, seed, use, round);
  return p;
}

// Sum of (count - expected)^2 / expected.
double chi_square(const std::vector<double>& counts) {
  const double expected = std::accumulate(counts.begin(), counts.end(), 0.0) / static_cast<double>(counts.size());
  double sum = 0;
  for (const double count : counts) sum += (count - expected) * (count - expected) / expected;
  return sum;
}

// Salmon et al. 2011, known-answer vector of philox4x32-10 for counter and key zero.
TEST(Random, MatchesThePublishedVectorOfPhilox) {
  RandomStream stream(0, RandomUse{0}, 0);
  EXPECT_EQ(stream.bits(), 0x6627e8d5u);
  EXPECT_EQ(stream.bits(), 0xe169c58du);
  EXPECT_EQ(stream.bits(), 0xbc57ac4cu);
  EXPECT_EQ(stream.bits(), 0x9b00dbd8u);
}

// Seed 42, stream 7, index 0: r123::u01<float> and r123::boxmuller gave these on GCC 12 and 14, at -O0 and -O3.
TEST(Random, MatchesKnownUniformsAndNormals) {
  RandomStream uniforms(42, RandomUse{7}, 0);
  EXPECT_TRUE(test::near(uniforms.uniform(), 0x1.9fb9bcp-2, 1e-7));
  EXPECT_TRUE(test::near(uniforms.uniform(), 0x1.caa822p-1, 1e-7));
  RandomStream normals(42, RandomUse{7}, 0);
  EXPECT_TRUE(test::near(normals.normal(), 0x1.0b8a02p-2, 1e-6));
  EXPECT_TRUE(test::near(normals.normal(), -0x1.8ef1cap-2, 1e-6));
}

TEST(Random, CountsThroughBlocksAndUsesEveryPartOfItsKey) {
  const std::uint64_t seed = 0x0123456789abcdef, index = 0xfedcba9876543210;
  RandomStream stream(seed, RandomUse::kTest, index);
  for (std::uint32_t block = 0; block < 3; ++block) {
    const auto expected = r123::Philox4x32{}({{0x76543210u, 0xfedcba98u, 5u, block}}, {{0x89abcdefu, 0x01234567u}});
    for (std::size_t word = 0; word < 4; ++word) EXPECT_EQ(stream.bits(), expected[word]) << "block " << block << " word " << word;
  }
}

TEST(Random, UniformFillsItsRangeEvenly) {
  RandomStream stream(1, RandomUse::kTrain, 0);
  std::vector<double> bins(20);
  for (int i = 0; i < 200000; ++i) {
    const double u = stream.uniform(-1, 3);
    ASSERT_GE(u, -1);
    ASSERT_LT(u, 3);
    ++bins[static_cast<std::size_t>((u + 1) * 5)];
  }
  EXPECT_LT(chi_square(bins), 43.8);  // 19 degrees of freedom, 0.1 %
}

TEST(Random, NormalHasTheMomentsOfTheNormalDistribution) {
  constexpr int kDraws = 400000;
  RandomStream stream(3, RandomUse::kWeights, 9);
  double m1 = 0, m2 = 0, m3 = 0, m4 = 0, lagged = 0, last = 0;
  for (int i = 0; i < kDraws; ++i) {
    const double z = stream.normal();
    m1 += z / kDraws;
    m2 += z * z / kDraws;
    m3 += z * z * z / kDraws;
    m4 += z * z * z * z / kDraws;
    lagged += z * last / kDraws;
    last = z;
  }
  // Tolerances: four standard errors, sqrt(1, 2, 15, 96, 1) / sqrt(400,000).
  EXPECT_TRUE(test::near(m1, 0, 0.0064));
  EXPECT_TRUE(test::near(m2, 1, 0.009));
  EXPECT_TRUE(test::near(m3, 0, 0.025));
  EXPECT_TRUE(test::near(m4, 3, 0.062));
  EXPECT_TRUE(test::near(lagged, 0, 0.0064));
}

TEST(Random, BelowIsUniformForSmallAndHugeRanges) {
  RandomStream stream(5, RandomUse::kTrain, 2);
  std::vector<double> counts(7), thirds(3);
  constexpr std::uint64_t kHuge = std::uint64_t{3}
                                  << 62;  // the multiply alone, without rejection, would draw one value in three twice as often
  for (int i = 0; i < 70000; ++i) ++counts.at(stream.below(7));
  for (int i = 0; i < 30000; ++i) ++thirds.at(stream.below(kHuge) % 3);
  EXPECT_LT(chi_square(counts), 22.5);  // 6 degrees of freedom, 0.1 %
  EXPECT_LT(chi_square(thirds), 13.8);  // 2 degrees of freedom, 0.1 %
  for (int i = 0; i < 10; ++i) EXPECT_EQ(stream.below(1), 0u);
  EXPECT_THROW(stream.below(0), std::invalid_argument);
}

TEST(Permuted, IsABijectionForEverySize) {
  for (const std::uint64_t n : {1, 2, 3, 4, 5, 7, 16, 17, 100, 55000}) {
    const auto p = permutation(n, 11, RandomUse::kOrder, 0);
    const std::set<std::uint64_t> seen(p.begin(), p.end());
    EXPECT_EQ(seen.size(), n);
    EXPECT_EQ(*seen.rbegin(), n - 1);
  }
}

TEST(Permuted, DependsOnSeedUseAndEveryBitOfTheRound) {
  const auto base = permutation(100, 11, RandomUse::kOrder, 1);
  EXPECT_EQ(base, permutation(100, 11, RandomUse::kOrder, 1));
  EXPECT_NE(base, permutation(100, 12, RandomUse::kOrder, 1));
  EXPECT_NE(base, permutation(100, 11 + (std::uint64_t{1} << 40), RandomUse::kOrder, 1));
  EXPECT_NE(base, permutation(100, 11, RandomUse::kSplit, 1));
  EXPECT_NE(base, permutation(100, 11, RandomUse::kOrder, 2));
  EXPECT_NE(base, permutation(100, 11, RandomUse::kOrder, 1 + (std::uint64_t{1} << 40)));
}

TEST(Permuted, SmallSetsTakeEveryOrderEquallyOften) {
  std::map<std::vector<std::uint64_t>, double> orders;
  for (std::uint64_t round = 0; round < 48000; ++round) ++orders[permutation(4, 2, RandomUse::kOrder, round)];
  std::vector<double> counts;
  for (const auto& [order, count] : orders) counts.push_back(count);
  ASSERT_EQ(counts.size(), 24u);
  EXPECT_LT(chi_square(counts), 49.7);  // 23 degrees of freedom, 0.1 %
}

// Every element lands in every tenth of the order equally often, and neighbours do not stay neighbours.
TEST(Permuted, LargeSetsLookUniform) {
  constexpr std::uint64_t kN = 1000, kRounds = 200;
  std::vector<double> cells(100);
  double neighbours = 0;
  for (std::uint64_t round = 0; round < kRounds; ++round) {
    const auto p = permutation(kN, 8, RandomUse::kOrder, round);
    for (std::uint64_t i = 0; i < kN; ++i) ++cells[i / 100 * 10 + p[i] / 100];
    for (std::uint64_t i = 1; i < kN; ++i) neighbours += p[i] == p[i - 1] + 1;
  }
  EXPECT_LT(chi_square(cells), 126.1);                    // 81 degrees of freedom, 0.1 %
  EXPECT_TRUE(test::near(neighbours / kRounds, 1, 0.3));  // expected (n-1)/n per round, four standard errors
}

TEST(Permuted, RefusesAPositionOutsideTheSet) {
  EXPECT_THROW(permuted(5, 5, 1, RandomUse::kOrder, 0), std::invalid_argument);
  EXPECT_THROW(permuted(0, 0, 1, RandomUse::kOrder, 0), std::invalid_argument);
}

TEST(Permuted, CoversSixtyFourBits) {
  const std::uint64_t n = ~std::uint64_t{0};
  std::set<std::uint64_t> seen;
  for (std::uint64_t i = 0; i < 1000; ++i) seen.insert(permuted(n - 1 - i, n, 4, RandomUse::kOrder, 0));
  EXPECT_EQ(seen.size(), 1000u);
  EXPECT_GT(*seen.rbegin(), n / 100 * 99);
}

}  // namespace
}  // namespace vp
