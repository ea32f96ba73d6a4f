#include "experiments/config/overrides.h"

#include <fmt/format.h>

#include <algorithm>

#include "experiments/config/error.h"
#include "experiments/config/keys.h"
#include "experiments/config/toml.h"
#include "experiments/config/visit.h"

namespace vp {

namespace {

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// Where the text in quotes that starts at `at` ends (one past it); npos if it does not.
std::size_t after_quotes(std::string_view text, std::size_t at) {
  const char quote = text[at];
  for (std::size_t i = at + 1; i < text.size(); ++i) {
    if (text[i] == '\\' && quote == '"') {
      ++i;
    } else if (text[i] == quote) {
      return i + 1;
    }
  }
  return std::string_view::npos;
}

// Splits at commas that stand outside of quotes and brackets. Quotes count at the start of a value only: `it's` is a word.
std::vector<std::string_view> split_values(std::string_view text, const Origin& origin) {
  std::vector<std::string_view> values;
  std::size_t start = 0;
  int depth = 0;
  for (std::size_t i = 0; i <= text.size(); ++i) {
    const bool at_start = trimmed(text.substr(start, i - start)).empty();
    if (i < text.size() && at_start && (text[i] == '"' || text[i] == '\'')) {
      i = after_quotes(text, i);
      if (i == std::string_view::npos) fail_at(origin, "the quotes are not closed");
    }
    if (i == text.size() || (text[i] == ',' && depth == 0)) {
      values.push_back(trimmed(text.substr(start, i - start)));
      start = i + 1;
      continue;
    }
    if (text[i] == '[' || text[i] == '(' || text[i] == '{') ++depth;
    if ((text[i] == ']' || text[i] == ')' || text[i] == '}') && --depth < 0) break;
  }
  if (depth != 0) fail_at(origin, "the brackets do not match; put the value in quotes if they belong to it");
  return values;
}

// A boolean, a number or text in quotes as TOML reads it; a bare word is text.
SettingValue parse_value(std::string_view text, const Origin& origin) {
  if (text.empty()) fail_at(origin, "a value is missing; expected key=value or key=a,b,c");
  if (const auto value = parse_toml_scalar(text)) return *value;
  if (text.front() == '"' || text.front() == '\'')
    fail_at(origin, "this is not a text in quotes: " + shown(SettingValue(std::string(text))));
  if (!parse_toml_scalar(toml_text(text))) fail_at(origin, "the value is not UTF-8 text");
  return std::string(text);
}

// "[x, y]": bare words are texts.
TextList parse_texts(std::string_view text, const Origin& origin) {
  TextList list;
  for (const std::string_view element : split_values(text.substr(1, text.size() - 2), origin)) {
    const SettingValue value = parse_value(element, origin);
    const auto* word = std::get_if<std::string>(&value);
    list.push_back(word ? *word : std::string(element));
  }
  return list;
}

SettingValue value_of(const std::string& key, std::string_view text, const Origin& origin) {
  if (is_list_key(key))
    if (const auto list = parse_toml_list(text)) return *list;
  if (is_text_list_key(key) && text.starts_with('[') && text.ends_with(']')) return parse_texts(text, origin);
  return parse_value(text, origin);
}

struct Override {
  std::string key;
  bool is_axis = false;
  std::vector<Setting> values;
  Origin origin;
};

Override parse_override(const std::string& argument) {
  Override result;
  const SettingValue whole = argument;
  const std::string in_quotes = shown(whole);  // control characters escaped
  result.origin = {"command line: " + in_quotes.substr(1, in_quotes.size() - (in_quotes.ends_with('"') ? 2 : 1))};
  const std::size_t equals = argument.find('=');
  if (equals == std::string::npos) fail_at(result.origin, "expected key=value or key=a,b,c");
  result.key = trimmed(std::string_view(argument).substr(0, equals));
  if (!is_known_key(result.key)) fail_unknown_key(result.key, result.origin);
  const std::string_view text = trimmed(std::string_view(argument).substr(equals + 1));
  if (looks_like_range(text) && is_integer_key(result.key)) {
    result.is_axis = true;
    result.values = range_values(result.key, text, result.origin, result.origin);
    return result;
  }
  for (const std::string_view value : split_values(text, result.origin))
    result.values.push_back({result.key, value_of(result.key, value, result.origin), result.origin, result.origin});
  result.is_axis = result.values.size() > 1;
  return result;
}

void set_value(const Setting& setting, Document& document) {
  for (GridBlock& block : document.grid) std::erase_if(block, [&](const GridAxis& axis) { return axis.key == setting.key; });
  const auto same_key = [&](const Setting& s) { return s.key == setting.key; };
  const auto found = std::find_if(document.settings.begin(), document.settings.end(), same_key);
  if (found == document.settings.end()) {
    document.settings.push_back(setting);
  } else {
    *found = setting;
  }
}

void set_axis(const GridAxis& axis, Document& document) {
  bool replaced = false;
  for (GridBlock& block : document.grid) {
    for (GridAxis& old : block) {
      if (old.key != axis.key) continue;
      old = axis;
      replaced = true;
    }
  }
  if (replaced) return;
  if (document.grid.empty()) document.grid.emplace_back();
  for (GridBlock& block : document.grid) block.push_back(axis);
}

}  // namespace

void apply_overrides(std::span<const std::string> overrides, Document& document) {
  for (const std::string& argument : overrides) {
    const Override change = parse_override(argument);
    if (change.is_axis) {
      const GridAxis axis{change.key, change.values, change.origin};
      check_axis(axis);
      set_axis(axis, document);
    } else {
      set_value(change.values.front(), document);
    }
  }
  if (document.grid.size() == 1 && document.grid.front().empty()) document.grid.clear();
}

}  // namespace vp
