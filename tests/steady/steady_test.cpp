// The steady state of training: no allocation by own code, no primitive is made, no thread is started that was not asked for.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <iterator>
#include <vector>

#include "kernels/backend_list.h"
#include "models/cells/cell_list.h"
#include "models/optimizers/optimizers.h"
#include "models/training/batch_engine.h"
#include "models/training/trainer.h"
#include "models/verify/cell_variants.h"
#include "models/verify/model_cases.h"
#include "models/verify/random_source.h"
#include "models/verify/same_bits.h"
#include "tests/steady/allocation_counter.h"

namespace vp::test {
namespace {

// Inside libdnnl 2.6.3 an execution allocates about six times; an update of these shapes has some 420 of them, 800 of a GRU that resets
// before its product. Measured: 2,563 and 4,795 for each update, and next to none in libtbb, which keeps its memory.
constexpr std::int64_t kLibraryAllocationsPerUpdate = 5500;
constexpr int kUpdates = 5;

RunSpec spec_of(const CellVariant& cell, std::int64_t batch) {
  RunSpec spec;
  spec.model = {.cell = std::string(cell.entry->name), .layers = 2, .hidden = 32};
  spec.cell_options = cell.options;
  spec.train.batch = batch;
  spec.optimizer_options = OptionsHandle(find_optimizer(spec.train.optimizer)->make_options());
  return spec;
}

void one_update(BatchEngine<float>& engine, Optimizer<float>& optimizer, std::int64_t update) {
  engine.pack();
  optimizer.begin_update(update + 1);
  if (update % 2 == 0 && engine.can_run_and_update()) {
    engine.run_and_update(update, optimizer);
  } else {
    engine.run(update, LossAt::kTask);
    engine.update(optimizer, 0.5);
  }
}

TEST(SteadyState, TheCounterSeesOwnAllocations) {
  start_counting_allocations();
  void* const first = ::operator new(64);
  void* volatile const second = std::malloc(64);  // volatile: else the pair is optimised away
  const AllocationCounts counts = stop_counting_allocations();
  ::operator delete(first);
  std::free(second);
  EXPECT_EQ(counts.own, 2);
}

void expect_steady(const RunSpec& spec, const std::string& name) {
  const RandomSource source({.steps = 20, .inputs = 7, .outputs = 4, .image_channels = 1, .image_height = 20, .image_width = 7}, 100, 1000);
  ThreadPool pool(2);
  BatchEngine<float> engine(spec, source, pool);
  const auto optimizer = find_optimizer("adam")->make_float(engine.model().layout().size, 0.001, spec.optimizer_options.get());
  std::int64_t update = 0;
  while (update < 20) one_update(engine, *optimizer, update++);
  const std::int64_t primitives = primitives_created();
  std::array<AllocationCounts, 2> counts;
  for (AllocationCounts& c : counts) {
    start_counting_allocations();
    for (int i = 0; i < kUpdates; ++i) one_update(engine, *optimizer, update++);
    c = stop_counting_allocations();
  }
  EXPECT_EQ(counts[0].own, 0) << name;
  EXPECT_EQ(counts[1].own, 0) << name;
  EXPECT_EQ(primitives_created(), primitives) << name;
  EXPECT_LE(counts[0].libraries, kUpdates * kLibraryAllocationsPerUpdate) << name;
  EXPECT_LE(counts[1].libraries, counts[0].libraries + kUpdates) << "grows: " << name;
  ::testing::Test::RecordProperty(name + " library allocations", static_cast<int>(counts[1].libraries));
}

TEST(SteadyState, NoAllocationAndNoPrimitive) {
  for (const CellVariant& cell : cell_variants())
    for (const std::string_view backend : backend_names()) {
      RunSpec spec = spec_of(cell, 100);
      spec.engine.backend = backend;
      expect_steady(spec, cell.name + " " + std::string(backend));
    }
}

TEST(SteadyState, FeedForwardNetsAllocateNothing) {
  for (const std::string kind : {"mlp", "cnn"})
    for (const std::string_view backend : backend_names()) {
      RunSpec spec = small_feed_forward(kind);
      spec.train.batch = 100, spec.train.shard_rows = 32;
      spec.engine.backend = backend;
      expect_steady(spec, kind + " " + std::string(backend));
    }
}

// The forms of recurrence, each with what it carries along: states of streams, lengths, tokens, outputs that come back.
TEST(SteadyState, FormsAllocateNothing) {
  for (const ModelCase& c : form_cases()) {
    if (c.cell != "gru" || c.layers != 2 || c.steps != 7) continue;
    RunSpec spec = spec_of(find_cell_variant("gru"), 100);
    spec.engine.backend = "native";
    set_form(c, spec.model);
    SequenceShape shape = shape_of(c, 7, 4);
    if (shape.streams > 0) shape.streams = 100;
    const RandomSource source(shape, 200, shape.streams > 0 ? 0 : 1000);
    ThreadPool pool(2);
    BatchEngine<float> engine(spec, source, pool);
    const auto optimizer = find_optimizer("adam")->make_float(engine.model().layout().size, 0.001, spec.optimizer_options.get());
    std::int64_t update = 0;
    while (update < 10) one_update(engine, *optimizer, update++);
    engine.evaluator().evaluate(Split::kValidation);
    const std::int64_t primitives = primitives_created();
    start_counting_allocations();
    for (int i = 0; i < kUpdates; ++i) one_update(engine, *optimizer, update++);
    engine.evaluator().evaluate(Split::kValidation);
    EXPECT_EQ(stop_counting_allocations().own, 0) << c;
    EXPECT_EQ(primitives_created(), primitives) << c;
  }
}

// At sizes whose products Eigen packs on the stack; beyond, packing is Eigen's affair (orthogonal_recurrence.h).
TEST(SteadyState, NoAllocationWhileTheRecurrenceStaysOrthogonal) {
  RunSpec spec = spec_of(find_cell_variant("lstm"), 100);
  spec.init.recurrent.scheme = "orthogonal";
  spec.train.recurrence = "orthogonal";
  expect_steady(spec, "orthogonal");
}

// The heap in use after an update, by a counter below all that this program and its libraries do.
struct WatchHeap final : TrainControl {
  void progress(std::int64_t) override { most = std::max(most, heap_bytes()); }
  bool stop_requested() const override { return false; }
  std::int64_t most = 0;
};

// Every array here is smaller than what is mapped beside the heap. What is not said may be what oneDNN keeps of its primitives, the plan of
// a model, a report: a megabyte, and a tenth.
void expect_memory_said(const RunSpec& spec, const BatchSource& source, const std::string& name) {
  const WorkspaceBytes said = workspace_bytes(spec, source, 1);
  ThreadPool pool(1);
  WatchHeap watch;
  const std::int64_t before = heap_bytes();
  train(spec, source, pool, watch);
  const std::int64_t used = watch.most - before;
  EXPECT_GE(used, said.arrays) << name;
  EXPECT_LE(used, said.arrays + said.rows + said.arrays / 10 + (1 << 20)) << name;
}

TEST(Memory, OfARunIsWhatTheDryRunSays) {
  for (const CellVariant& cell : cell_variants())
    for (const std::string_view backend : backend_names()) {
      RunSpec spec = spec_of(cell, 128);
      spec.engine.backend = backend, spec.train.updates = 1, spec.train.shard_rows = 16;
      spec.probe.spectra = true, spec.probe.traces = 20;
      const RandomSource source({.steps = 30, .inputs = 7, .outputs = 4}, 100, 1000);
      expect_memory_said(spec, source, cell.name + " " + std::string(backend));
    }
  const RandomSource images({.steps = 20, .inputs = 7, .outputs = 4, .image_channels = 1, .image_height = 20, .image_width = 7}, 100, 1000);
  for (const std::string kind : {"mlp", "cnn"})
    for (const std::string_view backend : backend_names()) {
      RunSpec spec = small_feed_forward(kind);
      spec.model.hidden = 200, spec.train.batch = 200, spec.engine.backend = backend;
      expect_memory_said(spec, images, kind + " " + std::string(backend));
    }
  RunSpec spec = spec_of(find_cell_variant("lstm"), 64);
  spec.model.hidden = 96;
  spec.init.recurrent.scheme = "orthogonal", spec.train.recurrence = "orthogonal", spec.train.updates = 1;
  expect_memory_said(spec, RandomSource({.steps = 20, .inputs = 7, .outputs = 4}, 100, 1000), "orthogonal");
}

std::int64_t os_threads() {
  const std::filesystem::directory_iterator tasks("/proc/self/task");
  return std::distance(begin(tasks), end(tasks));
}

// CTest runs this with OMP_NUM_THREADS=4: oneDNN's OpenMP would start teams of four if it were let.
TEST(SteadyState, NoMoreThreadsThanAskedFor) {
  ASSERT_STREQ(std::getenv("OMP_NUM_THREADS"), "4") << "run through CTest, which sets it";
  const std::int64_t before = os_threads();
  const RandomSource source({.steps = 20, .inputs = 7, .outputs = 4}, 100, 1000);
  for (const int threads : {1, 2, 5}) {
    ThreadPool pool(threads);
    const RunSpec spec = spec_of(find_cell_variant("lstm"), 256);
    BatchEngine<float> engine(spec, source, pool);
    const auto optimizer = find_optimizer("adam")->make_float(engine.model().layout().size, 0.001, spec.optimizer_options.get());
    for (std::int64_t update = 0; update < 10; ++update) one_update(engine, *optimizer, update);
    engine.evaluator().evaluate(Split::kValidation);
    EXPECT_LE(os_threads(), before + threads) << "threads " << threads;  // the caller is one of them: one to spare
  }
}

}  // namespace
}  // namespace vp::test
