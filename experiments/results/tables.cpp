#include "experiments/results/tables.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <stdexcept>

#include "experiments/config/visit.h"

namespace vp {
namespace {

std::string_view name_of_nonfinite(double value) {
  if (std::isnan(value)) return "nan";
  return value > 0 ? "inf" : "-inf";
}

// One row is one line of the file, for every tool that counts lines: line breaks in messages become spaces.
std::string one_line(std::string_view text) {
  std::string line(text);
  std::replace_if(
      line.begin(), line.end(), [](char c) { return c == '\n' || c == '\r' || c == '\0'; }, ' ');
  return line;
}

std::string join_notes(std::string_view note, const std::string& remarks) {
  std::string joined(note);
  if (!joined.empty() && !remarks.empty()) joined += "; ";
  return joined + remarks;
}

bool is_numeric(std::string_view type) { return type == "integer" || type == "number"; }

// An option of the same name may mean something else in another task, cell or optimiser: both meanings stand in its description.
void add_meaning(KeyColumn& column, const std::string& type, std::string_view description) {
  if (column.type != type) column.type = is_numeric(column.type) && is_numeric(type) ? "number" : "string";
  if (column.description.find(description) == std::string::npos) column.description += "; or: " + std::string(description);
}

}  // namespace

void RowWriter::cell(const Column&, std::int64_t value) { out_ += std::to_string(value); }

void RowWriter::cell(const Column& column, double value) {
  if (std::isfinite(value))
    out_ += format_number(value);
  else
    remarks_ = join_notes(remarks_, std::string(column.name) + "=" + std::string(name_of_nonfinite(value)));
}

void RowWriter::cell(const Column&, std::string_view value) { append_csv_field(out_, one_line(value)); }

void RowWriter::note(std::string_view text) {
  append_csv_field(out_, one_line(join_notes(text, remarks_)));
  remarks_.clear();
}

void RowWriter::finish() {
  if (!remarks_.empty()) throw std::logic_error("[RowWriter] a row without a note has " + remarks_);
  out_ += '\n';
  first_ = true;
}

namespace {

// Of a configuration value in runs.csv, as data packages call it: a list is one text.
template <class T>
std::string cell_type(const T& value) {
  const std::string type = type_name(value);
  return type == "integers" || type == "strings" ? "string" : type;
}

}  // namespace

std::vector<KeyColumn> key_columns(const Experiment& experiment) {
  std::vector<KeyColumn> columns;
  std::map<std::string, std::size_t, std::less<>> index;
  for (Config config : experiment.runs) {
    for_each_field(config, [&](const FieldInfo& info, const auto& value) {
      const auto known = index.find(info.key);
      if (known != index.end()) return add_meaning(columns[known->second], cell_type(value), info.description);
      index.emplace(info.key, columns.size());
      columns.push_back({std::string(info.key), cell_type(value), std::string(info.description)});
    });
  }
  return columns;
}

std::string header_line(std::string_view table, std::span<const KeyColumn> keys, bool mixed) {
  std::string line = "run_id";
  const auto add = [&](const std::string& name) { append_csv_field(line += ',', name); };
  if (table == "runs") {
    for (const KeyColumn& key : keys) add(key.key);
    if (mixed)
      for (const ColumnInfo& column : provenance_columns()) add(column.name);
  }
  for (const ColumnInfo& column : bundle_columns(table)) add(column.name);
  return line + '\n';
}

std::string first_few(std::span<const std::string> names) {
  constexpr std::size_t kShown = 3;
  std::string text;
  for (std::size_t i = 0; i < std::min(kShown, names.size()); ++i) text += (i > 0 ? ", " : "") + names[i];
  if (names.size() > kShown) text += " and " + std::to_string(names.size() - kShown) + " more";
  return text;
}

std::string provenance_difference(const Provenance& found, const Provenance& expected) {
  std::string text;
  const auto compare = [&](const std::string& what, const std::string& a, const std::string& b) {
    if (a != b) text += (text.empty() ? "" : ", ") + what + " \"" + a + "\" instead of \"" + b + "\"";
  };
  compare("schema", std::to_string(found.schema), std::to_string(expected.schema));
  compare("build", found.build, expected.build);
  compare("instruction set", found.isa, expected.isa);
  compare("libraries", found.libraries, expected.libraries);
  return text;
}

constexpr const char* kWaysOn =
    "Start over with --fresh, or keep both with --allow-mixed, which adds build, isa, libraries, backend and inputs as columns of runs.csv";

UserError mixed_builds(const std::filesystem::path& directory, std::span<const std::string> bundles, const std::string& difference) {
  return usage_error(directory.string() + ": results of another build, or on other libraries: " + first_few(bundles) + " (" + difference +
                     "). Numbers of different builds need not be the same bits. " + kWaysOn);
}

UserError mixed_inputs(const std::filesystem::path& directory, std::span<const std::string> bundles, const std::string& difference) {
  return usage_error(directory.string() + ": results of other data: " + first_few(bundles) + " (" + difference + "). " + kWaysOn);
}

}  // namespace vp
