#include "experiments/config/config.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <set>
#include <unordered_set>

#include "experiments/config/changes.h"
#include "experiments/config/document.h"
#include "experiments/config/error.h"
#include "experiments/config/grid.h"
#include "experiments/config/overrides.h"
#include "experiments/config/resolve.h"
#include "experiments/config/resolved.h"
#include "experiments/config/toml.h"
#include "experiments/config/visit.h"
#include "experiments/tasks/task.h"
#include "models/cells/cell_list.h"
#include "models/model_kinds.h"
#include "models/optimizers/optimizers.h"
#include "models/probes/probe_list.h"
#include "models/spec/activation_choice.h"

namespace vp {

namespace {

// A configuration that differs from `config` in nothing but the fields that have a default.
Config defaults_beside(const Config& config) {
  Config defaults;
  if (const TaskEntry* task = find_task(config.task_name)) defaults.task_options = OptionsHandle(task->make_options());
  defaults.run.model.kind = config.run.model.kind;  // so that both have the same fields
  const ModelKind& kind = *find_model_kind(config.run.model.kind);
  defaults.run.kind_options = OptionsHandle(kind.make_options());
  const CellEntry* cell = find_cell(config.run.model.cell);
  if (cell != nullptr && kind.has_time) defaults.run.cell_options = OptionsHandle(cell->make_options());
  if (const OptimizerEntry* optimizer = find_optimizer(config.run.train.optimizer))
    defaults.run.optimizer_options = OptionsHandle(optimizer->make_options());
  if (!config.run.probe_options.empty()) defaults.run.probe_options = probe_options();
  return defaults;
}

std::vector<std::pair<std::string, std::string>> toml_texts(Config config) {
  std::vector<std::pair<std::string, std::string>> texts;
  for_each_field(config, [&](const FieldInfo& info, const auto& value) { texts.emplace_back(info.key, toml_text(value)); });
  return texts;
}

std::vector<std::string> axis_keys(const Document& document) {
  std::vector<std::string> keys;
  for (const GridBlock& block : document.grid)
    for (const GridAxis& axis : block)
      if (std::find(keys.begin(), keys.end(), axis.key) == keys.end()) keys.push_back(axis.key);
  return keys;
}

std::vector<Run> resolve_grid(const Document& document) {
  std::vector<Run> runs;
  std::unordered_set<std::string> seen;
  count_points(document);
  for_each_point(document, [&](const GridPoint& point) {
    Run run = resolve_point(point, document.file);
    if (seen.insert(run.id()).second) runs.push_back(std::move(run));
  });
  return runs;
}

}  // namespace

// Passes on the fields that the kind of the model has, which is visited before all that depend on it.
class FieldsOfKind final : public FieldVisitor {
 public:
  FieldsOfKind(const std::string& kind, FieldVisitor& to) : kind_(kind), to_(to) {}
  void field(const FieldInfo& info, bool& value) override { pass(info, value); }
  void field(const FieldInfo& info, std::int64_t& value) override { pass(info, value); }
  void field(const FieldInfo& info, double& value) override { pass(info, value); }
  void field(const FieldInfo& info, std::string& value) override { pass(info, value); }
  void field(const FieldInfo& info, std::optional<double>& value) override { pass(info, value); }
  void field(const FieldInfo& info, std::optional<std::int64_t>& value) override { pass(info, value); }
  void field(const FieldInfo& info, IntegerList& value) override { pass(info, value); }
  void field(const FieldInfo& info, TextList& value) override { pass(info, value); }

 private:
  template <class Value>
  void pass(const FieldInfo& info, Value& value) {
    if (has_core_key(kind_, info.key)) to_.field(info, value);
  }
  const std::string& kind_;
  FieldVisitor& to_;
};

void Config::visit_core_fields(FieldVisitor& visitor) {
  FieldsOfKind v(run.model.kind, visitor);
  std::vector<std::string_view> names;
  for (const TaskEntry& task : tasks()) names.push_back(task.name);
  v.field({.key = "task.name", .description = "what the model is trained on", .choices = names}, task_name);
  v.field({.key = "task.path", .description = "file or directory of the task's data; empty: the task's own place"}, task_path);
  run.model.visit_fields(v);
  run.init.visit_fields(v);
  run.train.visit_fields(v);
  run.probe.visit_fields(v);
  run.engine.visit_fields(v);
}

void Config::visit_fields(FieldVisitor& v) {
  visit_core_fields(v);
  task_options.visit_fields(v);
  run.cell_options.visit_fields(v);
  run.optimizer_options.visit_fields(v);
  run.kind_options.visit_fields(v);
  for (OptionsHandle& options : run.probe_options) options.visit_fields(v);
}

std::vector<std::pair<std::string, std::string>> field_texts(const Config& config) {
  std::vector<std::pair<std::string, std::string>> texts;
  Config copy = config;
  for_each_field(copy, [&](const FieldInfo& info, const auto& value) { texts.emplace_back(info.key, plain_text(value)); });
  return texts;
}

std::string canonical_text(const Config& config) {
  const auto texts = toml_texts(config), defaults = toml_texts(defaults_beside(config));
  std::string canonical;
  for (std::size_t i = 0; i < texts.size(); ++i)
    if (texts[i] != defaults.at(i) || (texts[i].first == "model.kind" && config.run.model.kind != ModelSpec().kind))
      canonical += texts[i].first + " = " + texts[i].second + "\n";
  return canonical;
}

std::string run_id(const Config& config) {
  const std::string text = canonical_text(config);
  return fmt::format("r{:016x}", XXH3_64bits(text.data(), text.size()));
}

std::vector<std::string> activation_notes(std::span<const Run> runs) {
  std::set<std::string> formulas;
  for (Config run : runs)
    for_each_field(run, [&](const FieldInfo& info, const auto& value) {
      if (!info.open_form.empty()) formulas.insert(plain_text(value));
    });
  std::vector<std::string> notes;
  for (const std::string& formula : formulas)
    if (std::string note = kinks_note(formula); !note.empty()) notes.push_back(std::move(note));
  return notes;
}

Experiment load_experiment(std::string_view text, const std::string& name, std::span<const std::string> overrides) {
  Document document = read_document(text, name);
  if (!overrides.empty()) {
    const Document written = document;
    apply_overrides(overrides, document);
    record_changes(written, document);
  }
  Experiment experiment;
  experiment.runs = resolve_grid(document);
  experiment.resolved_toml = resolved_toml(document, experiment.runs);
  if (experiment.resolved_toml.size() > kMaxExperimentBytes)
    fail_at({name}, fmt::format("with its defaults and overrides written out the experiment has {} bytes, more than the {} that can be "
                                "read back; use ranges (0..9) or split it",
                                experiment.resolved_toml.size(), kMaxExperimentBytes));
  experiment.name = document.name;
  experiment.title = document.title;
  experiment.description = document.description;
  experiment.grid_keys = axis_keys(document);
  experiment.claims = std::move(document.claims);
  experiment.changes = std::move(document.changes);
  return experiment;
}

}  // namespace vp
