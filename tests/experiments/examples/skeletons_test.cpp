// The skeletons of experiments/examples are right: who starts from them starts from something that works.
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <vector>

#include "experiments/tasks/task.h"
#include "kernels/backend_list.h"
#include "models/cells/cell.h"
#include "models/model_kinds.h"
#include "models/probes/probe.h"
#include "models/verify/cell_variants.h"
#include "models/verify/random_source.h"
#include "tests/compare.h"

namespace vp {

CellEntry leaky_cell();
TaskEntry larger_sum_task();
ProbeEntry reach_probe();

namespace test {
namespace {

// h of one unit after one step from pre-activation z + w h_prev.
double leaky_state(const Cell<double>& cell, double z, double w, double h_prev) {
  const auto backend = make_backend<double>("reference");
  double gates = z + w * h_prev, h = 0;
  cell.forward(backend->pointwise(), {.rows = 1, .hidden = 1, .gates = &gates, .h_prev = &h_prev, .h = &h});
  return h;
}

TEST(SkeletonCell, ItsGradientsAreCentralDifferences) {
  const CellEntry entry = leaky_cell();
  const auto cell = entry.make_double(*entry.make_options(), Activation{});
  const auto backend = make_backend<double>("reference");
  const double z = 0.3, w = -0.8, h_prev = 0.6, upstream = 1.7, step = 1e-6;
  double gates = z + w * h_prev, h = 0, dz = 0, direct = 0, squares = 0, squares_c = 0;
  cell->forward(backend->pointwise(), {.rows = 1, .hidden = 1, .gates = &gates, .h_prev = &h_prev, .h = &h});
  cell->backward(backend->pointwise(), {.rows = 1,
                                        .hidden = 1,
                                        .gates = &gates,
                                        .h_prev = &h_prev,
                                        .dh = &upstream,
                                        .dz = &dz,
                                        .sum_squares_dh = &squares,
                                        .sum_squares_dc = &squares_c,
                                        .direct = &direct});
  const auto slope = [&](auto f) { return upstream * (f(step) - f(-step)) / (2 * step); };
  EXPECT_TRUE(near(dz, slope([&](double d) { return leaky_state(*cell, z + d, w, h_prev); }), 1e-8));
  EXPECT_TRUE(near(dz * w + direct, slope([&](double d) { return leaky_state(*cell, z, w, h_prev + d); }), 1e-8));
  EXPECT_TRUE(near(squares, upstream * upstream, 1e-12));
}

TEST(SkeletonTask, TheClassIsTheLargerSum) {
  const TaskEntry task = larger_sum_task();
  const auto source = task.make({.seed = 3}, *task.make_options());
  const std::int64_t steps = source->shape().steps, rows = 40;
  std::vector<float> inputs(static_cast<std::size_t>(steps * rows * 2));
  std::vector<std::int32_t> classes(rows);
  std::vector<std::uint64_t> samples(rows);
  for (std::size_t r = 0; r < samples.size(); ++r) samples[r] = 7 * r;
  source->fill(Split::kTest, samples, {.rows = rows, .inputs = inputs.data(), .classes = classes.data()});
  std::array<int, 2> seen{};
  for (std::int64_t r = 0; r < rows; ++r) {
    std::array<double, 2> sums{};
    for (std::int64_t t = 0; t < steps; ++t)
      for (std::size_t j = 0; j < 2; ++j) sums[j] += static_cast<double>(inputs[static_cast<std::size_t>((t * rows + r) * 2) + j]);
    EXPECT_EQ(classes[static_cast<std::size_t>(r)], sums[1] > sums[0] ? 1 : 0) << r;
    ++seen[static_cast<std::size_t>(classes[static_cast<std::size_t>(r)])];
  }
  EXPECT_GT(seen[0], 0);
  EXPECT_GT(seen[1], 0);
}

TEST(SkeletonProbe, IsTheLossOfTheGradientFromTheLastStepToTheFirst) {
  RunSpec spec;
  spec.model.hidden = 8;
  const RandomSource source({.steps = 6, .inputs = 2, .outputs = 3});
  const ProbeEntry entry = reach_probe();
  const auto model = make_model<double>(spec, source.shape(), 5);
  EXPECT_EQ(entry.make_double(spec, *entry.make_options(), *model), nullptr);  // off by default
  OptionsHandle options(entry.make_options());
  set_choices(options, {{"reach", "true"}});
  const auto probe = entry.make_double(spec, options.get(), *model);
  ASSERT_NE(probe, nullptr);

  model->pack_all();
  std::vector<std::unique_ptr<ModelShard<double>>> shards;
  shards.push_back(model->make_shard(5));
  run_shard(*shards[0], source);
  Schedule now(10);
  now.begin(0);
  RunReport report;
  probe->look({*model, shards, 5, {shards[0]->gradient(), static_cast<std::size_t>(model->layout().size)}}, now, report);
  ASSERT_EQ(report.spectra.size(), 1U);
  const std::vector<double> norms = log10_norms<double>(spec, source, 5);
  EXPECT_TRUE(near(*report.spectra[0].value, norms.front() - norms.back(), 1e-12));
  EXPECT_LE(static_cast<std::int64_t>(sizeof(SpectrumRow)), probe->most_row_bytes(now, {*model, shards, 5, {}}));
}

}  // namespace
}  // namespace test
}  // namespace vp
