// What --dry-run says of memory, and what the manifest says of code, against what a training really takes.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "kernels/backend/backend.h"
#include "kernels/backend_list.h"
#include "kernels/memory/zeroed_memory.h"
#include "models/cells/cell_list.h"
#include "models/model_kinds.h"
#include "models/recurrent/recurrent_layer.h"
#include "models/recurrent/sequence_layout.h"
#include "models/training/trainer.h"
#include "models/verify/cell_variants.h"
#include "models/verify/model_cases.h"
#include "models/verify/random_source.h"
#include "models/verify/same_bits.h"

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
  EXPECT_LE(said.rows, 4 * row_bytes(report)) << name;
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

// The reference engine, whose products have a name each.
class NamingBackend final : public Backend<double> {
 public:
  std::string_view name() const override { return "naming"; }
  const PointwiseKernels<double>& pointwise() const override { return engine_->pointwise(); }
  std::unique_ptr<PackedWeights<double>> make_weights(const ProductShape& typical) override { return engine_->make_weights(typical); }
  std::unique_ptr<Product<double>> make_product(const ProductShape&, PackedWeights<double>*) override {
    names.insert("product " + std::to_string(names.size()));
    return std::make_unique<Named>("product " + std::to_string(names.size() - 1));
  }
  std::unique_ptr<ConvolutionWeights<double>> make_convolution_weights(const ConvolutionShape&) override { return nullptr; }
  std::unique_ptr<Convolution<double>> make_convolution(const ConvolutionShape&, ConvolutionWeights<double>&) override { return nullptr; }
  std::unique_ptr<Pooling<double>> make_pooling(const PoolingShape&) override { return nullptr; }

  std::set<std::string> names;

 private:
  struct Named final : Product<double> {
    explicit Named(std::string own) : name(std::move(own)) {}
    void run(const double*, const double*, const double*, double*) override {}
    std::string implementation() const override { return name; }
    std::string name;
  };
  std::unique_ptr<Backend<double>> engine_ = make_backend<double>("reference");
};

// A layer of a decoder steps one by one: the products of a step's input were forgotten.
TEST(Implementations, OfALayerAreThoseOfAllItsProducts) {
  for (const CellVariant& variant : cell_variants())
    for (const Stepping stepping : {Stepping::kSegments, Stepping::kSteps}) {
      const RunSpec spec = small_training(variant.name);
      const auto cell = variant.entry->make_double(spec.cell_options.get(), *find_activation("tanh"));
      const ParameterLayout layout = make_layout(spec, {.steps = 6, .inputs = 3, .outputs = 4});
      NamingBackend backend;
      const LayerWeights<double> weights(backend, *cell, recurrent_tensors(layout, 0), 5, true);
      const RecurrentLayer<double> layer(backend, *cell, weights, 6, 5, 6, stepping);
      EXPECT_GT(backend.names.size(), 4u) << variant.name;
      EXPECT_EQ(layer.implementations(), backend.names) << variant.name;
    }
}

}  // namespace
}  // namespace vp::test
