#include "experiments/tasks/files/data_options.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include "experiments/io/quoted_text.h"
#include "experiments/tasks/files/csv_targets.h"
#include "experiments/tasks/files/label_map.h"

namespace vp {
namespace {

constexpr std::string_view kAuto = "auto", kComma = "comma", kSemicolon = "semicolon", kTab = "tab";

void check_list(std::string_view key, const TextList& names) {
  std::set<std::string_view> seen;
  for (const std::string& name : names)
    if (!seen.insert(name).second) throw usage_error(fmt::format("{}: {} stands there twice; name each column once", key, toml_text(name)));
}

}  // namespace

void DataOptions::visit_fields(FieldVisitor& visitor) {
  shares.visit_fields(visitor);
  visitor.field({.key = "task.inputs", .description = "columns that are inputs, in their order; unset: all that have no other meaning"},
                inputs);
  visitor.field({.key = "task.ignore", .description = "columns that are left out: ids, dates, text"}, ignore);
  visitor.field({.key = "task.separator",
                 .description = "between fields; auto: of comma, semicolon and tab the most frequent in the first line",
                 .choices = {kAuto, kComma, kSemicolon, kTab}},
                separator);
  visit_classes(visitor, classes);
  visitor.field({.key = "task.validation_path", .description = "file of its own to validate on, instead of task.validation_share"},
                validation_path);
  visitor.field({.key = "task.test_path", .description = "file of its own to test on, instead of task.test_share"}, test_path);
  visitor.field({.key = "task.group_column",
                 .description = "column that names a group (a person, a day); no group is in two sets, and shares are of the groups"},
                group_column);
  visitor.field({.key = "task.stratified", .description = "each set has each class in its share of task.path"}, stratified);
}

void DataOptions::check(const std::string& path, const std::string& task, std::string_view target_kind) const {
  if (path.empty()) throw usage_error(fmt::format("task.path: the task {0} needs a file; set task.path to the CSV file to read", task));
  check_list("task.inputs", inputs);
  check_list("task.ignore", ignore);
  if (!inputs.empty() && !ignore.empty())
    throw usage_error("task.inputs and task.ignore exclude each other: columns that are not among task.inputs are left out; remove one");
  if (!classes.empty() && target_kind != kClassTarget)
    throw usage_error(fmt::format("task.classes: task.target_kind = \"{}\" has no classes; remove task.classes", target_kind));
  if (stratified && target_kind == kValueTarget)
    throw usage_error("task.stratified: task.target_kind = \"values\" has no classes to divide by; remove task.stratified");
  if (stratified && !group_column.empty())
    throw usage_error("task.stratified and task.group_column exclude each other: groups are kept whole; remove one");
  for (const auto& [key, file] : {std::pair("task.validation_path", validation_path), std::pair("task.test_path", test_path)})
    if (file == path) throw usage_error(fmt::format("{}: {} is task.path as well; a sample belongs in one set", key, file));
  if (!test_path.empty() && test_path == validation_path)
    throw usage_error(fmt::format("task.test_path: {} is task.validation_path as well; a sample belongs in one set", test_path));
  const SplitShares defaults;
  if (!validation_path.empty() && shares.validation != defaults.validation)
    throw usage_error("task.validation_share has no effect beside task.validation_path; remove one");
  if (!test_path.empty() && shares.test != defaults.test)
    throw usage_error("task.test_share has no effect beside task.test_path; remove one");
  split_plan(0, path).shares.check();
}

char DataOptions::separator_byte() const {
  return separator == kComma ? ',' : separator == kSemicolon ? ';' : separator == kTab ? '\t' : kDetectSeparator;
}

SplitPlan DataOptions::split_plan(std::uint64_t seed, const std::string& path) const {
  SplitPlan plan{.shares = shares, .seed = seed, .file = path};
  if (!validation_path.empty()) plan.shares.validation = 0;
  if (!test_path.empty()) plan.shares.test = 0;
  return plan;
}

std::string DataOptions::reading_key(const std::string& path) const {
  return fmt::format("{}\n{}\n{}\n{}\n{}\n{}\n{}\n{}", path, validation_path, test_path, toml_text(inputs), toml_text(ignore),
                     toml_text(classes), separator, group_column);
}

}  // namespace vp
