#include "experiments/config/resolved.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "experiments/config/changes.h"
#include "experiments/config/claim_config.h"
#include "experiments/config/keys.h"
#include "experiments/config/visit.h"

namespace vp {

namespace {

using Lines = std::vector<std::pair<std::string, std::string>>;  // key, TOML text

constexpr std::size_t kShortestRange = 9;

// Every field but those that have no text: an optional that is unset, a choice that is inherited.
Lines written_fields(Config& config) {
  Lines lines;
  for_each_field(config, [&](const FieldInfo& info, const auto& value) {
    const std::string text = toml_text(value);
    if (!text.empty() && (info.choices.empty() || text != "\"\"")) lines.emplace_back(info.key, text);
  });
  return lines;
}

// How many blocks of the grid have the key as an axis.
std::size_t count_axes(const Document& document, const std::string& key) {
  std::size_t count = 0;
  for (const GridBlock& block : document.grid)
    count += std::any_of(block.begin(), block.end(), [&](const GridAxis& axis) { return axis.key == key; });
  return count;
}

// Keys that are on no axis and have one value in all runs. Apart from the axes, runs differ in the options of what they chose and those
// options' defaults, so one run for each choice tells.
Lines common_fields(const Document& document, std::span<const Run> runs) {
  Lines common;
  std::set<std::string> seen;
  for (const Config& run : runs) {
    if (!seen.insert(run.task_name + ' ' + run.run.model.kind + ' ' + run.run.model.cell + ' ' + run.run.train.optimizer).second) continue;
    Config copy = run;
    const Lines lines = written_fields(copy);
    if (seen.size() == 1) common = lines;
    std::erase_if(common, [&](const auto& line) { return std::find(lines.begin(), lines.end(), line) == lines.end(); });
  }
  std::erase_if(common, [&](const auto& line) { return count_axes(document, line.first) > 0; });
  return common;
}

// A key that some blocks vary: the others take it from its section, if it stands there.
void add_partly_varied(const Document& document, Lines& lines) {
  for (const Setting& setting : document.settings) {
    const std::size_t count = count_axes(document, setting.key);
    if (count > 0 && count < document.grid.size()) lines.emplace_back(setting.key, toml_text(setting.value));
  }
}

std::string sections_toml(const Lines& lines) {
  std::string text;
  for (const char* section : {"task", "model", "init", "train", "probe", "run"}) {
    const std::string prefix = std::string(section) + ".";
    std::string body;
    for (const auto& [key, value] : lines)
      if (key.starts_with(prefix)) body += fmt::format("{} = {}\n", key.substr(prefix.size()), value);
    if (!body.empty()) text += fmt::format("\n[{}]\n{}", section, body);
  }
  return text;
}

std::string axis_toml(const GridAxis& axis) {
  if (is_range(axis))
    return fmt::format("{} = \"{}..{}\"\n", axis.key, toml_text(axis.values.front().value), toml_text(axis.values.back().value));
  std::string values;
  for (const Setting& setting : axis.values) values += (values.empty() ? "" : ", ") + toml_text(setting.value);
  return fmt::format("{} = [{}]\n", axis.key, values);
}

std::string grid_toml(const Document& document) {
  std::string text;
  for (const GridBlock& block : document.grid) {
    text += document.grid.size() == 1 ? "\n[grid]\n" : "\n[[grid]]\n";
    for (const GridAxis& axis : block) text += axis_toml(axis);
  }
  return text;
}

}  // namespace

bool is_range(const GridAxis& axis) {
  if (axis.values.size() < kShortestRange || !is_integer_key(axis.key)) return false;
  const std::int64_t* first = std::get_if<std::int64_t>(&axis.values.front().value);
  for (std::size_t i = 1; i < axis.values.size(); ++i) {
    const std::int64_t* value = std::get_if<std::int64_t>(&axis.values[i].value);
    if (!first || !value || *value != *first + static_cast<std::int64_t>(i)) return false;
  }
  return true;
}

std::string resolved_toml(const Document& document, std::span<const Run> runs) {
  std::string text = "# The experiment after overrides, defaults written out. `vpoint run` with this file makes the same runs.\n";
  text += fmt::format("name = {}\n", toml_text(document.name));
  if (!document.title.empty()) text += fmt::format("title = {}\n", toml_text(document.title));
  if (!document.description.empty()) text += fmt::format("description = {}\n", toml_text(document.description));
  Lines lines = common_fields(document, runs);
  add_partly_varied(document, lines);
  text += sections_toml(lines);
  text += grid_toml(document);
  for (const Claim& claim : document.claims) text += "\n" + claim_toml(claim);
  text += changes_toml(document.changes);
  return text;
}

}  // namespace vp
