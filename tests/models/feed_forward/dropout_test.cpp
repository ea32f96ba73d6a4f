// Dropout: which units, how large the others, and what they learn. Dead units and saturation, which are measured before it.
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "models/feed_forward/plan.h"
#include "models/model_kinds.h"
#include "models/probes/probes.h"
#include "models/training/batch_engine.h"
#include "models/verify/random_source.h"
#include "models/verify/same_bits.h"
#include "tests/compare.h"

namespace vp::test {
namespace {

constexpr std::int64_t kRows = 20, kWidth = 500;
constexpr double kDropped = 0.3;

RunSpec dense(double dropout, const char* activation = "sigmoid") {  // whose outputs are never 0
  MlpOptions options;
  options.widths = {kWidth, kWidth, kWidth}, options.common.dropout = dropout;
  RunSpec spec;
  spec.model = {.kind = "mlp", .activation = activation};
  spec.kind_options = OptionsHandle(options.clone());
  spec.engine.backend = "reference";
  return spec;
}

struct Shard {
  std::unique_ptr<Model<double>> model;
  std::unique_ptr<ModelShard<double>> shard;

  Shard(const RunSpec& spec, std::int64_t update) {
    const RandomSource source({.steps = 1, .inputs = 5, .outputs = 2});
    model = make_model<double>(spec, source.shape(), kRows);
    model->pack_all();
    shard = model->make_shard(kRows);
    shard->set_update(update);
    run_shard(*shard, source);
  }
  std::vector<double> outputs(std::int64_t layer) const {
    const double* h = std::as_const(*shard).layer(layer).kept_hidden_states();
    return {h, h + kRows * kWidth};
  }
};

double mean_product(const std::vector<double>& a, const std::vector<double>& b, std::size_t shift = 0) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += ((a[i] == 0) - kDropped) * ((b[(i + shift) % b.size()] == 0) - kDropped);
  return sum / static_cast<double>(a.size());
}

// Of 10,000 units: the share that is asked for; no layer, sample or update tells another's; five standard errors.
TEST(Dropout, LayersSamplesAndUpdatesDrawForThemselves) {
  const Shard now(dense(kDropped), 3), later(dense(kDropped), 4);
  const double n = kRows * kWidth, error = 5 * std::sqrt(kDropped * (1 - kDropped) / n),
               error_of_product = error * std::sqrt(kDropped * (1 - kDropped));
  for (std::int64_t layer = 0; layer < 3; ++layer) {
    const auto h = now.outputs(layer);
    EXPECT_TRUE(near(static_cast<double>(std::ranges::count(h, 0.0)) / n, kDropped, error)) << layer;
    EXPECT_TRUE(near(mean_product(h, h, kWidth), 0, error_of_product)) << "the next sample of layer " << layer;
    EXPECT_TRUE(near(mean_product(h, h, 1), 0, error_of_product)) << "the next unit of layer " << layer;
    EXPECT_TRUE(near(mean_product(h, later.outputs(layer)), 0, error_of_product)) << "the next update of layer " << layer;
    EXPECT_TRUE(near(mean_product(h, now.outputs((layer + 1) % 3)), 0, error_of_product)) << "the layer above " << layer;
  }
}

// Units that stay grow by 1 / (1 - dropout), so that the mean of a layer stays.
TEST(Dropout, KeptUnitsGrow) {
  const Shard with(dense(kDropped), 0), without(dense(0), 0);
  const auto h = with.outputs(0), plain = without.outputs(0);
  for (std::size_t i = 0; i < h.size(); ++i) ASSERT_TRUE(h[i] == 0 || near(h[i], plain[i] / (1 - kDropped), 1e-14)) << i;
}

// The weights into a unit that is dropped on every sample have no gradient, and those out of it neither.
TEST(Dropout, DroppedUnitsLearnNothing) {
  const Shard run(dense(0.9), 0);
  const auto h = run.outputs(0);
  const Tensor &in = run.model->layout().find("layers.0.weight"), &out = run.model->layout().find("layers.1.weight");
  std::int64_t never = 0;
  for (std::int64_t u = 0; u < kWidth; ++u) {
    bool kept = false;
    for (std::int64_t b = 0; b < kRows; ++b) kept = kept || h[b * kWidth + u] != 0;
    never += !kept;
    for (std::int64_t i = 0; i < in.cols; ++i) ASSERT_EQ(run.shard->gradient()[in.offset + u * in.cols + i] != 0, kept) << u;
    double leaving = 0;
    for (std::int64_t o = 0; o < out.rows; ++o) leaving += std::abs(run.shard->gradient()[out.offset + o * out.cols + u]);
    ASSERT_EQ(leaving != 0, kept) << u;
  }
  EXPECT_GT(never, 20);  // .9^20 = .12
}

// A channel is alive if one pixel is, wherever it stands; a unit is saturated by the largest slope of its own activation.
TEST(Dropout, ChannelsAreAliveByAnyPixel) {
  RunSpec spec;
  spec.model = {.kind = "cnn", .activation = "relu"};
  CnnOptions options;
  options.channels = {3}, options.kernel = 1, options.pool = "none";
  spec.kind_options = OptionsHandle(options.clone());
  spec.train.batch = 1, spec.train.shard_rows = 1;
  const RandomSource source({.steps = 4, .inputs = 4, .outputs = 2, .image_channels = 1, .image_height = 4, .image_width = 4});
  ThreadPool pool(1);
  BatchEngine<double> engine(spec, source, pool);
  const ParameterLayout& layout = engine.model().layout();
  double* const weight = engine.model().parameters() + layout.find("conv.0.weight").offset;
  double* const bias = engine.model().parameters() + layout.find("conv.0.bias").offset;
  engine.pack();
  engine.run(0, LossAt::kTask);
  std::vector<double> image(engine.shards()[0]->input().begin(), engine.shards()[0]->input().end());
  std::ranges::sort(image);
  weight[0] = 1, bias[0] = -(image[14] + image[15]) / 2;  // wakes at its brightest pixel alone
  weight[1] = -1, bias[1] = (image[0] + image[1]) / 2;    // at its darkest
  weight[2] = 0, bias[2] = -1;                            // at none
  engine.pack();
  engine.measure_activations(true);
  engine.run(0, LossAt::kTask);
  std::vector<LayerRow> rows;
  probe_layers(engine.pass(1), 0, rows);
  EXPECT_TRUE(near(*rows[0].dead_units, 1.0 / 3, 1e-15));
}

TEST(Dropout, SaturationIsAShareOfTheLargestSlope) {
  for (const char* activation : {"sigmoid", "tanh"}) {
    RunSpec spec = dense(0, activation);
    spec.init.gain = 4;
    spec.train.batch = kRows, spec.train.shard_rows = kRows;
    const RandomSource source({.steps = 1, .inputs = 5, .outputs = 2});
    ThreadPool pool(1);
    BatchEngine<double> engine(spec, source, pool);
    engine.pack();
    engine.measure_activations(true);
    engine.run(0, LossAt::kTask);
    std::vector<LayerRow> rows;
    probe_layers(engine.pass(kRows), 0, rows);
    const double* h = std::as_const(*engine.shards()[0]).layer(0).kept_hidden_states();
    double flat = 0;
    for (std::int64_t i = 0; i < kRows * kWidth; ++i) {
      const bool is_sigmoid = activation == std::string("sigmoid");
      const double slope = is_sigmoid ? h[i] * (1 - h[i]) : 1 - h[i] * h[i];
      flat += slope < 0.05 * (is_sigmoid ? 0.25 : 1);
    }
    EXPECT_GT(flat, 0);
    EXPECT_TRUE(near(*rows[0].saturated, flat / (kRows * kWidth), 1e-12)) << activation;
  }
}

}  // namespace
}  // namespace vp::test
