// The functions of an LSTM's gates and of tanh(c), on every instruction set this CPU has: 4 ULP over every 256th float bit pattern and the
// special values.
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "kernels/activation/activations.h"
#include "kernels/pointwise/pointwise_simd.h"
#include "tests/compare.h"
#include "tests/kernels/simd_targets.h"

namespace vp::test {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();

// What a float result should be, and the unit in its last place.
class Expected {
 public:
  explicit Expected(double right) : right_(right), per_ulp_(std::ldexp(1.0, 23 - exponent_of(right))) {}
  // In ULP; infinite where one of the two is NaN and the other is not.
  double error(float actual) const {
    if (std::isnan(right_) || std::isnan(actual)) return std::isnan(right_) == std::isnan(actual) ? 0 : kInf;
    return std::abs(static_cast<double>(actual) - right_) * per_ulp_;
  }

 private:
  static int exponent_of(double x) { return x == 0 || std::isnan(x) ? -126 : std::max(std::ilogb(x), -126); }
  double right_, per_ulp_;
};

constexpr std::int64_t kBlock = 1 << 14;

// A block of the 2^24 patterns; the first also holds the special values, with both signs.
std::vector<float> patterns(std::uint32_t block) {
  std::vector<float> x(kBlock);
  for (std::uint32_t i = 0; i < kBlock; ++i) x[i] = std::bit_cast<float>((block * static_cast<std::uint32_t>(kBlock) + i) * 256u + 85u);
  if (block != 0) return x;
  const std::vector<float> specials{0.0f,
                                    1.0f,
                                    9.0f,
                                    9.5f,
                                    40.0f,
                                    40.5f,
                                    87.33655f,
                                    88.72283f,
                                    103.97208f,
                                    104.0f,
                                    105.0f,
                                    std::numeric_limits<float>::infinity(),
                                    std::numeric_limits<float>::quiet_NaN(),
                                    std::numeric_limits<float>::denorm_min(),
                                    std::numeric_limits<float>::min(),
                                    std::numeric_limits<float>::max()};
  for (std::size_t i = 0; i < specials.size(); ++i) x[2 * i] = specials[i], x[2 * i + 1] = -specials[i];
  return x;
}

struct Gates {
  std::vector<float> i, f, g, o, tanh_c;
};

// The four gates of x, and tanh(x) of a cell state x: i = f = 1 to the last bit, g = 0, c_prev = x.
Gates gates_of(const std::vector<float>& x) {
  const std::size_t n = x.size();
  std::vector<float> gates(4 * n), c(n), h(n), none(n, 0.0f), tanh_c(n);
  for (std::size_t gate = 0; gate < 4; ++gate) std::copy(x.begin(), x.end(), gates.begin() + static_cast<std::ptrdiff_t>(gate * n));
  simd_pointwise().lstm_forward(1, kBlock, gates.data(), none.data(), c.data(), tanh_c.data(), h.data());
  std::vector<float> open(4 * n, 100.0f);
  std::fill(open.begin() + static_cast<std::ptrdiff_t>(2 * n), open.begin() + static_cast<std::ptrdiff_t>(3 * n), 0.0f);
  simd_pointwise().lstm_forward(1, kBlock, open.data(), x.data(), c.data(), tanh_c.data(), h.data());
  const auto part = [&](std::size_t gate) {
    const auto first = gates.begin() + static_cast<std::ptrdiff_t>(gate * n);
    return std::vector<float>(first, first + static_cast<std::ptrdiff_t>(n));
  };
  return {part(0), part(1), part(2), part(3), tanh_c};
}

TEST(LstmGates, KeepFourUlpAndOneOnEveryTarget) {
  const Activation &sigmoid = *find_activation("sigmoid"), &tanh = *find_activation("tanh");
  const std::vector<std::string_view> targets = simd_target_names();
  std::vector<double> worst_sigmoid(targets.size()), worst_tanh(targets.size());
  for (std::uint32_t block = 0; block < (1u << 24) / kBlock; ++block) {
    const std::vector<float> x = patterns(block);
    std::vector<Expected> s, t;
    for (const float z : x) {
      s.emplace_back(activate(sigmoid, static_cast<double>(z)).value);
      t.emplace_back(activate(tanh, static_cast<double>(z)).value);
    }
    for (std::size_t target = 0; target < targets.size(); ++target) {
      const WithTarget forced(targets[target]);
      const Gates gates = gates_of(x);
      for (const auto* values : {&gates.i, &gates.f, &gates.o})
        for (std::size_t i = 0; i < x.size(); ++i) worst_sigmoid[target] = std::max(worst_sigmoid[target], s[i].error((*values)[i]));
      for (const auto* values : {&gates.g, &gates.tanh_c})
        for (std::size_t i = 0; i < x.size(); ++i) {
          worst_tanh[target] = std::max(worst_tanh[target], t[i].error((*values)[i]));
          ASSERT_FALSE((*values)[i] > 1 || (*values)[i] < -1) << "tanh " << x[i];  // its slope would turn negative
        }
    }
  }
  for (std::size_t target = 0; target < targets.size(); ++target) {
    EXPECT_TRUE(near(worst_sigmoid[target], 0, 4)) << targets[target];
    EXPECT_TRUE(near(worst_tanh[target], 0, 4)) << targets[target];
    RecordProperty("sigmoid_ulp_" + std::string(targets[target]), std::to_string(worst_sigmoid[target]));
    RecordProperty("tanh_ulp_" + std::string(targets[target]), std::to_string(worst_tanh[target]));
  }
}

// Every float from where tanh nears 1 to beyond the clamp.
TEST(LstmGates, TanhNeverPassesOne) {
  for (std::uint32_t bits = std::bit_cast<std::uint32_t>(4.0f); bits < std::bit_cast<std::uint32_t>(16.0f);) {
    std::vector<float> x(kBlock);
    for (float& v : x) v = std::bit_cast<float>(bits++);
    const Gates gates = gates_of(x);
    ASSERT_LE(*std::max_element(gates.g.begin(), gates.g.end()), 1.0f) << "below " << x.back();
  }
}

}  // namespace
}  // namespace vp::test
