#include <algorithm>
#include <nlohmann/json.hpp>

#include "experiments/config/experiment_file.h"
#include "experiments/io/csv.h"
#include "experiments/machine/build_info.h"
#include "experiments/results/tables.h"
#include "tests/experiments/results/results_fixture.h"

namespace vp::test {
namespace {

std::vector<std::string> g_warnings;
void warn(const std::string& text) { g_warnings.push_back(text); }

class Merge : public ResultsTest {
 protected:
  void SetUp() override { g_warnings.clear(); }
  Inventory inventory(const Experiment& experiment, bool allow_mixed = false) const {
    return take_inventory(directory_, experiment, provenance_of(), allow_mixed, warn);
  }
  void prepare(const Experiment& experiment, bool fresh = false) const {
    const std::vector<std::string> implementations = {"brg:avx2"};
    prepare_directory(directory_, experiment, provenance_of(), 2, fresh, implementations);
  }
  // Bundles and all files of an experiment of so many seeds.
  Experiment filled(std::int64_t seeds) const {
    const Experiment experiment = experiment_of(seeds);
    prepare(experiment);
    for (const Config& config : experiment.runs) store(bundle_of(config));
    merge_results(directory_, experiment, false);
    return experiment;
  }
  void expect_no_temporary_files() const {
    for (const auto& entry : std::filesystem::directory_iterator(directory_))
      EXPECT_EQ(entry.path().filename().string().find("tmp"), std::string::npos) << entry.path();
  }
  std::string file(const std::string& name) const { return slurp(directory_ / name); }
};

std::vector<std::string> ids_of(const Experiment& experiment) {
  std::vector<std::string> ids;
  for (const Config& config : experiment.runs) ids.push_back(run_id(config));
  return ids;
}

TEST_F(Merge, RowsStandInGridOrderWhateverOrderTheyWereMadeIn) {
  const Experiment experiment = experiment_of(5);
  prepare(experiment);
  for (const std::size_t i : {3, 0, 4, 2, 1}) store(bundle_of(experiment.runs[i], static_cast<double>(i)));
  EXPECT_EQ(merge_results(directory_, experiment, false), 5);
  const CsvDocument runs = parse_csv(file("runs.csv"), "runs.csv");
  ASSERT_EQ(runs.rows.size(), 5u);
  for (std::size_t i = 0; i < 5; ++i) {
    EXPECT_EQ(runs.rows[i].fields[runs.column("run_id")], run_id(experiment.runs[i]));
    EXPECT_EQ(runs.rows[i].fields[runs.column("train.seed")], std::to_string(i));
    EXPECT_EQ(runs.rows[i].fields[runs.column("train_loss")], std::to_string(i) + ".25");
  }
  const CsvDocument curves = parse_csv(file("curves.csv"), "curves.csv");
  ASSERT_EQ(curves.rows.size(), 10u);
  EXPECT_EQ(curves.rows[2].fields[0], run_id(experiment.runs[1]));
  EXPECT_EQ(curves.rows[3].fields[curves.column("note")], "train_loss=nan");
}

TEST_F(Merge, OnlyTimingsDependOnHostThreadsAndTime) {
  const Experiment experiment = filled(2);
  const std::vector<std::string> names = {"runs.csv", "curves.csv", "timesteps.csv", "layers.csv", "datapackage.json"};
  std::vector<std::string> before;
  for (const auto& name : names) before.push_back(file(name));
  const std::string timings = file("timings.csv");
  RunReport slower = report_of(1);
  slower.wall_seconds = 99;
  for (const Config& config : experiment.runs) store(make_bundle(config, provenance_of(), slower, "host-b", 64));
  merge_results(directory_, experiment, false);
  for (std::size_t i = 0; i < names.size(); ++i) EXPECT_EQ(file(names[i]), before[i]) << names[i];
  EXPECT_NE(file("timings.csv"), timings);
  EXPECT_TRUE(contains(file("timings.csv"), ",wall,99,host-b,64\n"));
}

TEST_F(Merge, OptionsThatOccurAreColumnsBehindTheCoreKeys) {
  Experiment experiment = experiment_of(2);
  change_run(experiment, 1, [](Config& c) { c.task_options = OptionsHandle(std::make_unique<LengthOption>()); });
  prepare(experiment);
  for (const Config& config : experiment.runs) store(bundle_of(config));
  merge_results(directory_, experiment, false);
  const CsvDocument runs = parse_csv(file("runs.csv"), "runs.csv");
  EXPECT_EQ(runs.column("task.length") + 1, runs.column("outcome"));
  EXPECT_EQ(runs.rows[0].fields[runs.column("task.length")], "");
  EXPECT_EQ(runs.rows[1].fields[runs.column("task.length")], "100");
}

TEST_F(Merge, UnfinishedRunsAreLeftOutAndCounted) {
  const Experiment experiment = experiment_of(3);
  prepare(experiment);
  store(bundle_of(experiment.runs[1]));
  EXPECT_EQ(merge_results(directory_, experiment, false), 1);
  const Inventory there = inventory(experiment);
  EXPECT_EQ(there.finished, std::vector{run_id(experiment.runs[1])});
  EXPECT_EQ(there.missing, (std::vector{run_id(experiment.runs[0]), run_id(experiment.runs[2])}));
}

TEST_F(Merge, NoRunsGiveFilesWithHeadersOnly) {
  const Experiment experiment = experiment_of(2);
  prepare(experiment);
  EXPECT_EQ(merge_results(directory_, experiment, false), 0);
  EXPECT_EQ(file("curves.csv"),
            "run_id,update,train_loss,validation_loss,validation_accuracy,test_loss,test_accuracy,gradient_norm,clipped,note\n");
}

TEST_F(Merge, LeavesNoTemporaryFiles) {
  const Experiment experiment = filled(2);
  expect_no_temporary_files();
  spill(path_of(experiment.runs[1]), "half");
  EXPECT_EQ(error_of([&] { merge_results(directory_, experiment, false); }).first, ExitCode::kInputOutput);
  expect_no_temporary_files();
}

TEST_F(Merge, FailedRunsAreFinishedAndToBeDoneAgain) {
  const Experiment experiment = experiment_of(2);
  RunReport report = report_of(1);
  report.summary.outcome = Outcome::kFailed;
  store(make_bundle(experiment.runs[0], provenance_of(), report, "h", 1));
  const Inventory there = inventory(experiment);
  EXPECT_EQ(there.failed, std::vector{run_id(experiment.runs[0])});
  EXPECT_EQ(there.finished, there.failed);
}

TEST_F(Merge, DamagedBundleIsSetAsideWithAWarning) {
  const Experiment experiment = experiment_of(2);
  for (const Config& config : experiment.runs) store(bundle_of(config));
  const auto path = path_of(experiment.runs[0]);
  const std::string half = slurp(path).substr(0, 200);
  spill(path, half);
  const Inventory there = inventory(experiment);
  EXPECT_EQ(there.missing, std::vector{run_id(experiment.runs[0])});
  EXPECT_EQ(there.finished, std::vector{run_id(experiment.runs[1])});
  EXPECT_EQ(there.damaged, std::vector{path.filename().string()});
  EXPECT_FALSE(std::filesystem::exists(path));
  EXPECT_EQ(slurp(path.string() + ".damaged"), half);
  ASSERT_EQ(g_warnings.size(), 1u);
  EXPECT_TRUE(contains(g_warnings[0], path.filename().string()));
}

TEST_F(Merge, BundleUnderAnotherRunsNameIsDamage) {
  const Experiment experiment = experiment_of(2);
  spill(path_of(experiment.runs[0]), encode_bundle(bundle_of(experiment.runs[1])));
  EXPECT_EQ(inventory(experiment).missing.size(), 2u);
  EXPECT_EQ(g_warnings.size(), 1u);
}

// The bundle was exchanged between the inventory and the merge.
TEST_F(Merge, ABundleUnderAnotherRunsNameIsNotMerged) {
  const Experiment experiment = filled(2);
  const std::string before = file("runs.csv");
  spill(path_of(experiment.runs[0]), encode_bundle(bundle_of(experiment.runs[1])));
  const auto [code, message] = error_of([&] { merge_results(directory_, experiment, false); });
  EXPECT_EQ(code, ExitCode::kInputOutput);
  EXPECT_TRUE(contains(message, path_of(experiment.runs[0]).string() + ": holds another run than its name says")) << message;
  EXPECT_EQ(file("runs.csv"), before);
}

TEST_F(Merge, DamageAtMergeIsAnErrorAndChangesNoFile) {
  const Experiment experiment = filled(3);
  const std::string before = file("runs.csv");
  spill(path_of(experiment.runs[1]), "half");
  EXPECT_EQ(error_of([&] { merge_results(directory_, experiment, false); }).first, ExitCode::kInputOutput);
  EXPECT_EQ(file("runs.csv"), before);
}

TEST_F(Merge, BundlesOfAnotherBuildAreRefusedNamingThemAndBothWaysOn) {
  const Experiment experiment = experiment_of(6);
  prepare(experiment);
  for (const Config& config : experiment.runs) store(bundle_of(config, 1, provenance_of("b2")));
  store(bundle_of(experiment.runs[0]));
  for (const auto& refused : {error_of([&] { inventory(experiment); }), error_of([&] { merge_results(directory_, experiment, false); })}) {
    EXPECT_EQ(refused.first, ExitCode::kUsage);
    for (const std::string part : {"--fresh", "--allow-mixed", "b1", "b2", "and 2 more"}) EXPECT_TRUE(contains(refused.second, part));
    EXPECT_TRUE(contains(refused.second, run_id(experiment.runs[1]) + ".run"));
    EXPECT_FALSE(contains(refused.second, run_id(experiment.runs[0])));
  }
  EXPECT_EQ(file("runs.csv"), "(no file)");
}

TEST_F(Merge, EveryPartOfTheProvenanceButTheBackendCounts) {
  const Experiment experiment = experiment_of(1);
  const auto refused = [&](Provenance provenance) {
    store(bundle_of(experiment.runs[0], 1, provenance));
    return error_of([&] { inventory(experiment); }).first == ExitCode::kUsage;
  };
  Provenance changed = provenance_of();
  changed.isa = "SSE4";
  EXPECT_TRUE(refused(changed));
  changed = provenance_of();
  changed.libraries = "oneDNN 3";
  EXPECT_TRUE(refused(changed));
  changed = provenance_of();
  changed.schema = kSchema + 1;
  EXPECT_TRUE(refused(changed));
  changed = provenance_of();
  changed.backend = "reference";
  EXPECT_FALSE(refused(changed));
  EXPECT_TRUE(g_warnings.empty());
}

TEST_F(Merge, MixedBuildsBecomeColumns) {
  const Experiment experiment = experiment_of(2);
  prepare(experiment);
  store(bundle_of(experiment.runs[0]));
  store(bundle_of(experiment.runs[1], 1, provenance_of("b2")));
  EXPECT_EQ(inventory(experiment, true).finished.size(), 2u);
  EXPECT_EQ(merge_results(directory_, experiment, true), 2);
  const CsvDocument runs = parse_csv(file("runs.csv"), "runs.csv");
  EXPECT_EQ(runs.rows[0].fields[runs.column("build")], "b1");
  EXPECT_EQ(runs.rows[1].fields[runs.column("build")], "b2");
  EXPECT_EQ(runs.rows[1].fields[runs.column("isa")], "AVX2/avx2");
  EXPECT_EQ(runs.rows[1].fields[runs.column("libraries")], "oneDNN 2.6.3, Highway 1.0.3");
  EXPECT_EQ(runs.rows[1].fields[runs.column("backend")], "onednn");
  EXPECT_EQ(runs.rows[1].fields[runs.column("inputs")], "");
}

TEST_F(Merge, AnotherSchemaIsRefusedAlsoWhenMixedAndNotSetAside) {
  const Experiment experiment = experiment_of(1);
  Provenance later = provenance_of();
  later.schema = kSchema + 1;
  store(bundle_of(experiment.runs[0], 1, later));
  const auto [code, message] = error_of([&] { inventory(experiment, true); });
  EXPECT_EQ(code, ExitCode::kUsage);
  EXPECT_TRUE(contains(message, "schema " + std::to_string(kSchema + 1)));
  EXPECT_TRUE(std::filesystem::exists(path_of(experiment.runs[0])));
}

// --- the directory ---

TEST_F(Merge, ManifestSaysWhatMadeTheResults) {
  prepare(experiment_of(2));
  const auto manifest = nlohmann::json::parse(file("manifest.json"));
  EXPECT_EQ(manifest["experiment"], "small");
  EXPECT_EQ(manifest["schema"], kSchema);
  EXPECT_EQ(manifest["build"], "b1");
  EXPECT_EQ(manifest["isa"], "AVX2/avx2");
  EXPECT_EQ(manifest["threads"], 2);
  EXPECT_EQ(manifest["implementations"], nlohmann::json::array({"brg:avx2"}));
  EXPECT_EQ(manifest["flush_to_zero"], false);
  EXPECT_TRUE(contains(manifest["compiler"], "GCC") || contains(manifest["compiler"], "Clang"));
  EXPECT_EQ(manifest["host"], host_name());
  EXPECT_EQ(manifest["date"].get<std::string>().size(), std::string("2026-01-02T03:04:05Z").size());
  EXPECT_EQ(file("config.toml"), "name = \"small\"\n");
}

TEST_F(Merge, ManifestSaysWhenDenormalsAreFlushed) {
  Experiment experiment = experiment_of(2);
  change_run(experiment, 0, [](Config& c) { c.run.engine.ftz = true; });
  prepare(experiment);
  EXPECT_EQ(nlohmann::json::parse(file("manifest.json"))["flush_to_zero"], "by run");
}

TEST(BuildInfo, HasTheBuildIdOfThisProgram) {
  const std::string id = build_info().build_id;
  EXPECT_EQ(id.size(), 40u);
  EXPECT_EQ(id.find_first_not_of("0123456789abcdef"), std::string::npos) << id;
  std::string bytes("GNU\0", 4);  // the owner's name stands before it in the note
  for (std::size_t i = 0; i + 1 < id.size(); i += 2) bytes += static_cast<char>(std::stoi(id.substr(i, 2), nullptr, 16));
  EXPECT_NE(slurp("/proc/self/exe").find(bytes), std::string::npos);
}

TEST_F(Merge, GridMayGrow) {
  filled(2);
  const Experiment larger = experiment_of(4);
  prepare(larger);
  EXPECT_EQ(inventory(larger).finished.size(), 2u);
  EXPECT_EQ(inventory(larger).missing.size(), 2u);
}

TEST_F(Merge, RunsThatAreNotInTheGridAreRefusedAndKept) {
  const Experiment experiment = filled(5);
  const std::string before = file("runs.csv"), config = file("config.toml");
  Experiment smaller = experiment_of(1);
  smaller.resolved_toml = "smaller";
  const auto [code, message] = error_of([&] { prepare(smaller); });
  EXPECT_EQ(code, ExitCode::kUsage);
  for (const std::string part : {"4 run", "--out", "--fresh", "and 1 more"}) EXPECT_TRUE(contains(message, part));
  EXPECT_EQ(file("runs.csv"), before);
  EXPECT_EQ(file("config.toml"), config);
  std::vector<std::string> foreign = inventory(smaller).foreign, expected = ids_of(experiment);
  expected.erase(expected.begin());
  std::sort(expected.begin(), expected.end());
  EXPECT_EQ(foreign, expected);
}

TEST_F(Merge, AnotherExperimentsDirectoryIsRefusedAlsoWhenFresh) {
  const Experiment experiment = filled(2);
  for (const bool fresh : {false, true}) {
    const auto [code, message] = error_of([&] { prepare(experiment_of(2, "other"), fresh); });
    EXPECT_EQ(code, ExitCode::kUsage);
    for (const std::string part : {"\"small\"", "\"other\"", "--out"}) EXPECT_TRUE(contains(message, part));
  }
  EXPECT_EQ(inventory(experiment).finished.size(), 2u);
  EXPECT_EQ(file("config.toml"), "name = \"small\"\n");
}

TEST_F(Merge, FreshRemovesResultsAndNothingElse) {
  const Experiment experiment = filled(3);
  spill(directory_ / "thoughts.txt", "mine");
  spill(directory_ / "runs" / "thoughts.txt", "mine too");
  prepare(experiment_of(1), true);
  EXPECT_TRUE(inventory(experiment).finished.empty());
  EXPECT_TRUE(inventory(experiment_of(1)).foreign.empty());
  for (const std::string name : {"runs.csv", "curves.csv", "timesteps.csv", "layers.csv", "timings.csv", "datapackage.json"})
    EXPECT_EQ(file(name), "(no file)") << name;
  EXPECT_EQ(file("thoughts.txt"), "mine");
  EXPECT_EQ(file("runs/thoughts.txt"), "mine too");
}

TEST_F(Merge, DirectoryWithUnrelatedFilesIsFine) {
  spill(directory_ / "thoughts.txt", "mine");
  prepare(experiment_of(1));
  EXPECT_EQ(file("thoughts.txt"), "mine");
}

TEST_F(Merge, ForeignFilesOfOurNamesAreNotOverwritten) {
  for (const std::string name : {"runs.csv", "config.toml", "manifest.json", "datapackage.json"}) {
    std::filesystem::remove_all(directory_);
    spill(directory_ / name, "{\"name\": \"somebody's\"}");
    for (const bool fresh : {false, true}) {
      const auto [code, message] = error_of([&] { prepare(experiment_of(1), fresh); });
      EXPECT_EQ(code, ExitCode::kUsage) << name;
      EXPECT_TRUE(contains(message, name));
    }
    EXPECT_EQ(file(name), "{\"name\": \"somebody's\"}");
  }
}

TEST_F(Merge, FileInPlaceOfTheDirectoryIsAnError) {
  spill(directory_, "a file");
  EXPECT_EQ(error_of([&] { prepare(experiment_of(1)); }).first, ExitCode::kInputOutput);
  EXPECT_EQ(slurp(directory_), "a file");
  std::filesystem::remove(directory_);
  spill(directory_ / "runs", "a file");
  EXPECT_EQ(error_of([&] { prepare(experiment_of(1)); }).first, ExitCode::kInputOutput);
}

TEST_F(Merge, DirectoryThatCannotBeWrittenIsAnError) {
  directory_ = "/proc/vp-results";
  EXPECT_EQ(error_of([&] { prepare(experiment_of(1)); }).first, ExitCode::kInputOutput);
}

// Reading a bundle or looking up a run must not look at all others: 3,000 runs are merged in well under the test's time limit, and in
// order.
TEST_F(Merge, ManyRuns) {
  const Experiment experiment = experiment_of(3000);
  prepare(experiment);
  Bundle bundle = bundle_of(experiment.runs[0]);
  for (const Config& config : experiment.runs) {
    bundle.run_id = run_id(config);
    store(bundle);
  }
  EXPECT_EQ(inventory(experiment).finished, ids_of(experiment));
  EXPECT_EQ(merge_results(directory_, experiment, false), 3000);
  EXPECT_EQ(lines_of(file("layers.csv")).size(), 3001u);
}

}  // namespace
}  // namespace vp::test
