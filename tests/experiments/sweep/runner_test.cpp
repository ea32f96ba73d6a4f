// Which runs a call of `vpoint run` does: what failed again, what is finished not, and each shard its own.
#include "experiments/sweep/runner.h"

#include <gtest/gtest.h>

#include <set>

#include "experiments/io/csv.h"
#include "experiments/io/files.h"
#include "tests/experiments/config/config_text.h"
#include "tests/experiments/io/temp_dir.h"

namespace vp::test {
namespace {

namespace fs = std::filesystem;

const char* const kSmall =
    "name = 'small'\n[task]\nname = 'adding'\nlength = 5\nvalidation_samples = 20\ntest_samples = 20\n[model]\nhidden = 6\n"
    "[train]\nbatch = 12\nshard_rows = 4\nupdates = 4\n[grid]\ntrain.seed = '0..6'\n";

class Runner : public ::testing::Test {
 protected:
  ExitCode run(const std::string& out, Shard shard = {}, std::vector<std::string> overrides = {}) {
    return run_experiment(
        load(kSmall, overrides),
        {.directory = directory_ / out, .threads = 2, .shard = shard, .fresh = false, .allow_mixed = false, .quiet = true});
  }
  fs::path bundle(const std::string& out, const Config& config) { return bundle_path(directory_ / out, run_id(config)); }
  Bundle read(const std::string& out, const Config& config) {
    const fs::path path = bundle(out, config);
    return decode_bundle(read_file(path), path.string());
  }
  // As if this run had ended with that outcome.
  void leave(const std::string& out, const Config& config, Outcome outcome) {
    RunReport report;
    report.summary.outcome = outcome;
    report.summary.note = "planted";
    Provenance provenance = read(out, config).provenance;
    write_file(bundle(out, config), encode_bundle(make_bundle(config, provenance, report, "host", 1)));
  }
  // The runs whose bundle another call has written anew.
  std::set<std::string> done_by(const std::string& out, const Experiment& experiment, const std::function<void()>& call) {
    for (const Config& config : experiment.runs)
      if (fs::exists(bundle(out, config))) fs::last_write_time(bundle(out, config), fs::file_time_type{});
    call();
    std::set<std::string> done;
    for (const Config& config : experiment.runs)
      if (fs::exists(bundle(out, config)) && fs::last_write_time(bundle(out, config)) != fs::file_time_type{}) done.insert(run_id(config));
    return done;
  }

  TempDir directory_;
};

TEST_F(Runner, FailedRunsAreDoneAgainAndNoOthers) {
  const Experiment experiment = load(kSmall);
  ASSERT_EQ(run("out"), ExitCode::kGood);
  const std::string runs = read_file(directory_ / "out" / "runs.csv");
  leave("out", experiment.runs[2], Outcome::kFailed);
  leave("out", experiment.runs[5], Outcome::kFailed);
  const auto done = done_by("out", experiment, [&] { EXPECT_EQ(run("out"), ExitCode::kGood); });
  EXPECT_EQ(done, (std::set{run_id(experiment.runs[2]), run_id(experiment.runs[5])}));
  EXPECT_EQ(read("out", experiment.runs[2]).outcome, Outcome::kCompleted);
  EXPECT_EQ(read_file(directory_ / "out" / "runs.csv"), runs);
}

// Divergence is a result: such a run stands as it is, and the call is good.
TEST_F(Runner, DivergedAndSolvedRunsStand) {
  const Experiment experiment = load(kSmall);
  ASSERT_EQ(run("out"), ExitCode::kGood);
  leave("out", experiment.runs[1], Outcome::kDiverged);
  leave("out", experiment.runs[3], Outcome::kSolved);
  EXPECT_TRUE(done_by("out", experiment, [&] { EXPECT_EQ(run("out"), ExitCode::kGood); }).empty());
  EXPECT_EQ(read("out", experiment.runs[1]).outcome, Outcome::kDiverged);
}

TEST_F(Runner, ShardsShareTheRunsWithoutOverlapOrGap) {
  const Experiment experiment = load(kSmall);
  for (const std::int64_t count : {1, 2, 3, 7, 9}) {
    const std::string out = "shards" + std::to_string(count);
    std::set<std::string> all;
    std::size_t sum = 0;
    for (std::int64_t index = 1; index <= count; ++index) {
      const auto done = done_by(out, experiment, [&] { EXPECT_EQ(run(out, {.index = index, .count = count}), ExitCode::kGood); });
      EXPECT_LE(done.size(), (experiment.runs.size() + count - 1) / count);  // as evenly as can be
      EXPECT_GE(done.size(), experiment.runs.size() / count);
      sum += done.size();
      all.insert(done.begin(), done.end());
    }
    EXPECT_EQ(sum, experiment.runs.size()) << count;
    EXPECT_EQ(all.size(), experiment.runs.size()) << count;
    EXPECT_TRUE(fs::exists(directory_ / out / "runs.csv")) << count;  // the last one merges
  }
}

}  // namespace
}  // namespace vp::test
