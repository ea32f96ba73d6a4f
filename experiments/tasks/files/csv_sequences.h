// Sequences from tidy CSV files: one row per sequence and step, with any number of input columns and a target.
//
// Rows may come in any order; the steps of a sequence are consecutive from its smallest. Sequences may have lengths of their own. With one
// target per sequence it is the one of the last step; targets elsewhere may be empty. Thread-safety: pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "experiments/tasks/files/own_data_source.h"

namespace vp {

struct SequenceColumns {
  std::string sequence = "sequence", step = "step", target = "target";
  std::string target_kind{kClassTarget};
};

// All sequences of all files, in order of first appearance.
template <class T>
struct SequenceData {
  SequenceShape shape;                  // T: of the longest
  std::vector<std::int64_t> starts{0};  // (n + 1): the steps of sequence i are those from starts[i] to starts[i + 1]
  std::vector<T> inputs;                // (steps of all, I)
  SampleTable<T> samples;               // ids: what the sequence column says
};

// UserError(kInputOutput): a missing column, no rows, and every malformed row with its line and reason: text in number columns, empty
// fields, a repeated step; then, if all rows are well-formed, missing steps and missing targets. The first 20 are shown, then a count.
template <class T>
SequenceData<T> read_sequences(const std::string& path, const SequenceColumns& columns, const DataOptions& options, bool target_every_step);

}  // namespace vp
