// Checkpoints of whole experiments: a bundle implies its checkpoint, a run starts from a file, a wrong file is refused before anything is
// written.
#include "experiments/results/checkpoint_files.h"

#include <gtest/gtest.h>

#include "experiments/io/csv.h"
#include "experiments/io/files.h"
#include "experiments/sweep/runner.h"
#include "tests/experiments/config/config_text.h"
#include "tests/experiments/io/temp_dir.h"
#include "tests/experiments/io/user_error.h"

namespace vp::test {
namespace {

namespace fs = std::filesystem;

const char* const kSmall =
    "name = 'small'\n[task]\nname = 'adding'\nlength = 5\nvalidation_samples = 20\ntest_samples = 20\n[model]\nhidden = 6\n"
    "[train]\nbatch = 12\nshard_rows = 4\nupdates = 4\nlearning_rate = 0.05\nsave_checkpoint = true\n";

class CheckpointFiles : public ::testing::Test {
 protected:
  ExitCode run(const std::string& out, std::vector<std::string> overrides, bool fresh = false) {
    return run_experiment(load(kSmall, overrides),
                          {.directory = directory_ / out, .threads = 2, .shard = {}, .fresh = fresh, .allow_mixed = false, .quiet = true});
  }
  fs::path checkpoint(const std::string& out, const std::vector<std::string>& overrides = {}) {
    return checkpoint_path(directory_ / out, run_id(load(kSmall, overrides).runs.at(0)));
  }
  std::string from(const fs::path& path) { return "init.from_checkpoint='" + path.string() + "'"; }
  // The cells of a column of curves.csv.
  std::vector<std::string> curve(const std::string& out, const std::string& column) {
    const fs::path path = directory_ / out / "curves.csv";
    const CsvDocument curves = parse_csv(read_file(path), path.string());
    std::vector<std::string> cells;
    for (const CsvRow& row : curves.rows) cells.push_back(row.fields[curves.column(column)]);
    return cells;
  }
  // The message of a refused run, which must have left nothing; --dry-run refuses it likewise.
  std::string refusal(ExitCode code, const std::vector<std::string>& overrides) {
    const std::string dry = user_error(code, [&] { print_plan(load(kSmall, overrides), 1); });
    const std::string message = user_error(code, [&] { run("refused", overrides); });
    EXPECT_EQ(message, dry);
    EXPECT_FALSE(fs::exists(directory_ / "refused"));
    return message;
  }

  TempDir directory_;
};

TEST_F(CheckpointFiles, ARunStartsFromTheFileOfAnother) {
  ASSERT_EQ(run("first", {}), ExitCode::kGood);
  const auto start = from(checkpoint("first"));
  ASSERT_EQ(run("second", {start, "train.seed=0", "train.updates=0"}), ExitCode::kGood);
  const auto losses = curve("first", "validation_loss");
  ASSERT_EQ(losses.size(), 2u);
  EXPECT_NE(losses[0], losses[1]);
  EXPECT_EQ(curve("second", "validation_loss"), std::vector<std::string>{losses[1]});
  const Safetensors file = Safetensors::parse([&] {
    const std::string text = read_file(checkpoint("first"));
    const auto bytes = std::as_bytes(std::span(text));
    return std::vector<std::byte>(bytes.begin(), bytes.end());
  }());
  EXPECT_EQ(file.metadata().at("format"), "pt");
  EXPECT_EQ(file.metadata().at("vanishing_point.configuration"), canonical_text(load(kSmall).runs.at(0)));
}

TEST_F(CheckpointFiles, WithoutTheKeyThereIsNone) {
  ASSERT_EQ(run("plain", {"train.save_checkpoint=false"}), ExitCode::kGood);
  EXPECT_FALSE(fs::exists(directory_ / "plain" / "checkpoints"));
}

TEST_F(CheckpointFiles, ARunWhoseCheckpointIsGoneIsDoneAgain) {
  const std::vector<std::string> seeds = {"train.seed=0..2"};
  ASSERT_EQ(run("out", seeds), ExitCode::kGood);
  const fs::path gone = checkpoint("out", {"train.seed=1"}), kept = checkpoint("out", {"train.seed=2"});
  const std::string bytes = read_file(gone);
  const auto written = fs::last_write_time(kept);
  fs::remove(gone);
  const Inventory between = take_inventory(directory_ / "out", load(kSmall, seeds), current_provenance(), false, [](const std::string&) {});
  EXPECT_EQ(between.missing, std::vector<std::string>{gone.stem().string()});
  ASSERT_EQ(run("out", seeds), ExitCode::kGood);
  EXPECT_EQ(read_file(gone), bytes);
  EXPECT_EQ(fs::last_write_time(kept), written);
}

TEST_F(CheckpointFiles, FreshRemovesThemToo) {
  ASSERT_EQ(run("out", {"train.seed=0..1"}), ExitCode::kGood);
  ASSERT_EQ(run("out", {"train.seed=1"}, true), ExitCode::kGood);
  EXPECT_FALSE(fs::exists(checkpoint("out", {"train.seed=0"})));
  EXPECT_TRUE(fs::exists(checkpoint("out", {"train.seed=1"})));
}

// As by kill -9 between the two files.
TEST_F(CheckpointFiles, ACheckpointWithoutItsBundleIsNoFinishedRun) {
  ASSERT_EQ(run("out", {}), ExitCode::kGood);
  const std::string bytes = read_file(checkpoint("out"));
  fs::remove(bundle_path(directory_ / "out", checkpoint("out").stem().string()));
  directory_.write("out/checkpoints/" + checkpoint("out").filename().string(), "half");
  ASSERT_EQ(run("out", {}), ExitCode::kGood);
  EXPECT_EQ(read_file(checkpoint("out")), bytes);
}

TEST_F(CheckpointFiles, NoBundleIsWrittenWhereTheCheckpointCannotBe) {
  fs::create_directories(directory_ / "out");
  directory_.write("out/checkpoints", "a file in the way");
  EXPECT_TRUE(has(user_error(ExitCode::kInputOutput, [&] { run("out", {}); }), {"checkpoints: cannot be made"}));
  EXPECT_FALSE(fs::exists(bundle_path(directory_ / "out", checkpoint("out").stem().string())));
}

TEST_F(CheckpointFiles, WrongFilesAreRefusedBeforeAnythingIsWritten) {
  ASSERT_EQ(run("first", {}), ExitCode::kGood);
  const fs::path file = checkpoint("first");
  const std::string name = file.filename().string();
  EXPECT_TRUE(has(refusal(ExitCode::kInputOutput, {from(directory_ / "none")}), {"none: cannot open"}));
  EXPECT_TRUE(has(refusal(ExitCode::kInputOutput, {from(directory_.write("half", read_file(file).substr(0, 400)))}),
                  {"half: byte 400", "truncated", "init.from_checkpoint"}));
  EXPECT_TRUE(has(refusal(ExitCode::kInputOutput, {from(file), "model.hidden=7"}),
                  {name, "rnn.weight_ih_l0: expected shape (7, 2), got (6, 2)", "The model has rnn.weight_ih_l0 (7, 2)"}));
  EXPECT_TRUE(
      has(refusal(ExitCode::kInputOutput, {from(file), "model.cell=lstm", "run.precision=f64"}), {"expected shape (24, 2), got (6, 2)"}));
  EXPECT_TRUE(has(refusal(ExitCode::kInputOutput, {from(file), "model.layers=2"}), {name, "rnn.weight_ih_l1 is missing"}));
  EXPECT_TRUE(has(refusal(ExitCode::kInputOutput, {"train.seed=0,1", "model.hidden=6,7", from(file)}), {"(7, 2)"}));
}

TEST_F(CheckpointFiles, SettingsOfHowToDrawExcludeIt) {
  for (const char* setting : {"init.gain=2", "init.scheme=orthogonal", "init.recurrent.spectral_radius=1", "init.readout.scheme=zeros"}) {
    const std::string key = std::string(setting).substr(0, std::string_view(setting).find('='));
    const auto message = user_error(ExitCode::kUsage, [&] { load(kSmall, {setting, "init.from_checkpoint=x"}); });
    EXPECT_TRUE(has(message, {key, "no effect", "init.from_checkpoint"})) << setting;
  }
  EXPECT_NO_THROW(load(kSmall, {"init.gain=1", "init.from_checkpoint=x"}));
  const Experiment experiment = load(kSmall, {"init.from_checkpoint=x"});
  EXPECT_EQ(load(experiment.resolved_toml).resolved_toml, experiment.resolved_toml);  // defaults written out are no settings
}

}  // namespace
}  // namespace vp::test
