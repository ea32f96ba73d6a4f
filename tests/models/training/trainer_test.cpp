// The training loop: same bits for any number of threads, optimisers, clipping, outcomes.
#include "models/training/trainer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "models/cells/cell_list.h"
#include "models/model_kinds.h"
#include "models/optimizers/optimizers.h"
#include "models/parameters/checkpoint.h"
#include "models/training/batch_engine.h"
#include "models/verify/cell_variants.h"
#include "models/verify/random_source.h"
#include "models/verify/same_bits.h"
#include "tests/compare.h"

namespace vp::test {
namespace {

struct Watch final : TrainControl {
  void progress(std::int64_t updates_done) override { done = updates_done; }
  bool stop_requested() const override { return done >= stop_after; }
  std::int64_t done = 0, stop_after = 1 << 30;
};

RunReport train_on(const RunSpec& spec, const BatchSource& source, int threads) {
  ThreadPool pool(threads);
  Watch watch;
  return train(spec, source, pool, watch);
}

TEST(Trainer, SameBitsForAnyNumberOfThreads) {
  for (const Check& check : same_bits_checks({1, 2, 8})) {
    const Finding finding = run_check(check);
    EXPECT_TRUE(finding.holds()) << check.name << ": " << finding.fault;
    EXPECT_GT(finding.compared, 1000);
  }
}

// Holding fewer states and computing the others again changes the memory, not a bit of the results: probes, both readouts, two layers, odd
// lengths.
TEST(Trainer, CheckpointsChangeNoBits) {
  for (const bool every_step : {false, true})
    for (const CellVariant& variant : cell_variants()) {
      const std::string& cell = variant.name;
      const RandomSource source({.steps = 101, .inputs = 3, .outputs = 4, .target_every_step = every_step}, 20, 101);
      RunSpec spec = small_training(cell);
      spec.model.form = every_step ? "many_to_many" : "many_to_one";
      spec.init.recurrent.gain = 0.05;  // exponents come into play
      spec.train.updates = 2;
      const auto whole = bits_of(train_on(spec, source, 2));
      for (const std::int64_t every : {1, 40, 64, 101, 1000}) {  // chunks are of 32 and 51 steps
        spec.train.checkpoint_every_steps = every;
        EXPECT_EQ(bits_of(train_on(spec, source, 2)), whole) << cell << " every " << every;
      }
      spec.probe.loss_at = "last";
      const auto last = bits_of(train_on(spec, source, 2));
      spec.train.checkpoint_every_steps = 32;
      EXPECT_EQ(bits_of(train_on(spec, source, 2)), last) << cell << " loss at last";
    }
}

TEST(Trainer, CheckpointsBoundTheMemory) {
  const RandomSource source({.steps = 4096, .inputs = 1, .outputs = 1, .target = TargetKind::kValues}, 0, 0);
  RunSpec spec = small_training("lstm");
  spec.probe = {.timesteps = false, .layers = false};  // what probes keep has all steps
  const auto bytes = [&] { return workspace_bytes(spec, source, 1).arrays; };
  const std::int64_t whole = bytes();
  spec.train.checkpoint_every_steps = 64;
  EXPECT_LT(bytes(), whole / 10);
}

TEST(Trainer, ShardRowsChangeTheBitsButNotTheMeaning) {
  const RandomSource source({.steps = 5, .inputs = 3, .outputs = 4}, 50, 101);
  RunSpec spec = small_training("lstm");
  spec.engine.precision = "f64";
  const RunReport a = train_on(spec, source, 2);
  spec.train.shard_rows = 37;
  const RunReport b = train_on(spec, source, 2);
  EXPECT_TRUE(near(*a.summary.validation_loss, *b.summary.validation_loss, 1e-12));
}

// Every optimiser lowers the loss of a task that can be learnt, and its first step is what its formula says.
TEST(Trainer, EveryOptimizerLearns) {
  const RandomSource source({.steps = 3, .inputs = 4, .outputs = 3}, 20, 37);  // 37 samples: the batch is all of them
  for (const OptimizerEntry& entry : optimizers()) {
    RunSpec spec = small_training("lstm", std::string(entry.name));
    spec.train.updates = 300;
    spec.train.clip_norm.reset();
    spec.train.learning_rate = entry.name == "sgd" ? 1.0 : entry.name == "momentum" ? 0.3 : 0.02;
    const RunReport report = train_on(spec, source, 2);
    EXPECT_LT(*report.summary.train_loss, 0.7 * *report.curves.front().train_loss) << entry.name;
  }
}

TEST(Optimizers, FirstTwoStepsFollowTheFormulas) {
  const double g[] = {0.5, -2.0};
  const auto steps = [&](const char* name) {
    const OptimizerEntry& entry = *find_optimizer(name);
    const auto options = entry.make_options();
    const auto optimizer = entry.make_double(2, 0.1, *options);
    std::array<double, 2> w = {1, 1};
    for (int step = 1; step <= 2; ++step) {
      optimizer->begin_update(step);
      optimizer->apply(0, g, 1.0, w.data());
    }
    return w[1];
  };
  EXPECT_TRUE(near(steps("sgd"), 1 + 0.1 * 2 * 2, 1e-15));
  EXPECT_TRUE(near(steps("momentum"), 1 + 0.1 * (2 + 2 * 1.9), 1e-15));
  EXPECT_TRUE(near(steps("rmsprop"), 1 + 0.1 * 2 / (std::sqrt(0.01 * 4)) + 0.1 * 2 / std::sqrt(0.99 * 0.01 * 4 + 0.01 * 4), 1e-6));
  EXPECT_TRUE(near(steps("adam"), 1 + 0.1 + 0.1, 1e-7));  // a constant gradient: each step is the learning rate
}

void expect_clipping(RunSpec spec) {
  const RandomSource source({.steps = 4, .inputs = 4, .outputs = 3}, 20, 37);
  spec.train.clip_norm = 1e-3;
  spec.train.learning_rate = 5;
  const RunReport by_norm = train_on(spec, source, 1);
  EXPECT_EQ(by_norm.curves.back().clipped, 1.0);
  EXPECT_TRUE(near(*by_norm.summary.train_loss, *by_norm.curves.front().train_loss, 0.05));  // each step is 0.005 long, not some 2
  EXPECT_FALSE(by_norm.curves.front().clipped.has_value());
  spec.train.clip_norm = 1e3;
  EXPECT_EQ(train_on(spec, source, 1).curves.back().clipped, 0.0);
  spec.train.clip_norm.reset();
  spec.train.clip_value = 1e-6;
  const RunReport by_value = train_on(spec, source, 1);
  EXPECT_EQ(by_value.curves.back().clipped, 1.0);
  EXPECT_TRUE(near(*by_value.summary.train_loss, *by_value.curves.front().train_loss, 0.01));  // no parameter moved by more than 3e-5
}

TEST(Trainer, ClippingHoldsTheStepAndIsReported) {
  expect_clipping(small_training("rnn", "sgd"));
  RunSpec mlp = small_training("rnn", "sgd");
  mlp.model = {.kind = "mlp", .layers = 2, .hidden = 20, .activation = "tanh"};
  mlp.kind_options = OptionsHandle(find_model_kind("mlp")->make_options());
  mlp.cell_options = {}, mlp.probe = {};
  expect_clipping(mlp);
}

TEST(Trainer, StopsWhereTheGoalIsReached) {
  const RandomSource source({.steps = 3, .inputs = 4, .outputs = 2}, 64, 0);
  RunSpec spec = small_training("rnn");
  spec.train.stop_at = 0.01;  // accuracy: reached before the first update
  const RunReport report = train_on(spec, source, 1);
  EXPECT_EQ(report.summary.outcome, Outcome::kSolved);
  EXPECT_EQ(report.summary.updates_done, 0);
}

TEST(Trainer, DivergenceIsAResult) {
  const RandomSource source({.steps = 200, .inputs = 3, .outputs = 2, .target = TargetKind::kValues}, 20, 0);
  RunSpec spec = small_training("rnn");
  spec.model.activation = "linear";
  spec.train.clip_norm.reset();
  spec.init.scheme = "orthogonal";
  spec.init.recurrent.gain = 2;
  const RunReport report = train_on(spec, source, 1);
  EXPECT_EQ(report.summary.outcome, Outcome::kDiverged);
  EXPECT_EQ(report.curves.back().note, "diverged");
}

// Updates are made with the gradients where the parameters are not asked for at the end. With a learning rate far too high, those that are
// saved are the last that were finite.
TEST(Trainer, SavingTheParametersChangesNothingElse) {
  const RandomSource source({.steps = 8, .inputs = 14, .outputs = 4, .image_channels = 2, .image_height = 8, .image_width = 7}, 50, 101);
  for (const double learning_rate : {0.01, 1e30})
    for (const char* kind : {"mlp", "cnn"}) {
      RunSpec spec = small_feed_forward(kind);
      spec.train.clip_norm.reset();
      spec.train.optimizer = "sgd", spec.train.learning_rate = learning_rate;
      spec.optimizer_options = OptionsHandle(find_optimizer("sgd")->make_options());
      const RunReport report = train_on(spec, source, 2);
      spec.train.save_checkpoint = true;
      const RunReport saved = train_on(spec, source, 2);
      EXPECT_EQ(bits_of(saved), bits_of(report)) << kind << ' ' << learning_rate;
      EXPECT_EQ(saved.summary.outcome, report.summary.outcome);
      EXPECT_EQ(report.summary.outcome, learning_rate > 1 ? Outcome::kDiverged : Outcome::kCompleted) << kind;
      const ParameterLayout layout = make_layout(spec, source.shape());
      std::vector<float> parameters(static_cast<std::size_t>(layout.size));
      load_parameters(Safetensors::parse(saved.checkpoint), layout, parameters.data());
      EXPECT_TRUE(std::ranges::all_of(parameters, [](float w) { return std::isfinite(w); })) << kind << ' ' << learning_rate;
    }
}

TEST(Trainer, AStopRequestLeavesNothingBehind) {
  const RandomSource source({.steps = 3, .inputs = 4, .outputs = 2}, 0, 0);
  ThreadPool pool(1);
  Watch watch;
  watch.stop_after = 2;
  EXPECT_THROW(train(small_training("rnn"), source, pool, watch), Interrupted);
}

TEST(Trainer, ASpecThatDoesNotFitIsNamed) {
  const RandomSource source({.steps = 3, .inputs = 4, .outputs = 2}, 0, 30);
  EXPECT_NE(check_run(small_training("rnn"), source).find("37 is more than the 30"), std::string::npos);
  RunSpec spec = small_training("rnn");
  spec.train.batch = 8;
  EXPECT_EQ(check_run(spec, source), "");
  spec.model.output = "sigmoid";  // each class on its own
  EXPECT_EQ(check_run(spec, source), "");
  spec.model.output = "linear";
  EXPECT_NE(check_run(spec, source).find("softmax"), std::string::npos);
}

// Where there is a loss at every step there is no lag, unless the probed loss is that of the last step.
TEST(Trainer, SlopeOfATaskWithTargetsAtEveryStep) {
  const RandomSource source({.steps = 6, .inputs = 3, .outputs = 2, .target = TargetKind::kValues, .target_every_step = true}, 8, 0);
  RunSpec spec = small_training("rnn");
  spec.model.form = "many_to_many";
  EXPECT_FALSE(train_on(spec, source, 1).summary.gradient_slope.has_value());
  const double loss = *train_on(spec, source, 1).summary.train_loss;
  spec.probe.loss_at = "last";
  const RunReport report = train_on(spec, source, 1);
  ASSERT_TRUE(report.summary.gradient_slope.has_value());
  EXPECT_LT(*report.summary.gradient_slope, 0);
  EXPECT_EQ(*report.summary.train_loss, loss);  // the probe does not touch the training
}

}  // namespace
}  // namespace vp::test
