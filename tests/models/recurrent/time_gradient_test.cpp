// dL/dh_t: right at every step, for any length and any weight scale.
#include <gtest/gtest.h>

#include <cmath>

#include "kernels/backend_list.h"
#include "models/base/statistics.h"
#include "models/cells/cell_list.h"
#include "models/model/scaled_rows.h"
#include "models/model_kinds.h"
#include "models/recurrent/sequence_layout.h"
#include "models/recurrent/sequence_model.h"
#include "models/verify/cell_variants.h"
#include "models/verify/model_cases.h"
#include "models/verify/model_checks.h"
#include "models/verify/random_source.h"
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

// Another source's samples, with values 2^k times as large.
class Scaled final : public BatchSource {
 public:
  Scaled(const BatchSource& source, int k) : source_(source), k_(k) {}
  SequenceShape shape() const override { return source_.shape(); }
  std::uint64_t size(Split split) const override { return source_.size(split); }
  void fill(Split split, std::span<const std::uint64_t> samples, const SampleRows& out) const override {
    source_.fill(split, samples, out);
    for (std::int64_t i = 0; i < out.rows * shape().outputs; ++i) out.values[i] = std::ldexp(out.values[i], k_);
  }

 private:
  const BatchSource& source_;
  int k_;
};

// Gradients by tensor, in units of 2^2k, with the readout's weights and the targets 2^k times as large; the readout's own left out.
template <class T>
std::vector<std::pair<std::string, std::vector<T>>> gradients_with_readout(int k, const RunSpec& spec, const SequenceShape& shape) {
  constexpr std::int64_t kRows = 3;
  const RandomSource source(shape);
  const auto model = make_model<T>(spec, shape, kRows);
  const auto is_readout = [](const Tensor& tensor) { return tensor.role == WeightRole::kReadout; };
  for (const Tensor* tensor : model->layout().tensors())
    for (std::int64_t i = 0; is_readout(*tensor) && i < tensor->size(); ++i) {
      T& w = model->parameters()[tensor->offset + i];
      w = std::ldexp(w, k);
    }
  model->pack_all();
  const auto shard = model->make_shard(kRows);
  const std::int64_t rows[] = {kRows};
  shard->prepare_pieces(rows);
  run_shard(*shard, Scaled(source, k));
  std::vector<std::pair<std::string, std::vector<T>>> found;
  for (const Tensor* tensor : model->layout().tensors()) {
    if (is_readout(*tensor)) continue;
    const T* from = shard->gradient() + tensor->offset;
    found.emplace_back(tensor->name, std::vector<T>(from, from + tensor->size()));
    for (T& g : found.back().second) g = std::ldexp(g, -2 * k);
  }
  return found;
}

template <class T>
void expect_proportional(const RunSpec& spec, const SequenceShape& shape, const std::string& what) {
  const auto plain = gradients_with_readout<T>(0, spec, shape);
  for (const int k : {-20, 20}) {
    const auto scaled = gradients_with_readout<T>(k, spec, shape);
    for (std::size_t i = 0; i < plain.size(); ++i) {
      EXPECT_TRUE(close(std::span<const T>(scaled[i].second), std::span<const T>(plain[i].second), {.c = 4}))
          << what << ' ' << plain[i].first << " k " << k;
    }
  }
}

// Beyond 2^30 and below 2^-30 rows carry exponents, and give them back before parameters see them: weights, biases, gains and what a cell
// has of its own. Powers of two round nothing, so that only what is added up in another order may differ.
TEST(TimeGradient, EveryTensorsGradientIsProportionalThroughRescaledRows) {
  std::vector<ModelCase> cases;
  for (const CellVariant& cell : cell_variants())
    cases.push_back({.cell = std::string(cell.entry->name), .activation = "tanh", .layers = 2, .steps = 6, .variant = cell.name});
  for (const ModelCase& c : model_cases())
    if (c.kind != "sequence" && c.activation == "tanh") cases.push_back(c);
  for (ModelCase& c : cases) {
    c.target = TargetKind::kValues, c.output = "task";
    RunSpec spec = spec_of(c, 9);
    for (const std::string_view backend : backend_names()) {
      spec.engine.backend = backend;
      expect_proportional<float>(spec, shape_of(c, 3, 4), name_of(c) + " on " + std::string(backend));
    }
    spec.engine.backend = "reference";
    expect_proportional<double>(spec, shape_of(c, 3, 4), name_of(c));
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
  EXPECT_EQ(add_scaled_row(reference->pointwise(), sum, companion, 1, addend, 0, 2), 1);  // 2*2.5 + 1, in units of 2
  EXPECT_EQ(sum[0], 3.0);
  EXPECT_EQ(sum[1], 5.0);
  EXPECT_EQ(companion[0], 4.0);
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
