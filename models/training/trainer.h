// Trains one model on one source of samples: the loop of evaluation, batch, probes and update.
//
// Samples come in an order that depends on the seed alone: endless sources in index order, finite ones in one long stream of shuffled
// epochs, so that every batch is full. Thread-safety: train() may be called from several threads at once, one call a run; they share the
// pool.
#pragma once

#include <cstdint>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include "models/base/parallel.h"
#include "models/safetensors/safetensors.h"
#include "models/spec/batch_source.h"
#include "models/spec/report.h"
#include "models/spec/spec.h"

namespace vp {

// How a run talks to whoever watches it. Called by the thread that runs train().
class TrainControl {
 public:
  virtual ~TrainControl() = default;
  virtual void progress(std::int64_t updates_done) = 0;  // after every update
  virtual bool stop_requested() const = 0;
};

// Nobody watches.
class Unwatched final : public TrainControl {
 public:
  void progress(std::int64_t) override {}
  bool stop_requested() const override { return false; }
};

// stop_requested() said yes: the run is given up and leaves nothing behind.
struct Interrupted : std::runtime_error {
  Interrupted() : std::runtime_error("interrupted") {}
};

// Files are read and written by the caller.
struct Checkpoints {
  const Safetensors* initial = nullptr;         // the file of init.from_checkpoint
  std::map<std::string, std::string> metadata;  // for the file of train.save_checkpoint
};

// Throws std::invalid_argument for a spec that does not fit the source (check_run) or the checkpoint (load_parameters), Interrupted, and
// what the source throws.
RunReport train(const RunSpec& spec, const BatchSource& source, ThreadPool& pool, TrainControl& control,
                const Checkpoints& checkpoints = {});

// Empty if the spec fits the source; else what does not, and what would.
std::string check_run(const RunSpec& spec, const BatchSource& source);

// What the engine calls the products of this run's steps, without repeats: for the manifest.
std::vector<std::string> implementation_names(const RunSpec& spec, const BatchSource& source);

// Bytes a run works in, at the most: `arrays`, which are made to be measured, but not written to: parameters, optimiser, packed weights,
// states and signals of all shards, and what the probes keep; and `rows`, what its report may grow to.
struct WorkspaceBytes {
  std::int64_t arrays = 0, rows = 0;
};
WorkspaceBytes workspace_bytes(const RunSpec& spec, const BatchSource& source, int threads);

}  // namespace vp
