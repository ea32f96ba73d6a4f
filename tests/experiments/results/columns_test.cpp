#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "experiments/claims/check.h"
#include "experiments/config/experiment_file.h"
#include "experiments/io/csv.h"
#include "experiments/results/tables.h"
#include "experiments/tasks/task.h"
#include "tests/experiments/results/results_fixture.h"

namespace vp::test {
namespace {

using Json = nlohmann::json;

// One row of a table of results/README.md: "| `name` | type | unit | meaning |".
std::vector<std::string> cells_of(const std::string& line) {
  std::vector<std::string> cells;
  std::istringstream stream(line.substr(1));
  for (std::string cell; std::getline(stream, cell, '|');) {
    const std::size_t first = cell.find_first_not_of(" `"), last = cell.find_last_not_of(" `");
    cells.push_back(first == std::string::npos ? "" : cell.substr(first, last - first + 1));
  }
  return cells;
}

// (table, name, type, unit, description) of every row under a heading "## <table>.csv".
std::vector<std::vector<std::string>> readme_columns() {
  const auto readme = std::filesystem::path(VP_SOURCE_DIR) / "results" / "README.md";
  std::vector<std::vector<std::string>> columns;
  std::string table;
  for (const std::string& line : lines_of(slurp(readme))) {
    if (line.starts_with("## ")) table = line.ends_with(".csv") ? line.substr(3, line.size() - 7) : "";
    if (table.empty() || !line.starts_with("| `")) continue;
    std::vector<std::string> row = cells_of(line);
    row.insert(row.begin(), table);
    columns.push_back(row);
  }
  return columns;
}

TEST(ResultColumns, ReadmeSaysTheSameInTheSameOrder) {
  const auto readme = readme_columns();
  const auto columns = result_columns();
  ASSERT_EQ(readme.size(), columns.size());
  for (std::size_t i = 0; i < columns.size(); ++i) {
    const ColumnInfo& c = columns[i];
    EXPECT_EQ(readme[i], (std::vector{c.table, c.name, c.type, c.unit, c.description}));
  }
}

TEST(ResultColumns, AreCompleteAndUnique) {
  std::set<std::pair<std::string, std::string>> seen;
  const std::set<std::string> types = {"string", "integer", "number", "boolean"};
  for (const ColumnInfo& c : result_columns()) {
    EXPECT_TRUE(seen.emplace(c.table, c.name).second) << c.table << "." << c.name;
    EXPECT_TRUE(types.contains(c.type)) << c.name;
    EXPECT_FALSE(c.description.empty()) << c.name;
    EXPECT_EQ(c.description.find('|'), std::string::npos) << c.name;
  }
  for (const std::string& table : run_tables()) EXPECT_EQ(table_columns(table).front().name, "run_id") << table;
  EXPECT_TRUE(table_columns("nothing").empty());
}

// The names that design and reports rely on.
TEST(ResultColumns, KeepTheirNames) {
  const auto header = [](std::string_view table) {
    std::string text;
    for (const ColumnInfo& c : table_columns(table)) text += (text.empty() ? "" : ",") + c.name;
    return text;
  };
  EXPECT_EQ(header("runs"),
            "run_id,build,isa,libraries,backend,inputs,outcome,updates_done,train_loss,validation_loss,validation_accuracy,test_loss,"
            "test_accuracy,gradient_slope,gradient_slope_low,gradient_slope_high,gradient_slope_final,max_gradient_norm,note");
  EXPECT_EQ(header("curves"),
            "run_id,update,train_loss,validation_loss,validation_accuracy,test_loss,test_accuracy,gradient_norm,clipped,note");
  EXPECT_EQ(header("timesteps"), "run_id,update,layer,t,log10_dh,log10_dh_typical,log10_dc,activation_mean,activation_std,saturated,note");
  EXPECT_EQ(header("layers"),
            "run_id,update,layer,activation_mean,activation_std,saturated,log10_gradient,log10_weight_gradient,dead_units,note");
  EXPECT_EQ(header("spectra"), "run_id,update,layer,sample,kind,t,index,value,standard_error,note");
  EXPECT_EQ(header("traces"), "run_id,update,layer,sample,t,unit,quantity,value,note");
  EXPECT_EQ(header("metrics"), "run_id,update,split,metric,class,class_name,value,note");
  EXPECT_EQ(header("classes"), "run_id,class,class_name,train,validation,test");
  EXPECT_EQ(header("predictions"), "run_id,split,sample,t,output,target,target_name,prediction,prediction_name,probability,note");
  EXPECT_EQ(header("timings"), "run_id,phase,seconds,host,threads");
  EXPECT_EQ(header("claims"), "claim,text,metric,runs,runs_against,estimate,low,high,required,verdict,source,published,note");
}

bool fits(const std::string& cell, const std::string& type) {
  if (cell.empty()) return type == "string" || type == "number";
  if (type == "integer") return parse_integer(cell).has_value();
  if (type == "number") return parse_number(cell).has_value();
  if (type == "boolean") return cell == "true" || cell == "false";
  return true;
}

class DataPackage : public ResultsTest {
 protected:
  // What a validator of Frictionless data would look at: each column described, in order; each cell of its type; keys that identify rows.
  void check_resource(const Json& resource, const CsvDocument& csv) {
    const Json& fields = resource["schema"]["fields"];
    ASSERT_EQ(fields.size(), csv.header.size()) << csv.name;
    for (std::size_t i = 0; i < fields.size(); ++i) {
      EXPECT_EQ(fields[i]["name"], csv.header[i]) << csv.name;
      EXPECT_FALSE(fields[i]["description"].get<std::string>().empty()) << csv.name << " " << csv.header[i];
      const bool of_some_kinds = (csv.name == "spectra.csv" && (csv.header[i] == "t" || csv.header[i] == "sample")) ||
                                 (csv.name == "predictions.csv" && (csv.header[i] == "t" || csv.header[i] == "output"));
      const bool optional_key = csv.header[i].find('.') != std::string::npos || of_some_kinds;  // unset configuration keys may be empty
      for (const CsvRow& row : csv.rows)
        EXPECT_TRUE(fits(row.fields[i], fields[i]["type"]) || (optional_key && row.fields[i].empty())) << csv.name << " " << csv.header[i];
    }
    check_primary_key(resource, csv);
  }
  void check_primary_key(const Json& resource, const CsvDocument& csv) {
    std::set<std::vector<std::string>> seen;
    for (const CsvRow& row : csv.rows) {
      std::vector<std::string> key;
      for (const auto& name : resource["schema"]["primaryKey"]) key.push_back(row.fields[csv.column(name.get<std::string>())]);
      EXPECT_TRUE(seen.insert(key).second) << csv.name << ": a key occurs twice";
    }
  }
};

TEST_F(DataPackage, DescribesEveryColumnThatIsWritten) {
  for (const bool mixed : {false, true}) {
    Experiment experiment = experiment_of(2);
    change_run(experiment, 1, [](Config& c) { c.task_options = OptionsHandle(std::make_unique<LengthOption>()); });
    for (const Config& config : experiment.runs) store(bundle_of(config));
    merge_results(directory_, experiment, mixed);
    const Json package = Json::parse(slurp(directory_ / "datapackage.json"));
    EXPECT_EQ(package["profile"], "tabular-data-package");
    EXPECT_EQ(package["name"], "small");
    ASSERT_EQ(package["resources"].size(), run_tables().size());
    for (const Json& resource : package["resources"]) {
      const std::string path = resource["path"];
      const CsvDocument csv = parse_csv(slurp(directory_ / path), path);
      EXPECT_FALSE(csv.rows.empty()) << path;
      EXPECT_EQ(resource["schema"]["missingValues"], Json::array({""}));
      check_resource(resource, csv);
    }
  }
}

TEST_F(DataPackage, DescribesConfigurationKeysByTheirFields) {
  Experiment experiment = experiment_of(1);
  change_run(experiment, 0, [](Config& c) { c.task_options = OptionsHandle(std::make_unique<LengthOption>()); });
  const Json package = Json::parse(data_package(experiment, false));
  const Json& fields = package["resources"][0]["schema"]["fields"];
  const auto field = std::find_if(fields.begin(), fields.end(), [](const Json& f) { return f["name"] == "task.length"; });
  ASSERT_NE(field, fields.end());
  EXPECT_EQ((*field)["type"], "integer");
  EXPECT_EQ((*field)["description"], "time steps");
}

TEST_F(DataPackage, AListIsAText) {
  Experiment experiment = experiment_of(1);
  change_run(experiment, 0, [](Config& c) {
    c.task_name = "csv";
    c.task_options = OptionsHandle(find_task("csv")->make_options());
  });
  const Json package = Json::parse(data_package(experiment, false));
  const Json& fields = package["resources"][0]["schema"]["fields"];
  const auto field = std::find_if(fields.begin(), fields.end(), [](const Json& f) { return f["name"] == "task.inputs"; });
  ASSERT_NE(field, fields.end());
  EXPECT_EQ((*field)["type"], "string");
}

TEST_F(DataPackage, DescribesClaimsWhereThereAreSome) {
  Experiment experiment = experiment_of(1);
  experiment.claims.emplace_back();
  const Json package = Json::parse(data_package(experiment, false));
  ASSERT_EQ(package["resources"].size(), run_tables().size() + 1);
  ClaimResult result;
  result.claim = "c";
  result.estimate = 0.5;
  check_resource(package["resources"].back(), parse_csv(claims_csv(std::vector{result}), "claims.csv"));
}

}  // namespace
}  // namespace vp::test
