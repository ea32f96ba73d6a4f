// The target column of a user's CSV files: what the tasks csv and csv_rows share. Thread-safety: a TargetReader belongs to one thread.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "experiments/tasks/files/label_map.h"
#include "experiments/tasks/split.h"
#include "experiments/tasks/target_kind.h"
#include "models/spec/batch_source.h"

namespace vp {

void visit_target_kind(FieldVisitor& visitor, std::string& kind);

// Targets of one kind, in order.
template <class T>
struct Targets {
  std::string kind{kClassTarget};
  std::vector<std::int32_t> classes;  // kClassTarget
  std::vector<T> values;              // the others
  TextList names;                     // of classes

  void describe(SequenceShape& shape) const;  // sets target and outputs
};

template <class T>
class TargetReader {
 public:
  // `classes`: task.classes.
  TargetReader(std::string kind, std::string column, TextList classes)
      : column_(std::move(column)), classes_(std::move(classes)), targets_{.kind = std::move(kind)} {}

  // What is wrong with a field; nullopt if it is good. A class is any text (what labels there are is looked at in the end), yes/no is 1 and
  // 0.
  std::optional<std::string> fault(std::string_view field) const;
  void add(std::string_view field, const std::string& file, std::int64_t line);  // one without a fault
  // Faults of the labels as a whole are added to `problems`; if there are some, the targets are not to be used.
  Targets<T> finish(const std::string& file, Problems& problems);

 private:
  std::string column_;
  TextList classes_;
  Labels labels_;
  Targets<T> targets_;
};

// Samples of each class (of yes/no: 0 and 1) and set; empty vectors for values. The targets of sample i are those from starts[i] to
// starts[i + 1].
template <class T>
ClassCounts count_classes(const Targets<T>& targets, std::span<const std::int64_t> starts, const SplitMembers& members);

// class_notes() for targets of any kind.
template <class T>
std::vector<std::string> target_notes(const Targets<T>& targets, const ClassCounts& counts);

}  // namespace vp
