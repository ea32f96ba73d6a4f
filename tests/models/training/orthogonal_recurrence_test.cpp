// Recurrent weights that stay orthogonal through training: the step is the formula's, singular values stay 1, and with them the norms of a
// linear recurrence.
#include "models/training/orthogonal_recurrence.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "models/base/random.h"
#include "models/recurrent/sequence_layout.h"
#include "models/training/batch_engine.h"
#include "models/training/trainer.h"
#include "models/verify/random_source.h"
#include "models/verify/same_bits.h"
#include "tests/compare.h"

namespace vp::test {
namespace {

using Square = std::vector<double>;  // (n, n)

template <class Element>
Square square(std::int64_t n, const Element& element) {
  Square m(static_cast<std::size_t>(n * n));
  for (std::int64_t r = 0; r < n; ++r)
    for (std::int64_t c = 0; c < n; ++c) m[r * n + c] = element(r, c);
  return m;
}

Square times(std::int64_t n, const Square& a, const Square& b) {
  return square(n, [&](std::int64_t r, std::int64_t c) {
    double sum = 0;
    for (std::int64_t k = 0; k < n; ++k) sum += a[r * n + k] * b[k * n + c];
    return sum;
  });
}

Square transposed(std::int64_t n, const Square& a) {
  return square(n, [&](std::int64_t r, std::int64_t c) { return a[c * n + r]; });
}

double distance(const Square& a, const Square& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += (a[i] - b[i]) * (a[i] - b[i]);
  return std::sqrt(sum);
}

template <class T>
Square block_of(std::int64_t n, const T* w) {
  return square(n, [&](std::int64_t r, std::int64_t c) { return static_cast<double>(w[r * n + c]); });
}

Square identity(std::int64_t n) {
  return square(n, [](std::int64_t r, std::int64_t c) { return r == c ? 1.0 : 0.0; });
}

// |W^T W - I| in the Frobenius norm: no singular value is farther than half of it, and a little, from 1.
double from_orthogonal(std::int64_t n, const Square& w) { return distance(times(n, transposed(n, w), w), identity(n)); }

RunSpec orthogonal_training(const std::string& cell, const std::string& optimizer = "adam") {
  RunSpec spec = small_training(cell, optimizer);
  spec.model.layers = 1;
  spec.init.recurrent.scheme = "orthogonal";
  spec.train.recurrence = "orthogonal";
  return spec;
}

struct Drift {
  double from_orthogonal = 0, moved = 0;  // of the worst block, and of the one that moved least
};

Drift drift_after(const RunSpec& spec, int updates) {
  const RandomSource source({.steps = 6, .inputs = 3, .outputs = 4});
  ThreadPool pool(1);
  BatchEngine<float> engine(spec, source, pool);
  const ParameterLayout& layout = engine.model().layout();
  const auto optimizer =
      find_optimizer(spec.train.optimizer)->make_float(layout.size, spec.train.learning_rate, spec.optimizer_options.get());
  const std::int64_t n = spec.model.hidden;
  const Tensor& hh = layout.find("rnn.weight_hh_l0");
  const std::vector<float> start(engine.model().parameters() + hh.offset, engine.model().parameters() + hh.offset + hh.size());
  for (int update = 0; update < updates; ++update) {
    engine.pack();
    engine.run(update, LossAt::kTask);
    optimizer->begin_update(update + 1);
    engine.update(*optimizer, 1);
  }
  Drift drift{.moved = 1e9};
  for (std::int64_t first = 0; first < hh.size(); first += n * n) {
    const Square now = block_of(n, engine.model().parameters() + hh.offset + first);
    drift.from_orthogonal = std::max(drift.from_orthogonal, from_orthogonal(n, now));
    drift.moved = std::min(drift.moved, distance(now, block_of(n, start.data() + first)));
  }
  return drift;
}

TEST(OrthogonalRecurrence, SingularValuesStayOneOverThousandsOfUpdates) {
  for (const char* optimizer : {"sgd", "momentum", "rmsprop", "adam"}) {
    RunSpec spec = orthogonal_training("rnn", optimizer);
    spec.train.learning_rate = 0.02;
    const Drift held = drift_after(spec, 2000);
    EXPECT_LE(held.from_orthogonal, 1e-5) << optimizer;
    EXPECT_GE(held.moved, 0.05) << optimizer;
    spec.train.recurrence = "free";
    EXPECT_GE(drift_after(spec, 2000).from_orthogonal, 1e-3) << optimizer << ": what is held could not be told from what is not";
  }
}

TEST(OrthogonalRecurrence, EveryGateBlockOfAnLstmStaysOrthogonal) {
  RunSpec spec = orthogonal_training("lstm");
  spec.init.recurrent.scheme = "identity";
  const Drift held = drift_after(spec, 300);
  EXPECT_LE(held.from_orthogonal, 1e-5);
  EXPECT_GE(held.moved, 0.05);
}

struct OneBlock {
  explicit OneBlock(std::int64_t n, std::uint64_t seed = 1) {
    layout = sequence_layout({.cell = "rnn", .hidden = n}, NoOptions(), {.inputs = 2, .outputs = 2});
    InitSpec init;
    init.scheme = "orthogonal";
    w.resize(static_cast<std::size_t>(layout.size));
    initialize_parameters(layout, {.cell = "rnn", .hidden = n}, init, seed, w.data());
    hh = w.data() + layout.find("rnn.weight_hh_l0").offset;
  }
  ParameterLayout layout;
  std::vector<double> w;
  double* hh;
};

// (I + B)^-1 (I - B) W = (I - 2 B + 2 B^2 - ...) W, B = eta/2 (G W^T - W G^T).
TEST(OrthogonalRecurrence, AStepIsTheCayleyTransformOfTheGradient) {
  constexpr std::int64_t n = 5;
  OneBlock block(n);
  const Square w = block_of(n, block.hh);
  RandomStream random(3, RandomUse::kTest, 0);
  const Square g = square(n, [&](std::int64_t, std::int64_t) { return 0.1 * random.normal(); });  // eta G
  OrthogonalRecurrence<double> recurrence(block.layout, block.w.data());
  recurrence.take(0, block.w.data());
  for (std::int64_t i = 0; i < n * n; ++i) block.hh[i] -= g[i];  // as an optimiser would
  recurrence.turn(0, block.w.data());

  const Square gw = times(n, g, transposed(n, w));
  const Square b = square(n, [&](std::int64_t r, std::int64_t c) { return 0.5 * (gw[r * n + c] - gw[c * n + r]); });
  Square expected = w, power = w;
  for (int k = 1; k < 80; ++k) {
    power = times(n, b, power);
    for (std::size_t i = 0; i < expected.size(); ++i) expected[i] += (k % 2 == 0 ? 2 : -2) * power[i];
  }
  EXPECT_LE(distance(block_of(n, block.hh), expected), 1e-13);
  EXPECT_GE(distance(expected, w), 0.1);
}

// What rounding to the stored type leaves does not gather: a distance d becomes some d^2.
TEST(OrthogonalRecurrence, ADistanceFromOrthogonalIsBroughtBack) {
  constexpr std::int64_t n = 8;
  OneBlock block(n);
  RandomStream random(5, RandomUse::kTest, 0);
  for (std::int64_t i = 0; i < n * n; ++i) block.hh[i] += 1e-6 * random.normal();
  OrthogonalRecurrence<double> recurrence(block.layout, block.w.data());
  EXPECT_GE(from_orthogonal(n, block_of(n, block.hh)), 1e-6);
  recurrence.take(0, block.w.data());
  recurrence.turn(0, block.w.data());
  EXPECT_LE(from_orthogonal(n, block_of(n, block.hh)), 1e-9);
}

TEST(OrthogonalRecurrence, NoStepIsTooLong) {
  constexpr std::int64_t n = 7;  // odd: A has an eigenvalue 0, which I + A loses in rounding if A is huge
  for (const double size : {1e3, 1e9, 1e30}) {
    OneBlock block(n);
    OrthogonalRecurrence<double> recurrence(block.layout, block.w.data());
    RandomStream random(4, RandomUse::kTest, 0);
    for (int step = 0; step < 20; ++step) {
      recurrence.take(0, block.w.data());
      for (std::int64_t i = 0; i < n * n; ++i) block.hh[i] -= size * random.normal();
      recurrence.turn(0, block.w.data());
    }
    EXPECT_LE(from_orthogonal(n, block_of(n, block.hh)), 1e-8) << size;
  }
}

TEST(OrthogonalRecurrence, StartsFromAnOrthogonalMatrixOrNotAtAll) {
  OneBlock block(6);
  block.hh[3] += 0.01;
  try {
    OrthogonalRecurrence<double>(block.layout, block.w.data());
    FAIL() << "accepted";
  } catch (const std::invalid_argument& error) {
    EXPECT_NE(std::string(error.what()).find("rnn.weight_hh_l0, block 0: expected an orthogonal matrix"), std::string::npos)
        << error.what();
  }
}

// "w = 1", trained: the norm of the gradient is the same at every step back, at the first update and the last.
TEST(OrthogonalRecurrence, ALinearRecurrenceKeepsItsNormsFlatWhileItLearns) {
  const RandomSource source({.steps = 500, .inputs = 3, .outputs = 4});
  RunSpec spec = orthogonal_training("rnn");
  spec.model.activation = "linear";
  spec.model.hidden = 16;
  spec.train.batch = 8, spec.train.updates = 60, spec.train.evaluate_every = 0;
  spec.probe.every = 20;
  ThreadPool pool(1);
  Unwatched nobody;
  const RunReport report = train(spec, source, pool, nobody);
  ASSERT_EQ(report.timesteps.size(), 4u * 500u);
  double least = 0, most = 0;
  for (const TimestepRow& row : report.timesteps) {
    if (row.t == 0) least = most = *row.log10_dh;
    least = std::min(least, *row.log10_dh), most = std::max(most, *row.log10_dh);
    if (row.t == 499) {
      EXPECT_LE(most - least, 0.01) << "update " << row.update;
    }
  }
}

}  // namespace
}  // namespace vp::test
