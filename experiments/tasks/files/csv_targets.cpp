#include "experiments/tasks/files/csv_targets.h"

#include <fmt/format.h>

#include "experiments/tasks/files/csv_columns.h"

namespace vp {

void visit_target_kind(FieldVisitor& visitor, std::string& kind) {
  visitor.field({.key = "task.target_kind",
                 .description = "classes by labels of any kind, yes/no as 1 and 0, or values",
                 .choices = {kClassTarget, kBinaryTarget, kValueTarget}},
                kind);
}

template <class T>
void Targets<T>::describe(SequenceShape& shape) const {
  shape.target = kind == kClassTarget ? TargetKind::kClasses : kind == kBinaryTarget ? TargetKind::kBinary : TargetKind::kValues;
  shape.outputs = kind == kClassTarget ? std::ssize(names) : 1;
}

template <class T>
std::optional<std::string> TargetReader<T>::fault(std::string_view field) const {
  if (targets_.kind == kClassTarget) return field.empty() ? std::optional<std::string>("is not a label") : std::nullopt;
  const auto number = parse_as<T>(field);
  const bool is_binary = targets_.kind == kBinaryTarget;
  if (number && (!is_binary || *number == 0 || *number == 1)) return std::nullopt;
  const std::string hint = looks_like_number(field) ? "" : "; labels of any kind go with task.target_kind = \"classes\"";
  return (is_binary ? "is not 0 or 1" : parse_fault<T>(field)) + hint;
}

template <class T>
void TargetReader<T>::add(std::string_view field, const std::string& file, std::int64_t line) {
  if (targets_.kind == kClassTarget)
    targets_.classes.push_back(labels_.add(field, [&] { return fmt::format("{}:{}", file, line); }));
  else
    targets_.values.push_back(*parse_as<T>(field));
}

template <class T>
Targets<T> TargetReader<T>::finish(const std::string& file, Problems& problems) {
  if (targets_.kind != kClassTarget) return std::move(targets_);
  LabelMap map = labels_.map(classes_, file, column_, problems);
  for (std::int32_t& target : targets_.classes) target = map.class_of[static_cast<std::size_t>(target)];
  targets_.names = std::move(map.names);
  return std::move(targets_);
}

template <class T>
ClassCounts count_classes(const Targets<T>& targets, std::span<const std::int64_t> starts, const SplitMembers& members) {
  ClassCounts counts;
  if (targets.kind == kValueTarget) return counts;
  for (const Split split : {Split::kTrain, Split::kValidation, Split::kTest}) {
    auto& of_split = counts[static_cast<std::size_t>(split)];
    of_split.assign(targets.kind == kClassTarget ? targets.names.size() : 2, 0);
    for (const std::uint64_t sample : members.of(split))
      for (auto i = static_cast<std::size_t>(starts[sample]); i < static_cast<std::size_t>(starts[sample + 1]); ++i)
        ++of_split[static_cast<std::size_t>(targets.kind == kClassTarget ? targets.classes[i] : targets.values[i] > 0)];
  }
  return counts;
}

template <class T>
std::vector<std::string> target_notes(const Targets<T>& targets, const ClassCounts& counts) {
  if (targets.kind == kValueTarget) return {};
  return class_notes(targets.kind == kClassTarget ? targets.names : TextList{"0", "1"}, counts);
}

template struct Targets<float>;
template struct Targets<double>;
template class TargetReader<float>;
template class TargetReader<double>;
template ClassCounts count_classes(const Targets<float>&, std::span<const std::int64_t>, const SplitMembers&);
template ClassCounts count_classes(const Targets<double>&, std::span<const std::int64_t>, const SplitMembers&);
template std::vector<std::string> target_notes(const Targets<float>&, const ClassCounts&);
template std::vector<std::string> target_notes(const Targets<double>&, const ClassCounts&);

}  // namespace vp
