// Sequences from a tidy CSV file: one row per sequence and step, with any number of input columns and a target.
//
// Rows may come in any order; the steps of a sequence are consecutive from its smallest, and all sequences are equally long. With one
// target per sequence it is the one of the last step; targets elsewhere may be empty. Thread-safety: pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "experiments/csv_targets.h"

namespace vp {

// What the columns of the file mean. Every other column is an input.
struct SequenceColumns {
  std::string sequence = "sequence", step = "step", target = "target";
  std::string target_kind{kClassTarget};  // class numbers from 0, yes/no as 1 and 0, or values
};

// All sequences of a file, in order of first appearance.
struct SequenceData {
  SequenceShape shape;
  std::int64_t count = 0;     // n
  std::vector<float> inputs;  // (n, T, I)
  TargetColumn targets;       // (n) or (n, T)
};

// UserError(kInputOutput): a missing column, no rows, and every malformed row with its line and reason: text in number columns, empty
// fields, a repeated step; then, if all rows are well-formed, missing steps, unequal lengths and missing targets. The first 20 are shown,
// then a count.
SequenceData read_sequences(const CsvDocument& document, const SequenceColumns& columns, bool target_every_step);

}  // namespace vp
