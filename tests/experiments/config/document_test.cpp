// What an experiment file may hold at all: sections, keys, names, lists in their place.
#include "tests/experiments/config/config_text.h"

namespace vp::test {
namespace {

TEST(ConfigDocument, SettingsOfEverySpellingArrive) {
  const Experiment e = load(
      "name = 'a-b_1'\ntitle = 'T'\ndescription = '''two\nlines'''\n[task]\nname = 'adding'\n[init.recurrent]\ngain = 2\n"
      "[init]\n\"input.gain\" = 3\nreadout.gain = 4\n[train]\nlearning_rate = 1\n[run]\nftz = true\n[probe]\n");
  EXPECT_EQ(e.name, "a-b_1");
  EXPECT_EQ(e.title, "T");
  EXPECT_EQ(e.description, "two\nlines");
  EXPECT_TRUE(e.grid_keys.empty());
  EXPECT_EQ(fields(e, {"init.recurrent.gain", "init.input.gain", "init.readout.gain", "train.learning_rate", "run.ftz", "init.gain"}),
            std::vector<std::string>{"2 3 4 1 true 1"});
  EXPECT_EQ(e.runs.at(0)->run.train.learning_rate, 1);
  EXPECT_TRUE(e.runs[0]->run.engine.ftz);
}

TEST(ConfigDocument, UnknownKeysNameTheNearest) {
  expect_refused({"[train]\nlearning_rat = 1", "e.toml:4:1: there is no key train.learning_rat; did you mean train.learning_rate"});
  expect_refused({"train.sed = 1", "e.toml:3:7: there is no key train.sed; did you mean train.seed"});
  expect_refused({"[model]\nbatch = 1", "e.toml:4:1: there is no key model.batch; did you mean train.batch?"});
  expect_refused({"seed = 1", "e.toml:3:1: there is no key seed; did you mean train.seed?"});
  expect_refused({"gain = 1",
                  "e.toml:3:1: there is no key gain; did you mean init.gain, init.input.gain, init.recurrent.gain, init.readout.gain, "
                  "init.embedding.gain or init.hidden.gain?"});
  expect_refused({"[init.recurent]\ngain = 1", "e.toml:4:1: there is no key init.recurent.gain; did you mean init.gain"});
  expect_refused({"[init.recurent]", "e.toml:3:7: there is no key init.recurent"});
  expect_refused({"[grid]\n'train.sed' = [1]", "e.toml:4:1: there is no key train.sed; did you mean train.seed"});
  expect_refused({"[train]\n'' = 1", "e.toml:4:1: there is no key train."});
  expect_refused({"[train]\n\"a\\u001b\\n\" = 1", "e.toml:4:1: there is no key \"train.a\\u001B\\n\""});
}

TEST(ConfigDocument, LongNamesAreCutInMessages) {
  const std::string message = load_error(std::string(kHead) + "[train]\n" + std::string(900'000, 'x') + " = 1");
  EXPECT_TRUE(message.starts_with("e.toml:4:1: there is no key train.xxxx"));
  EXPECT_LT(message.size(), 2000u);
}

TEST(ConfigDocument, UnknownSectionsAndSectionsInTheWrongForm) {
  expect_refused({"[trian]\nseed = 1", "e.toml:3:1: unknown section [trian]; did you mean train?"});
  expect_refused({"[optimizer]", "e.toml:3:1: unknown section [optimizer]; known: task, model, init, train, probe, run, grid, claim"});
  expect_refused({"[[train]]\nseed = 1", "e.toml:3:1: [[train]]: this section stands once: write [train]"});
  expect_refused({"train = 3", "e.toml:3:1: train is a section: write [train]"});
  expect_refused({"grid = []", "e.toml:3:1: grid is a section: write [grid]"});
  expect_refused({"claim = 1", "e.toml:3:1: claim is a section: write [[claim]]"});
  expect_refused({"[claim]\nname = 'x'", "e.toml:3:1: [claim]: write [[claim]]"});
  expect_refused({"title = 3", "e.toml:3:9: title: expected text in quotes"});
  expect_refused({"[title]", "e.toml:3:1: title is text, not a section"});
}

TEST(ConfigDocument, NamesAreChecked) {
  EXPECT_EQ(load_error("task.name = 'adding'"), "e.toml: name is missing: write name = \"...\", it names the results directory");
  for (const std::string& name : {std::string("Upper"), std::string("a b"), std::string("../x"), std::string(), std::string("-a"),
                                  std::string("_a"), std::string(65, 'a'), std::string("\xc3\xa9")})
    EXPECT_TRUE(load_error("title = 't'\nname = '" + name + "'\ntask.name = 'adding'")
                    .starts_with("e.toml:2:8: name: expected 1 to 64 of a-z, 0-9"))
        << name;
  EXPECT_EQ(load("name = '" + std::string(64, '0') + "'\ntask.name = 'adding'").name, std::string(64, '0'));
}

TEST(ConfigDocument, TheTaskIsRequired) {
  EXPECT_TRUE(has(load_error("name = 'e'"), {"e.toml: task.name is missing; known: ", "adding", "fashion_mnist", "temporal_order", "csv"}));
}

TEST(ConfigDocument, ListsAndSingleValuesInTheirPlace) {
  expect_refused(
      {"[train]\nseed = [1, 2]", "e.toml:4:8: train.seed: one value belongs here, not a list; a list of values to try belongs in [grid]"});
  expect_refused({"[grid]\ntrain.seed = 1", "e.toml:4:14: train.seed: an axis of the grid is a list"});
  expect_refused({"[grid]\ntask.path = '0..9'", "e.toml:4:13: task.path: an axis of the grid is a list"});
  expect_refused({"[grid]\ntrain.seed = '0-9'", "e.toml:4:14: train.seed: an axis of the grid is a list"});
  expect_refused({"[grid]\ntrain.seed = []", "e.toml:4:14: train.seed: an axis of the grid needs at least one value"});
  expect_refused({"[grid]\n# nothing", "e.toml:3:1: [grid] is empty"});
  expect_refused({"[[grid]]\n", "e.toml:3:1: [grid] is empty"});
}

TEST(ConfigDocument, AxesAreOfOneKindAndHaveDifferentValues) {
  expect_refused({"[grid]\ntrain.seed = [1, 'two']",
                  "e.toml:4:18: train.seed: the values of an axis are of one kind",
                  {"\"two\" is text where 1 is a number"}});
  expect_refused({"[grid]\nrun.ftz = [true, 1]", "e.toml:4:18: run.ftz: the values of an axis are of one kind"});
  expect_refused({"[grid]\ntrain.seed = [1, 2, 1]", "e.toml:4:21: train.seed: 1 stands twice on this axis"});
  expect_refused({"[grid]\ninit.gain = [1, 2.5, 1.0]", "e.toml:4:22: init.gain: 1.0 stands twice on this axis"});
}

TEST(ConfigDocument, AKeyStandsOnce) {
  expect_refused({"[init]\nrecurrent.gain = 1\n'recurrent.gain' = 2",
                  "e.toml:5:1: init.recurrent.gain stands here a second time, first at e.toml:4:11"});
  expect_refused({"[grid]\ntrain.seed = [1]\n'train.seed' = [2]", "e.toml:5:1: train.seed stands here a second time, first at e.toml:4:7"});
}

TEST(ConfigDocument, AValueThatEveryBlockReplacesIsRefused) {
  expect_refused({"train.seed = 1\n[grid]\ntrain.seed = [1, 2]",
                  "e.toml:3:7: train.seed is also an axis of the grid (e.toml:5:7): this value would never be used"});
  const Experiment e = load_after_head("train.seed = 7\n[[grid]]\ntrain.seed = [1, 2]\n[[grid]]\nmodel.hidden = [3]");
  EXPECT_EQ(fields(e, {"train.seed", "model.hidden"}), (std::vector<std::string>{"1 64", "2 64", "7 3"}));
}

}  // namespace
}  // namespace vp::test
