// Samples from a CSV file with one row each: a label column, and any number of features in the others. Thread-safety: pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "experiments/csv_targets.h"

namespace vp {

// All rows of a file, in order.
struct RowData {
  std::int64_t count = 0, features = 0;  // n, I
  std::vector<float> inputs;             // (n, I)
  TargetColumn targets;                  // (n)
};

// Reads as it goes: nothing of the text is held but the row in hand (MNIST as CSV has 47 million fields). UserError(kInputOutput): no such
// label column, no feature column, no rows, and every malformed row with its line and reason; the first 20 are shown, then a count.
RowData read_rows(std::string_view bytes, const std::string& name, const std::string& label_column, const std::string& target_kind);

}  // namespace vp
