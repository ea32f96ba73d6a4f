// What --dry-run says of memory, and what the manifest says of code, against what a training really takes.
#include <gtest/gtest.h>

#include <algorithm>

#include "kernels/engines.h"
#include "kernels/memory.h"
#include "models/cell_list.h"
#include "models/model_cases.h"
#include "models/random_source.h"
#include "models/same_bits.h"
#include "models/trainer.h"

namespace vp::test {
namespace {

struct Watch final : TrainControl {
  void progress(std::int64_t) override { most = std::max(most, held_bytes()); }
  bool stop_requested() const override {
    most = std::max(most, held_bytes());
    return false;
  }
  mutable std::int64_t most = 0;
};

std::int64_t row_bytes(const RunReport& r) {
  const auto of = [](const auto& rows) { return static_cast<std::int64_t>(rows.size() * sizeof(rows[0])); };
  return of(r.curves) + of(r.timesteps) + of(r.layers) + of(r.spectra) + of(r.traces) + of(r.metrics);
}

void expect_counted(const RunSpec& spec, const BatchSource& source, const std::string& name) {
  const WorkspaceBytes said = workspace_bytes(spec, source, 1);
  ThreadPool pool(1);
  Watch watch;
  const std::int64_t before = held_bytes();
  const RunReport report = train(spec, source, pool, watch);
  EXPECT_EQ(watch.most - before, said.arrays) << name;
  EXPECT_GE(said.rows, row_bytes(report)) << name;
  EXPECT_LE(said.rows, 3 * row_bytes(report)) << name;
}

RunSpec with_probes(RunSpec spec) {
  spec.probe.every = 2, spec.probe.timesteps_every = 3;
  return spec;
}

TEST(Workspace, OfCellsOnEveryEngine) {
  const RandomSource source({.steps = 11, .inputs = 3, .outputs = 4}, 50, 101);
  for (const CellVariant& cell : cell_variants()) {
    for (const std::string_view backend : backend_names()) {
      RunSpec spec = with_probes(small_training(cell.name));
      spec.engine.backend = backend;
      expect_counted(spec, source, cell.name + " on " + std::string(backend));
    }
    RunSpec spec = with_probes(small_training(cell.name));
    spec.engine.precision = "f64";
    expect_counted(spec, source, cell.name + " f64");
  }
}

TEST(Workspace, OfEveryFormAndItsOptions) {
  for (const ModelCase& c : form_cases()) {
    RunSpec spec = with_probes(small_training(c.cell));
    set_form(c, spec.model);
    if (spec.model.bidirectional || spec.model.form == "one_to_many" || spec.model.form == "sequence_to_sequence")
      spec.probe.spectra = false, spec.probe.traces = 0;
    SequenceShape shape = shape_of(c, 3, 4);
    if (shape.streams > 0) shape.streams = spec.train.batch;
    const bool streams = shape.streams > 0;
    expect_counted(spec, RandomSource(shape, streams ? 2 * spec.train.batch : 50, streams ? 0 : 101), name_of(c));
  }
}

TEST(Workspace, OfFeedForwardNets) {
  const RandomSource source({.steps = 8, .inputs = 14, .outputs = 4, .image_channels = 2, .image_height = 8, .image_width = 7}, 50, 101);
  for (const std::string kind : {"mlp", "cnn"})
    for (const std::string_view backend : backend_names()) {
      RunSpec spec = small_feed_forward(kind);
      spec.probe.every = 1;
      spec.engine.backend = backend;
      expect_counted(spec, source, kind + " on " + std::string(backend));
    }
}

TEST(Workspace, OfOrthogonalRecurrenceCheckpointsAndOptimisers) {
  const RandomSource source({.steps = 40, .inputs = 3, .outputs = 4}, 50, 101);
  RunSpec spec = with_probes(small_training("lstm"));
  spec.init.recurrent.scheme = "orthogonal";
  const std::int64_t free = workspace_bytes(spec, source, 1).arrays;
  spec.train.recurrence = "orthogonal";
  expect_counted(spec, source, "orthogonal");
  EXPECT_EQ(workspace_bytes(spec, source, 1).arrays - free, 2 * 4 * 5 * 20 * 20 * 8);
  spec.train.checkpoint_every_steps = 8;
  expect_counted(spec, source, "checkpoints");
  for (const char* optimizer : {"sgd", "momentum", "rmsprop"})
    expect_counted(with_probes(small_training("gru", optimizer)), source, optimizer);
}

// Each thread of an mlp sums gradients in a place of its own.
TEST(Workspace, GrowsWithTheThreadsOfAnMlp) {
  const RandomSource source({.steps = 8, .inputs = 14, .outputs = 4}, 50, 101);
  const RunSpec spec = small_feed_forward("mlp");
  EXPECT_GT(workspace_bytes(spec, source, 4).arrays, workspace_bytes(spec, source, 1).arrays);
}

// A decoder steps one by one: the products of a step's input run as well.
TEST(Implementations, OfADecoderHaveItsStepProducts) {
  const std::int64_t rows = 8, hidden = 20;
  for (const std::int64_t outputs : {1, 5, 40}) {
    RunSpec spec = small_training("lstm");
    spec.probe = {};
    spec.engine.backend = "onednn";
    spec.model.form = "one_to_many", spec.model.layers = 1, spec.model.hidden = hidden;
    const SequenceShape shape{
        .steps = 6, .inputs = 1, .outputs = outputs, .target = TargetKind::kValues, .target_every_step = true, .source_steps = 1};
    const std::vector<std::string> names = implementation_names(spec, RandomSource(shape, 50, 101));
    const auto backend = make_backend<float>("onednn");
    const ProductShape input{.m = rows, .n = 4 * hidden, .k = 1 + outputs, .transpose_b = true, .bias = true};
    const ProductShape back{.m = rows, .n = 1 + outputs, .k = 4 * hidden};
    for (const ProductShape& step : {input, back}) {
      const auto weights = backend->make_weights(step);
      const std::string name = backend->make_product(step, weights.get())->implementation();
      EXPECT_NE(std::ranges::find(names, name), names.end()) << name << " of " << describe(step);
    }
  }
}

}  // namespace
}  // namespace vp::test
