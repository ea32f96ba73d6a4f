// Runs what is missing of an experiment, and leaves the directory merged.
//
// Runs go side by side where there are more runs than threads; nothing about a run's numbers depends on it. Thread-safety: one call at a
// time a process.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "experiments/config/config.h"
#include "experiments/io/error.h"
#include "experiments/results/results.h"

namespace vp {

struct Shard {
  std::int64_t index = 1, count = 1;  // this process does the runs whose position in the grid is index-1 modulo count
};

struct RunOptions {
  std::filesystem::path directory;
  int threads = 1;
  Shard shard;
  bool fresh = false;        // start over
  bool allow_mixed = false;  // accept bundles of other builds, instruction sets and data
  bool quiet = false;
};

// Prints the runs with what varies, and the memory they would work in; writes nothing.
ExitCode print_plan(const Experiment& experiment, int threads);

// Errors: UserError; a run that fails is recorded, the sweep goes on, and the code is kFailed. kInterrupted after SIGINT or SIGTERM:
// finished runs are kept.
ExitCode run_experiment(const Experiment& experiment, const RunOptions& options);

}  // namespace vp
