// Claims against the grid, before any run.
#include "experiments/claims/plan.h"

#include <filesystem>

#include "experiments/io/files.h"
#include "tests/experiments/config/config_text.h"

namespace vp::test {
namespace {

// Runs of two cells, one of them with an option of its own; rows at updates 0, 40, 80 and 100.
const char* const kGrid =
    "train.updates = 100\ntrain.evaluate_every = 40\nprobe.every = 50\n[[grid]]\nmodel.cell = ['rnn']\ninit.recurrent.gain = [0.5, 1.5]\n"
    "[[grid]]\nmodel.cell = ['lstm']\ninit.bias.forget_gate = [1.0]\n";  // lines 3 to 11

// Lines 12 and 13 are the header and the name; `text` starts on line 14.
Experiment with_claim(const std::string& text) {
  return load_after_head(std::string(kGrid) + "[[claim]]\nname = 'c'\n" + text + "\nrelation = 'at_least'\nvalue = 0\n");
}

void check(const Experiment& experiment) {
  const PlannedRuns runs = planned_runs(experiment);
  for (const Claim& claim : experiment.claims) check_planned_claim(claim, runs);
}

std::string problem(const std::string& text) {
  const Experiment experiment = with_claim(text);
  return user_error(ExitCode::kUsage, [&] { check(experiment); });
}

void expect_problem(const std::string& text, const std::string& expected) {
  const std::string message = problem(text);
  EXPECT_TRUE(message.starts_with(expected)) << "text: " << text << "\nmessage: " << message << "\nexpected: " << expected;
}

TEST(ClaimPlan, SoundClaimsPass) {
  for (const char* text : {
           "metric = 'runs.gradient_slope'",
           "metric = 'runs.test_accuracy'\nwhere = { model.cell = 'rnn', init.recurrent.gain = 0.5 }",
           "metric = 'runs.test_accuracy'\nwhere = { outcome = 'completed', train.updates = 100.0 }",
           "metric = 'runs.test_accuracy'\nwhere = { init.bias.forget_gate = '' }",  // unset
           "metric = 'curves.train_loss'\nwhere = { update = 40 }",
           "metric = 'curves.train_loss'\nwhere = { update = 100, model.cell = 'lstm' }\nagainst = {}\ncompare = 'ratio'",
           "metric = 'layers.log10_gradient'\nwhere = { update = 50 }\naggregate = 'slope'\nover = 'layer'",
           "metric = 'metrics.value'\nwhere = { split = 'test', metric = 'recall', class = 1, update = 80 }",
           "metric = 'runs.gradient_slope'\nwhere = { model.cell = 'rnn' }\naggregate = 'slope'\nover = 'init.recurrent.gain'",
           "metric = 'runs.gradient_slope'\nbest_over = ['init.recurrent.gain']",
       })
    EXPECT_NO_THROW(check(with_claim(text))) << text;
}

TEST(ClaimPlan, ColumnsMustBeThereAndHoldNumbers) {
  expect_problem("metric = 'runs.test_acuracy'",
                 "e.toml:14:10: claim \"c\": metric: there is no column test_acuracy in runs.csv; did you mean test_accuracy");
  expect_problem("metric = 'curves.trian_loss'",
                 "e.toml:14:10: claim \"c\": metric: there is no column trian_loss in curves.csv or runs.csv; did you mean train_loss");
  expect_problem("metric = 'runs.outcome'", "e.toml:14:10: claim \"c\": metric: the column outcome does not hold numbers");
  expect_problem("metric = 'runs.model.cell'", "e.toml:14:10: claim \"c\": metric: the column model.cell does not hold numbers");
  expect_problem("metric = 'layers.log10_gradient'\naggregate = 'slope'\nover = 'layr'",
                 "e.toml:16:8: claim \"c\": over: there is no column layr in layers.csv or runs.csv; did you mean layer");
  expect_problem("metric = 'metrics.value'\naggregate = 'slope'\nover = 'split'",
                 "e.toml:16:8: claim \"c\": over: the column split does not hold numbers");
  expect_problem("metric = 'runs.test_loss'\nbest_over = ['model.variant', 'task.delay']",
                 "e.toml:15:13: claim \"c\": best_over: no run of the grid has the key task.delay");
}

TEST(ClaimPlan, KeysAndValuesOfGroupsMustOccurInTheGrid) {
  const std::string metric = "metric = 'curves.train_loss'\n";
  expect_problem(metric + "where = { model.sell = 'rnn' }",
                 "e.toml:15:17: claim \"c\": where: there is no column model.sell in curves.csv or runs.csv; did you mean model.cell");
  expect_problem(metric + "where = { model.cell = 'rn' }",
                 "e.toml:15:24: claim \"c\": where: no run of the grid has model.cell = \"rn\"; did you mean rnn");
  expect_problem(metric + "where = { init.recurrent.gain = 7 }",
                 "e.toml:15:33: claim \"c\": where: no run of the grid has init.recurrent.gain = 7");
  EXPECT_TRUE(has(problem(metric + "where = { init.recurrent.gain = 7 }"), {"known: 0.5, 1.5"}));
  expect_problem(metric + "where = { model.cell = 3 }", "e.toml:15:24: claim \"c\": where: no run of the grid has model.cell = 3");
  expect_problem(metric + "where = { model.cell = 'rnn', init.bias.forget_gate = 1.0 }",
                 "e.toml:15:17: claim \"c\": where: no run of the grid has all of model.cell = \"rnn\", init.bias.forget_gate = 1");
  expect_problem(metric + "where = {}\nagainst.\"model.cell\" = 'rn'\ncompare = 'ratio'",
                 "e.toml:16:24: claim \"c\": against: no run of the grid has model.cell = \"rn\"; did you mean rnn");
}

TEST(ClaimPlan, ValuesOfResultColumnsMustBePossible) {
  expect_problem("metric = 'runs.test_loss'\nwhere = { outcome = 'compleated' }",
                 "e.toml:15:21: claim \"c\": where: outcome is never \"compleated\"; did you mean completed");
  expect_problem("metric = 'runs.test_loss'\nwhere = { updates_done = 'all' }",
                 "e.toml:15:26: claim \"c\": where: updates_done holds numbers, so it is never \"all\"");
  expect_problem("metric = 'metrics.value'\nwhere = { split = 'tset' }",
                 "e.toml:15:19: claim \"c\": where: split is never \"tset\"; did you mean test");
  expect_problem("metric = 'metrics.value'\nwhere = { metric = 'acuracy' }",
                 "e.toml:15:20: claim \"c\": where: metric is never \"acuracy\"; did you mean accuracy");
  expect_problem("metric = 'layers.dead_units'\nwhere = { layer = true }",
                 "e.toml:15:19: claim \"c\": where: layer holds numbers, so it is never true");
}

// Losses are evaluated at 0, 40, 80 and 100, layers probed at 0, 50 and 100.
TEST(ClaimPlan, RowsMustStandAtTheUpdate) {
  const auto at = [](const char* metric, const char* update) {
    return std::string("metric = '") + metric + "'\nwhere = { update = " + update + " }";
  };
  expect_problem(
      at("curves.train_loss", "50"),
      "e.toml:15:20: claim \"c\": where: curves.csv will have no row of update = 50, only of 0, of train.updates = 100 and every "
      "train.evaluate_every");
  expect_problem(
      at("layers.dead_units", "40"),
      "e.toml:15:20: claim \"c\": where: layers.csv will have no row of update = 40, only of 0, of train.updates = 100 and every "
      "probe.every");
  for (const char* wrong : {"101", "120", "-40", "40.5", "1e300"}) EXPECT_TRUE(has(problem(at("curves.train_loss", wrong)), {"no row"}));
  for (const char* right : {"0", "40", "80", "100", "80.0"}) EXPECT_NO_THROW(check(with_claim(at("curves.train_loss", right)))) << right;
  for (const char* right : {"0", "50", "100"}) EXPECT_NO_THROW(check(with_claim(at("timesteps.log10_dh", right)))) << right;
}

// A run that may end early is probed at its last evaluation.
TEST(ClaimPlan, RunsThatMayEndEarlyHaveRowsThere) {
  const std::string claim =
      "\n[[claim]]\nname = 'c'\nmetric = 'layers.dead_units'\nwhere = { update = 40 }\nrelation = 'at_least'\nvalue = 0";
  EXPECT_NO_THROW(check(load_after_head("train.updates = 100\ntrain.evaluate_every = 40\ntrain.stop_at = 0.5" + claim)));
  EXPECT_THROW(check(load_after_head("train.updates = 100\ntrain.evaluate_every = 40" + claim)), UserError);
}

TEST(ClaimPlan, TheTableMustHaveRows) {
  expect_problem("metric = 'spectra.value'",
                 "e.toml:14:10: claim \"c\": metric: these runs will leave spectra.csv empty; it needs probe.spectra");
  expect_problem("metric = 'traces.value'",
                 "e.toml:14:10: claim \"c\": metric: these runs will leave traces.csv empty; it needs probe.traces");
  const std::string claim = "\n[[claim]]\nname = 'c'\nmetric = 'timesteps.log10_dh'\nrelation = 'at_least'\nvalue = 0";
  EXPECT_THROW(check(load_after_head("probe.timesteps = false" + claim)), UserError);
  EXPECT_THROW(check(load_after_head("model.kind = 'mlp'" + claim)), UserError);
}

TEST(ClaimPlan, ASlopeNeedsTwoValuesOnItsAxis) {
  expect_problem("metric = 'runs.gradient_slope'\nwhere = { init.recurrent.gain = 0.5 }\naggregate = 'slope'\nover = 'init.recurrent.gain'",
                 "e.toml:17:8: claim \"c\": over: init.recurrent.gain has one value in the runs of where, so there is no slope");
}

TEST(ClaimPlan, TheWholeCatalogPasses) {
  std::size_t claims = 0;
  for (const auto& entry : std::filesystem::directory_iterator(std::filesystem::path(VP_SOURCE_DIR) / "experiments/catalog")) {
    if (entry.path().extension() != ".toml") continue;
    const Experiment experiment = load_experiment(read_file(entry.path()), entry.path().filename().string(), {});
    EXPECT_NO_THROW(check(experiment));
    claims += experiment.claims.size();
  }
  EXPECT_GE(claims, 100u);
}

}  // namespace
}  // namespace vp::test
