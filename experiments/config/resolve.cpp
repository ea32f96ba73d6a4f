#include "experiments/config/resolve.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>
#include <vector>

#include "experiments/config/error.h"
#include "experiments/config/keys.h"
#include "experiments/config/visit.h"
#include "experiments/tasks/task.h"
#include "models/base/suggest.h"
#include "models/cells/cell_list.h"
#include "models/model_kinds.h"
#include "models/optimizers/optimizers.h"
#include "models/probes/probe_list.h"

namespace vp {

namespace {

// Whole numbers in full: 1000000 tells more than 1e+06 where an integer is expected.
std::string bound_text(double bound) {
  const bool whole = std::abs(bound) < 1e15 && bound == std::floor(bound);
  return whole ? std::to_string(static_cast<std::int64_t>(bound)) : toml_text(bound);
}

std::string range_text(const FieldInfo& info) {
  const bool low = std::isfinite(info.minimum), high = std::isfinite(info.maximum);
  if (low && high && !info.exclusive_minimum) return fmt::format(" from {} to {}", bound_text(info.minimum), bound_text(info.maximum));
  std::string text;
  if (low) text = (info.exclusive_minimum ? " above " : " of at least ") + bound_text(info.minimum);
  if (high) text += (low ? ", at most " : " of at most ") + bound_text(info.maximum);
  return text;
}

[[noreturn]] void fail_value(const FieldInfo& info, const Setting& setting, const std::string& expected) {
  const std::string* text = std::get_if<std::string>(&setting.value);
  const bool list = expected.starts_with("a list");
  const char* hint = text && !list && text->starts_with('[') ? "; several values to try are written a,b,c, without brackets" : "";
  fail_at(setting.value_origin, fmt::format("{}: expected {}, got {}{}", info.key, expected, shown(setting.value), hint));
}

void check_range(const FieldInfo& info, const Setting& setting, double value, const char* kind) {
  const bool above = info.exclusive_minimum ? value > info.minimum : value >= info.minimum;
  if (!above || !(value <= info.maximum)) fail_value(info, setting, kind + range_text(info));
}

void assign(const FieldInfo& info, const Setting& setting, bool& value) {
  const bool* given = std::get_if<bool>(&setting.value);
  if (!given) fail_value(info, setting, "true or false");
  value = *given;
}

void assign(const FieldInfo& info, const Setting& setting, std::int64_t& value) {
  const std::int64_t* given = std::get_if<std::int64_t>(&setting.value);
  if (!given) fail_value(info, setting, "an integer" + range_text(info));
  check_range(info, setting, static_cast<double>(*given), "an integer");
  value = *given;
}

void assign(const FieldInfo& info, const Setting& setting, double& value) {
  const double* given = std::get_if<double>(&setting.value);
  const std::int64_t* integer = std::get_if<std::int64_t>(&setting.value);
  if (!given && !integer) fail_value(info, setting, "a number" + range_text(info));
  const double number = given ? *given : static_cast<double>(*integer);
  if (!std::isfinite(number)) fail_value(info, setting, "a finite number" + range_text(info));
  check_range(info, setting, number, "a number");
  value = number + 0.0;  // -0 becomes 0: two texts for one value would give it two run ids
}

std::string choice_hint(const FieldInfo& info, const std::string& given, const std::vector<std::string>& choices) {
  const std::string formula = info.open_text_of ? info.open_text_of(given) : "";
  if (!formula.empty()) return fmt::format("; write \"{}\"", formula);
  const std::string near = suggestion(std::string_view(given).substr(0, kMaxSuggestedBytes), choices);
  return info.open_form.empty() ? near
                                : fmt::format("{}{} \"{}\" is there for your own", near, near.ends_with('?') ? "" : ";", info.open_form);
}

void check_plain(const FieldInfo& info, const Setting& setting, std::string_view text) {
  for (const char c : text)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) fail_value(info, setting, "text without control characters");
}

void assign(const FieldInfo& info, const Setting& setting, std::string& value) {
  const std::string* given = std::get_if<std::string>(&setting.value);
  const std::vector<std::string> choices(info.choices.begin(), info.choices.end());
  if (!given) fail_value(info, setting, choices.empty() ? "text" : fmt::format("one of {}", fmt::join(choices, ", ")));
  check_plain(info, setting, *given);
  if (const auto problem = info.open_problem ? info.open_problem(*given) : std::nullopt) {
    if (!problem->empty()) fail_at(setting.value_origin, fmt::format("{}: {}", info.key, *problem));
  } else if (!choices.empty() && std::find(choices.begin(), choices.end(), *given) == choices.end()) {
    fail_at(setting.value_origin, fmt::format("{}: there is no {}{}", info.key, shown(setting.value), choice_hint(info, *given, choices)));
  }
  value = *given;
}

void assign(const FieldInfo& info, const Setting& setting, IntegerList& value) {
  const IntegerList* given = std::get_if<IntegerList>(&setting.value);
  if (!given) fail_value(info, setting, "a list of integers in brackets, as in [300, 100], each" + range_text(info));
  for (const std::int64_t element : *given) check_range(info, setting, static_cast<double>(element), "a list of integers, each");
  value = *given;
}

// Integers are text as well: class labels may be either.
void assign(const FieldInfo& info, const Setting& setting, TextList& value) {
  const auto* texts = std::get_if<TextList>(&setting.value);
  const auto* integers = std::get_if<IntegerList>(&setting.value);
  if (!texts && !integers) fail_value(info, setting, "a list of texts in brackets, as in [\"a\", \"b\"]");
  value = texts ? *texts : TextList();
  if (integers)
    for (const std::int64_t element : *integers) value.push_back(plain_text(element));
  for (const std::string& element : value) check_plain(info, setting, element);
}

template <class T>
void assign(const FieldInfo& info, const Setting& setting, std::optional<T>& value) {
  assign(info, setting, value.emplace());
}

// Returns how many settings of the point these fields took.
template <class Visitable>
std::size_t assign_fields(const GridPoint& point, Visitable& fields) {
  std::size_t taken = 0;
  for_each_field(fields, [&](const FieldInfo& info, auto& value) {
    const Setting* setting = point.find(info.key);
    if (!setting) return;
    assign(info, *setting, value);
    ++taken;
  });
  return taken;
}

std::string other_kinds(std::string_view key) {
  std::string names;
  for (const ModelKind& kind : model_kinds())
    if (has_core_key(kind.name, key)) names += (names.empty() ? "" : ", ") + std::string(kind.name);
  return names;
}

// Who has the key among the options of one sort: "task", "cell", "optimizer" or "kind".
std::vector<std::string> owners_of(const std::string& key, const std::string& sort) {
  std::vector<std::string> owners;
  for (const FieldHelp& field : all_fields())
    if (field.key == key && field.belongs_to.starts_with(sort + " ")) owners.push_back(field.belongs_to.substr(sort.size() + 1));
  return owners;
}

// A key of other kinds of models: a core key that this one has no use for, or a kind's own, or a cell's, which only sequences have.
[[noreturn]] void fail_other_kind(const Setting& setting, std::vector<std::string> kinds, bool of_cells, const Config& config) {
  if (of_cells) kinds.insert(kinds.begin(), ModelSpec().kind);
  const std::string owners = kinds.empty() ? other_kinds(setting.key) : fmt::format("{}", fmt::join(kinds, ", "));
  fail_at(setting.key_origin,
          fmt::format("{} belongs to model.kind = {}; this experiment's is {}", setting.key, owners, config.run.model.kind));
}

// The key is known, but not in this configuration: says whose it is.
[[noreturn]] void fail_foreign_key(const Setting& setting, const Config& config) {
  const std::array<std::pair<std::string, std::string>, 3> sorts = {
      {{"task", config.task_name}, {"optimizer", config.run.train.optimizer}, {"cell", config.run.model.cell}}};
  const std::vector<std::string> kinds = owners_of(setting.key, "kind");
  const bool is_sequence = config.run.model.kind == ModelSpec().kind;
  for (const auto& [sort, chosen] : sorts) {
    const std::vector<std::string> owners = owners_of(setting.key, sort);
    if (owners.empty()) continue;
    if (sort == "cell" && !is_sequence) fail_other_kind(setting, kinds, true, config);
    fail_at(setting.key_origin, fmt::format("{} belongs to the {}{} {}; this experiment's {} is {}", setting.key, sort,
                                            owners.size() == 1 ? "" : "s", fmt::join(owners, ", "), sort, chosen));
  }
  fail_other_kind(setting, kinds, false, config);
}

void check_all_taken(const GridPoint& point, Config& config) {
  for (const Setting* setting : point.settings) {
    bool taken = false;
    for_each_field(config, [&](const FieldInfo& info, const auto&) { taken = taken || info.key == setting->key; });
    if (!taken) fail_foreign_key(*setting, config);
  }
}

}  // namespace

Config resolve_point(const GridPoint& point, const std::string& file) {
  Config config;
  CoreFields core{config};
  std::size_t taken = assign_fields(point, core);
  if (config.task_name.empty()) {
    std::vector<std::string> names;
    for (const TaskEntry& task : tasks()) names.emplace_back(task.name);
    fail_at({file}, "task.name is missing" + suggestion("", names));
  }
  // The names are choices from these lists, so they are found.
  config.task_options = OptionsHandle(find_task(config.task_name)->make_options());
  const ModelKind& kind = *find_model_kind(config.run.model.kind);
  if (kind.has_time) config.run.cell_options = OptionsHandle(find_cell(config.run.model.cell)->make_options());
  config.run.optimizer_options = OptionsHandle(find_optimizer(config.run.train.optimizer)->make_options());
  config.run.kind_options = OptionsHandle(kind.make_options());
  for (OptionsHandle* options : {&config.task_options, &config.run.cell_options, &config.run.optimizer_options, &config.run.kind_options})
    taken += assign_fields(point, *options);
  config.run.probe_options = probe_options();
  for (OptionsHandle& options : config.run.probe_options) taken += assign_fields(point, options);
  if (taken != point.settings.size()) check_all_taken(point, config);
  check_combinations(config, point, file);
  return config;
}

}  // namespace vp
