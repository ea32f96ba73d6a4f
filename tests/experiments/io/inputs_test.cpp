// Which files a run reads, and results of other files than these.
#include <algorithm>

#include "experiments/config/experiment_file.h"
#include "experiments/io/files.h"
#include "experiments/io/input_files.h"
#include "experiments/machine/library_versions.h"
#include "experiments/results/tables.h"
#include "experiments/sweep/runner.h"
#include "experiments/tasks/task_support.h"
#include "tests/experiments/config/config_text.h"
#include "tests/experiments/results/old_results.h"
#include "tests/experiments/results/results_fixture.h"

namespace vp::test {
namespace {

const InputFile kData{.path = "data.csv", .bytes = 3, .hash = "0123456789abcdef"};
const InputFile kOther{.path = "data.csv", .bytes = 3, .hash = "fedcba9876543210"};
const InputFile kChecked{.path = "start.safetensors", .bytes = 9, .hash = "00000000000000ff"};

Provenance provenance_with(std::vector<InputFile> inputs) {
  Provenance provenance = provenance_of();
  provenance.inputs = std::move(inputs);
  return provenance;
}

TEST(Inputs, FilesAreRecordedByContentWhileARecorderLives) {
  const TempDir directory;
  const std::string a = directory.write("a", "abc").string(), b = directory.write("b", "").string();
  read_file(a);
  {
    const InputRecorder recorder;
    read_file(b), read_file(a), read_file(b);
    EXPECT_EQ(recorder.files(), (std::vector<InputFile>{{a, 3, hash_text("abc")}, {b, 0, hash_text("")}}));
    const InputRecorder inner;
    EXPECT_TRUE(inner.files().empty());
  }
  EXPECT_EQ(hash_text("abc"), "78af5f94892f3950");  // XXH3's own test vector
  EXPECT_EQ(known_input(b)->bytes, 0u);
  EXPECT_FALSE(known_input("nowhere").has_value());
}

// Data that are kept were read once; each run that asks for them has read their files all the same.
TEST(Inputs, KeptDataBringTheirFilesToEveryRun) {
  const TempDir directory;
  const std::string path = directory.write("data", "abc").string();
  ReadOnce<std::string> cache;
  int loads = 0;
  const auto load = [&] { return ++loads, read_file(path); };
  cache.get("x", load);  // nobody listens
  for (int run = 0; run < 2; ++run) {
    const InputRecorder recorder;
    cache.get("x", load);
    EXPECT_EQ(recorder.files(), (std::vector<InputFile>{{path, 3, hash_text("abc")}}));
  }
  EXPECT_EQ(loads, 1);
}

// --- bundles ---

TEST(Inputs, StandInTheBundle) {
  const std::vector<InputFile> inputs = {kData, {"a b\\n\n\\ c", 1234567890123, "00000000000000aa"}, kChecked};
  const Bundle back = decode_bundle(encode_bundle(bundle_of(config_of(3), 1, provenance_with(inputs))), "x.run");
  EXPECT_EQ(back.provenance.inputs, inputs);
}

class InputResults : public ResultsTest {
 protected:
  static void ignore(const std::string&) {}
  Inventory inventory(const Experiment& experiment, bool allow_mixed = false) const {
    return take_inventory(directory_, experiment, provenance_of(), allow_mixed, ignore);
  }
};

TEST_F(InputResults, ChangedContentIsRefusedNamingFileHashesAndBothWaysOn) {
  const std::string path = temporary_.write("data.csv", "new").string();
  const Experiment experiment = experiment_of(2);
  const InputFile before{path, 5, "00000000000000aa"}, now{path, 3, hash_text("new")};
  store(bundle_of(experiment.runs[0], 1, provenance_with({before})));
  const auto [code, message] = error_of([&] { inventory(experiment); });
  EXPECT_EQ(code, ExitCode::kUsage);
  for (const std::string& part :
       {path, before.hash, now.hash, std::string("--fresh"), std::string("--allow-mixed"), run_id(experiment.runs[0]) + ".run"})
    EXPECT_TRUE(contains(message, part));
  const Inventory mixed = inventory(experiment, true);
  EXPECT_EQ(mixed.stale, std::vector{run_id(experiment.runs[0])});
  EXPECT_TRUE(contains(mixed.stale_because, path));
  EXPECT_EQ(mixed.inputs, std::vector{before});
  store(bundle_of(experiment.runs[0], 1, provenance_with({now})));
  EXPECT_TRUE(inventory(experiment).stale.empty());
}

// Results may be looked at, and merged, on a machine that has no data.
TEST_F(InputResults, AFileThatIsGoneSaysNothing) {
  const Experiment experiment = experiment_of(1);
  store(bundle_of(experiment.runs[0], 1, provenance_with({{(temporary_ / "gone.csv").string(), 5, "00000000000000aa"}})));
  EXPECT_TRUE(inventory(experiment).stale.empty());
}

// It left no numbers, and its cause may have been the data.
TEST_F(InputResults, AFailedRunOfOtherDataIsDoneAgain) {
  const std::string path = temporary_.write("mended.csv", "new").string();
  const Experiment experiment = experiment_of(1);
  RunReport report = report_of(1);
  report.summary.outcome = Outcome::kFailed;
  store(make_bundle(experiment.runs[0], provenance_with({{path, 5, "00000000000000aa"}}), report, "h", 1));
  EXPECT_EQ(inventory(experiment).failed, std::vector{run_id(experiment.runs[0])});
  EXPECT_TRUE(inventory(experiment).stale.empty());
}

TEST_F(InputResults, MergeRefusesTwoContentsOfOneFile) {
  const Experiment experiment = experiment_of(2);
  store(bundle_of(experiment.runs[0], 1, provenance_with({kChecked, kData})));
  store(bundle_of(experiment.runs[1], 1, provenance_with({kChecked, kOther})));
  const auto [code, message] = error_of([&] { merge_results(directory_, experiment, false); });
  EXPECT_EQ(code, ExitCode::kUsage);
  for (const std::string& part : {kData.path, kData.hash, kOther.hash, std::string("--fresh"), std::string("--allow-mixed")})
    EXPECT_TRUE(contains(message, part));
  EXPECT_FALSE(std::filesystem::exists(directory_ / "runs.csv"));
  EXPECT_EQ(merge_results(directory_, experiment, true), 2);
  const CsvDocument runs = parse_csv(slurp(directory_ / "runs.csv"), "runs.csv");
  EXPECT_EQ(runs.rows[0].fields[runs.column("inputs")], "start.safetensors xxh3-64 00000000000000ff; data.csv xxh3-64 0123456789abcdef");
}

// A directory of data in which a file gave way to another: the paths differ, the settings do not.
TEST_F(InputResults, MergeRefusesOtherFilesUnderTheSameSettings) {
  Experiment experiment = experiment_of(2);
  const auto read_from = [&](std::size_t i, const char* path) { change_run(experiment, i, [path](Config& c) { c.task_path = path; }); };
  read_from(0, "images"), read_from(1, "images");
  store(bundle_of(experiment.runs[0], 1, provenance_with({{"images/a.gz", 1, kData.hash}})));
  store(bundle_of(experiment.runs[1], 1, provenance_with({{"images/a", 1, kData.hash}})));
  EXPECT_TRUE(contains(error_of([&] { merge_results(directory_, experiment, false); }).second, "images/a instead of images/a.gz"));
  read_from(1, "others");
  store(bundle_of(experiment.runs[1], 1, provenance_with({{"others/a", 1, kData.hash}})));
  EXPECT_EQ(merge_results(directory_, experiment, false), 2);
}

// --- results of older schemas ---

class OldResults : public InputResults {
 protected:
  void SetUp() override {
    spill(directory_ / "runs" / (std::string(kOldId) + ".run"), kOldBundle);
    spill(directory_ / "checkpoints" / (std::string(kOldId) + ".safetensors"), "");
  }
  const Experiment experiment_ = load(kOldExperiment);
  const std::string id_ = "r" + std::string(kOldId);
};

TEST_F(OldResults, AreReadWithTheLetterInFront) {
  ASSERT_EQ(run_id(experiment_.runs.at(0)), id_);
  const Bundle bundle = decode_bundle(kOldBundle, "x.run");
  EXPECT_EQ(bundle.run_id, id_);
  EXPECT_EQ(bundle.provenance.schema, 3);
  EXPECT_TRUE(bundle.provenance.inputs.empty());
  const Inventory there = inventory(experiment_, true);
  EXPECT_EQ(there.finished, std::vector{id_});
  EXPECT_EQ(there.older, std::vector{id_});
  EXPECT_TRUE(there.missing.empty());
  EXPECT_TRUE(there.foreign.empty());
  EXPECT_EQ(outcomes_text(there), "1 completed, 0 solved, 0 diverged, 0 failed");
}

TEST_F(OldResults, MergeToIdsWithALetter) {
  static std::vector<std::string> warnings;
  warnings.clear();
  EXPECT_EQ(merge_results(directory_, experiment_, false, [](const std::string& text) { warnings.push_back(text); }), 1);
  ASSERT_EQ(warnings.size(), 1u);
  EXPECT_TRUE(contains(warnings[0], "not known"));
  for (const std::string table : {"runs", "curves", "metrics", "timings"}) {
    const CsvDocument csv = parse_csv(slurp(directory_ / (table + ".csv")), table);
    ASSERT_FALSE(csv.rows.empty());
    for (const CsvRow& row : csv.rows) EXPECT_EQ(row.fields[0], id_) << table;
  }
}

// This build did not make them.
TEST_F(OldResults, AreNotGoneOnFrom) {
  const auto [code, message] = error_of([&] { inventory(experiment_); });
  EXPECT_EQ(code, ExitCode::kUsage);
  for (const std::string part : {"schema", "--fresh", "--allow-mixed"}) EXPECT_TRUE(contains(message, part));
}

TEST_F(OldResults, FreshRemovesThem) {
  prepare_directory(directory_, experiment_, provenance_of(), 1, true);
  EXPECT_FALSE(std::filesystem::exists(directory_ / "runs" / (std::string(kOldId) + ".run")));
  EXPECT_FALSE(std::filesystem::exists(directory_ / "checkpoints" / (std::string(kOldId) + ".safetensors")));
}

TEST(OldRows, StandInTheColumnsOfToday) {
  const std::vector<ColumnInfo> columns = {
      {"t", "new", "integer", "", ""}, {"t", "b", "string", "", ""}, {"t", "later", "string", "", ""}, {"t", "a", "string", "", ""}};
  const std::vector<std::string_view> stored = {"a", "gone", "b"};
  EXPECT_EQ(upgraded_row("\"x,\"\"y\"\"\",1,z", stored, columns), ",z,,\"x,\"\"y\"\"\"");
  EXPECT_EQ(upgraded_row(",,", stored, columns), ",,,");
}

// What is new today was not there: a bundle of schema 3 has just the columns of its program, and every table of today.
TEST(OldRows, HaveTheColumnsOfTheirProgram) {
  const Bundle bundle = decode_bundle(kOldBundle, "x.run");
  for (const std::string& table : run_tables()) {
    ASSERT_TRUE(bundle.tables.contains(table)) << table;
    for (const std::string& line : lines_of(bundle.tables.at(table))) {
      const auto commas = std::ranges::count(line, ',');
      EXPECT_EQ(commas + 1, std::ssize(bundle_columns(table))) << table << ": " << line;
    }
    for (const std::string_view column : stored_columns(table, 3))
      EXPECT_TRUE(std::ranges::any_of(bundle_columns(table), [&](const ColumnInfo& c) { return c.name == column; })) << table << column;
  }
  EXPECT_TRUE(stored_columns("predictions", 3).empty());
}

// --- the manifest and the libraries ---

TEST_F(InputResults, ManifestNamesInputsAndKeepsImplementations) {
  const Experiment experiment = experiment_of(1);
  const std::vector<std::string> first = {"brg:avx2", "gemm"};
  const std::vector<InputFile> inputs = {kData};
  prepare_directory(directory_, experiment, provenance_of(), 1, false, first, inputs);
  write_manifest(directory_, experiment, provenance_of(), 1, {}, inputs);
  const std::string manifest = slurp(directory_ / "manifest.json");
  for (const std::string part : {"\"path\": \"data.csv\"", "\"bytes\": 3", "\"xxh3_64\": \"0123456789abcdef\"", "\"brg:avx2\"", "\"gemm\""})
    EXPECT_TRUE(contains(manifest, part));
  write_manifest(directory_, experiment, provenance_of("b2"), 1, {}, {});
  EXPECT_FALSE(contains(slurp(directory_ / "manifest.json"), "gemm"));  // of another build
}

TEST(LibraryVersions, NameEverythingThatTouchesNumbers) {
  EXPECT_TRUE(has(library_versions(), {"oneDNN ", "Highway ", "oneTBB 2", "glibc 2.", "libm "}));
  EXPECT_EQ(libm_fingerprint(), libm_fingerprint());
  EXPECT_EQ(current_provenance().libraries, library_versions());
}

}  // namespace
}  // namespace vp::test
