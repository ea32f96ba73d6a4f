// Samples from CSV files with one row each: a label column, and any number of features in others. Thread-safety: pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "experiments/tasks/files/own_data_source.h"

namespace vp {

struct RowColumns {
  std::string label = "label", id;  // no id: none
  std::string target_kind{kClassTarget};
};

// All rows of all files, in order.
template <class T>
struct RowData {
  std::int64_t features = 0;  // I
  std::vector<T> inputs;      // (n, I)
  SampleTable<T> samples;
};

// Reads as it goes: nothing of the text is held but the file and the row in hand (MNIST as CSV has 47 million fields).
// UserError(kInputOutput): no such column, no feature column, no rows, and every malformed row with its line and reason; the first 20 are
// shown, then a count.
template <class T>
RowData<T> read_rows(const std::string& path, const RowColumns& columns, const DataOptions& options);

}  // namespace vp
