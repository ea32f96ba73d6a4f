// Scalar activations against formulas in long double, their slopes against central differences, and the vector ones against the scalar ones
// over every 256th float bit pattern, on every instruction set this CPU has.
#include "kernels/activation/activations.h"

#include <bit>
#include <cmath>
#include <limits>
#include <map>
#include <numbers>
#include <string>
#include <vector>

#include "kernels/pointwise/pointwise_simd.h"
#include "kernels/verify/special_values.h"
#include "tests/compare.h"
#include "tests/kernels/simd_targets.h"

namespace vp::test {
namespace {

constexpr double kEps = std::numeric_limits<double>::epsilon(), kInf = std::numeric_limits<double>::infinity();

template <class T>
T normal_cdf(T z) {
  return std::erfc(-z / std::numbers::sqrt2_v<T>) / 2;
}
template <class T>
T normal_density(T z) {
  return std::exp(-z * z / 2) * std::numbers::inv_sqrtpi_v<T> / std::numbers::sqrt2_v<T>;
}

// Written from the definitions, not from functions-inl.h.
ValueAndSlope<long double> by_definition(std::string_view name, long double z) {
  using Result = ValueAndSlope<long double>;
  const long double e = std::exp(z);
  const std::map<std::string_view, Result> results = {
      {"linear", {z, 1}},
      {"relu", {z > 0 ? z : 0, z > 0 ? 1.0L : 0.0L}},
      {"leaky_relu", {z > 0 ? z : 0.01L * z, z > 0 ? 1.0L : 0.01L}},
      {"elu", {z > 0 ? z : std::expm1(z), z > 0 ? 1.0L : e}},
      {"sigmoid", {e / (1 + e), e / ((1 + e) * (1 + e))}},
      {"tanh", {std::tanh(z), 1 / (std::cosh(z) * std::cosh(z))}},
      {"softplus", {std::log1p(e), e / (1 + e)}},
      {"gelu", {z * normal_cdf(z), normal_cdf(z) + z * normal_density(z)}},
  };
  return results.at(name);
}

std::vector<std::string> activation_names() {
  std::vector<std::string> names;
  for (const Activation& f : activations()) names.emplace_back(f.name);
  return names;
}

class EveryActivation : public ::testing::TestWithParam<std::string> {
 protected:
  const Activation& f_ = *find_activation(GetParam());
};

INSTANTIATE_TEST_SUITE_P(Table, EveryActivation, ::testing::ValuesIn(activation_names()), [](const auto& param) { return param.param; });

TEST_P(EveryActivation, ValueAndSlopeInDoubleMatchTheDefinition) {
  for (double z = -37.03; z < 40; z += 0.0137) {
    const auto actual = activate(f_, z);
    const auto expected = by_definition(f_.name, z);
    const double growth = f_.name == "gelu" ? 1 + z * z : 1;  // the rounding of z^2 enters exp(-z^2/2)
    const double value = static_cast<double>(expected.value), slope = static_cast<double>(expected.slope);
    ASSERT_TRUE(near(actual.value, value, 6 * kEps * growth * std::abs(value))) << f_.name << " at " << z;
    ASSERT_TRUE(near(actual.slope, slope, 6 * kEps * growth * slope_scale(f_, z, slope))) << f_.name << "' at " << z;
  }
}

TEST_P(EveryActivation, SlopeIsTheCentralDifferenceOfTheValue) {
  const double h = 1e-5;
  for (double z = -6.0017; z < 6; z += 0.0503) {  // no point within h of 0, where relu has its kink
    const double difference = (activate(f_, z + h).value - activate(f_, z - h).value) / (2 * h);
    ASSERT_TRUE(near(activate(f_, z).slope, difference, 1e-8)) << f_.name << " at " << z;
  }
}

TEST_P(EveryActivation, MaxSlopeAndBoundedAreTrue) {
  double largest_slope = 0, largest_value = 0;
  for (double z = -50; z <= 50; z += 1e-3) {
    largest_slope = std::max(largest_slope, std::abs(activate(f_, z).slope));
    largest_value = std::max(largest_value, std::abs(activate(f_, z).value));
  }
  EXPECT_TRUE(near(largest_slope, f_.max_slope, 1e-6));
  EXPECT_EQ(f_.bounded, largest_value <= 1);
}

TEST_P(EveryActivation, NaNInGivesNaNOut) {
  EXPECT_TRUE(std::isnan(activate(f_, std::nan("")).value) && std::isnan(activate(f_, std::nan("")).slope));
  EXPECT_TRUE(std::isnan(activate(f_, std::nanf("")).value) && std::isnan(activate(f_, std::nanf("")).slope));
}

TEST(Activations, AtZeroAndInfinity) {
  const auto at = [](const char* name, double z) { return activate(*find_activation(name), z); };
  EXPECT_EQ(at("relu", 0).slope, 0);
  EXPECT_EQ(at("leaky_relu", 0).slope, 0.01);
  EXPECT_EQ(at("gelu", -kInf).value, 0);
  EXPECT_EQ(at("gelu", -kInf).slope, 0);
  EXPECT_EQ(at("gelu", kInf).value, kInf);
  EXPECT_EQ(at("gelu", kInf).slope, 1);
  EXPECT_EQ(at("tanh", -kInf).value, -1);
  EXPECT_EQ(at("softplus", kInf).value, kInf);
  EXPECT_EQ(at("sigmoid", -kInf).value, 0);
  EXPECT_EQ(at("elu", -kInf).value, -1);
}

TEST(Activations, AreFoundByNameAndKnowTheirPlace) {
  for (std::size_t i = 0; i < activations().size(); ++i) {
    const Activation& f = activations()[i];
    EXPECT_EQ(static_cast<std::size_t>(f.place), i);
    EXPECT_EQ(find_activation(f.name), &f);
  }
  EXPECT_EQ(find_activation("tanhh"), nullptr);
  EXPECT_EQ(find_activation(""), nullptr);
}

// ---- the vector versions

constexpr std::uint32_t kChunk = 1u << 16;

// body(inputs) over the specials and then over every 256th pattern, in chunks.
template <class Body>
void for_every_256th_float(const Body& body) {
  body(activation_specials());
  std::vector<float> x(kChunk);
  for (std::uint32_t chunk = 0; chunk < (1u << 24) / kChunk; ++chunk) {
    for (std::uint32_t i = 0; i < kChunk; ++i) x[i] = std::bit_cast<float>((chunk * kChunk + i) * 256u + 85u);
    body(x);
  }
}

TEST_P(EveryActivation, VectorVersionKeepsItsStatedBoundOnEveryTarget) {
  const std::vector<std::string_view> targets = simd_target_names();
  std::vector<double> worst_value(targets.size()), worst_slope(targets.size());
  for_every_256th_float([&](const std::vector<float>& x) {
    std::vector<ExpectedFloat> values, slopes;
    for (const float z : x) {
      const auto expected = activate(f_, static_cast<double>(z));
      values.emplace_back(expected.value, std::abs(expected.value));
      slopes.emplace_back(expected.slope, slope_scale(f_, z, expected.slope));
    }
    for (std::size_t t = 0; t < targets.size(); ++t) {
      const WithTarget forced(targets[t]);
      std::vector<float> slope = x, value(x.size());
      simd_pointwise().rnn_forward(f_, static_cast<std::int64_t>(x.size()), slope.data(), value.data());
      for (std::size_t i = 0; i < x.size(); ++i) {
        worst_value[t] = std::max(worst_value[t], values[i].error(value[i]));
        worst_slope[t] = std::max(worst_slope[t], slopes[i].error(slope[i]));
      }
    }
  });
  for (std::size_t t = 0; t < targets.size(); ++t) {
    EXPECT_TRUE(near(worst_value[t], 0, f_.value_bound_ulp)) << f_.name << " on " << targets[t];
    EXPECT_TRUE(near(worst_slope[t], 0, f_.slope_bound_ulp)) << f_.name << "' on " << targets[t];
    RecordProperty("value_ulp_" + std::string(targets[t]), std::to_string(worst_value[t]));
    RecordProperty("slope_ulp_" + std::string(targets[t]), std::to_string(worst_slope[t]));
  }
}

TEST(VectorExp, KeepsItsStatedBoundOnEveryTarget) {
  const std::vector<std::string_view> targets = simd_target_names();
  std::vector<double> worst(targets.size());
  for_every_256th_float([&](const std::vector<float>& x) {
    std::vector<ExpectedFloat> expected;
    expected.reserve(x.size());
    for (const float z : x) expected.emplace_back(std::exp(static_cast<double>(z)), std::exp(static_cast<double>(z)));
    for (std::size_t t = 0; t < targets.size(); ++t) {
      const WithTarget forced(targets[t]);
      std::vector<float> y(x.size());
      vector_exp(static_cast<std::int64_t>(x.size()), x.data(), y.data());
      for (std::size_t i = 0; i < x.size(); ++i) worst[t] = std::max(worst[t], expected[i].error(y[i]));
    }
  });
  for (std::size_t t = 0; t < targets.size(); ++t) {
    EXPECT_TRUE(near(worst[t], 0, 1.2)) << targets[t];
    RecordProperty("ulp_" + std::string(targets[t]), std::to_string(worst[t]));
  }
}

}  // namespace
}  // namespace vp::test
