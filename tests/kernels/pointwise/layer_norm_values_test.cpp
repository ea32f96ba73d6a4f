// Layer norm against PyTorch's numbers and its definition; its gradients against differences, rows counted by their exponents.
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "kernels/backend/backend.h"
#include "kernels/pointwise/layer_norm.h"
#include "kernels/pointwise/pointwise_simd.h"
#include "kernels/verify/random_data.h"
#include "tests/compare.h"

namespace vp::test {
namespace {

using Doubles = std::vector<double>;

Doubles normed(const LayerNormShape& s, Doubles z, const Doubles& gain, const Doubles& bias) {
  Doubles normalized(z.size()), inverse(static_cast<std::size_t>(s.rows));
  layer_norm_forward(s, gain.data(), bias.data(), z.data(), normalized.data(), inverse.data());
  return z;
}

// torch.nn.LayerNorm(4) and GroupNorm(1, 2) of the same eight numbers, gain and bias set; also where the variance is of the size of
// epsilon.
TEST(LayerNormValues, ArePyTorchsToSixDigits) {
  const auto expect = [](const Doubles& actual, const Doubles& expected) {
    ASSERT_EQ(actual.size(), expected.size());
    for (std::size_t i = 0; i < actual.size(); ++i) EXPECT_TRUE(near(actual[i], expected[i], 2e-6)) << i;
  };
  expect(normed({.rows = 2, .places = 1, .units = 4}, {1, 2, 3, 4, 0.001, 0.002, 0.004, 0.009}, {1, 2, 1, -1}, {0, 0.5, 0, 1}),
         {-1.341635, -0.394424, 0.447212, -0.341635, -0.679366, -0.405822, 0.000000, -0.132277});
  expect(normed({.rows = 1, .places = 4, .units = 2}, {1, 2, 3, 4, 0.001, 0.002, 0.004, 0.009}, {1, 2}, {0, 0.5}),
         {-0.170577, 1.512634, 1.183212, 4.220212, -0.846795, -1.192236, -0.844764, -1.182760});
}

Doubles random(std::size_t n, std::uint64_t seed) {
  const auto floats = random_floats(static_cast<std::int64_t>(n), seed);
  return {floats.begin(), floats.end()};
}

// L = sum of dy * y, each row counted 2^exponent times for gain and bias.
TEST(LayerNormValues, GradientsAreDifferencesAndRowsCountByTheirExponents) {
  for (const LayerNormShape s : {LayerNormShape{.rows = 3, .places = 1, .units = 5}, {.rows = 3, .places = 4, .units = 3}}) {
    const std::int64_t width = s.places * s.units;
    const Doubles z = random(s.rows * width, 1), gain = random(s.units, 2), bias = random(s.units, 3), dy = random(s.rows * width, 4);
    const std::int32_t exponents[] = {0, 5, -3};
    const auto loss = [&](const Doubles& at, const Doubles& g, const Doubles& b, bool counted) {
      const Doubles y = normed(s, at, g, b);
      double sum = 0;
      for (std::size_t i = 0; i < y.size(); ++i) sum += std::ldexp(dy[i] * y[i], counted ? exponents[i / width] : 0);
      return sum;
    };
    Doubles values = z, normalized(z.size()), inverse(static_cast<std::size_t>(s.rows)), dz = dy, dgain(s.units, 100.0),
            dbias(s.units, 100.0);
    layer_norm_forward(s, gain.data(), bias.data(), values.data(), normalized.data(), inverse.data());
    layer_norm_backward(s, gain.data(), normalized.data(), inverse.data(), exponents, dz.data(), dgain.data(), dbias.data());
    const double h = 1e-6;
    const auto difference = [&](Doubles x, std::size_t i, const auto& of) {
      x[i] += h;
      const double up = of(x);
      x[i] -= 2 * h;
      return (up - of(x)) / (2 * h);
    };
    for (std::size_t i = 0; i < z.size(); ++i)
      EXPECT_TRUE(near(dz[i], difference(z, i, [&](const Doubles& x) { return loss(x, gain, bias, false); }), 1e-7)) << i;
    for (std::size_t u = 0; u < gain.size(); ++u) {
      EXPECT_TRUE(near(dgain[u] - 100, difference(gain, u, [&](const Doubles& x) { return loss(z, x, bias, true); }), 1e-6)) << u;
      EXPECT_TRUE(near(dbias[u] - 100, difference(bias, u, [&](const Doubles& x) { return loss(z, gain, x, true); }), 1e-6)) << u;
    }
  }
}

// The recurrence's normalisation at every width around some vectors: what stands in the lanes behind a row's end must not count.
TEST(NormalisedRows, AreTheirDefinitionAtEveryWidth) {
  for (const std::string_view target : simd_target_names()) {
    force_simd_target(target);
    for (std::int64_t width = 1; width <= 70; ++width) {
      constexpr std::int64_t kRows = 3;
      std::vector<float> x = random_floats(kRows * width, 5), inverse(kRows);
      for (float& v : x) v += 3;  // a mean that would be seen
      std::vector<double> expected(x.size()), deviation(kRows);
      for (std::int64_t row = 0; row < kRows; ++row) {
        double sum = 0, squares = 0;
        for (std::int64_t j = 0; j < width; ++j) sum += x[row * width + j];
        for (std::int64_t j = 0; j < width; ++j) squares += std::pow(x[row * width + j] - sum / width, 2);
        deviation[row] = std::sqrt(squares / width + kNormEpsilon);
        for (std::int64_t j = 0; j < width; ++j) expected[row * width + j] = (x[row * width + j] - sum / width) / deviation[row];
      }
      simd_pointwise().normalise(kRows, width, x.data(), inverse.data());
      for (std::size_t i = 0; i < x.size(); ++i) ASSERT_TRUE(near(x[i], expected[i], 1e-4)) << target << ' ' << width << ' ' << i;
      for (std::int64_t row = 0; row < kRows; ++row) ASSERT_TRUE(near(inverse[row] * deviation[row], 1, 1e-4)) << target << ' ' << width;
    }
  }
  force_simd_target("");
}

}  // namespace
}  // namespace vp::test
