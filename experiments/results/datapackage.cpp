#include <nlohmann/json.hpp>

#include "experiments/results/tables.h"

namespace vp {
namespace {

using Json = nlohmann::ordered_json;

// What identifies a row.
std::vector<std::string> keys_of(std::string_view table) {
  std::vector<std::string> keys;
  for (const ColumnInfo& column : table_columns(table))
    if (column.name == "run_id" || column.is_key) keys.push_back(column.name);
  return keys;
}

Json field(const std::string& name, const std::string& type, const std::string& unit, const std::string& description) {
  Json field = {{"name", name}, {"type", type}};
  if (!unit.empty()) field["unit"] = unit;
  field["description"] = description;
  return field;
}

Json fields_of(std::string_view table, std::span<const KeyColumn> keys, bool mixed) {
  Json fields = Json::array();
  const auto add = [&](const ColumnInfo& c) { fields.push_back(field(c.name, c.type, c.unit, c.description)); };
  const bool runs = table == "runs";
  add(table_columns(table).front());
  if (runs)
    for (const KeyColumn& key : keys) fields.push_back(field(key.key, key.type, "", key.description));
  if (runs && mixed)
    for (const ColumnInfo& column : provenance_columns()) add(column);
  for (const ColumnInfo& column : bundle_columns(table)) add(column);
  return fields;
}

Json schema_of(std::string_view table, std::span<const KeyColumn> keys, bool mixed) {
  Json schema = {{"fields", fields_of(table, keys, mixed)}, {"missingValues", Json::array({""})}, {"primaryKey", keys_of(table)}};
  const bool belongs_to_run = table != "runs" && table != "claims";
  if (belongs_to_run)
    schema["foreignKeys"] = Json::array({{{"fields", "run_id"}, {"reference", {{"resource", "runs"}, {"fields", "run_id"}}}}});
  return schema;
}

Json resource(std::string_view table, std::span<const KeyColumn> keys, bool mixed) {
  return {{"profile", "tabular-data-resource"},
          {"name", table},
          {"path", std::string(table) + ".csv"},
          {"format", "csv"},
          {"mediatype", "text/csv"},
          {"encoding", "utf-8"},
          {"dialect", {{"delimiter", ","}, {"lineTerminator", "\n"}, {"quoteChar", "\""}, {"doubleQuote", true}, {"header", true}}},
          {"schema", schema_of(table, keys, mixed)}};
}

}  // namespace

std::string data_package(const Experiment& experiment, bool mixed) {
  const std::vector<KeyColumn> keys = key_columns(experiment);
  Json package = {{"profile", "tabular-data-package"}, {"name", experiment.name}};
  if (!experiment.title.empty()) package["title"] = experiment.title;
  if (!experiment.description.empty()) package["description"] = experiment.description;
  package["resources"] = Json::array();
  for (const std::string& table : run_tables()) package["resources"].push_back(resource(table, keys, mixed));
  if (!experiment.claims.empty()) package["resources"].push_back(resource("claims", keys, mixed));
  return package.dump(2, ' ', false, Json::error_handler_t::replace) + '\n';
}

}  // namespace vp
