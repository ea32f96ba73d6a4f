// The tables of the result files, for those who write them: which columns there are and how a row becomes text.
//
// A row type says its columns once, in visit_columns() (models/spec/columns.h): headers, rows, notes on non-finite values, the dictionary
// and datapackage.json follow from it. Thread-safety: the functions are pure; a RowWriter belongs to one thread.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "experiments/io/error.h"
#include "experiments/results/results.h"
#include "models/spec/columns.h"

namespace vp {

// One column of one result table, as the dictionary describes it.
struct ColumnInfo {
  std::string table, name, type /* string, integer, number */, unit, description;
  bool is_key = false;  // with run_id it tells the rows of its table apart
};
// Every column of every CSV but the configuration keys, in file order: results/README.md and datapackage.json say just this.
std::span<const ColumnInfo> result_columns();
// The tables a bundle has and merge_results() writes, in that order.
std::span<const std::string> run_tables();
// The columns of one CSV file; empty for an unknown table.
std::span<const ColumnInfo> table_columns(std::string_view table);
// Those of them that stand in a bundle: runs.csv from `outcome` on, the others from behind `run_id` on.
std::span<const ColumnInfo> bundle_columns(std::string_view table);
// Those of runs.csv that tell builds apart; written only with --allow-mixed.
std::span<const ColumnInfo> provenance_columns();

// A visitor of visit_columns() that appends cells to `out`. A number that is not finite becomes an empty cell and a remark in the row's
// note. `left_out`: a column that is not written.
class RowWriter {
 public:
  explicit RowWriter(std::string& out, std::string_view left_out = "") : out_(out), left_out_(left_out) {}
  template <class T>
  void operator()(const Column& column, const T& value) {
    if (column.name == left_out_) return;
    if (!first_) out_ += ',';
    first_ = false;
    if constexpr (std::is_convertible_v<T, std::string_view>) {
      const std::string_view text = value;
      if (column.is_note) return note(text);
      cell(column, text);
    } else {
      cell(column, value);
    }
  }
  // Throws std::logic_error if the row had a number that is not finite and no note.
  void finish();

 private:
  void cell(const Column& column, std::int64_t value);
  void cell(const Column& column, double value);
  void cell(const Column& column, std::string_view value);
  template <class T>
  void cell(const Column& column, const std::optional<T>& value) {
    if (value) cell(column, *value);
  }
  void note(std::string_view text);

  std::string& out_;
  std::string_view left_out_;
  bool first_ = true;
  std::string remarks_;  // "column=inf; column=nan" of this row
};

// The rows as lines of CSV.
template <class Row>
std::string rows_text(std::span<const Row> rows, std::string_view left_out = "") {
  std::string out;
  RowWriter writer(out, left_out);
  for (const Row& row : rows) row.visit_columns(writer), writer.finish();
  return out;
}

// "update,layer,t,...\n".
template <class Row>
std::string header_of(std::string_view left_out = "") {
  std::string line;
  const auto add = [&](const Column& column, const auto&) {
    if (column.name != left_out) line.append(line.empty() ? "" : ",").append(column.name);
  };
  Row{}.visit_columns(add);
  return line + '\n';
}

// One configuration key that is a column of runs.csv.
struct KeyColumn {
  std::string key, type, description;
};
// The keys that occur in the experiment: those of its first run in visit order (core keys first), then what later runs add.
std::vector<KeyColumn> key_columns(const Experiment& experiment);

// The header line of runs.csv (`keys` behind run_id, provenance columns only if `mixed`) or of another table.
std::string header_line(std::string_view table, std::span<const KeyColumn> keys, bool mixed);

// datapackage.json: a Frictionless Data Package that describes every column of every CSV file
// (specs.frictionlessdata.io/tabular-data-package).
std::string data_package(const Experiment& experiment, bool mixed);

inline constexpr std::string_view kBundleSuffix = ".run";
// An id of an older schema, 16 hexadecimal digits, with the letter in front; another as it is.
std::string with_letter(std::string_view run_id);
// The run ids of all bundle files of a directory, from their names, sorted; and those that are no run of the experiment.
std::vector<std::string> bundle_ids(const std::filesystem::path& directory);
std::vector<std::string> foreign_ids(const std::filesystem::path& directory, const Experiment& experiment);

// The first few of `names`, and how many more there are: "a, b, c and 4 more".
std::string first_few(std::span<const std::string> names);

// What two bundles of one directory may not differ in, as "build 12ab instead of 34cd, ..."; empty if they agree. The resolved backend is
// not part of it: it follows from the configuration (run.backend may be an axis of the grid) and the build.
std::string provenance_difference(const Provenance& found, const Provenance& expected);
// The error for bundles of another build: names them, says what differs, and the two ways on.
UserError mixed_builds(const std::filesystem::path& directory, std::span<const std::string> bundles, const std::string& difference);
// The same for bundles made from other contents of input files.
UserError mixed_inputs(const std::filesystem::path& directory, std::span<const std::string> bundles, const std::string& difference);

// "data.csv xxh3-64 0123456789abcdef; ...": a cell of runs.csv.
std::string inputs_text(std::span<const InputFile> inputs);
// Which of these files has another content now, and both hashes; empty if none. A file that cannot be read any more says nothing: its
// results may stand on another machine than the data. Each file is read at most once a process.
std::string changed_inputs(std::span<const InputFile> inputs);

// Holds the inputs of runs against those of the runs before: a path has one content, and runs that are told the same of task and checkpoint
// have read the same files.
class InputsSeen {
 public:
  std::string add(const Config& config, std::span<const InputFile> inputs);  // what differs; empty if nothing does

 private:
  std::map<std::string, InputFile> by_path_;
  std::map<std::string, std::vector<InputFile>> by_settings_;
};

// The columns of a table as they stand in a bundle of this schema, in their order; none if it had no such table.
std::vector<std::string_view> stored_columns(std::string_view table, std::int64_t schema);
// A row that has `stored` columns as one of `columns`; those it does not have are empty.
std::string upgraded_row(std::string_view row, std::span<const std::string_view> stored, std::span<const ColumnInfo> columns);

}  // namespace vp
