// dL/dh_t: right at every step, for any length and any weight scale.
#include <gtest/gtest.h>

#include <cmath>

#include "models/cell_list.h"
#include "models/model_checks.h"
#include "models/random_source.h"
#include "models/scaled_rows.h"
#include "models/sequence_model.h"
#include "models/statistics.h"
#include "tests/compare.h"

namespace vp::test {
namespace {

// 0.5^10000 is about 1e-3010, 2^10000 about 1e+3010.
TEST(TimeGradient, TenThousandStepsOfALinearRecurrence) {
  for (const double gain : {0.5, 2.0, 0.001, 1.0}) {
    const Finding finding = scaled_norm_finding("onednn", gain, 10000);
    EXPECT_TRUE(finding.holds()) << "g " << gain << ": " << finding.fault;
    EXPECT_EQ(finding.compared, 10000);
  }
}

// B = 1 and an input that is one at step t only in coordinate t: the gradient of W_ih's column t is dL/dz_t, and dL/dh_t is that over
// f'(z_t).
class ClockSource final : public BatchSource {
 public:
  explicit ClockSource(std::int64_t steps) : steps_(steps) {}
  SequenceShape shape() const override { return {.steps = steps_, .inputs = steps_, .outputs = 2, .target = TargetKind::kValues}; }
  std::uint64_t size(Split) const override { return 0; }
  void fill(Split, std::span<const std::uint64_t>, const SampleRows& out) const override {
    std::fill_n(out.inputs, steps_ * steps_, 0.0f);
    for (std::int64_t t = 0; t < steps_; ++t) out.inputs[t * steps_ + t] = 1;
    out.values[0] = 0.3f, out.values[1] = -0.8f;
  }

 private:
  std::int64_t steps_;
};

TEST(TimeGradient, HiddenGradientsMatchTheWeightGradientsOfAClockInput) {
  constexpr std::int64_t kSteps = 7, kHidden = 5;
  RunSpec spec;
  spec.model = {.cell = "rnn", .hidden = kHidden, .activation = "tanh"};
  const ClockSource source(kSteps);
  SequenceModel<double> model(spec, source.shape(), 1);
  model.pack_all();
  SequenceShard<double> shard(model, 1);
  shard.keep_hidden_gradients();
  run_shard(shard, source);
  const RecurrentLayer<double>& layer = std::as_const(shard).layer(0);
  const double* weight_ih = shard.gradient() + recurrent_tensors(model.layout(), 0).weight_ih.offset;  // (H, T)
  for (std::int64_t t = 0; t < kSteps; ++t) {
    double squares = 0;
    for (std::int64_t u = 0; u < kHidden; ++u) {
      const double h = layer.hidden_at(t)[u];
      const double expected = weight_ih[u * kSteps + t] / (1 - h * h), exponent = layer.norm_exponent(t)[0];
      const double actual = layer.hidden_gradients()[t * kHidden + u] * std::exp2(exponent);
      EXPECT_TRUE(near(actual, expected, 1e-14)) << "t " << t << " unit " << u;
      squares += expected * expected;
    }
    EXPECT_TRUE(near(log2_norm(layer.sum_squares_dh(t)[0], layer.norm_exponent(t)[0]), 0.5 * std::log2(squares), 1e-12));
  }
}

TEST(TimeGradient, RescalingAgreesWithDoubleWhereDoubleHasTheRange) {
  for (const CellVariant& cell : cell_variants()) {
    const Finding finding = rescaling_finding(cell.name, "onednn");
    EXPECT_TRUE(finding.holds()) << cell.name << ": " << finding.fault;
  }
}

// Gradients of all layers' parameters, with readout weights times `gain`, in units of it.
std::vector<double> gradients_in_units_of(double gain, const CellVariant& cell) {
  RunSpec spec;
  spec.model = {.cell = std::string(cell.entry->name), .layers = 2, .hidden = 9};
  spec.cell_options = cell.options;
  spec.init.readout.gain = gain;
  const RandomSource source({.steps = 6, .inputs = 3, .outputs = 4});
  SequenceModel<double> model(spec, source.shape(), 3);
  model.pack_all();
  SequenceShard<double> shard(model, 3);
  run_shard(shard, source);
  std::vector<double> gradient(shard.gradient(), shard.gradient() + model.layout().readout_weight.offset);
  for (double& g : gradient) g /= gain;
  return gradient;
}

// Below 2^-30 rows carry exponents, and give them back before parameters see them.
TEST(TimeGradient, ParameterGradientsAreProportionalThroughRescaledRows) {
  for (const CellVariant& cell : cell_variants()) {
    const std::vector<double> plain = gradients_in_units_of(0x1p-20, cell), rescaled = gradients_in_units_of(0x1p-70, cell);
    EXPECT_TRUE(close(std::span<const double>(rescaled), std::span<const double>(plain), {.c = 0x1p34})) << cell.name;  // logits differ by 2^-20
  }
}

// Without weights into the gates, dL/dc_t = sigmoid(b_f)^(T-1-t) dL/dc_{T-1}: 0.5^3000 is about 1e-903 (Jozefowicz et al. 2015: why b_f =
// 1).
TEST(TimeGradient, CellStateDecaysByTheForgetGate) {
  for (const double bias : {0.0, -20.0, 1.0}) {
    RunSpec spec;
    spec.model = {.cell = "lstm", .hidden = 8};
    spec.init.scheme = "zeros";
    spec.init.readout.scheme = "normal";
    spec.init.forget_gate_bias = bias;
    const ZeroSource source(3000);
    SequenceModel<float> model(spec, source.shape(), 2);
    model.pack_all();
    SequenceShard<float> shard(model, 2);
    run_shard(shard, source);
    const auto& layer = std::as_const(shard).layer(0);
    const auto log2_dc = [&](std::int64_t t) { return log2_norm(layer.sum_squares_dc(t)[1], layer.norm_exponent(t)[1]); };
    const double per_step = -std::log2(1 + std::exp(-bias));
    for (std::int64_t t = 0; t < 3000; ++t) {
      const double lag = static_cast<double>(2999 - t);
      ASSERT_TRUE(near(log2_dc(t), log2_dc(2999) + lag * per_step, 1e-6 * (1 + lag))) << "bias " << bias << " t " << t;
    }
  }
}

TEST(ScaledRows, AddingBringsBothToTheLargerExponent) {
  const auto reference = make_backend<double>("reference");
  double sum[] = {3, 4}, companion[] = {8, 16}, addend[] = {1, 2};
  EXPECT_EQ(add_scaled_row(reference->pointwise(), sum, companion, 0, addend, 1, 2), 1);  // 3 + 2*1, in units of 2
  EXPECT_EQ(sum[0], 2.5);
  EXPECT_EQ(sum[1], 4.0);
  EXPECT_EQ(companion[0], 4.0);
  EXPECT_EQ(add_scaled_row(reference->pointwise(), sum, companion, 1, addend, kNoSignal, 2), 1);
  EXPECT_EQ(sum[0], 2.5);
}

TEST(ScaledRows, BandShiftBringsNormsBackToOne) {
  EXPECT_EQ(band_shift(1.0), 0);
  EXPECT_EQ(band_shift(0.0), kNoSignal);
  for (const double squares : {1e-40, 1e40, 1e-300, 1e300}) {
    const double after = squares * std::exp2(-2.0 * band_shift(squares));
    EXPECT_GE(after, 0.25);
    EXPECT_LE(after, 4);
  }
}

}  // namespace
}  // namespace vp::test
