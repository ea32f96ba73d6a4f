#include "experiments/config/keys.h"

#include <algorithm>

#include "experiments/config/config.h"
#include "experiments/config/error.h"
#include "experiments/config/synonyms.h"
#include "experiments/config/visit.h"
#include "experiments/tasks/task.h"
#include "models/base/suggest.h"
#include "models/cells/cell_list.h"
#include "models/model_kinds.h"
#include "models/optimizers/optimizers.h"
#include "models/probes/probe_list.h"

namespace vp {

namespace {

std::string choices_text(const FieldInfo& info) {
  std::string text;
  for (const std::string_view choice : info.choices) text += (text.empty() ? " (" : ", ") + std::string(choice);
  if (!info.open_form.empty()) text += " or " + std::string(info.open_form);
  return text.empty() ? text : text + ")";
}

template <class Visitable>
void add_help(Visitable& fields, const std::string& owner, std::vector<FieldHelp>& help) {
  for_each_field(fields, [&](const FieldInfo& info, const auto& value) {
    help.push_back({std::string(info.key), type_name(value), plain_text(value), std::string(info.description) + choices_text(info), owner});
  });
}

template <class Entries>
void add_options(const Entries& entries, const std::string& kind, std::vector<FieldHelp>& help) {
  for (const auto& entry : entries) {
    const std::unique_ptr<Options> options = entry.make_options();
    add_help(*options, kind + " " + std::string(entry.name), help);
  }
}

const std::vector<FieldHelp>& known_fields() {
  static const std::vector<FieldHelp> fields = all_fields();
  return fields;
}

bool has_type(std::string_view key, std::string_view type) {
  return std::ranges::any_of(known_fields(), [&](const FieldHelp& field) { return field.key == key && field.type == type; });
}

std::string last_part(std::string_view key) { return std::string(key.substr(key.rfind('.') + 1)); }

std::string synonym_text(const KeySynonyms& synonym) {
  if (synonym.key.empty()) return "; " + std::string(synonym.remark);
  return "; did you mean " + std::string(synonym.key) + (synonym.remark.empty() ? "?" : "? (" + std::string(synonym.remark) + ")");
}

// The keys of the same section if there is such a section, else all of them.
std::vector<std::string> candidates(std::string_view key) {
  std::vector<std::string> all, same_section;
  const std::string_view section = key.substr(0, key.find('.') + 1);
  for (const FieldHelp& field : known_fields()) {
    if (std::find(all.begin(), all.end(), field.key) != all.end()) continue;
    all.push_back(field.key);
    if (!section.empty() && field.key.starts_with(section)) same_section.push_back(field.key);
  }
  return same_section.empty() ? all : same_section;
}

}  // namespace

std::vector<FieldHelp> all_fields() {
  std::vector<FieldHelp> help;
  Config core;
  CoreFields fields{core};
  add_help(fields, "", help);
  for (const ModelKind& kind : model_kinds()) {  // core keys that the default kind does not have
    Config other;
    other.run.model.kind = kind.name;
    CoreFields more{other};
    std::vector<FieldHelp> all;
    add_help(more, "", all);
    for (FieldHelp& field : all)
      if (std::ranges::find(help, field.key, &FieldHelp::key) == help.end()) help.push_back(std::move(field));
  }
  add_options(model_kinds(), "kind", help);
  add_options(tasks(), "task", help);
  add_options(cells(), "cell", help);
  add_options(optimizers(), "optimizer", help);
  add_options(probes(), "probe", help);
  return help;
}

bool is_known_key(std::string_view key) {
  return std::any_of(known_fields().begin(), known_fields().end(), [&](const FieldHelp& field) { return field.key == key; });
}

bool is_integer_key(std::string_view key) { return has_type(key, "integer"); }
bool is_text_list_key(std::string_view key) { return has_type(key, "strings"); }
bool is_list_key(std::string_view key) { return has_type(key, "integers") || is_text_list_key(key); }

std::string default_text(std::string_view key) {
  std::string text;
  for (const FieldHelp& field : known_fields()) {
    if (field.key != key) continue;
    const std::string own = field.type == "string" ? toml_text(field.default_text) : field.default_text;
    if (own.empty() || (!text.empty() && own != text)) return "unset";
    text = own;
  }
  return text.empty() ? "unset" : text;
}

bool is_key_prefix(std::string_view prefix) {
  const std::string start = std::string(prefix) + ".";
  return std::any_of(known_fields().begin(), known_fields().end(), [&](const FieldHelp& field) { return field.key.starts_with(start); });
}

void fail_unknown_key(std::string_view key, const Origin& origin) {
  const std::string_view word = key.substr(0, kMaxSuggestedBytes);
  const std::string message = "there is no key " + shown_key(key);
  std::vector<std::string> same_name;
  for (const FieldHelp& field : known_fields())
    if (last_part(field.key) == last_part(word) && std::find(same_name.begin(), same_name.end(), field.key) == same_name.end())
      same_name.push_back(field.key);
  if (same_name.empty()) {
    if (const KeySynonyms* synonym = find_synonym(last_part(word))) fail_at(origin, message + synonym_text(*synonym));
    fail_at(origin, message + suggestion(word, candidates(word)));
  }
  std::string list;
  for (std::size_t i = 0; i < same_name.size(); ++i) list += (i == 0 ? "" : i + 1 == same_name.size() ? " or " : ", ") + same_name[i];
  fail_at(origin, message + "; did you mean " + list + "?");
}

}  // namespace vp
