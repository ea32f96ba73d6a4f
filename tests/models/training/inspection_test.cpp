// One pass over a batch at hand: initial states, everything that is kept, and the way it is cut into shards.
#include "models/training/inspection.h"

#include <gtest/gtest.h>

#include <cmath>
#include <stdexcept>

#include "kernels/backend_list.h"
#include "models/base/random.h"
#include "models/cells/cell_list.h"
#include "models/model_kinds.h"
#include "models/parameters/parameters.h"
#include "models/recurrent/sequence_layout.h"
#include "models/verify/cell_variants.h"
#include "models/verify/model_cases.h"
#include "tests/compare.h"

namespace vp::test {
namespace {

constexpr std::int64_t kRows = 7, kInputs = 3, kOutputs = 4;

template <class T>
void fill_random(std::vector<T>& values, std::int64_t size, std::uint64_t index) {
  RandomStream random(11, RandomUse::kTrain, index);
  values.resize(static_cast<std::size_t>(size));
  for (T& v : values) v = static_cast<T>(static_cast<float>(random.normal()));  // the same numbers in both precisions
}

bool has_states(const ModelCase& c) { return c.kind == "sequence"; }

template <class T>
GivenBatch<T> random_batch(const ModelCase& c, const RunSpec& spec) {
  GivenBatch<T> batch{.shape = shape_of(c, kInputs, kOutputs), .rows = kRows};
  const std::int64_t targets = (c.every_step ? c.steps : 1) * kRows, states = c.layers * kRows * spec.model.hidden;
  fill_random(batch.input, batch.shape.steps * kRows * batch.shape.inputs, 1);
  if (has_states(c)) fill_random(batch.h0, states, 2);
  if (has_states(c) && find_cell(c.cell)->has_cell_state) fill_random(batch.c0, states, 3);
  if (c.target == TargetKind::kClasses) {
    for (std::int64_t i = 0; i < targets; ++i) batch.classes.push_back(static_cast<std::int32_t>(i % kOutputs));
    return batch;
  }
  fill_random(batch.values, targets * kOutputs, 4);
  if (c.target == TargetKind::kBinary)
    for (T& v : batch.values) v = v > 0 ? T{1} : T{0};
  return batch;
}

RunSpec small_shards(const ModelCase& c, std::int64_t hidden) {
  RunSpec spec = spec_of(c, hidden);
  spec.train.shard_rows = 3;  // shards of 3, 3 and 1 row
  return spec;
}

// But for single activations inside of cells: from random states of size 1 some without bounds explode.
std::vector<ModelCase> cases() {
  std::vector<ModelCase> some;
  for (const ModelCase& c : model_cases()) {
    const bool has_row_of_its_own = !has_states(c) || net_row(c) == "cell " + c.variant;
    if ((c.activation == "tanh" || c.activation == "relu") && has_row_of_its_own) some.push_back(c);
  }
  return some;
}

class InspectionOf : public ::testing::TestWithParam<ModelCase> {};
INSTANTIATE_TEST_SUITE_P(Models, InspectionOf, ::testing::ValuesIn(cases()));

TEST_P(InspectionOf, InitialStateGradientsEqualCentralDifferences) {
  if (!has_states(GetParam())) return;  // nothing comes before a feed-forward net's only step
  constexpr double kStep = 2e-6;        // layer normalisation of small states has third derivatives of 1e2 and more
  ThreadPool pool(1);
  const RunSpec spec = small_shards(GetParam(), 4);
  GivenBatch<double> batch = random_batch<double>(GetParam(), spec);
  const Inspection<double> found = inspect(spec, batch, pool);
  const auto expect_differences = [&](std::vector<double>& states, const std::vector<double>& gradient) {
    ASSERT_EQ(gradient.size(), states.size());
    const double tolerance = 2e-9 * (1 + max_magnitude<double>(gradient));
    for (std::size_t i = 0; i < states.size(); i += 3) {
      const double value = states[i];
      states[i] = value + kStep;
      const double above = inspect(spec, batch, pool).loss;
      states[i] = value - kStep;
      const double below = inspect(spec, batch, pool).loss;
      states[i] = value;
      EXPECT_TRUE(near(gradient[i], (above - below) / (2 * kStep), tolerance)) << "element " << i;
    }
    EXPECT_GT(max_magnitude<double>(gradient), 1e-5);  // zeros would agree with nothing
  };
  expect_differences(batch.h0, found.dh0);
  if (!batch.c0.empty()) expect_differences(batch.c0, found.dc0);
}

// The weight gradients, too, have to know the state before step 0.
TEST_P(InspectionOf, ParameterGradientsEqualCentralDifferences) {
  constexpr double kStep = 2e-6;  // layer normalisation of small states has third derivatives of 1e2 and more
  ThreadPool pool(1);
  const RunSpec spec = small_shards(GetParam(), 4);
  GivenBatch<double> batch = random_batch<double>(GetParam(), spec);
  const ParameterLayout layout = make_layout(spec, batch.shape);
  batch.parameters.resize(static_cast<std::size_t>(layout.size));
  initialize_parameters(layout, spec.model, spec.init, 5, batch.parameters.data());
  const std::vector<double> gradient = inspect(spec, batch, pool).gradient;
  for (const Tensor* tensor : layout.tensors())
    for (std::int64_t i = tensor->offset; i < tensor->offset + tensor->size(); i += 5) {
      const double value = batch.parameters[i];
      batch.parameters[i] = value + kStep;
      const double above = inspect(spec, batch, pool).loss;
      batch.parameters[i] = value - kStep;
      const double below = inspect(spec, batch, pool).loss;
      batch.parameters[i] = value;
      EXPECT_TRUE(near(gradient[i], (above - below) / (2 * kStep), 2e-9 * (1 + max_magnitude<double>(gradient))))
          << tensor->name << ' ' << i - tensor->offset;
    }
}

// The steps behind t, started from h_t: their loss is a function of h_t, and dL/dh_t its derivative by all paths there are.
TEST_P(InspectionOf, HiddenGradientsEqualCentralDifferencesOfAPerturbedState) {
  constexpr double kStep = 2e-6;  // layer normalisation of small states has third derivatives of 1e2 and more
  const ModelCase& c = GetParam();
  if (!has_states(c) || c.layers > 1 || c.every_step || find_cell(c.cell)->has_cell_state) return;  // h_t is not all that goes on
  ThreadPool pool(1);
  const RunSpec spec = small_shards(c, 4);
  const GivenBatch<double> batch = random_batch<double>(c, spec);
  const Inspection<double> found = inspect(spec, batch, pool);
  const std::size_t n = kRows * 4;
  for (std::int64_t t = 0; t + 1 < c.steps; ++t) {
    GivenBatch<double> rest = batch;
    rest.shape.steps = c.steps - 1 - t;
    rest.input.assign(batch.input.end() - rest.shape.steps * kRows * kInputs, batch.input.end());
    rest.h0.assign(found.hidden.begin() + t * n, found.hidden.begin() + (t + 1) * n);
    EXPECT_TRUE(near(inspect(spec, rest, pool).loss, found.loss, 1e-14));
    for (std::size_t i = 0; i < n; i += 3) {
      const double value = rest.h0[i];
      rest.h0[i] = value + kStep;
      const double above = inspect(spec, rest, pool).loss;
      rest.h0[i] = value - kStep;
      const double below = inspect(spec, rest, pool).loss;
      rest.h0[i] = value;
      EXPECT_TRUE(near(found.dh[0][t * n + i], (above - below) / (2 * kStep), 2e-9)) << "t " << t << " element " << i;
    }
  }
}

template <class T>
std::vector<double> squares_by_step(const std::vector<T>& dh, std::int64_t steps) {
  const std::size_t n = dh.size() / static_cast<std::size_t>(steps);
  std::vector<double> sums(static_cast<std::size_t>(steps));
  for (std::size_t i = 0; i < dh.size(); ++i) sums[i / n] += static_cast<double>(dh[i]) * static_cast<double>(dh[i]);
  return sums;
}

void expect_norms_of_dh(const Inspection<double>& found, std::int64_t steps) {
  for (const TimestepRow& row : found.timesteps) {
    const double squares = squares_by_step(found.dh[row.layer], steps)[row.t];
    if (squares == 0)
      EXPECT_EQ(*row.log10_dh, -std::numeric_limits<double>::infinity());
    else
      EXPECT_TRUE(near(*row.log10_dh, 0.5 * std::log10(squares), 1e-12)) << "layer " << row.layer << " t " << row.t;
    EXPECT_EQ(found.log10_dh[row.layer][row.t], *row.log10_dh);  // all rows have all steps
    if (row.log10_dc) {
      EXPECT_EQ(found.log10_dc[row.layer][row.t], *row.log10_dc);
    }
  }
}

TEST_P(InspectionOf, NormsAreThoseOfTheHiddenGradients) {
  ThreadPool pool(1);
  const RunSpec spec = small_shards(GetParam(), 5);
  const Inspection<double> found = inspect(spec, random_batch<double>(GetParam(), spec), pool);
  const std::int64_t steps = has_states(GetParam()) ? GetParam().steps : 1;
  ASSERT_EQ(found.timesteps.size(), static_cast<std::size_t>(GetParam().layers * steps));
  expect_norms_of_dh(found, steps);
}

TEST_P(InspectionOf, EveryEngineEqualsTheDoubleReference) {
  ThreadPool pool(1);
  RunSpec spec = small_shards(GetParam(), 17);
  GivenBatch<double> exact_batch = random_batch<double>(GetParam(), spec);
  GivenBatch<float> batch = random_batch<float>(GetParam(), spec);
  const ParameterLayout layout = make_layout(spec, batch.shape);
  batch.parameters.resize(static_cast<std::size_t>(layout.size));
  initialize_parameters(layout, spec.model, spec.init, 5, batch.parameters.data());
  exact_batch.parameters.assign(batch.parameters.begin(), batch.parameters.end());
  const Inspection<double> exact = inspect(spec, exact_batch, pool);
  const Bound bound{.c = 16, .growth = std::sqrt(static_cast<double>(17 * GetParam().steps * GetParam().layers))};
  for (const std::string_view backend : backend_names()) {
    spec.engine.backend = backend;
    const Inspection<float> found = inspect(spec, batch, pool);
    const auto expect_equal = [&](const std::vector<float>& actual, const std::vector<double>& expected, const char* what) {
      EXPECT_TRUE((close<float, double>(actual, expected, bound))) << what << ' ' << backend;
    };
    EXPECT_TRUE(near(found.loss, exact.loss, 1e-5 * (1 + exact.loss)));
    expect_equal(found.logits, exact.logits, "logits");
    expect_equal(found.hidden, exact.hidden, "hidden");
    expect_equal(found.gradient, exact.gradient, "gradient");
    expect_equal(found.dh0, exact.dh0, "dh0");
    expect_equal(found.dc0, exact.dc0, "dc0");
    for (std::size_t l = 0; l < exact.dh.size(); ++l) expect_equal(found.dh[l], exact.dh[l], "dh");
  }
}

ModelCase long_case(const CellVariant& cell) {
  return {.cell = std::string(cell.entry->name), .activation = "tanh", .layers = 2, .every_step = true, .steps = 90, .variant = cell.name};
}

template <class T>
void expect_same_bits(const Inspection<T>& a, const Inspection<T>& b) {
  EXPECT_EQ(a.loss, b.loss);
  EXPECT_EQ(a.logits, b.logits);
  EXPECT_EQ(a.hidden, b.hidden);
  EXPECT_EQ(a.gradient, b.gradient);
  EXPECT_EQ(a.dh, b.dh);
  EXPECT_EQ(a.dh0, b.dh0);
  EXPECT_EQ(a.dc0, b.dc0);
}

// Segments start from their checkpoints, the first one from the given states; whatever the number of threads.
TEST(Inspection, SameBitsWithCheckpointsAndThreads) {
  for (const CellVariant& cell : cell_variants())
    for (const std::string_view backend : backend_names()) {
      RunSpec spec = small_shards(long_case(cell), 9);
      spec.engine.backend = backend;
      const GivenBatch<float> batch = random_batch<float>(long_case(cell), spec);
      const auto with_threads = [&](int threads) {
        ThreadPool pool(threads);
        return inspect(spec, batch, pool);
      };
      const Inspection<float> expected = with_threads(1);
      expect_same_bits(with_threads(3), expected);
      spec.train.checkpoint_every_steps = 1;  // rounded up to a chunk: 85 steps of 3 rows, so that there are two segments
      expect_same_bits(with_threads(1), expected);
    }
}

// Rows whose exponent has moved are given back at their true size.
TEST(Inspection, VanishingHiddenGradientsKeepTheirSize) {
  const ModelCase c{"rnn", "tanh", 1, false, 12, TargetKind::kValues};
  RunSpec spec = small_shards(c, 8);
  spec.init.recurrent.gain = 1e-3;  // about a thousandth at every step: rows are rescaled every third
  ThreadPool pool(1);
  GivenBatch<float> batch = random_batch<float>(c, spec);
  GivenBatch<double> exact_batch = random_batch<double>(c, spec);
  const ParameterLayout layout = make_layout(spec, batch.shape);
  batch.parameters.resize(static_cast<std::size_t>(layout.size));
  initialize_parameters(layout, spec.model, spec.init, 5, batch.parameters.data());
  exact_batch.parameters.assign(batch.parameters.begin(), batch.parameters.end());
  const Inspection<double> exact = inspect(spec, exact_batch, pool);
  expect_norms_of_dh(exact, c.steps);  // the rescaling is the same in both precisions
  EXPECT_LT(*exact.timesteps[0].log10_dh, -25);
  for (const std::string_view backend : backend_names()) {
    spec.engine.backend = backend;
    const Inspection<float> found = inspect(spec, batch, pool);
    const std::int64_t n = kRows * 8;
    for (std::int64_t t = 0; t < c.steps; ++t)
      EXPECT_TRUE((close<float, double>(std::span(found.dh[0]).subspan(t * n, n), std::span(exact.dh[0]).subspan(t * n, n), {.c = 64})))
          << backend << " t " << t;
    EXPECT_TRUE((close<float, double>(found.dh0, exact.dh0, {.c = 64})));
    EXPECT_LT(max_magnitude<float>(found.dh0), 1e-30);
    EXPECT_EQ(found.lost_in_hidden_gradients, 0);
  }
}

TEST(Inspection, CountsWhatLeavesTheRangeOfFloat) {
  const ModelCase c{"rnn", "tanh", 1, false, 30, TargetKind::kValues};
  RunSpec spec = small_shards(c, 8);
  spec.init.recurrent.gain = 1e-3;
  ThreadPool pool(1);
  const Inspection<float> found = inspect(spec, random_batch<float>(c, spec), pool);
  EXPECT_GT(found.lost_in_hidden_gradients, 0);
  EXPECT_LT(*found.timesteps[0].log10_dh, -60);
  EXPECT_TRUE(std::isfinite(*found.timesteps[0].log10_dh));
}

// Nothing goes from the top layer to the layer below. A top recurrence of zeros passes zeros on, of which nothing can be lost; one of small
// weights passes on what leaves the range.
TEST(Inspection, CountsWhatLeavesTheRangeInTheTopLayer) {
  const ModelCase c{"rnn", "tanh", 2, false, 600, TargetKind::kValues};
  const RunSpec spec = small_shards(c, 8);
  GivenBatch<float> batch = random_batch<float>(c, spec);
  const ParameterLayout layout = make_layout(spec, batch.shape);
  batch.parameters.resize(static_cast<std::size_t>(layout.size));
  const RecurrentTensors top = recurrent_tensors(layout, 1);
  const auto lost_with = [&](float scale) {
    initialize_parameters(layout, spec.model, spec.init, 5, batch.parameters.data());
    for (std::int64_t i = 0; i < top.weight_hh.size(); ++i) batch.parameters[top.weight_hh.offset + i] *= scale;
    for (std::int64_t i = 0; i < top.weight_ih.size(); ++i) batch.parameters[top.weight_ih.offset + i] = 0;
    ThreadPool pool(1);
    return inspect(spec, batch, pool).lost_in_parameters;
  };
  EXPECT_EQ(lost_with(0), 0);
  EXPECT_GT(lost_with(1e-3f), 0);
}

TEST(Inspection, RefusesArraysOfTheWrongSize) {
  const ModelCase c{"lstm", "tanh", 1, false, 3, TargetKind::kClasses};
  const RunSpec spec = small_shards(c, 4);
  ThreadPool pool(1);
  GivenBatch<float> batch = random_batch<float>(c, spec);
  batch.c0.pop_back();
  EXPECT_THROW(inspect(spec, batch, pool), std::invalid_argument);
  const ModelCase net{.activation = "tanh", .steps = 2, .kind = "mlp"};
  GivenBatch<float> with_states = random_batch<float>(net, small_shards(net, 4));
  with_states.h0.assign(kRows * 64, 0.0f);
  EXPECT_THROW(inspect(small_shards(net, 4), with_states, pool), std::invalid_argument);
}

}  // namespace
}  // namespace vp::test
