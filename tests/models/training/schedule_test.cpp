// What a run does when, against the same updates made by hand: losses, clipping, rows of every table, the stop rule.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <vector>

#include "models/cells/cell_list.h"
#include "models/model_kinds.h"
#include "models/optimizers/optimizers.h"
#include "models/parameters/checkpoint.h"
#include "models/training/batch_engine.h"
#include "models/training/trainer.h"
#include "models/verify/random_source.h"
#include "models/verify/same_bits.h"
#include "tests/compare.h"

namespace vp::test {
namespace {

struct NobodyWatches final : TrainControl {
  void progress(std::int64_t updates_done) override { done.push_back(updates_done); }
  bool stop_requested() const override { return false; }
  std::vector<std::int64_t> done;
};

RunReport train_on(const RunSpec& spec, const BatchSource& source) {
  ThreadPool pool(2);
  NobodyWatches watch;
  RunReport report = train(spec, source, pool, watch);
  for (std::size_t i = 0; i < watch.done.size(); ++i) EXPECT_EQ(watch.done[i], static_cast<std::int64_t>(i + 1));
  EXPECT_EQ(std::ssize(watch.done), report.summary.updates_done);
  return report;
}

// In double on the reference engine, by plain gradient descent, so that each update can be made by hand.
RunSpec plain_spec(const char* cell = "lstm") {
  RunSpec spec = small_training(cell, "sgd");
  spec.engine.precision = "f64";
  spec.train.learning_rate = 0.5, spec.train.updates = 11, spec.train.evaluate_every = 4;
  spec.train.clip_norm.reset();
  spec.train.save_checkpoint = true;
  spec.probe.spectra = false, spec.probe.traces = 0;
  return spec;
}

const RandomSource& source() {
  static const RandomSource kSource({.steps = 5, .inputs = 3, .outputs = 4}, 50, 101);
  return kSource;
}

struct ByHand {
  std::vector<double> losses, norms, clipped;  // of every update
  double last_loss = 0, last_norm = 0;         // of the batch that is measured only
  std::vector<double> parameters;              // after the last update
};

// change(gradient, norm): what of a gradient is learnt from, changed in place; whether it was.
template <class Change>
ByHand by_hand(const RunSpec& spec, const Change& change) {
  ThreadPool pool(1);
  BatchEngine<double> engine(spec, source(), pool);
  ByHand run;
  const std::int64_t size = engine.model().layout().size;
  for (std::int64_t update = 0; update <= spec.train.updates; ++update) {
    engine.pack();
    const double loss = engine.run(update, LossAt::kTask);
    std::vector<double> gradient(engine.gradient().begin(), engine.gradient().end());
    double squares = 0;
    for (const double g : gradient) squares += g * g;
    if (update == spec.train.updates) {
      run.last_loss = loss, run.last_norm = std::sqrt(squares);
      break;
    }
    run.losses.push_back(loss), run.norms.push_back(std::sqrt(squares));
    run.clipped.push_back(change(gradient, std::sqrt(squares)));
    for (std::int64_t i = 0; i < size; ++i) engine.model().parameters()[i] -= spec.train.learning_rate * gradient[i];
  }
  run.parameters.assign(engine.model().parameters(), engine.model().parameters() + size);
  return run;
}

std::vector<double> parameters_of(const RunReport& report, const RunSpec& spec) {
  const ParameterLayout layout = make_layout(spec, source().shape());
  std::vector<double> parameters(static_cast<std::size_t>(layout.size));
  load_parameters(Safetensors::parse(report.checkpoint), layout, parameters.data());
  return parameters;
}

double mean_of(const std::vector<double>& x, std::int64_t first, std::int64_t end) {
  double sum = 0;
  for (std::int64_t i = first; i < end; ++i) sum += x[i];
  return sum / static_cast<double>(end - first);
}

// Rows at 0, 4, 8 and 11: their mean losses, norms and shares.
void expect_curves(const RunReport& report, const ByHand& run, bool clips) {
  const std::vector<std::int64_t> updates = {0, 4, 8, 11};
  ASSERT_EQ(report.curves.size(), updates.size());
  for (std::size_t i = 0; i < updates.size(); ++i) {
    const CurveRow& row = report.curves[i];
    const std::int64_t at = updates[i], before = i == 0 ? 0 : updates[i - 1];
    EXPECT_EQ(row.update, at);
    EXPECT_TRUE(near(*row.train_loss, i == 0 ? run.losses[0] : mean_of(run.losses, before, at), 1e-12)) << at;
    EXPECT_TRUE(near(*row.gradient_norm, at == 11 ? run.last_norm : run.norms[at], 1e-12)) << at;
    EXPECT_EQ(row.clipped.has_value(), clips && i > 0);
    EXPECT_TRUE(!row.clipped || near(*row.clipped, mean_of(run.clipped, before, at), 1e-12)) << at;
    EXPECT_TRUE(row.validation_loss && row.test_loss);
  }
}

void expect_parameters(const RunReport& report, const RunSpec& spec, const ByHand& run) {
  const std::vector<double> parameters = parameters_of(report, spec);
  for (std::size_t i = 0; i < parameters.size(); ++i) ASSERT_TRUE(near(parameters[i], run.parameters[i], 1e-12)) << i;
}

TEST(Schedule, CurvesAreWhatARunByHandSays) {
  const RunSpec spec = plain_spec();
  const RunReport report = train_on(spec, source());
  const ByHand run = by_hand(spec, [](std::vector<double>&, double) { return false; });
  expect_curves(report, run, false);
  expect_parameters(report, spec, run);
  const double largest = std::max(*std::ranges::max_element(run.norms), run.last_norm);
  EXPECT_TRUE(near(*report.summary.max_gradient_norm, largest, 1e-12));
  EXPECT_EQ(report.summary.outcome, Outcome::kCompleted);
  EXPECT_EQ(report.summary.updates_done, 11);
  EXPECT_EQ(*report.summary.train_loss, *report.curves.back().train_loss);
  EXPECT_EQ(*report.summary.validation_accuracy, *report.curves.back().validation_accuracy);
  EXPECT_EQ(*report.summary.test_loss, *report.curves.back().test_loss);
}

TEST(Schedule, ClippingByNormIsTheScaledGradient) {
  RunSpec spec = plain_spec();
  std::vector<double> norms = by_hand(spec, [](std::vector<double>&, double) { return false; }).norms;
  std::ranges::nth_element(norms, norms.begin() + 5);
  spec.train.clip_norm = norms[5];  // some are longer, some are not
  const ByHand run = by_hand(spec, [&](std::vector<double>& gradient, double norm) {
    if (norm <= *spec.train.clip_norm) return false;
    for (double& g : gradient) g *= *spec.train.clip_norm / norm;
    return true;
  });
  EXPECT_GT(std::ranges::count(run.clipped, 1.0), 0);
  EXPECT_GT(std::ranges::count(run.clipped, 0.0), 0);
  const RunReport report = train_on(spec, source());
  expect_curves(report, run, true);
  expect_parameters(report, spec, run);
}

// Only negative elements, or only positive ones, beyond the limit count as well as both; every block of parameters is held.
TEST(Schedule, ClippingByValueIsTheClampedGradient) {
  RunSpec spec = plain_spec();
  spec.train.clip_value = 0.01;
  const auto clamp = [&](std::vector<double>& gradient, double) {
    bool clipped = false;
    for (double& g : gradient) {
      clipped = clipped || std::abs(g) > *spec.train.clip_value;
      g = std::clamp(g, -*spec.train.clip_value, *spec.train.clip_value);
    }
    return clipped;
  };
  const RunReport report = train_on(spec, source());
  const ByHand run = by_hand(spec, clamp);
  expect_curves(report, run, true);
  expect_parameters(report, spec, run);
}

TEST(Schedule, ClippingByValueLooksAtBothSides) {
  RunSpec spec = plain_spec();
  ThreadPool pool(1);
  BatchEngine<double> engine(spec, source(), pool);
  engine.pack();
  for (const bool negative : {false, true}) {
    engine.run(0, LossAt::kTask);
    const auto gradient = engine.gradient();
    const double low = *std::ranges::min_element(gradient), high = *std::ranges::max_element(gradient);
    ASSERT_NE(-low, high);
    const double between = (std::min(-low, high) + std::max(-low, high)) / 2;
    if ((-low > high) != negative)  // the other side is the longer one: turn the gradient round
      for (const double& g : gradient) const_cast<double&>(g) = -g;
    EXPECT_TRUE(engine.clip_values(between)) << negative;
    EXPECT_FALSE(engine.clip_values(between)) << negative;  // nothing is left beyond it
  }
}

// Blocks of 4,096 parameters are clipped side by side; one value beyond the limit counts in whichever block it stands.
TEST(Schedule, ClippingByValueSeesEveryBlock) {
  RunSpec spec = plain_spec();
  spec.model.hidden = 64;
  ThreadPool pool(1);
  BatchEngine<double> engine(spec, source(), pool);
  engine.pack();
  engine.run(0, LossAt::kTask);
  const auto gradient = engine.gradient();
  ASSERT_GT(gradient.size(), 3 * 4096u);
  for (const std::size_t place : {std::size_t{0}, gradient.size() / 2, gradient.size() - 1}) {
    for (const double& g : gradient) const_cast<double&>(g) = 0;
    const_cast<double&>(gradient[place]) = 1;
    EXPECT_TRUE(engine.clip_values(0.5)) << place;
    EXPECT_EQ(gradient[place], 0.5) << place;
  }
}

template <class Row>
std::set<std::int64_t> updates_of(const std::vector<Row>& rows) {
  std::set<std::int64_t> updates;
  for (const Row& row : rows) updates.insert(row.update);
  return updates;
}

TEST(Schedule, EveryTableHasItsRowsWhenTheyAreDue) {
  using Updates = std::set<std::int64_t>;
  RunSpec spec = plain_spec();
  spec.probe = {.every = 5, .timesteps_every = 3, .spectra = true, .traces = 2};
  const RunReport report = train_on(spec, source());
  EXPECT_EQ(updates_of(report.layers), (Updates{0, 5, 10, 11}));
  EXPECT_EQ(updates_of(report.spectra), (Updates{0, 5, 10, 11}));
  EXPECT_EQ(updates_of(report.traces), (Updates{0, 5, 10, 11}));
  EXPECT_EQ(updates_of(report.timesteps), (Updates{0, 3, 5, 6, 9, 10, 11}));
  EXPECT_EQ(updates_of(report.metrics), (Updates{0, 4, 8, 11}));
  ASSERT_TRUE(report.summary.gradient_slope && report.summary.gradient_slope_final);
  EXPECT_NE(*report.summary.gradient_slope, *report.summary.gradient_slope_final);

  RunSpec still = spec;
  still.train.updates = 0;  // both slopes are of the same weights
  const RunReport once = train_on(still, source());
  EXPECT_EQ(*once.summary.gradient_slope, *report.summary.gradient_slope);
  EXPECT_EQ(*once.summary.gradient_slope_final, *once.summary.gradient_slope);
  EXPECT_EQ(updates_of(once.layers), Updates{0});

  spec.probe = {.timesteps = false, .layers = false};
  spec.train.evaluate_every = 0;
  const RunReport bare = train_on(spec, source());
  EXPECT_TRUE(bare.layers.empty() && bare.timesteps.empty() && bare.spectra.empty() && bare.traces.empty());
  EXPECT_EQ(updates_of(bare.curves), (Updates{0, 11}));
}

// Rows of a batch in one shard or in several: the leading ones are traced, each once.
TEST(Schedule, TracesAreOfTheLeadingSamplesOfTheBatch) {
  RunSpec spec = plain_spec("rnn");
  spec.train.updates = 0;
  spec.probe.traces = 10;
  spec.train.shard_rows = 37;
  const RunReport whole = train_on(spec, source());
  std::set<std::int64_t> samples;
  for (const TraceRow& row : whole.traces) samples.insert(row.sample);
  EXPECT_EQ(samples.size(), 10u);
  spec.train.shard_rows = 4;
  const RunReport cut = train_on(spec, source());
  ASSERT_EQ(cut.traces.size(), whole.traces.size());
  for (std::size_t i = 0; i < whole.traces.size(); ++i) {
    ASSERT_EQ(cut.traces[i].sample, whole.traces[i].sample);
    ASSERT_TRUE(near(cut.traces[i].value, whole.traces[i].value, 1e-14));
  }
}

// The goal is set to what the validation set reached at one of the evaluations: that one meets it, and none before.
void expect_stop(RunSpec spec, const BatchSource& data, bool by_accuracy) {
  spec.train.updates = 60, spec.train.evaluate_every = 3;
  const RunReport free = train_on(spec, data);
  const auto value = [&](const CurveRow& row) { return by_accuracy ? *row.validation_accuracy : -*row.validation_loss; };
  std::size_t first = 0, best = 0;  // the last evaluation that is better than all before
  for (std::size_t i = 1; i + 1 < free.curves.size(); ++i)
    if (value(free.curves[i]) > value(free.curves[best])) first = best = i;
  ASSERT_GT(first, 1u);
  spec.train.stop_at = by_accuracy ? value(free.curves[best]) : -value(free.curves[best]);
  const RunReport report = train_on(spec, data);
  EXPECT_EQ(report.summary.outcome, Outcome::kSolved);
  EXPECT_EQ(report.summary.updates_done, free.curves[best].update);
  EXPECT_EQ(report.curves.size(), best + 1);
  EXPECT_EQ(value(report.curves.back()), value(free.curves[best]));
}

TEST(Schedule, ARunStopsAtTheFirstEvaluationThatMeetsItsGoal) {
  RunSpec spec = plain_spec("rnn");
  spec.train.save_checkpoint = false, spec.train.learning_rate = 0.05;
  expect_stop(spec, RandomSource({.steps = 2, .inputs = 4, .outputs = 2}, 64, 37), true);
  expect_stop(spec, RandomSource({.steps = 2, .inputs = 4, .outputs = 2, .target = TargetKind::kValues}, 64, 37), false);
}

// A gradient that overflows is seen in the summary, whatever came before.
TEST(Schedule, ANormThatIsNoNumberIsTheLargest) {
  const RandomSource data({.steps = 40, .inputs = 3, .outputs = 2, .target = TargetKind::kValues}, 20, 0);
  RunSpec spec = small_training("rnn", "sgd");
  spec.model.activation = "linear", spec.train.clip_norm.reset();
  spec.train.learning_rate = 1e3, spec.train.updates = 50, spec.train.save_checkpoint = true;
  const RunReport report = train_on(spec, data);
  EXPECT_EQ(report.summary.outcome, Outcome::kDiverged);
  EXPECT_FALSE(std::isfinite(*report.summary.max_gradient_norm));
}

}  // namespace
}  // namespace vp::test
