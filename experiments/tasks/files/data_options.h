// The options that the tasks on the user's own CSV files share: columns, files, labels, and how the sets are divided.
// Thread-safety: pure functions.
#pragma once

#include <array>
#include <string>

#include "experiments/tasks/split.h"
#include "models/spec/fields.h"

namespace vp {

struct DataOptions {
  SplitShares shares;
  TextList inputs, ignore, classes;
  std::string separator{"auto"};
  std::string validation_path, test_path, group_column;
  bool stratified = false;

  void visit_fields(FieldVisitor& visitor);
  // UserError(kUsage) for a list with a name twice, and for options that exclude each other.
  void check(const std::string& path, const std::string& task, std::string_view target_kind) const;

  char separator_byte() const;  // kDetectSeparator: "auto"
  // By Split: the file that is divided, and those that are a set of their own; empty: none.
  std::array<std::string, 3> paths(const std::string& path) const { return {path, validation_path, test_path}; }
  SplitPlan split_plan(std::uint64_t seed, const std::string& path) const;
  // Differs wherever what is read differs.
  std::string reading_key(const std::string& path) const;
};

}  // namespace vp
