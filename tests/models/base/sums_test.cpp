// Sums that are put together from parts: pairwise additions, moments of activations; and Adam's epsilon.
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <vector>

#include "models/base/moments.h"
#include "models/base/random.h"
#include "models/base/reduction.h"
#include "models/base/statistics.h"
#include "models/optimizers/optimizers.h"
#include "tests/compare.h"

namespace vp::test {
namespace {

// Powers of two: a part that is left out or counted twice shows, whatever the number of parts.
TEST(Reduction, EveryPartCountsOnce) {
  for (std::size_t count = 1; count <= 33; ++count) {
    std::vector<std::vector<double>> parts(count, std::vector<double>(3));
    std::vector<double*> pointers;
    std::vector<double> numbers;
    for (std::size_t p = 0; p < count; ++p) {
      for (double& x : parts[p]) x = std::ldexp(1, static_cast<int>(p));
      pointers.push_back(parts[p].data());
      numbers.push_back(std::ldexp(1, static_cast<int>(p)));
    }
    pairwise_add<double>(pointers, 1, 3);
    const double all = std::ldexp(1, static_cast<int>(count)) - 1;
    EXPECT_EQ(parts[0], (std::vector<double>{1, all, all})) << count;
    EXPECT_EQ(pairwise_sum(numbers), all) << count;
  }
  EXPECT_EQ(pairwise_sum({}), 0);
}

// Both give the same tree, so that a sum of shards has the bits of a sum of numbers.
TEST(Reduction, ArraysAndNumbersAreAddedInOneOrder) {
  RandomStream random(1, RandomUse::kTest, 0);
  for (std::size_t count = 1; count <= 33; ++count) {
    std::vector<double> numbers(count);
    for (double& x : numbers) x = std::exp(20 * random.normal());
    std::vector<double> parts = numbers;
    std::vector<double*> pointers;
    for (double& x : parts) pointers.push_back(&x);
    pairwise_add<double>(pointers, 0, 1);
    EXPECT_EQ(parts[0], pairwise_sum(numbers)) << count;
  }
}

Moments moments_of(const std::vector<double>& x) {
  Moments m{.count = static_cast<double>(x.size())};
  for (const double v : x) m.sum += v, m.saturated += v > 3, m.log10_slope += v;
  for (const double v : x) m.squares += (v - m.mean()) * (v - m.mean());
  return m;
}

// However a set is cut into parts, empty ones too: mean and deviation are those of the whole, also where the parts have other means.
TEST(MomentsOfParts, AreThoseOfTheWhole) {
  RandomStream random(2, RandomUse::kTest, 0);
  for (int trial = 0; trial < 50; ++trial) {
    std::vector<double> all;
    Moments sum;
    for (int part = 0; part < 5; ++part) {
      std::vector<double> x(random.below(4));
      for (double& v : x) v = 10 * part + random.normal();
      all.insert(all.end(), x.begin(), x.end());
      sum.add(moments_of(x));
    }
    if (all.empty()) continue;
    const Moments expected = moments_of(all);
    EXPECT_EQ(sum.count, expected.count);
    EXPECT_TRUE(near(sum.mean(), expected.mean(), 1e-12));
    EXPECT_TRUE(near(sum.std(), expected.std(), 1e-12));
    EXPECT_EQ(sum.saturated, expected.saturated);
    EXPECT_TRUE(near(sum.log10_slope, expected.log10_slope, 1e-11));
  }
}

// Kingma & Ba 2015, algorithm 1, with an epsilon that is not small: it stands beside the corrected root.
TEST(Optimizers, AdamsEpsilonStandsBesideTheCorrectedRoot) {
  const OptimizerEntry& entry = *find_optimizer("adam");
  const double b1 = 0.9, b2 = 0.999, epsilon = 1e-8, rate = 0.1, gradients[] = {1e-8, -3e-8, 2e-8};  // of the size of epsilon
  const auto optimizer = entry.make_double(1, rate, *entry.make_options());
  double w = 1, expected = 1, m = 0, v = 0;
  for (int t = 1; t <= 3; ++t) {
    const double g = gradients[t - 1];
    optimizer->begin_update(t);
    optimizer->apply(0, std::span(&g, 1), 1.0, &w);
    m = b1 * m + (1 - b1) * g, v = b2 * v + (1 - b2) * g * g;
    expected -= rate * (m / (1 - std::pow(b1, t))) / (std::sqrt(v / (1 - std::pow(b2, t))) + epsilon);
    EXPECT_TRUE(near(w, expected, 1e-12)) << t;
  }
}

// scipy.stats.t.ppf(0.975, n)
TEST(StudentQuantiles, AreSciPysToSixDigits) {
  const std::pair<double, double> known[] = {{1, 12.70620473617},  {2, 4.30265272975},  {3, 3.18244630528},   {4.5, 2.65891234720},
                                             {10, 2.22813885199},  {30, 2.04227245630}, {100, 1.98397151852}, {1e4, 1.96020123989},
                                             {2e5, 1.95997584597}, {1e7, 1.95996422177}};
  for (const auto& [degrees, quantile] : known) EXPECT_TRUE(near(student_t_975(degrees), quantile, 2e-9 * quantile)) << degrees;
}

}  // namespace
}  // namespace vp::test
