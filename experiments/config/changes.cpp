#include "experiments/config/changes.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <functional>

#include "experiments/config/error.h"
#include "experiments/config/keys.h"
#include "experiments/config/resolved.h"
#include "experiments/config/visit.h"

namespace vp {

namespace {

constexpr std::string_view kBetweenBlocks = " and ";  // where the blocks of a grid differ

// 1 and 1.0 are the same number, whichever the key takes.
std::string value_text(const SettingValue& value) {
  const double* number = std::get_if<double>(&value);
  return number ? plain_text(*number) : toml_text(value);
}

std::string axis_text(const GridAxis& axis) {
  if (axis.values.size() == 1) return value_text(axis.values.front().value);
  if (is_range(axis)) return fmt::format("{}..{}", value_text(axis.values.front().value), value_text(axis.values.back().value));
  std::string text;
  for (const Setting& setting : axis.values) text += (text.empty() ? "" : ", ") + value_text(setting.value);
  return "[" + text + "]";
}

std::string setting_text(const Document& document, const std::string& key) {
  const auto setting = std::ranges::find(document.settings, key, &Setting::key);
  return setting == document.settings.end() ? default_text(key) : value_text(setting->value);
}

// What a key is set to, over all blocks of the grid.
std::string described(const Document& document, const std::string& key) {
  std::vector<std::string> texts;
  const auto add = [&](const std::string& text) {
    if (std::ranges::find(texts, text) == texts.end()) texts.push_back(text);
  };
  for (const GridBlock& block : document.grid) {
    const auto axis = std::ranges::find(block, key, &GridAxis::key);
    add(axis == block.end() ? setting_text(document, key) : axis_text(*axis));
  }
  if (document.grid.empty()) add(setting_text(document, key));
  return fmt::format("{}", fmt::join(texts, kBetweenBlocks));
}

std::vector<std::string> keys_of(const Document& written, const Document& changed) {
  std::vector<std::string> keys;
  const auto add = [&](const std::string& key) {
    if (std::ranges::find(keys, key) == keys.end()) keys.push_back(key);
  };
  for (const Document* document : {&written, &changed}) {
    for (const Setting& setting : document->settings) add(setting.key);
    for (const GridBlock& block : document->grid)
      for (const GridAxis& axis : block) add(axis.key);
  }
  return keys;
}

// How many values a text of described() stands for, in each of the blocks that differ.
std::vector<std::uint64_t> count_values(std::string_view text, const Origin& origin) {
  std::vector<std::uint64_t> counts;
  for (std::size_t start = 0; start <= text.size();) {
    const std::size_t end = std::min(text.find(kBetweenBlocks, start), text.size());
    const std::string_view part = text.substr(start, end - start);
    counts.push_back(looks_like_range(part) ? range_values("train.seed", part, origin, origin).size()
                                            : 1 + static_cast<std::uint64_t>(std::ranges::count(part, ',')));
    start = end + kBetweenBlocks.size();
  }
  return counts;
}

bool is_about_seeds_alone(const Change& change, const Origin& origin = {}) {
  if (change.key != "train.seed") return false;
  const auto now = count_values(change.value, origin), before = count_values(change.instead_of, origin);
  if (now.size() == before.size()) return std::ranges::equal(now, before, std::greater_equal());
  return std::ranges::min(now) >= std::ranges::max(before);
}

std::string text_of(const TomlSection& section, std::string_view key) {
  for (const TomlEntry& entry : section.entries) {
    const std::string* text = entry.values.size() == 1 ? std::get_if<std::string>(&entry.values.front().value) : nullptr;
    if (entry.key == key && text) return *text;
  }
  fail_at(section.origin, fmt::format("[[override]] needs {} = \"...\"", key));
}

}  // namespace

void record_changes(const Document& written, Document& document) {
  for (const std::string& key : keys_of(written, document)) {
    const std::string value = described(document, key), before = described(written, key);
    if (value == before) continue;
    const auto earlier = std::ranges::find(document.changes, key, &Change::key);
    if (earlier == document.changes.end()) {
      document.changes.push_back({key, value, before});
    } else if (earlier->instead_of == value) {
      document.changes.erase(earlier);
    } else {
      earlier->value = value;
    }
  }
}

std::vector<Change> parse_changes(std::span<const TomlSection> sections) {
  std::vector<Change> changes;
  for (const TomlSection& section : sections) {
    for (const TomlEntry& entry : section.entries)
      if (entry.key != "key" && entry.key != "value" && entry.key != "instead_of")
        fail_at(entry.origin, fmt::format("[[override]] has no key {}", shown_key(entry.key)));
    changes.push_back({text_of(section, "key"), text_of(section, "value"), text_of(section, "instead_of")});
    is_about_seeds_alone(changes.back(), section.origin);  // so that a broken range is refused here
  }
  return changes;
}

std::string changes_toml(std::span<const Change> changes) {
  std::string text;
  for (const Change& change : changes)
    text += fmt::format("\n[[override]]\nkey = {}\nvalue = {}\ninstead_of = {}\n", toml_text(change.key), toml_text(change.value),
                        toml_text(change.instead_of));
  return text;
}

std::string changes_note(std::span<const Change> changes) {
  std::string note;
  for (const Change& change : changes)
    if (!is_about_seeds_alone(change))
      note += fmt::format("{}{} = {} instead of {}", note.empty() ? "changed on the command line: " : ", ", shortened(change.key),
                          shortened(change.value), shortened(change.instead_of));
  return note;
}

}  // namespace vp
