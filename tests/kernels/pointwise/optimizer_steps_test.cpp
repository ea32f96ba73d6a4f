#include "kernels/pointwise/optimizer_steps.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "kernels/pointwise/pointwise_simd.h"
#include "kernels/verify/random_data.h"

namespace vp::test {
namespace {

constexpr float kScale = 0.3f;

// Every size up to some vectors, on every instruction set; body(n) compares what the step makes of n parameters with its formula.
template <class Body>
void on_every_target(const Body& body) {
  for (const std::string_view target : simd_target_names()) {
    force_simd_target(target);
    SCOPED_TRACE(target);
    for (const std::int64_t n : {1, 3, 7, 8, 15, 16, 17, 31, 32, 33, 67}) body(n);
  }
  force_simd_target("");
}

// The formulas are written with the operations of the C library and in float: the steps must give their bits.
TEST(OptimizerSteps, Sgd) {
  on_every_target([](std::int64_t n) {
    const std::vector<float> g = random_floats(n, 1);
    std::vector<float> w = random_floats(n, 2), expected = w;
    for (std::int64_t i = 0; i < n; ++i) expected[i] -= 0.1f * (g[i] * kScale);
    SgdStep<float>{.rate = 0.1f}.apply(n, kScale, g.data(), w.data());
    EXPECT_EQ(w, expected);
  });
}

TEST(OptimizerSteps, Momentum) {
  on_every_target([](std::int64_t n) {
    const std::vector<float> g = random_floats(n, 1);
    std::vector<float> v = random_floats(n, 3), w = random_floats(n, 2), expected_v = v, expected = w;
    for (std::int64_t i = 0; i < n; ++i) {
      expected_v[i] = 0.9f * v[i] + g[i] * kScale;
      expected[i] -= 0.1f * expected_v[i];
    }
    MomentumStep<float>{.rate = 0.1f, .mu = 0.9f}.apply(n, kScale, g.data(), v.data(), w.data());
    EXPECT_EQ(v, expected_v);
    EXPECT_EQ(w, expected);
  });
}

TEST(OptimizerSteps, Rmsprop) {
  on_every_target([](std::int64_t n) {
    const std::vector<float> g = random_floats(n, 1);
    std::vector<float> s = random_floats(n, 3, 0, 1), w = random_floats(n, 2), expected_s = s, expected = w;
    for (std::int64_t i = 0; i < n; ++i) {
      const float gradient = g[i] * kScale;
      expected_s[i] = 0.99f * s[i] + 0.01f * (gradient * gradient);
      expected[i] -= 0.1f * gradient / (std::sqrt(expected_s[i]) + 1e-8f);
    }
    RmspropStep<float>{.rate = 0.1f, .decay = 0.99f, .rest = 0.01f, .epsilon = 1e-8f}.apply(n, kScale, g.data(), s.data(), w.data());
    EXPECT_EQ(s, expected_s);
    EXPECT_EQ(w, expected);
  });
}

TEST(OptimizerSteps, Adam) {
  const AdamStep<float> step{
      .rate = 0.1f, .decay1 = 0.9f, .rest1 = 0.1f, .decay2 = 0.999f, .rest2 = 0.001f, .root = 31.6f, .epsilon = 1e-8f};
  on_every_target([&step](std::int64_t n) {
    const std::vector<float> g = random_floats(n, 1);
    std::vector<float> m = random_floats(n, 4), s = random_floats(n, 3, 0, 1), w = random_floats(n, 2), expected_m = m, expected_s = s,
                       expected = w;
    for (std::int64_t i = 0; i < n; ++i) {
      const float gradient = g[i] * kScale;
      expected_m[i] = step.decay1 * m[i] + step.rest1 * gradient;
      expected_s[i] = step.decay2 * s[i] + step.rest2 * (gradient * gradient);
      expected[i] -= step.rate * expected_m[i] / (std::sqrt(expected_s[i]) * step.root + step.epsilon);
    }
    step.apply(n, kScale, g.data(), m.data(), s.data(), w.data());
    EXPECT_EQ(m, expected_m);
    EXPECT_EQ(s, expected_s);
    EXPECT_EQ(w, expected);
  });
}

}  // namespace
}  // namespace vp::test
