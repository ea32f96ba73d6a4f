// What is special to the GRU: two biases of the candidate that are not one, two places for the reset, and a path past the weights.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "models/cells/cell_list.h"
#include "models/model/scaled_rows.h"
#include "models/recurrent/sequence_layout.h"
#include "models/recurrent/sequence_model.h"
#include "models/verify/cell_variants.h"
#include "models/verify/random_source.h"
#include "tests/compare.h"

namespace vp::test {
namespace {

constexpr std::int64_t kHidden = 6, kRows = 3;

RunSpec spec_of(const char* variant, std::int64_t hidden = kHidden) {
  RunSpec spec;
  spec.model = {.cell = "gru", .layers = 1, .hidden = hidden};
  spec.cell_options = find_cell_variant(variant).options;
  spec.engine.backend = "reference";
  return spec;
}

RandomSource source_of(std::int64_t steps) {
  return RandomSource({.steps = steps, .inputs = 4, .outputs = 2, .target = TargetKind::kValues});
}

// A model of a variant with parameters that `change` may set, and one pass over random samples.
struct Pass {
  template <class Change>
  Pass(const char* variant, const Change& change)
      : source(source_of(5)), model(spec_of(variant), source.shape(), kRows), shard(model, kRows) {
    change(model);
    model.pack_all();
    loss = run_shard(shard, source);
  }
  std::vector<double> gradient(const Tensor& t) const { return {shard.gradient() + t.offset, shard.gradient() + t.offset + t.size()}; }
  RandomSource source;
  SequenceModel<double> model;
  SequenceShard<double> shard;
  double loss = 0;
};

void keep(SequenceModel<double>&) {}

double largest_gap(const std::vector<double>& a, const std::vector<double>& b, std::int64_t first, std::int64_t count) {
  double gap = 0;
  for (std::int64_t i = first; i < first + count; ++i) gap = std::max(gap, std::abs(a[i] - b[i]));
  return gap;
}

TEST(Gru, TheCandidatesBiasesHaveGradientsOfTheirOwnWhereTheResetComesAfter) {
  for (const bool after : {true, false}) {
    const Pass pass(after ? "gru" : "gru reset=before", keep);
    const RecurrentTensors tensors = recurrent_tensors(pass.model.layout(), 0);
    const std::vector<double> ih = pass.gradient(tensors.bias_ih), hh = pass.gradient(tensors.bias_hh);
    EXPECT_LE(largest_gap(ih, hh, 0, 2 * kHidden), 1e-16);  // r, z: their sum is what counts
    if (after)
      EXPECT_GT(largest_gap(ih, hh, 2 * kHidden, kHidden), 1e-3);
    else
      EXPECT_LE(largest_gap(ih, hh, 2 * kHidden, kHidden), 1e-16);
    EXPECT_GT(max_magnitude<double>(hh), 1e-3);
  }
}

// The two biases of n are told apart by the forward pass as well: moving b_hn to b_in changes the loss, moving those of r and z does not.
TEST(Gru, OnlyTheCandidatesBiasesAreNotInterchangeable) {
  const auto moved = [](std::int64_t first, std::int64_t count) {
    return [=](SequenceModel<double>& model) {
      const RecurrentTensors tensors = recurrent_tensors(model.layout(), 0);
      double *const ih = model.parameters() + tensors.bias_ih.offset, *const hh = model.parameters() + tensors.bias_hh.offset;
      for (std::int64_t i = first; i < first + count; ++i) ih[i] += hh[i], hh[i] = 0;
    };
  };
  const double loss = Pass("gru", keep).loss;
  EXPECT_TRUE(near(Pass("gru", moved(0, 2 * kHidden)).loss, loss, 1e-14));
  EXPECT_GT(std::abs(Pass("gru", moved(2 * kHidden, kHidden)).loss - loss), 1e-4);
  const double before = Pass("gru reset=before", keep).loss;
  EXPECT_TRUE(near(Pass("gru reset=before", moved(0, 3 * kHidden)).loss, before, 1e-14));
}

TEST(Gru, BothFormsAreOneWhereNothingIsReset) {
  const auto open = [](SequenceModel<double>& model) {  // r = sigmoid(100): 1
    const RecurrentTensors tensors = recurrent_tensors(model.layout(), 0);
    std::fill_n(model.parameters() + tensors.bias_ih.offset, kHidden, 100.0);
  };
  const Pass after("gru", open), before("gru reset=before", open);
  EXPECT_TRUE(near(after.loss, before.loss, 1e-14));
  for (const Tensor* tensor : after.model.layout().tensors())
    EXPECT_LE(largest_gap(after.gradient(*tensor), before.gradient(*tensor), 0, tensor->size()), 1e-15) << tensor->name;
  EXPECT_GT(std::abs(Pass("gru", keep).loss - Pass("gru reset=before", keep).loss), 1e-4);  // and not one elsewhere
}

// All weights zero: h_t = z h_{t-1}, and dL/dh_t = sigmoid(b_z)^(T-1-t) dL/dh_{T-1}, which only comes past W_hh: 0.5^3000 is about 1e-903.
TEST(Gru, TheGradientDecaysByTheUpdateGate) {
  for (const char* variant : {"gru", "gru reset=before"})
    for (const char* backend : {"native", "onednn", "reference"})
      for (const double bias : {0.0, -20.0, 1.0}) {
        RunSpec spec = spec_of(variant, 8);
        spec.init.scheme = "zeros";
        spec.init.readout.scheme = "normal";
        spec.init.update_gate_bias = bias;
        spec.engine.backend = backend;
        const ZeroSource source(3000);
        SequenceModel<float> model(spec, source.shape(), 2);
        model.pack_all();
        SequenceShard<float> shard(model, 2);
        run_shard(shard, source);
        const auto& layer = std::as_const(shard).layer(0);
        const auto log2_dh = [&](std::int64_t t) { return log2_norm(layer.sum_squares_dh(t)[1], layer.norm_exponent(t)[1]); };
        const double per_step = -std::log2(1 + std::exp(-bias));
        for (std::int64_t t = 0; t < 3000; ++t) {
          const double lag = static_cast<double>(2999 - t);
          ASSERT_TRUE(near(log2_dh(t), log2_dh(2999) + lag * per_step, 1e-6 * (1 + lag)))
              << variant << ' ' << backend << " bias " << bias << " t " << t;
        }
      }
}

}  // namespace
}  // namespace vp::test
