// Evaluations: the mean over all samples, each as it comes out alone; what counts as right.
#include <gtest/gtest.h>

#include <array>
#include <vector>

#include "models/cells/cell_list.h"
#include "models/model_kinds.h"
#include "models/training/batch_engine.h"
#include "models/verify/random_source.h"
#include "models/verify/same_bits.h"
#include "tests/compare.h"

namespace vp::test {
namespace {

RunSpec spec_of(std::int64_t shard_rows) {
  RunSpec spec;
  spec.model = {.cell = "gru", .layers = 1, .hidden = 6};
  spec.cell_options = OptionsHandle(find_cell("gru")->make_options());
  spec.engine.backend = "reference", spec.engine.precision = "f64";
  spec.train.batch = 12, spec.train.shard_rows = shard_rows;
  return spec;
}

struct Alone {
  double loss = 0, correct = 0;
};

// Means over samples that are run one by one.
Alone one_by_one(const RunSpec& spec, const BatchSource& source, Split split) {
  Alone mean;
  const auto count = static_cast<double>(source.size(split));
  const auto model = make_model<double>(spec, source.shape(), 1);
  model->pack_all();
  const auto shard = model->make_shard(1);
  PhaseSeconds seconds{};
  PhaseClock clock(seconds);
  for (std::uint64_t sample = 0; sample < source.size(split); ++sample) {
    shard->fill(source, split, std::array{sample}, clock);
    shard->forward(clock);
    const ShardScore score = shard->score(1, LossAt::kTask, clock);
    mean.loss += score.loss / count, mean.correct += score.correct / count;
  }
  return mean;
}

TEST(Evaluation, IsTheMeanOfEverySampleAlone) {
  for (const std::uint64_t samples : {1, 4, 5, 11, 12, 13, 50})
    for (const std::int64_t shard_rows : {1, 4, 5, 12})
      for (const int threads : {1, 3}) {
        const RunSpec spec = spec_of(shard_rows);
        const RandomSource source({.steps = 4, .inputs = 3, .outputs = 3}, samples);
        ThreadPool pool(threads);
        BatchEngine<double> engine(spec, source, pool);
        engine.pack();
        for (const Split split : {Split::kValidation, Split::kTest}) {
          const Alone expected = one_by_one(spec, source, split);
          const Score score = engine.evaluator().evaluate(split);
          EXPECT_TRUE(near(*score.loss, expected.loss, 1e-13)) << samples << " in shards of " << shard_rows;
          EXPECT_TRUE(near(*score.accuracy, expected.correct, 1e-13)) << samples << " in shards of " << shard_rows;
          for (const MetricRow& row : engine.evaluator().metrics(split, 0))  // of the same samples
            EXPECT_TRUE(row.metric != "accuracy" || near(*row.value, expected.correct, 1e-13)) << samples;
        }
      }
}

// One sample whose outputs are what the readout's bias says.
double share_right(SequenceShape shape, const std::vector<double>& outputs, const std::vector<double>& targets) {
  RunSpec spec = spec_of(1);
  spec.init.scheme = "zeros";
  spec.model.form = shape.target_every_step ? "many_to_many" : "many_to_one";
  const auto model = make_model<double>(spec, shape, 1);
  std::copy(outputs.begin(), outputs.end(), model->parameters() + model->layout().find("readout.bias").offset);
  model->pack_all();
  const auto shard = model->make_shard(1);
  PhaseSeconds seconds{};
  PhaseClock clock(seconds);
  shard->fill(RandomSource(shape), Split::kTrain, std::array<std::uint64_t, 1>{0}, clock);
  std::copy(targets.begin(), targets.end(), shard->values().begin());
  shard->forward(clock);
  return shard->score(1, LossAt::kTask, clock).correct;
}

// Every |output - target| is below the limit; one that reaches it is wrong.
TEST(Evaluation, AnErrorIsBelowTheLimit) {
  const SequenceShape shape{.steps = 2, .inputs = 1, .outputs = 2, .target = TargetKind::kValues, .correct_within = 0.5};
  EXPECT_EQ(share_right(shape, {1, 2}, {1.25, 1.75}), 1);
  EXPECT_EQ(share_right(shape, {1, 2}, {1.25, 2.5}), 0);
  EXPECT_EQ(share_right(shape, {1, 2}, {0.5, 2}), 0);
}

TEST(Evaluation, EveryLabelMustBeRight) {
  const SequenceShape shape{.steps = 2, .inputs = 1, .outputs = 2, .target = TargetKind::kBinary};
  EXPECT_EQ(share_right(shape, {1, -2}, {1, 0}), 1);
  EXPECT_EQ(share_right(shape, {1, -2}, {1, 1}), 0);
  EXPECT_EQ(share_right(shape, {1, -2}, {0, 0}), 0);
  EXPECT_EQ(share_right(shape, {0, 0}, {0, 0}), 1);  // 0 is no
}

// Of targets at every step, the share of the steps; the loss at the last step looks at that one alone.
TEST(Evaluation, StepsCountAlike) {
  const SequenceShape shape{
      .steps = 4, .inputs = 1, .outputs = 1, .target = TargetKind::kValues, .target_every_step = true, .correct_within = 0.5};
  EXPECT_EQ(share_right(shape, {1}, {1, 1, 9, 1}), 0.75);
  RunSpec spec = spec_of(1);
  spec.init.scheme = "zeros", spec.model.form = "many_to_many";
  const auto model = make_model<double>(spec, shape, 1);
  const Tensor& bias = model->layout().find("readout.bias");
  model->pack_all();
  const auto shard = model->make_shard(1);
  PhaseSeconds seconds{};
  PhaseClock clock(seconds);
  shard->fill(RandomSource(shape), Split::kTrain, std::array<std::uint64_t, 1>{0}, clock);
  const double targets[] = {1, 2, 3, 5};
  std::copy_n(targets, 4, shard->values().data());
  const auto score = [&](LossAt at) {
    shard->forward(clock);
    const double loss = shard->score(1, at, clock).loss;
    shard->backward(clock);
    return std::pair(loss, shard->gradient()[bias.offset]);
  };
  EXPECT_EQ(score(LossAt::kTask), std::pair((1.0 + 4 + 9 + 25) / 4, -2.0 * (1 + 2 + 3 + 5) / 4));
  EXPECT_EQ(score(LossAt::kLastStep), std::pair(25.0, -2.0 * 5));
}

}  // namespace
}  // namespace vp::test
