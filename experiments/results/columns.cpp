// The dictionary of the result files: what the rows say of their columns. The test of results/README.md holds that page against it.
#include <algorithm>

#include "experiments/results/claim_result.h"
#include "experiments/results/tables.h"
#include "experiments/results/timings.h"

namespace vp {
namespace {

// A visitor of columns and of tables.
class Describer {
 public:
  std::vector<ColumnInfo> columns;

  template <class Row>
  void operator()(std::string_view table, const std::vector<Row>&) {
    begin_table(table);
    Row{}.visit_columns(*this);
  }
  template <class T>
  void operator()(const Column& column, const T& value) {
    columns.push_back({table_, std::string(column.name), std::string(column_type(value)), std::string(column.unit),
                       std::string(column.meaning), column.is_key});
  }
  void begin_table(std::string_view table, std::string_view run_id = "the run; see runs.csv") {
    table_ = table;
    if (!run_id.empty()) add("run_id", run_id);
  }
  void add(std::string_view name, std::string_view meaning) {
    columns.push_back({table_, std::string(name), "string", "", std::string(meaning)});
  }

 private:
  std::string table_;
};

std::vector<ColumnInfo> described() {
  Describer describe;
  describe.begin_table("runs", "r and a hash of the run's configuration, seed included");
  describe.add("build", "build id of the program that made the run; only with --allow-mixed");
  describe.add("isa", "instruction sets in use; only with --allow-mixed");
  describe.add("libraries", "library versions that touch numbers; only with --allow-mixed");
  describe.add("backend", "the engine that run.backend stood for; only with --allow-mixed");
  describe.add("inputs", "files the run read, each with the XXH3-64 of its bytes; only with --allow-mixed");
  RunSummary{}.visit_columns(describe);
  RunReport{}.visit_tables(describe);
  describe("timings", std::vector<TimingRow>());
  describe.begin_table("claims", "");
  ClaimResult{}.visit_columns(describe);
  return std::move(describe.columns);
}

const std::vector<ColumnInfo>& dictionary() {
  static const std::vector<ColumnInfo> kColumns = described();
  return kColumns;
}

std::span<const ColumnInfo> from_column(std::span<const ColumnInfo> columns, std::string_view name) {
  const auto first = std::find_if(columns.begin(), columns.end(), [&](const ColumnInfo& c) { return c.name == name; });
  return {first, columns.end()};
}

}  // namespace

std::span<const ColumnInfo> result_columns() { return dictionary(); }

std::span<const std::string> run_tables() {
  static const std::vector<std::string> kTables = [] {
    std::vector<std::string> tables;
    for (const ColumnInfo& column : dictionary())
      if (column.name == "run_id") tables.push_back(column.table);
    return tables;
  }();
  return kTables;
}

std::span<const ColumnInfo> table_columns(std::string_view table) {
  const std::span<const ColumnInfo> all = dictionary();
  const auto of_table = [&](const ColumnInfo& c) { return c.table == table; };
  const auto first = std::find_if(all.begin(), all.end(), of_table);
  return {first, std::find_if_not(first, all.end(), of_table)};
}

std::span<const ColumnInfo> bundle_columns(std::string_view table) {
  const auto columns = table_columns(table);
  if (columns.empty()) return columns;
  return table == "runs" ? from_column(columns, "outcome") : columns.subspan(1);
}

std::span<const ColumnInfo> provenance_columns() {
  const auto from_build = from_column(table_columns("runs"), "build");
  return from_build.first(from_build.size() - bundle_columns("runs").size());
}

}  // namespace vp
