#include "experiments/config/document.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <system_error>
#include <unordered_set>

#include "experiments/config/changes.h"
#include "experiments/config/claim_config.h"
#include "experiments/config/error.h"
#include "experiments/config/keys.h"
#include "experiments/config/toml.h"
#include "experiments/config/visit.h"
#include "models/base/suggest.h"

namespace vp {

namespace {

const std::vector<std::string>& setting_sections() {
  static const std::vector<std::string> names = {"task", "model", "init", "train", "probe", "run"};
  return names;
}

bool is_setting_section(const std::string& name) {
  for (const std::string& section : setting_sections())
    if (section == name) return true;
  return false;
}

// A list as the one value of a key that takes lists.
Setting list_setting(const std::string& key, const TomlEntry& entry) {
  IntegerList integers;
  TextList texts;
  const bool takes_text = is_text_list_key(key);
  for (const TomlValue& element : entry.values) {
    const auto* integer = std::get_if<std::int64_t>(&element.value);
    const auto* text = takes_text ? std::get_if<std::string>(&element.value) : nullptr;
    if (!integer && !text)
      fail_at(element.origin,
              fmt::format("{}: expected {} in the list, got {}", key, takes_text ? "texts" : "integers", shown(element.value)));
    texts.push_back(text ? *text : plain_text(*integer));
    if (integer) integers.push_back(*integer);
  }
  return {key, takes_text ? SettingValue(texts) : SettingValue(integers), entry.origin, entry.value_origin};
}

// Where one value belongs.
Setting setting(const std::string& key, const TomlEntry& entry) {
  if (entry.form == TomlEntry::Form::kList && is_list_key(key)) return list_setting(key, entry);
  if (entry.form == TomlEntry::Form::kList)
    fail_at(entry.value_origin, shown_key(key) + ": one value belongs here, not a list; a list of values to try belongs in [grid]");
  return {key, entry.values.front().value, entry.origin, entry.values.front().origin};
}

void read_settings(const TomlSection& section, Document& document) {
  if (section.repeated) fail_at(section.origin, fmt::format("[[{0}]]: this section stands once: write [{0}]", section.name));
  for (const TomlEntry& entry : section.entries) {
    const std::string key = section.name + "." + entry.key;
    if (entry.form == TomlEntry::Form::kEmptyTable) {
      if (!is_key_prefix(key)) fail_unknown_key(key, entry.origin);
      continue;  // a header whose lines are all commented out
    }
    if (!is_known_key(key)) fail_unknown_key(key, entry.origin);
    for (const Setting& earlier : document.settings)
      if (earlier.key == key)
        fail_at(entry.origin, fmt::format("{} stands here a second time, first at {}", shown_key(key), earlier.key_origin.place));
    document.settings.push_back(setting(key, entry));
  }
}

GridAxis read_axis(const TomlEntry& entry) {
  GridAxis axis{entry.key, {}, entry.origin};
  if (entry.form == TomlEntry::Form::kList) {
    for (const TomlValue& v : entry.values) axis.values.push_back({entry.key, v.value, entry.origin, v.origin});
  } else {
    const std::string* text = entry.values.empty() ? nullptr : std::get_if<std::string>(&entry.values.front().value);
    if (!text || !looks_like_range(*text) || !is_integer_key(entry.key)) {
      fail_at(entry.value_origin,
              shown_key(entry.key) + ": an axis of the grid is a list, as in [1, 2], or for integers a range, as in \"0..9\"");
    }
    axis.values = range_values(entry.key, *text, entry.origin, entry.value_origin);
  }
  if (axis.values.empty())
    fail_at(entry.value_origin, shown_key(entry.key) + ": an axis of the grid needs at least one value, the list is empty");
  check_axis(axis);
  return axis;
}

void read_grid(const TomlSection& section, Document& document) {
  GridBlock block;
  for (const TomlEntry& entry : section.entries) {
    if (!is_known_key(entry.key)) fail_unknown_key(entry.key, entry.origin);
    for (const GridAxis& earlier : block)
      if (earlier.key == entry.key)
        fail_at(entry.origin, fmt::format("{} stands here a second time, first at {}", shown_key(entry.key), earlier.origin.place));
    block.push_back(read_axis(entry));
  }
  document.grid.push_back(std::move(block));
}

// A base value that every block of the grid varies would be accepted and never used.
void check_shadowed(const Document& document) {
  if (document.grid.empty()) return;
  for (const Setting& setting : document.settings) {
    const GridAxis* shadow = nullptr;
    bool all = true;
    for (const GridBlock& block : document.grid) {
      const GridAxis* here = nullptr;
      for (const GridAxis& axis : block)
        if (axis.key == setting.key) here = &axis;
      all = all && here;
      if (here) shadow = here;
    }
    if (all)
      fail_at(setting.key_origin, fmt::format("{} is also an axis of the grid ({}): this value would never be used", shown_key(setting.key),
                                              shadow->origin.place));
  }
}

void read_top_entry(const TomlEntry& entry, Document& document) {
  const std::array<std::pair<const char*, std::string*>, 3> texts = {
      {{"name", &document.name}, {"title", &document.title}, {"description", &document.description}}};
  for (const auto& [key, text] : texts) {
    if (entry.key != key) continue;
    const std::string* value = entry.form == TomlEntry::Form::kScalar ? std::get_if<std::string>(&entry.values.front().value) : nullptr;
    if (!value) fail_at(entry.value_origin, fmt::format("{}: expected text in quotes", key));
    *text = *value;
    return;
  }
  if (entry.key == "grid" || is_setting_section(entry.key))
    fail_at(entry.origin, fmt::format("{0} is a section: write [{0}] on a line of its own", entry.key));
  if (entry.key == "claim") fail_at(entry.origin, "claim is a section: write [[claim]] on a line of its own");
  fail_unknown_key(entry.key, entry.origin);
}

[[noreturn]] void fail_section(const TomlSection& section) {
  if (section.name == "name" || section.name == "title" || section.name == "description")
    fail_at(section.origin, fmt::format("{0} is text, not a section: write {0} = \"...\"", section.name));
  std::vector<std::string> known = setting_sections();
  known.insert(known.end(), {"grid", "claim"});
  const std::string_view name = std::string_view(section.name).substr(0, kMaxSuggestedBytes);
  fail_at(section.origin, fmt::format("unknown section [{}]{}", shown_key(section.name), suggestion(name, known)));
}

void check_name(const TomlSection& top, const Document& document) {
  Origin origin{document.file};
  bool given = false;
  for (const TomlEntry& entry : top.entries) {
    if (entry.key != "name") continue;
    given = true;
    origin = entry.value_origin;
  }
  if (!given) fail_at(origin, "name is missing: write name = \"...\", it names the results directory");
  const std::string& name = document.name;
  const bool legal = !name.empty() && name.size() <= 64 && name.front() != '_' && name.front() != '-' &&
                     name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_-") == std::string::npos;
  if (!legal)
    fail_at(origin, fmt::format("name: expected 1 to 64 of a-z, 0-9, _ and -, a letter or digit first, got {}", shown(SettingValue(name))));
}

void check_grid(const std::vector<TomlSection>& sections, const Document& document) {
  if (document.grid.size() == 1 && document.grid.front().empty())
    for (const TomlSection& section : sections)
      if (section.name == "grid")
        fail_at(section.origin, "[grid] is empty: give it an axis, as in train.seed = [0, 1, 2], or take the header out");
  check_shadowed(document);
}

}  // namespace

Document read_document(std::string_view text, const std::string& file) {
  const std::vector<TomlSection> sections = read_toml(text, file);
  Document document;
  document.file = file;
  std::vector<TomlSection> claims, overrides;
  for (const TomlEntry& entry : sections.front().entries) read_top_entry(entry, document);
  check_name(sections.front(), document);
  for (std::size_t i = 1; i < sections.size(); ++i) {
    const TomlSection& section = sections[i];
    if (section.name == "grid") {
      read_grid(section, document);
    } else if (section.name == "claim") {
      claims.push_back(section);
    } else if (section.name == "override" && section.repeated) {
      overrides.push_back(section);
    } else if (is_setting_section(section.name)) {
      read_settings(section, document);
    } else {
      fail_section(section);
    }
  }
  check_grid(sections, document);
  document.claims = parse_claims(claims);
  document.changes = parse_changes(overrides);
  return document;
}

void check_axis(const GridAxis& axis) {
  const auto kind = [](const SettingValue& v) { return v.index() == 2 ? 1 : v.index() == 5 ? 4 : v.index(); };  // numbers mix, lists mix
  static constexpr const char* kKinds[] = {"a boolean", "a number", "a number", "text", "a list", "a list"};
  std::unordered_set<std::string> seen;
  for (const Setting& setting : axis.values) {
    const SettingValue& first = axis.values.front().value;
    if (kind(setting.value) != kind(first))
      fail_at(setting.value_origin,
              fmt::format("{}: the values of an axis are of one kind, and {} is {} where {} is {}", shown_key(axis.key),
                          shown(setting.value), kKinds[setting.value.index()], shown(first), kKinds[first.index()]));
    if (!seen.insert(toml_text(setting.value)).second)
      fail_at(setting.value_origin, fmt::format("{}: {} stands twice on this axis", shown_key(axis.key), shown(setting.value)));
  }
}

bool looks_like_range(std::string_view text) {
  const std::size_t dots = text.find("..");
  if (dots == std::string_view::npos) return false;
  const auto is_integer = [](std::string_view part) {
    if (part.starts_with('-')) part.remove_prefix(1);
    return !part.empty() && part.find_first_not_of("0123456789") == std::string_view::npos;
  };
  return is_integer(text.substr(0, dots)) && is_integer(text.substr(dots + 2));
}

std::vector<Setting> range_values(const std::string& key, std::string_view text, const Origin& key_origin, const Origin& origin) {
  const std::size_t dots = text.find("..");
  const auto bound = [&](std::string_view part) {
    std::int64_t value = 0;
    if (std::from_chars(part.data(), part.data() + part.size(), value).ec != std::errc())
      fail_at(origin, fmt::format("{}: {} is beyond the integers of 64 bits", shown_key(key), shown(SettingValue(std::string(part)))));
    return value;
  };
  const std::int64_t first = bound(text.substr(0, dots)), last = bound(text.substr(dots + 2));
  if (last < first)
    fail_at(origin, fmt::format("{}: the range {} runs backwards; did you mean {}..{}?", shown_key(key), text, last, first));
  const std::uint64_t steps = static_cast<std::uint64_t>(last) - static_cast<std::uint64_t>(first);
  if (steps >= kMaxGridPoints)
    fail_at(origin, fmt::format("{}: the range {} has more than {} values", shown_key(key), text, kMaxGridPoints));
  std::vector<Setting> values;
  for (std::int64_t i = 0; i <= static_cast<std::int64_t>(steps); ++i) values.push_back({key, SettingValue(first + i), key_origin, origin});
  return values;
}

}  // namespace vp
