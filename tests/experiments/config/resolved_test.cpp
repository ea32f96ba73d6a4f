// config.toml of the results: it reads back to the same experiment.
#include "experiments/tasks/task.h"
#include "tests/experiments/config/config_text.h"

namespace vp::test {
namespace {

std::vector<std::string> run_ids(const Experiment& experiment) {
  std::vector<std::string> ids;
  for (const Config& run : experiment.runs) ids.push_back(run_id(run));
  return ids;
}

void expect_round_trip(const Experiment& experiment) {
  const Experiment again = load(experiment.resolved_toml);
  EXPECT_EQ(run_ids(again), run_ids(experiment)) << experiment.resolved_toml;
  EXPECT_EQ(again.resolved_toml, experiment.resolved_toml);
  EXPECT_EQ(again.grid_keys, experiment.grid_keys);
  EXPECT_EQ(again.name, experiment.name);
  EXPECT_EQ(again.title, experiment.title);
  EXPECT_EQ(again.description, experiment.description);
}

TEST(ConfigResolved, ASingleRun) {
  const Experiment e = load_after_head(
      "title = \"T \\\"q\\\" \\\\\"\ndescription = '''two\nlines\t\xc3\xa9'''\ntrain.stop_at = -0.0\ntrain.evaluate_every = 5");
  expect_round_trip(e);
  EXPECT_TRUE(has(e.resolved_toml, {"\n[train]\noptimizer = \"adam\"\nlearning_rate = 0.001\nbatch = 128\n",
                                    "\n[run]\nbackend = \"auto\"\n", "[task]\nname = \"adding\"\n", "stop_at = 0\n"}));
}

TEST(ConfigResolved, EveryDefaultOfEveryChoiceReadsBack) {
  std::string names;
  for (const TaskEntry& task : tasks()) names += (names.empty() ? "'" : ", '") + std::string(task.name) + "'";
  expect_round_trip(load("name = 'e'\n[grid]\ntask.name = [" + names +
                         "]\nmodel.cell = ['rnn', 'lstm']\ntrain.optimizer = ['sgd', 'momentum', 'rmsprop', 'adam']"));
  for (const TaskEntry& task : tasks())
    for (const char* optimizer : {"sgd", "momentum", "rmsprop", "adam"})
      expect_round_trip(load("name = 'e'", {"task.name=" + std::string(task.name), std::string("train.optimizer=") + optimizer}));
}

TEST(ConfigResolved, GridsOverridesAndPartlyVariedKeys) {
  const std::string arms =
      "train.seed = 7\n[[grid]]\nmodel.cell = ['rnn']\ninit.recurrent.gain = [1, 0.5, 1e-30]\n[[grid]]\nmodel.cell = ['lstm']\ntrain.seed "
      "= [1, 2]\n"
      "init.bias.forget_gate = [0, 1.5]\n[[grid]]\ntask.path = [\"a \\\"b\\\"\", 'c']";
  expect_round_trip(load_after_head(arms));
  const Experiment e = load_after_head(arms, {"train.batch=3,4", "model.layers=2", "train.seed=0..11", "run.ftz=true,false"});
  expect_round_trip(e);
  EXPECT_TRUE(
      has(e.resolved_toml,
          {"[[grid]]\nmodel.cell = [\"rnn\"]\ninit.recurrent.gain = [1, 0.5, 1e-30]\ntrain.batch = [3, 4]\nrun.ftz = [true, false]\n",
           "train.seed = \"0..11\"\n", "\nlayers = 2\n", "\nseed = 7\n"}));
  expect_round_trip(load_after_head(
      arms, {"model.cell=rnn", "init.recurrent.gain=1", "train.seed=3", "task.path=x", "init.bias.forget_gate=2", "model.cell=lstm"}));
}

// Long axes of whole numbers are written as ranges where they are ones.
TEST(ConfigResolved, AGapInALongAxisIsKept) {
  const Experiment whole = load_after_head("[grid]\ntrain.seed = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]");
  EXPECT_NE(whole.resolved_toml.find("0..11"), std::string::npos);
  expect_round_trip(whole);
  const Experiment gap = load_after_head("[grid]\ntrain.seed = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12]");
  EXPECT_EQ(gap.resolved_toml.find(".."), std::string::npos);
  EXPECT_EQ(gap.runs.size(), 12u);
  expect_round_trip(gap);
}

TEST(ConfigResolved, AGridThatLostItsOnlyAxis) {
  const Experiment e = load_after_head("[grid]\ntrain.seed = [1, 2]", {"train.seed=9"});
  EXPECT_EQ(e.resolved_toml.find("[grid]"), std::string::npos);
  expect_round_trip(e);
}

TEST(ConfigResolved, WhatCouldNotBeReadBackIsRefused) {
  // Every backslash is written as two.
  const std::string message = load_error(std::string(kHead) + "task.path = '" + std::string(600'000, '\\') + "'");
  EXPECT_TRUE(has(message, {"e.toml: with its defaults", "1048576", "ranges"}));
}

TEST(ConfigResolved, ClaimsReadBack) {
  const Experiment e = load_after_head(
      "[[claim]]\nname = 'a \"b\"'\ntext = '''two\nlines'''\nmetric = 'timesteps.log10_dh'\nwhere = { model.cell = 'lstm', 'train.seed' = "
      "0, update = 1.5, 'run.ftz' = false }\n"
      "against = {}\ncompare = 'ratio'\naggregate = 'slope'\nover = 't'\nbest_over = ['train.learning_rate', 'init.gain']\nrelation = "
      "'within'\nvalue = 0.4\n"
      "relative_tolerance = 0.02\nby = 'interval'\n[[claim]]\nname = 'b'\nmetric = 'runs.test_loss'\nrelation = 'at_most'\nvalue = -3\n"
      "[[claim]]\nname = 'c'\nmetric = 'curves.x.y'\nwhere = {}\nagainst = { a = 1 }\ncompare = 'difference'\naggregate = "
      "'median'\nrelation = 'within'\nvalue = 1e300\ntolerance = 0\nunit = 'run'\nallow_incomplete = true\nsource = 's \"1\"'\npublished = "
      "0.5\n");
  expect_round_trip(e);
  const Experiment again = load(e.resolved_toml);
  ASSERT_EQ(again.claims.size(), 3u);
  for (std::size_t i = 0; i < 3; ++i) {
    const Claim &x = e.claims.at(i), &y = again.claims[i];
    EXPECT_EQ(y.name, x.name);
    EXPECT_EQ(y.text, x.text);
    EXPECT_EQ(y.file + "." + y.column, x.file + "." + x.column);
    EXPECT_EQ(y.where.size(), x.where.size());
    EXPECT_EQ(y.where, x.where);
    EXPECT_EQ(y.against, x.against);
    EXPECT_EQ(y.compare, x.compare);
    EXPECT_EQ(y.aggregate, x.aggregate);
    EXPECT_EQ(y.slope_over, x.slope_over);
    EXPECT_EQ(y.best_over, x.best_over);
    EXPECT_EQ(y.relation, x.relation);
    EXPECT_EQ(y.value, x.value);
    EXPECT_EQ(y.tolerance, x.tolerance);
    EXPECT_EQ(y.relative_tolerance, x.relative_tolerance);
    EXPECT_EQ(y.by_interval, x.by_interval);
    EXPECT_EQ(y.unit, x.unit);
    EXPECT_EQ(y.allow_incomplete, x.allow_incomplete);
    EXPECT_EQ(y.source, x.source);
    EXPECT_EQ(y.published, x.published);
  }
}

}  // namespace
}  // namespace vp::test
