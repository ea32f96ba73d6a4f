// Which layers a feed-forward net is made of: pooling, shortcuts, and the order in which images reach the readout.
#include "models/feed_forward/plan.h"

#include <gtest/gtest.h>

#include <vector>

#include "models/model_kinds.h"
#include "models/verify/random_source.h"
#include "tests/compare.h"

namespace vp::test {
namespace {

FeedForwardPlan plan_of(const CnnOptions& options, std::int64_t side = 32) {
  RunSpec spec;
  spec.model.kind = "cnn";
  spec.kind_options = OptionsHandle(options.clone());
  return make_plan(spec, {.steps = side, .inputs = side, .outputs = 3, .image_channels = 1, .image_height = side, .image_width = side});
}

std::vector<bool> pools(const FeedForwardPlan& plan) {
  std::vector<bool> all;
  for (const LayerPlan& layer : plan.layers) all.push_back(layer.pooling.has_value());
  return all;
}

TEST(Plan, EveryNthConvolutionIsPooled) {
  CnnOptions options;
  options.channels = {2, 2, 2, 2, 2};
  options.pool_every = 1;
  EXPECT_EQ(pools(plan_of(options)), (std::vector<bool>{true, true, true, true, true, false}));
  options.pool_every = 2;
  EXPECT_EQ(pools(plan_of(options)), (std::vector<bool>{false, true, false, true, false, false}));
  options.pool_every = 3;
  EXPECT_EQ(pools(plan_of(options)), (std::vector<bool>{false, false, true, false, false, false}));
  options.pool = "none";
  EXPECT_EQ(pools(plan_of(options)), (std::vector<bool>(6, false)));
}

// Of equally wide layers in a row, all but the first: it has no layer below whose output could be added.
TEST(Plan, ShortcutsJoinLayersOfOneWidth) {
  RunSpec spec;
  spec.model.kind = "mlp";
  MlpOptions options;
  options.widths = {6, 6, 6, 4, 4, 6}, options.residual = true;
  spec.kind_options = OptionsHandle(options.clone());
  const auto shortcuts = [&] {
    std::vector<bool> all;
    for (const LayerPlan& layer : make_plan(spec, {.steps = 2, .inputs = 3, .outputs = 6}).layers) all.push_back(layer.shortcut);
    return all;
  };
  EXPECT_EQ(shortcuts(), (std::vector<bool>{false, true, true, false, true, false, false}));
  options.residual = false;
  spec.kind_options = OptionsHandle(options.clone());
  EXPECT_EQ(shortcuts(), (std::vector<bool>(7, false)));
}

// The readout of a cnn reads (C, Y, X), as PyTorch's flatten gives it: one pixel of one channel feeds one of its inputs.
TEST(Plan, ImagesReachTheReadoutChannelByChannel) {
  RunSpec spec;
  spec.model = {.kind = "cnn", .activation = "linear"};
  CnnOptions options;
  options.channels = {2}, options.kernel = 1, options.pool = "none";
  spec.kind_options = OptionsHandle(options.clone());
  spec.init.scheme = "zeros";
  const SequenceShape shape{.steps = 3, .inputs = 4, .outputs = 24, .image_channels = 1, .image_height = 3, .image_width = 4};
  const auto model = make_model<double>(spec, shape, 1);
  double* const parameters = model->parameters();
  parameters[model->layout().find("conv.0.weight").offset] = 1, parameters[model->layout().find("conv.0.weight").offset + 1] = 10;
  for (std::int64_t i = 0; i < 24; ++i) parameters[model->layout().find("readout.weight").offset + i * 24 + i] = 1;
  model->pack_all();
  const auto shard = model->make_shard(1);
  run_shard(*shard, RandomSource(shape));
  for (std::int64_t i = 0; i < 24; ++i) EXPECT_EQ(shard->logits()[i], shard->input()[i % 12] * (i < 12 ? 1 : 10)) << i;
}

}  // namespace
}  // namespace vp::test
