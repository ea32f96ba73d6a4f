// What made the numbers of a run: program, machine, libraries, data. Thread-safety: pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "experiments/io/input_files.h"

namespace vp {

// Of bundles and tables. Those from kOldestSchema on are read; a bundle of another one is refused. Before schema 4 run ids had no letter in
// front, and nothing was known of input files.
inline constexpr std::int64_t kSchema = 4, kOldestSchema = 3, kSchemaOfInputs = 4;

// What made a run's numbers, beside its configuration. Runs of one directory agree in it.
struct Provenance {
  std::int64_t schema = kSchema;
  std::string build;              // build id of the program: code, compiler, flags
  std::string isa;                // instruction_set()
  std::string libraries;          // library_versions()
  std::string backend;            // the resolved one of this run
  std::vector<InputFile> inputs;  // that this run read: data, init.from_checkpoint
  bool operator==(const Provenance&) const = default;
};

// The provenance of every run of this process, but for the backend and the inputs.
Provenance current_provenance();

}  // namespace vp
