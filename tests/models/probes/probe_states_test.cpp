// spectra.csv and traces.csv: laws that the numbers must obey, whatever the weights.
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <tuple>

#include "models/safetensors/safetensors.h"
#include "models/training/trainer.h"
#include "models/verify/random_source.h"
#include "models/verify/same_bits.h"
#include "tests/compare.h"

namespace vp::test {
namespace {

RunReport probe_of(RunSpec spec, std::int64_t checkpoint_every = 0) {
  const RandomSource source({.steps = 60, .inputs = 3, .outputs = 2}, 20, 0);
  spec.train.updates = 0;
  spec.train.checkpoint_every_steps = checkpoint_every;
  spec.engine.precision = "f64";
  ThreadPool pool(2);
  Unwatched control;
  return train(spec, source, pool, control);
}

std::vector<double> values_of(const RunReport& report, std::string_view kind, std::int64_t layer) {
  std::vector<double> values;
  for (const SpectrumRow& r : report.spectra)
    if (r.kind == kind && r.layer == layer) values.push_back(*r.value);
  return values;
}

TEST(Spectra, OrthogonalWeightsHaveTheGainAsSingularValues) {
  RunSpec spec = small_training("lstm");
  spec.init.recurrent.scheme = "orthogonal";
  spec.init.recurrent.gain = 1.5;
  const RunReport report = probe_of(spec);
  for (const std::int64_t layer : {0, 1}) {
    const auto values = values_of(report, "singular_value", layer);
    ASSERT_EQ(values.size(), 80u);  // four gate blocks
    for (const double v : values) EXPECT_TRUE(near(v, 1.5, 1e-12));
  }
}

// The squares of the singular values of any matrix sum to that of its elements: here of each gate's weights in the checkpoint.
TEST(Spectra, SquaresSumToTheSquaresOfTheWeights) {
  constexpr std::ptrdiff_t kHidden = 20;
  const auto squares_of = [](std::span<const double> values) {
    double sum = 0;
    for (const double v : values) sum += v * v;
    return sum;
  };
  for (const auto& [cell, gates] : {std::pair("rnn", 1), std::pair("lstm", 4)}) {
    RunSpec spec = small_training(cell);
    spec.train.save_checkpoint = true;
    RunReport report = probe_of(spec);
    const auto values = values_of(report, "singular_value", 0);
    ASSERT_EQ(std::ssize(values), gates * kHidden);
    const Safetensors file = Safetensors::parse(std::move(report.checkpoint));
    const auto weights = floating_values<double>(*file.find("rnn.weight_hh_l0"));
    for (std::size_t gate = 0; gate < static_cast<std::size_t>(gates); ++gate) {
      const auto own = std::span(values).subspan(gate * kHidden, kHidden);
      EXPECT_TRUE(std::is_sorted(own.rbegin(), own.rend())) << cell << gate;
      const double expected = squares_of(std::span(weights).subspan(gate * kHidden * kHidden, kHidden * kHidden));
      EXPECT_TRUE(near(squares_of(own), expected, 1e-12 * expected)) << cell << gate;
    }
  }
}

TEST(Spectra, MeanLogSlopeIsThatOfTheActivation) {
  RunSpec spec = small_training("rnn");
  spec.model.layers = 1;
  spec.probe.traces = spec.train.batch;
  const RunReport report = probe_of(spec);
  std::map<std::int64_t, double> sums;  // by step: log10 (1 - h^2) from the traced states, summed
  for (const TraceRow& r : report.traces)
    if (r.quantity == "hidden") sums[r.t] += std::log10(1 - r.value * r.value);
  const auto slopes = values_of(report, "log10_slope", 0);
  ASSERT_EQ(slopes.size(), 60u);
  ASSERT_EQ(sums.size(), 60u);
  for (std::size_t t = 0; t < slopes.size(); ++t) {
    EXPECT_LT(slopes[t], 0);
    EXPECT_TRUE(near(slopes[t], sums.at(static_cast<std::int64_t>(t)) / (37 * 20), 1e-12));
  }
}

// With orthogonal weights of gain 0.5 and no activation, every step back halves the norm, and the slope is 1.
TEST(Spectra, LinearStepsAreTheGain) {
  RunSpec spec = small_training("rnn");
  spec.model.layers = 1;
  spec.model.activation = "linear";
  spec.init.recurrent.scheme = "orthogonal";
  spec.init.recurrent.gain = 0.5;
  const RunReport report = probe_of(spec);
  const auto steps = values_of(report, "log10_step", 0), slopes = values_of(report, "log10_slope", 0);
  ASSERT_EQ(steps.size(), 59u);
  for (const double step : steps) EXPECT_TRUE(near(step, std::log10(0.5), 1e-12));
  for (const double slope : slopes) EXPECT_TRUE(near(slope, 0, 1e-15));
}

// c_t = f c_{t-1} + i g and h_t = o tanh(c_t), in every traced unit; samples, units and steps as asked for; the same with checkpoints.
TEST(Traces, ObeyTheEquationsOfTheLstm) {
  for (const std::int64_t checkpoint_every : {0, 16}) {
    RunSpec spec = small_training("lstm");
    spec.probe.traces = 10;  // shards are of 8 rows
    spec.probe.trace_units = 3;
    const RunReport report = probe_of(spec, checkpoint_every);
    std::map<std::tuple<std::int64_t, std::int64_t, std::int64_t, std::int64_t>, std::map<std::string_view, double>> units;
    for (const TraceRow& r : report.traces) units[{r.layer, r.sample, r.unit, r.t}][r.quantity] = r.value;
    ASSERT_EQ(units.size(), 2u * 10 * 3 * 60);
    for (const auto& [key, u] : units) {
      const auto& [layer, sample, unit, t] = key;
      ASSERT_EQ(u.size(), 6u);
      const double before = t == 0 ? 0 : units.at({layer, sample, unit, t - 1}).at("cell");
      EXPECT_TRUE(near(u.at("cell"), u.at("forget_gate") * before + u.at("input_gate") * u.at("candidate"), 1e-14));
      EXPECT_TRUE(near(u.at("hidden"), u.at("output_gate") * std::tanh(u.at("cell")), 1e-14));
    }
  }
}

}  // namespace
}  // namespace vp::test
