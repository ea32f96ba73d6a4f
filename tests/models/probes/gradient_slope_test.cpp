// gradient_slope and log10_dh where samples have lengths of their own: laws that any definition must keep, the definition itself, written
// out once more, and what is left of it where all are as long.
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "models/base/statistics.h"
#include "models/cells/cell_list.h"
#include "models/probes/probes.h"
#include "models/training/batch_engine.h"
#include "models/verify/random_source.h"
#include "tests/compare.h"

namespace vp::test {
namespace {

struct Measured {
  GradientSlope slope;
  std::vector<TimestepRow> timesteps;
  std::vector<std::vector<double>> norms_dh, norms_dc;  // of the samples of the top layer, by their own steps
};

template <class T>
Measured measure(const RunSpec& spec, const BatchSource& source, LossAt at = LossAt::kTask) {
  ThreadPool pool(1);
  BatchEngine<T> engine(spec, source, pool);
  engine.measure_activations(true);
  engine.pack();
  engine.run(0, at);
  const Pass<T> pass = engine.pass(spec.probe.samples > 0 ? spec.probe.samples : spec.train.batch);
  Measured m{.slope = probe_gradient_slope(pass)};
  probe_timesteps(pass, 0, m.timesteps);
  const std::int64_t top = engine.model().layer_count() - 1;
  for (const auto& shard : engine.shards())
    for (std::int64_t b = 0; b < shard->rows() && std::ssize(m.norms_dh) < pass.samples; ++b) {
      const Layer<T>& layer = std::as_const(*shard).layer(top);
      m.norms_dh.emplace_back(), m.norms_dc.emplace_back();
      for (std::int64_t t = 0; t < shard->length(b); ++t) {
        const auto norm = [&](double squares) { return std::sqrt(squares) * std::exp2(layer.norm_exponent(t)[b]); };
        m.norms_dh.back().push_back(norm(layer.sum_squares_dh(t)[b]));
        if (engine.model().has_cell_state()) m.norms_dc.back().push_back(norm(layer.sum_squares_dc(t)[b]));
      }
    }
  return m;
}

RunSpec spec_of(const std::string& cell, const std::string& form = "many_to_one") {
  RunSpec spec;
  spec.model = {.cell = cell, .layers = 2, .hidden = 7, .form = form};
  spec.cell_options = OptionsHandle(find_cell(cell)->make_options());
  spec.train.batch = 30, spec.train.shard_rows = 8;
  spec.engine.backend = "reference";
  return spec;
}

SequenceShape shape_of(bool every_step, bool variable_length = true) {
  return {.steps = 19,
          .inputs = 3,
          .outputs = 2,
          .target = TargetKind::kValues,
          .target_every_step = every_step,
          .variable_length = variable_length};
}

// h_t = g Q h_{t-1} + ..., Q orthogonal: every sample's gradient changes by g a step, so the slope is log10 g, whoever is long or short.
TEST(GradientSlope, OfALinearOrthogonalRecurrenceIsItsGain) {
  for (const bool every_step : {false, true})
    for (const double gain : {1.0, 0.5, 2.0}) {
      RunSpec spec = spec_of("rnn", every_step ? "many_to_many" : "many_to_one");
      spec.model.activation = "linear", spec.model.layers = 1;
      spec.init.recurrent.scheme = "orthogonal", spec.init.recurrent.gain = gain;
      const RandomSource source(shape_of(every_step));
      const auto expect_gain = [&](const Measured& m, double tolerance) {
        for (const Number& slope : {m.slope.slope, m.slope.low, m.slope.high}) {
          ASSERT_TRUE(slope.has_value());
          EXPECT_TRUE(near(*slope, std::log10(gain), tolerance)) << gain << ' ' << every_step;
        }
        EXPECT_EQ(m.slope.note, "");
      };
      expect_gain(measure<double>(spec, source, LossAt::kLastStep), 1e-12);
      expect_gain(measure<float>(spec, source, LossAt::kLastStep), 1e-6);
    }
}

// Its samples in reverse: others are short.
class Reversed final : public BatchSource {
 public:
  Reversed(const BatchSource& source, std::uint64_t samples) : source_(source), samples_(samples) {}
  SequenceShape shape() const override { return source_.shape(); }
  std::uint64_t size(Split) const override { return 0; }
  void fill(Split split, std::span<const std::uint64_t> samples, const SampleRows& out) const override {
    std::vector<std::uint64_t> reversed;
    for (const std::uint64_t sample : samples) reversed.push_back(samples_ - 1 - sample);
    source_.fill(split, reversed, out);
  }

 private:
  const BatchSource& source_;
  std::uint64_t samples_;
};

TEST(GradientSlope, DoesNotDependOnTheOrderOfTheSamples) {
  const RunSpec spec = spec_of("lstm");
  const RandomSource source(shape_of(false));
  const Measured there = measure<double>(spec, source), back = measure<double>(spec, Reversed(source, 30));
  EXPECT_TRUE(near(*there.slope.slope, *back.slope.slope, 1e-13));
  EXPECT_TRUE(near(*there.slope.low, *back.slope.low, 1e-13));
  EXPECT_TRUE(near(*there.slope.high, *back.slope.high, 1e-13));
}

// log10 of the norm over the samples that have the lag `reached`, `lag` steps before their last.
double log10_norm_at(const std::vector<std::vector<double>>& norms, std::size_t lag, std::size_t reached) {
  double squares = 0;
  for (const auto& own : norms)
    if (reached < own.size()) squares += own[own.size() - 1 - lag] * own[own.size() - 1 - lag];
  return 0.5 * std::log10(squares);
}

TEST(GradientSlope, IsThatOfTheChangesOverSamplesThatHaveBothLags) {
  for (const std::int64_t samples : {0, 11})
    for (const char* cell : {"rnn", "lstm", "gru", "mgu"}) {
      RunSpec spec = spec_of(cell);
      spec.probe.samples = samples;
      const Measured m = measure<double>(spec, RandomSource(shape_of(false)));
      std::vector<double> lags, y, n;
      for (std::size_t lag = 0; lag < 19; ++lag) {
        const auto reach = std::ranges::count_if(m.norms_dh, [&](const auto& own) { return own.size() > lag; });
        if (reach == 0) break;
        lags.push_back(static_cast<double>(lag)), n.push_back(static_cast<double>(reach));
        y.push_back(lag == 0 ? log10_norm_at(m.norms_dh, 0, 0)
                             : y.back() + log10_norm_at(m.norms_dh, lag, lag) - log10_norm_at(m.norms_dh, lag - 1, lag));
      }
      EXPECT_LT(n.back(), n.front() / 2) << "lengths that differ";
      EXPECT_TRUE(near(*m.slope.slope, *least_squares_slope(lags, y, n), 1e-12)) << cell;
      std::vector<double> own_slopes;
      for (const auto& own : m.norms_dh) {
        std::vector<double> t, log10_norms;
        for (std::size_t k = 0; k < own.size(); ++k) t.push_back(-static_cast<double>(k)), log10_norms.push_back(std::log10(own[k]));
        if (const auto slope = least_squares_slope(t, log10_norms)) own_slopes.push_back(*slope);
      }
      EXPECT_EQ(own_slopes.size() < m.norms_dh.size(), samples == 0) << "a sample of one step";
      EXPECT_TRUE(near(*m.slope.low, central_range(own_slopes)->low, 1e-12)) << cell;
      EXPECT_TRUE(near(*m.slope.high, central_range(own_slopes)->high, 1e-12)) << cell;
    }
}

TEST(GradientSlope, NormsOfAStepAreOfTheSamplesThatHaveIt) {
  const RunSpec spec = spec_of("lstm");
  const Measured m = measure<double>(spec, RandomSource(shape_of(false)));
  const auto expect = [](const std::vector<std::vector<double>>& norms, std::size_t t, const Number& batch, const Number* typical) {
    double squares = 0, logs = 0, n = 0;
    for (const auto& own : norms)
      if (t < own.size()) squares += own[t] * own[t], logs += std::log10(own[t]), n += 1;
    EXPECT_EQ(batch.has_value(), n > 0) << t;
    if (n == 0) return;
    EXPECT_TRUE(near(*batch, std::log10(std::sqrt(squares / n * 30)), 1e-12)) << t;
    if (typical) {
      EXPECT_TRUE(near(**typical, logs / n, 1e-12)) << t;
    }
  };
  for (const TimestepRow& row : m.timesteps) {
    if (row.layer != 1) continue;
    expect(m.norms_dh, static_cast<std::size_t>(row.t), row.log10_dh, &row.log10_dh_typical);
    expect(m.norms_dc, static_cast<std::size_t>(row.t), row.log10_dc, nullptr);
    EXPECT_EQ(row.activation_mean.has_value(), row.log10_dh.has_value()) << row.t;
  }
}

// A source of samples that are all as long, within more steps that nobody has.
class WithinMoreSteps final : public BatchSource {
 public:
  WithinMoreSteps(const BatchSource& source, std::int64_t steps) : source_(source), steps_(steps) {}
  SequenceShape shape() const override {
    SequenceShape s = source_.shape();
    s.steps = steps_, s.variable_length = true;
    return s;
  }
  std::uint64_t size(Split) const override { return 0; }
  void fill(Split split, std::span<const std::uint64_t> samples, const SampleRows& out) const override {
    source_.fill(split, samples, out);  // its steps come first
    std::fill_n(out.lengths, out.rows, static_cast<std::int32_t>(source_.shape().steps));
  }

 private:
  const BatchSource& source_;
  std::int64_t steps_;
};

TEST(GradientSlope, OfEqualLengthsIsThatOfLog10Dh) {
  for (const char* cell : {"rnn", "lstm", "gru"}) {
    const RunSpec spec = spec_of(cell);
    const RandomSource source(shape_of(false, false));
    const Measured m = measure<double>(spec, source), within = measure<double>(spec, WithinMoreSteps(source, 25));
    std::vector<double> lags, norms;
    for (const TimestepRow& row : m.timesteps)
      if (row.layer == 1) lags.push_back(static_cast<double>(18 - row.t)), norms.push_back(*row.log10_dh);
    EXPECT_EQ(*m.slope.slope, *least_squares_slope(lags, norms)) << cell;  // the same bits
    for (const TimestepRow& row : within.timesteps) {
      if (row.layer != 1) continue;
      EXPECT_EQ(row.log10_dh.has_value(), row.t < 19) << row.t;
      if (row.log10_dh) {
        EXPECT_EQ(*row.log10_dh, norms[static_cast<std::size_t>(row.t)]) << cell << ' ' << row.t;
      }
    }
    EXPECT_EQ(*within.slope.slope, *m.slope.slope) << cell;
    EXPECT_EQ(*within.slope.low, *m.slope.low) << cell;
    EXPECT_EQ(*within.slope.high, *m.slope.high) << cell;
    EXPECT_EQ(within.slope.note, "") << cell;
  }
}

}  // namespace
}  // namespace vp::test
