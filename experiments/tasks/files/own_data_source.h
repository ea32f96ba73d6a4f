// What the tasks on the user's own CSV files share once these are read: sets, classes, names of samples, and what is to be said of them.
// Thread-safety: constant once made.
#pragma once

#include <algorithm>
#include <array>
#include <iterator>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "experiments/tasks/files/csv_targets.h"
#include "experiments/tasks/files/data_options.h"

namespace vp {

// The samples of all files, in the order of Split: those of task.path, of task.validation_path, of task.test_path. All vectors but `groups`
// and `ids` are as long as there are samples, n, or targets.
template <class T>
struct SampleTable {
  std::array<std::int64_t, 3> counts{};  // samples of each file
  Targets<T> targets;
  std::vector<std::int64_t> target_starts{0};  // (n + 1): those of sample i are from target_starts[i] to target_starts[i + 1]
  std::vector<std::int32_t> groups;            // (n), or empty
  std::vector<std::string> ids;                // (n), or empty: a sample is called by its place in its file

  std::int64_t count() const { return std::ssize(target_starts) - 1; }
};

template <class T>
SplitMembers divide(const SampleTable<T>& table, const DataOptions& options, const SplitPlan& plan, std::string_view samples) {
  const auto divided = static_cast<std::size_t>(table.counts[0]);
  const auto class_of = [&](std::size_t sample) {
    const auto at = static_cast<std::size_t>(table.target_starts[sample]);
    return table.targets.kind == kClassTarget ? table.targets.classes[at] : static_cast<std::int32_t>(table.targets.values[at] > 0);
  };
  const auto draw = [&] {
    if (!table.groups.empty()) return draw_groups(plan, std::span(table.groups).first(divided));
    if (!options.stratified) return draw_split(plan, divided, samples);
    std::vector<std::int32_t> classes;
    for (std::size_t sample = 0; sample < divided; ++sample) classes.push_back(class_of(sample));
    return draw_stratified(plan, classes, samples);
  };
  SplitMembers members = draw();
  std::uint64_t next = divided;
  for (const Split split : {Split::kValidation, Split::kTest})
    for (std::int64_t i = 0; i < table.counts[static_cast<std::size_t>(split)]; ++i) members.add(split, next++);
  return members;
}

template <class T>
class OwnDataSource : public BatchSource {
 public:
  // `samples`: what they are called in messages.
  OwnDataSource(const SampleTable<T>& table, const DataOptions& options, const SplitPlan& plan, std::string_view samples)
      : table_(table),
        members_(divide(table, options, plan, samples)),
        counts_(count_classes(table.targets, table.target_starts, members_)),
        notes_(target_notes(table.targets, counts_)) {
    std::ranges::copy(empty_set_notes(plan, members_, table.groups.empty() ? samples : "groups"), std::back_inserter(notes_));
  }

  std::uint64_t size(Split split) const override { return members_.size(split); }
  bool in_double() const override { return std::is_same_v<T, double>; }
  std::span<const std::string> class_names() const override { return table_.targets.names; }
  std::vector<std::int64_t> class_counts(Split split) const override {
    return table_.targets.names.empty() ? std::vector<std::int64_t>() : counts_[static_cast<std::size_t>(split)];
  }
  std::vector<std::string> notes() const override { return notes_; }
  std::string sample_id(Split split, std::uint64_t index) const override {
    auto sample = static_cast<std::int64_t>(members_.at("sample_id", split, index));
    if (!table_.ids.empty()) return table_.ids[static_cast<std::size_t>(sample)];
    for (std::size_t file = 0; sample >= table_.counts[file]; ++file) sample -= table_.counts[file];
    return std::to_string(sample);
  }

 protected:
  const SplitMembers& members() const { return members_; }

 private:
  const SampleTable<T>& table_;  // of data that the derived class keeps alive
  SplitMembers members_;
  ClassCounts counts_;
  std::vector<std::string> notes_;
};

// The arrays of `out` that are there, of inputs and of values, in single or double precision: write(array) for each.
template <class Write>
void write_inputs(const SampleRows& out, const Write& write) {
  if (out.inputs != nullptr) write(out.inputs);
  if (out.inputs_f64 != nullptr) write(out.inputs_f64);
}
template <class Write>
void write_values(const SampleRows& out, const Write& write) {
  if (out.values != nullptr) write(out.values);
  if (out.values_f64 != nullptr) write(out.values_f64);
}

}  // namespace vp
