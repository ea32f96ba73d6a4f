// Gains, spreads, radii, sparsity and gate biases do what the configuration promises. What each scheme draws: initializer_draws_test.cpp.
#include "models/parameters/initializers.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "models/cells/cell_list.h"
#include "models/parameters/parameters.h"
#include "models/recurrent/sequence_layout.h"
#include "tests/compare.h"

namespace vp::test {
namespace {

constexpr std::int64_t kSize = 60;

std::vector<double> draw(const InitSpec& init, WeightRole role, std::int64_t rows = kSize, std::int64_t cols = kSize,
                         std::uint64_t seed = 1) {
  std::vector<double> w(static_cast<std::size_t>(rows * cols));
  initialize_weights(init, role, {.units = rows, .fan_in = cols, .fan_out = rows, .hidden = kSize}, seed, 3, w);
  return w;
}

double root_mean_square(const std::vector<double>& w) {
  return std::sqrt(std::inner_product(w.begin(), w.end(), w.begin(), 0.0) / static_cast<double>(w.size()));
}

TEST(Initializers, RolesOverrideTheCommonSetting) {
  InitSpec init;
  init.gain = 3;
  const double common = root_mean_square(draw(init, WeightRole::kInput));
  init.recurrent.gain = 1;
  EXPECT_TRUE(near(root_mean_square(draw(init, WeightRole::kInput)), common, 0));
  EXPECT_TRUE(near(root_mean_square(draw(init, WeightRole::kRecurrent)), common / 3, 1e-12));
  init.readout.scheme = "normal";
  init.readout.std = 0.01;
  EXPECT_TRUE(near(root_mean_square(draw(init, WeightRole::kReadout)), 0.01, 0.0006));
  init.input.scheme = "uniform";
  init.input.std = 0.2;
  EXPECT_TRUE(near(root_mean_square(draw(init, WeightRole::kInput)), 0.2, 0.012));
}

// The radius from 200 steps of the power method on W^T W would be the norm; so: growth of |W^k v| over many steps.
TEST(Initializers, SpectralRadiusAndNonzeros) {
  InitSpec init;
  init.scheme = "normal";
  init.recurrent.spectral_radius = 0.95;
  init.recurrent.nonzeros = 15;
  const auto w = draw(init, WeightRole::kRecurrent);
  for (int r = 0; r < kSize; ++r)
    EXPECT_EQ(std::count_if(w.begin() + r * kSize, w.begin() + (r + 1) * kSize, [](double x) { return x != 0; }), 15);
  std::vector<double> v(kSize, 1.0), next(kSize);
  double log_growth = 0;
  constexpr int kWarm = 500, kSteps = 4000;
  for (int k = 0; k < kWarm + kSteps; ++k) {
    for (int r = 0; r < kSize; ++r) next[r] = std::inner_product(v.begin(), v.end(), w.begin() + r * kSize, 0.0);
    const double norm = std::sqrt(std::inner_product(next.begin(), next.end(), next.begin(), 0.0));
    if (k >= kWarm) log_growth += std::log(norm);
    for (int r = 0; r < kSize; ++r) v[r] = next[r] / norm;
  }
  EXPECT_TRUE(near(std::exp(log_growth / kSteps), 0.95, 1e-3));
}

TEST(Initializers, SeedsAndTensorsDiffer) {
  const InitSpec init;
  EXPECT_EQ(draw(init, WeightRole::kInput), draw(init, WeightRole::kInput));
  EXPECT_NE(draw(init, WeightRole::kInput), draw(init, WeightRole::kInput, kSize, kSize, 2));
  RunSpec spec;
  spec.model = {.cell = "lstm", .layers = 2, .hidden = 8};
  const ParameterLayout layout = sequence_layout(spec.model, spec.cell_options.get(), {.inputs = 8, .outputs = 3});
  std::vector<double> flat(static_cast<std::size_t>(layout.size));
  initialize_parameters(layout, spec.model, init, 1, flat.data());
  EXPECT_NE(flat[recurrent_tensors(layout, 0).weight_hh.offset], flat[recurrent_tensors(layout, 1).weight_hh.offset]);
  EXPECT_NE(flat[recurrent_tensors(layout, 0).weight_ih.offset],
            flat[recurrent_tensors(layout, 0).weight_ih.offset + 64]);  // two gate blocks
}

TEST(Parameters, NamesAndShapesOfPyTorchsStateDict) {
  RunSpec spec;
  spec.model = {.cell = "lstm", .layers = 2, .hidden = 8};
  const ParameterLayout layout = sequence_layout(spec.model, spec.cell_options.get(), {.inputs = 5, .outputs = 3});
  std::string text;
  for (const Tensor* t : layout.tensors()) text += t->name + " " + std::to_string(t->rows) + "," + std::to_string(t->cols) + "\n";
  EXPECT_EQ(
      text,
      "rnn.weight_ih_l0 32,5\nrnn.weight_hh_l0 32,8\nrnn.bias_ih_l0 32,1\nrnn.bias_hh_l0 32,1\n"
      "rnn.weight_ih_l1 32,8\nrnn.weight_hh_l1 32,8\nrnn.bias_ih_l1 32,1\nrnn.bias_hh_l1 32,1\nreadout.weight 3,8\nreadout.bias 3,1\n");
}

// The sum of the two biases is the value asked for: one holds it, the other is zero; the other gates keep the scheme's own.
TEST(Parameters, GateBiases) {
  RunSpec spec;
  spec.model = {.cell = "lstm", .layers = 1, .hidden = 4};
  spec.init.forget_gate_bias = 1;
  spec.init.output_gate_bias = -2;
  const ParameterLayout layout = sequence_layout(spec.model, spec.cell_options.get(), {.inputs = 3, .outputs = 2});
  std::vector<double> flat(static_cast<std::size_t>(layout.size));
  initialize_parameters(layout, spec.model, spec.init, 1, flat.data());
  const double *ih = flat.data() + recurrent_tensors(layout, 0).bias_ih.offset,
               *hh = flat.data() + recurrent_tensors(layout, 0).bias_hh.offset;
  for (int u = 0; u < 4; ++u) {
    EXPECT_EQ(ih[4 + u], 1);
    EXPECT_EQ(hh[4 + u], 0);
    EXPECT_EQ(ih[12 + u], -2);
    EXPECT_EQ(hh[12 + u], 0);
    EXPECT_NE(ih[u], 0);
    EXPECT_NE(hh[8 + u], 0);
    EXPECT_LE(std::abs(ih[u]), 0.5);
  }
}

}  // namespace
}  // namespace vp::test
