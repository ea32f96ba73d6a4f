#include "experiments/config/toml.h"

#include <fmt/format.h>
#include <toml++/toml.h>

#include <algorithm>
#include <utility>

#include "experiments/config/error.h"
#include "experiments/config/visit.h"

namespace vp {

namespace {

// The deepest key that means something has three parts. The library builds one nested table per part and frees them by recursion: a key of
// 100,000 parts overflows the stack (toml++ 3.3 limits nested values only, to 256; with this limit no tree is deeper than 17 * 8).
constexpr int kMaxKeyParts = 8;
constexpr int kMaxNestedValues = 16;

Origin origin_at(const std::string& name, std::size_t line, std::size_t column) { return {fmt::format("{}:{}:{}", name, line, column)}; }

// Walks over TOML text outside of strings and comments, and counts brackets and the parts of dotted keys.
class NestingScanner {
 public:
  NestingScanner(std::string_view text, const std::string& name) : text_(text), name_(name) {}

  void run() {
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == '#') {
        skip_comment();
      } else if (c == '"' || c == '\'') {
        skip_string(c);
      } else {
        count(c);
        ++at_;
      }
    }
  }

 private:
  void count(char c) {
    if (c == '.' && ++dots_ >= kMaxKeyParts) refuse(fmt::format("a key of more than {} parts", kMaxKeyParts));
    if (c == '=' || c == ',' || c == '\n' || c == '[' || c == '{') dots_ = 0;
    if (c == '[' || c == '{') ++depth_;
    if (c == ']' || c == '}') --depth_;
    if (depth_ > kMaxNestedValues) refuse(fmt::format("more than {} values inside each other", kMaxNestedValues));
  }

  void skip_comment() {
    while (at_ < text_.size() && text_[at_] != '\n') ++at_;
  }

  // On text that is not valid TOML this may lose its place; the parser stops there, before it can nest any deeper.
  void skip_string(char quote) {
    const std::string fence(3, quote);
    const bool is_long = text_.substr(at_, 3) == fence;
    at_ += is_long ? 3 : 1;
    while (at_ < text_.size()) {
      if (text_[at_] == '\\' && quote == '"') {
        at_ += 2;
      } else if (is_long ? text_.substr(at_, 3) == fence : text_[at_] == quote || text_[at_] == '\n') {
        at_ += is_long ? 3 : 1;
        while (is_long && at_ < text_.size() && text_[at_] == quote) ++at_;  // """a"" ends in quotes of its own
        return;
      } else {
        ++at_;
      }
    }
  }

  [[noreturn]] void refuse(const std::string& what) const {
    const std::string_view before = text_.substr(0, at_);
    const std::size_t line = 1 + static_cast<std::size_t>(std::count(before.begin(), before.end(), '\n'));
    const std::size_t start = before.rfind('\n') == std::string_view::npos ? 0 : before.rfind('\n') + 1;
    fail_at(origin_at(name_, line, before.size() - start + 1), what + "; nothing in an experiment file is nested so deep");
  }

  std::string_view text_;
  const std::string& name_;
  std::size_t at_ = 0;
  int dots_ = 0;
  int depth_ = 0;
};

// A list of integers, or, if there is a text among them, of texts.
std::optional<SettingValue> list_of(const toml::array& list) {
  IntegerList integers;
  TextList texts;
  for (const toml::node& element : list) {
    const auto* integer = element.as_integer();
    const auto* text = element.as_string();
    if (!integer && !text) return std::nullopt;
    texts.push_back(text ? text->get() : plain_text(integer->get()));
    if (integer) integers.push_back(integer->get());
  }
  return integers.size() == list.size() ? SettingValue(integers) : SettingValue(texts);
}

using Position = std::pair<std::size_t, std::size_t>;  // line, column

class Reader {
 public:
  explicit Reader(const std::string& name) : name_(name) {}

  std::vector<TomlSection> sections(const toml::table& root) {
    std::vector<std::pair<Position, TomlSection>> found;
    TomlSection top{"", false, {name_}, {}};
    std::vector<std::pair<Position, TomlEntry>> top_entries;
    for (const auto& [key, node] : root) {
      if (node.is_table()) {
        found.push_back({position(node), section(key, *node.as_table(), false)});
      } else if (node.is_array_of_tables()) {
        for (const toml::node& table : *node.as_array()) found.push_back({position(table), section(key, *table.as_table(), true)});
      } else {
        top_entries.push_back({position(key), entry(std::string(key.str()), key, node)});
      }
    }
    top.entries = in_source_order(std::move(top_entries));
    std::vector<TomlSection> sections = in_source_order(std::move(found));
    sections.insert(sections.begin(), std::move(top));
    return sections;
  }

 private:
  static Position position(const toml::node& node) { return {node.source().begin.line, node.source().begin.column}; }
  static Position position(const toml::key& key) { return {key.source().begin.line, key.source().begin.column}; }
  Origin origin(Position p) const { return origin_at(name_, p.first, p.second); }

  // The library iterates tables in alphabetical order.
  template <class T>
  static std::vector<T> in_source_order(std::vector<std::pair<Position, T>> items) {
    std::stable_sort(items.begin(), items.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    std::vector<T> sorted;
    for (auto& item : items) sorted.push_back(std::move(item.second));
    return sorted;
  }

  TomlSection section(const toml::key& key, const toml::table& table, bool repeated) const {
    std::vector<std::pair<Position, TomlEntry>> entries;
    flatten("", table, entries);
    return {std::string(key.str()), repeated, origin(position(table)), in_source_order(std::move(entries))};
  }

  void flatten(const std::string& prefix, const toml::table& table, std::vector<std::pair<Position, TomlEntry>>& entries) const {
    for (const auto& [key, node] : table) {
      const std::string name = prefix + std::string(key.str());
      const toml::table* inner = node.as_table();
      if (inner && !inner->empty()) {
        flatten(name + ".", *inner, entries);
      } else {
        entries.push_back({position(key), entry(name, key, node)});
      }
    }
  }

  TomlEntry entry(const std::string& name, const toml::key& key, const toml::node& node) const {
    TomlEntry entry{name, origin(position(key)), origin(position(node)), TomlEntry::Form::kScalar, {}};
    if (node.is_table()) {
      entry.form = TomlEntry::Form::kEmptyTable;
    } else if (const toml::array* list = node.as_array()) {
      entry.form = TomlEntry::Form::kList;
      for (const toml::node& element : *list) entry.values.push_back(value(name, element));
    } else {
      entry.values.push_back(value(name, node));
    }
    return entry;
  }

  TomlValue value(const std::string& key, const toml::node& node) const {
    const Origin here = origin(position(node));
    if (const auto* v = node.as_boolean()) return {SettingValue(v->get()), here};
    if (const auto* v = node.as_integer()) return {SettingValue(v->get()), here};
    if (const auto* v = node.as_floating_point()) return {SettingValue(v->get()), here};
    if (const auto* v = node.as_string()) return {SettingValue(v->get()), here};
    if (const toml::array* list = node.as_array())
      if (const auto values = list_of(*list)) return {*values, here};
    if (node.is_table() || node.is_array())
      fail_at(here, shown_key(key) + ": lists hold plain values or lists of integers or texts, no other lists and no tables");
    fail_at(here, shown_key(key) + ": dates and times have no meaning here; put text in quotes");
  }

  const std::string& name_;
};

[[noreturn]] void fail_parse(const toml::parse_error& error, const std::string& name) {
  std::string reason(error.description());
  const std::string_view prefix = "Error while parsing ";
  if (reason.starts_with(prefix)) reason = "in the " + reason.substr(prefix.size());
  const auto& begin = error.source().begin;
  fail_at(origin_at(name, begin.line, begin.column), "this is not valid TOML: " + reason);
}

}  // namespace

std::vector<TomlSection> read_toml(std::string_view text, const std::string& name) {
  if (text.size() > kMaxExperimentBytes)
    fail_at({name}, fmt::format("{} bytes; an experiment file holds at most {}", text.size(), kMaxExperimentBytes));
  NestingScanner(text, name).run();
  try {
    return Reader(name).sections(toml::parse(text, std::string_view(name)));
  } catch (const toml::parse_error& error) {
    fail_parse(error, name);
  }
}

std::optional<SettingValue> parse_toml_scalar(std::string_view text) {
  const bool quoted = text.starts_with('"') || text.starts_with('\'');
  if (text.find_first_of(quoted ? "\r\n" : "\r\n[]{}") != std::string_view::npos) return std::nullopt;
  try {
    // An inline table allows neither comments nor a second line, so that all of the text has to be the value.
    const toml::table root = toml::parse("t = { v = " + std::string(text) + " }", std::string_view());
    const toml::table* table = root.get_as<toml::table>("t");
    const toml::node* node = table ? table->get("v") : nullptr;
    if (!node || table->size() != 1) return std::nullopt;
    if (const auto* v = node->as_boolean()) return v->get();
    if (const auto* v = node->as_integer()) return v->get();
    if (const auto* v = node->as_floating_point()) return v->get();
    if (const auto* v = node->as_string()) return v->get();
  } catch (const toml::parse_error&) {
  }
  return std::nullopt;
}

std::optional<SettingValue> parse_toml_list(std::string_view text) {
  if (!text.starts_with('[') || text.find_first_of("\r\n") != std::string_view::npos) return std::nullopt;
  try {
    const toml::table root = toml::parse("t = { v = " + std::string(text) + " }", std::string_view());
    const toml::table* table = root.get_as<toml::table>("t");
    const toml::array* list = table ? table->get_as<toml::array>("v") : nullptr;
    if (list && table->size() == 1) return list_of(*list);
  } catch (const toml::parse_error&) {
  }
  return std::nullopt;
}

}  // namespace vp
