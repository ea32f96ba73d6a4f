// The target column of a user's CSV file, and how its other columns are found and read: what the tasks csv and csv_rows share.
// Thread-safety: pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "experiments/csv.h"
#include "models/batch_source.h"

namespace vp {

inline constexpr std::string_view kClassTarget = "classes", kBinaryTarget = "binary", kValueTarget = "values";  // task.target_kind

// Index of a column; UserError(kInputOutput) names the file, its columns and `option`, which names the column, if there is none.
std::size_t find_column(const CsvDocument& document, const std::string& name, std::string_view option);

// A finite number in the range of single precision.
std::optional<float> parse_single(std::string_view field);

// Why a target of a kind is refused; nullopt if it is good. A class is a whole number from 0 to 65,535, yes/no is 1 and 0.
std::optional<std::string_view> target_fault(std::string_view kind, std::string_view field);

// "target: "abc" reason" for a field of a column, as messages show it.
std::string field_fault(std::string_view column, std::string_view field, std::string_view reason);

// Targets of one kind, in order.
struct TargetColumn {
  std::string kind{kClassTarget};
  std::vector<std::int32_t> classes;  // kClassTarget
  std::vector<float> values;          // the others

  void add(std::string_view field);  // one without a fault
  // Sets target and outputs of a shape. UserError(kInputOutput) naming file and column if there are classes, but only class 0.
  void describe(SequenceShape& shape, const std::string& file, const std::string& column) const;
};

}  // namespace vp
