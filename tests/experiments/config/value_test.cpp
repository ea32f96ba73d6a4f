// One value at a time: types, ranges, choices, and keys of tasks, cells and optimisers that were not chosen.
#include <map>
#include <set>

#include "experiments/tasks/task.h"
#include "models/cells/cell_list.h"
#include "models/optimizers/optimizers.h"
#include "tests/experiments/config/config_text.h"

namespace vp::test {
namespace {

TEST(ConfigValue, WrongTypes) {
  expect_refused({"[train]\nseed = 1.0", "e.toml:4:8: train.seed: expected an integer of at least 0, got 1.0"});
  expect_refused({"[train]\nseed = '1'", "e.toml:4:8: train.seed: expected an integer of at least 0, got \"1\""});
  expect_refused(
      {"[train]\nlearning_rate = 'fast'", "e.toml:4:17: train.learning_rate: expected a number above 0, at most 1e+30, got \"fast\""});
  expect_refused({"[train]\nclip_norm = true", "e.toml:4:13: train.clip_norm: expected a number above 0, at most 1e+30, got true"});
  expect_refused({"[run]\nftz = 1", "e.toml:4:7: run.ftz: expected true or false, got 1"});
  expect_refused({"[run]\nftz = 'true'", "e.toml:4:7: run.ftz: expected true or false, got \"true\""});
  expect_refused({"[model]\ncell = 3", "e.toml:4:8: model.cell: expected one of rnn, lstm", {"got 3"}});
  expect_refused({"task.path = 3", "e.toml:3:13: task.path: expected text, got 3"});
}

TEST(ConfigValue, OutOfRange) {
  expect_refused({"[model]\nlayers = 0", "e.toml:4:10: model.layers: expected an integer from 1 to 1000, got 0"});
  expect_refused({"[model]\nhidden = 65537", "e.toml:4:10: model.hidden: expected an integer from 1 to 65536, got 65537"});
  expect_refused({"[train]\nshard_rows = 0", "e.toml:4:14: train.shard_rows: expected an integer from 1 to 4096, got 0"});
  expect_refused({"[train]\nbatch = 0", "e.toml:4:9: train.batch: expected an integer from 1"});
  expect_refused({"[train]\nupdates = -1", "e.toml:4:11: train.updates: expected an integer from 0"});
  expect_refused({"[train]\nseed = -1", "e.toml:4:8: train.seed: expected an integer of at least 0, got -1"});
  expect_refused({"[train]\nlearning_rate = 0", "e.toml:4:17: train.learning_rate: expected a number above 0"});
  expect_refused({"[train]\nclip_value = 0.0", "e.toml:4:14: train.clip_value: expected a number above 0"});
  expect_refused(
      {"[train]\nlearning_rate = inf", "e.toml:4:17: train.learning_rate: expected a finite number above 0, at most 1e+30, got inf"});
  expect_refused({"[init]\ngain = nan", "e.toml:4:8: init.gain: expected a finite number from 0 to 1e+30, got nan"});
  expect_refused({"[init]\nrecurrent.nonzeros = 0", "e.toml:4:22: init.recurrent.nonzeros: expected an integer from 1 to 65536, got 0"});
  for (const char* key : {"every", "timesteps_every", "samples"})
    expect_refused(
        {std::string("[probe]\n") + key + " = -1", "e.toml:4:" + std::to_string(std::string(key).size() + 4) + ": probe." + key});
  expect_refused({"[grid]\ntrain.batch = [1, 0]", "e.toml:4:19: train.batch: expected an integer from 1"});
}

TEST(ConfigValue, BoundsThemselvesAreAllowed) {
  EXPECT_EQ(load_after_head("train.updates = 0\ntrain.batch = 1\ntrain.shard_rows = 1\nmodel.hidden = 65536\ninit.gain = 0").runs.size(),
            1u);
  EXPECT_EQ(load_after_head("train.seed = 9223372036854775807").runs.at(0)->run.train.seed, 9223372036854775807);
}

TEST(ConfigValue, UnknownChoices) {
  expect_refused({"[model]\ncell = 'lstmm'", "e.toml:4:8: model.cell: there is no \"lstmm\"; did you mean lstm"});
  expect_refused({"[model]\nactivation = 'tanhh'", "e.toml:4:14: model.activation: there is no \"tanhh\"; did you mean tanh"});
  expect_refused({"[model]\nkind = 'rbm'", "e.toml:4:8: model.kind: there is no \"rbm\"; known: sequence, mlp, cnn"});
  expect_refused({"[model]\nform = 'many_to_on'", "e.toml:4:8: model.form: there is no \"many_to_on\"; did you mean many_to_one"});
  expect_refused({"[init]\nscheme = 'ortogonal'", "e.toml:4:10: init.scheme: there is no \"ortogonal\"; did you mean orthogonal"});
  expect_refused({"[init]\ninput.scheme = ''", "e.toml:4:16: init.input.scheme: there is no \"\"; known: pytorch"});
  expect_refused({"[train]\noptimizer = 'Adam'", "e.toml:4:13: train.optimizer: there is no \"Adam\"; did you mean adam"});
  expect_refused({"[run]\nbackend = 'cuda'", "e.toml:4:11: run.backend: there is no \"cuda\"; known: auto, ", {"onednn", "reference"}});
  expect_refused({"[run]\nprecision = 'f16'", "e.toml:4:13: run.precision: there is no \"f16\"; known: f32, f64"});
  EXPECT_TRUE(load_error("name = 'e'\n[task]\nname = 'fashion'").starts_with("e.toml:3:8: task.name: there is no \"fashion\""));
  EXPECT_TRUE(
      load_error("name = 'e'\n[task]\nname = 'addin'").starts_with("e.toml:3:8: task.name: there is no \"addin\"; did you mean adding"));
}

TEST(ConfigValue, FormulasAsActivations) {
  expect_refused({"[model]\nactivation = 'expr: x*tahn(x)'",
                  "e.toml:4:14: model.activation: column 9: there is no function \"tahn\"; did you mean tanh",
                  {"\n  expr: x*tahn(x)\n          ^"}});
  expect_refused({"[model]\nactivation = 'expr:'", "e.toml:4:14: model.activation: column 6: the formula ends"});
  expect_refused({"[model]\nactivation = 'expr: x*y'", "e.toml:4:14: model.activation: column 9: there is no variable \"y\", only x"});
  expect_refused({"[grid]\nmodel.activation = ['tanh', 'expr: 1/x']",
                  "e.toml:4:29: model.activation: not an activation: ",
                  {"its value at x = 0 is inf"}});
  expect_refused({"[model]\nactivation = 'exp: x'", "e.toml:4:14: model.activation: there is no \"exp: x\"; known: linear"});
  expect_refused(
      {"[model]\ncell = 'lstm'\nactivation = 'expr: sin(x)'", "e.toml:5:14: model.activation = expr: sin(x): model.cell = lstm"});
  const Experiment e = load_after_head("", {"model.activation=tanh,expr: max(x, 0.1*x),expr: sin(x)"});
  EXPECT_EQ(fields(e, {"model.activation"}), (std::vector<std::string>{"tanh", "expr: max(x, 0.1*x)", "expr: sin(x)"}));
  EXPECT_EQ(activation_notes(e.runs), std::vector<std::string>{"expr: max(x, 0.1*x): its slope jumps at x = 0 from 0.1 to 1 (0.1 there)"});
  EXPECT_NE(run_id(load_after_head("model.activation = 'expr: x+1'").runs[0]),
            run_id(load_after_head("model.activation = 'expr: x + 1'").runs[0]));
  EXPECT_EQ(load(load_after_head("model.activation = 'expr: -x^2'").resolved_toml).runs[0]->run.model.activation, "expr: -x^2");
}

TEST(ConfigValue, FormulasInsideOfACell) {
  for (const std::string cell : {"lstm", "gru", "mgu"})
    for (const std::string field : {"gate_activation", "candidate_activation"}) {
      const std::string start = "[model]\ncell = '" + cell + "'\n" + field + " = ", where = "e.toml:5:" + std::to_string(field.size() + 4);
      expect_refused({start + "'expr: 1/x'", where + ": model." + field + ": not an activation: ", {"its value at x = 0 is inf"}});
      expect_refused(
          {start + "'expr: tahn(x)'", where + ": model." + field + ": column 7: there is no function \"tahn\"; did you mean tanh"});
      const Experiment e = load_after_head(start + "'expr: max(0, min(1, 0.2*x+0.5))'");
      EXPECT_EQ(fields(load(e.resolved_toml), {"model." + field}), std::vector<std::string>{"expr: max(0, min(1, 0.2*x+0.5))"});
      ASSERT_EQ(activation_notes(e.runs).size(), 1u);
      EXPECT_TRUE(activation_notes(e.runs)[0].starts_with("expr: max(0, min(1, 0.2*x+0.5)): its slope jumps at x = -2.5 from 0 to 0.2"));
    }
}

TEST(ConfigValue, ControlCharactersAreRefused) {
  expect_refused({"task.path = \"a\\nb\"", "e.toml:3:13: task.path: expected text without control characters, got \"a\\nb\""});
  expect_refused({"task.path = \"a\\u0000b\"", "e.toml:3:13: task.path: expected text without control characters"});
}

TEST(ConfigValue, KeysOfOthersSayWhoseTheyAre) {
  EXPECT_EQ(load_error("name = 'e'\n[task]\nname = 'fashion_mnist'\nkinds = 5"),
            "e.toml:4:1: task.kinds belongs to the task parentheses; this experiment's task is fashion_mnist");
  const std::string several = load_error("name = 'e'\n[task]\nname = 'fashion_mnist'\nlength = 5");
  EXPECT_TRUE(several.starts_with("e.toml:4:1: task.length belongs to the tasks adding, ")) << several;
  EXPECT_TRUE(several.ends_with(", temporal_order, two_sequence, wave; this experiment's task is fashion_mnist")) << several;
  expect_refused(
      {"[train]\nmomentum = 0.5", "e.toml:4:1: train.momentum belongs to the optimizer momentum; this experiment's optimizer is adam"});
  expect_refused({"[train]\noptimizer = 'sgd'\nbeta1 = 0.5",
                  "e.toml:5:1: train.beta1 belongs to the optimizer adam; this experiment's optimizer is sgd"});
  expect_refused({"[grid]\ntrain.optimizer = ['momentum', 'sgd']\ntrain.momentum = [0.5]",
                  "e.toml:5:7: train.momentum belongs to the optimizer momentum; this experiment's optimizer is sgd"});
}

TEST(ConfigValue, OptionsOfTheChosenArriveAndAreTypeChecked) {
  const Experiment e = load_after_head("task.length = 30\ntrain.optimizer = 'momentum'\ntrain.momentum = 0.25");
  EXPECT_EQ(fields(e, {"task.length", "train.momentum"}), std::vector<std::string>{"30 0.25"});
  expect_refused({"task.length = 30.5", "e.toml:3:15: task.length: expected an integer"});
}

TEST(ConfigValue, HelpListsEveryKeyOfEveryOwnerOnce) {
  std::set<std::string> seen, owners;
  for (const FieldHelp& help : all_fields()) {
    EXPECT_TRUE(seen.insert(help.belongs_to + ":" + help.key).second) << help.key << " of " << help.belongs_to;
    EXPECT_FALSE(help.description.empty()) << help.key;
    EXPECT_NE(help.key.find('.'), std::string::npos);
    owners.insert(help.belongs_to);
    // A core key that an owner also brought would be set twice by one line.
    EXPECT_TRUE(help.belongs_to.empty() || !seen.contains(":" + help.key)) << help.key;
  }
  EXPECT_TRUE(owners.contains("task adding"));
  EXPECT_TRUE(owners.contains("optimizer adam"));
  for (const FieldHelp& help : all_fields()) {
    if (help.key != "train.learning_rate") continue;
    EXPECT_EQ(help.type, "number");
    EXPECT_EQ(help.default_text, "0.001");
  }
}

// Options of different sorts must not claim the same key: a message could not say whose it is. A cell's and a kind's may: where one can be
// meant, the other cannot.
TEST(ConfigValue, OwnersOfAKeyAreOfOneSort) {
  std::map<std::string, std::string> sorts;
  for (const FieldHelp& help : all_fields()) {
    const std::string sort = help.belongs_to.substr(0, help.belongs_to.find(' ')), of_model = sort == "cell" ? "kind" : sort;
    EXPECT_EQ(sorts.emplace(help.key, of_model).first->second, of_model) << help.key;
  }
}

}  // namespace
}  // namespace vp::test
