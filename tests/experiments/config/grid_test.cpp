// The points of a grid and their order.
#include "tests/experiments/config/config_text.h"

namespace vp::test {
namespace {

using Rows = std::vector<std::string>;

TEST(ConfigGrid, AxesVaryInFileOrderTheLastOneFastest) {
  // In the order of the alphabet the axes would be init, model, train.
  const Experiment e = load_after_head("[grid]\ntrain.seed = [5, 3]\nmodel.hidden = [8, 4]\ninit.gain = [1, 0.5]");
  EXPECT_EQ(e.grid_keys, (Rows{"train.seed", "model.hidden", "init.gain"}));
  EXPECT_EQ(fields(e, {"train.seed", "model.hidden", "init.gain"}),
            (Rows{"5 8 1", "5 8 0.5", "5 4 1", "5 4 0.5", "3 8 1", "3 8 0.5", "3 4 1", "3 4 0.5"}));
}

TEST(ConfigGrid, RangesInTextForIntegers) {
  EXPECT_EQ(fields(load_after_head("[grid]\ntrain.seed = '0..3'"), {"train.seed"}), (Rows{"0", "1", "2", "3"}));
  expect_refused({"[grid]\ntrain.seed = '3..0'", "e.toml:4:14: train.seed: the range 3..0 runs backwards; did you mean 0..3?"});
  expect_refused({"[grid]\ntrain.seed = '0..1000000'", "e.toml:4:14: train.seed: the range 0..1000000 has more than 1000000 values"});
  expect_refused({"[grid]\ntrain.seed = '0..99999999999999999999'", "e.toml:4:14: train.seed: \"99999999999999999999\" is beyond"});
  expect_refused({"[grid]\ntrain.seed = '-9223372036854775808..9223372036854775807'",
                  "e.toml:4:14: train.seed: the range",
                  {"more than 1000000 values"}});
}

TEST(ConfigGrid, BlocksStandOneAfterTheOther) {
  const Experiment e = load_after_head(
      "[[grid]]\nmodel.cell = ['rnn']\nmodel.activation = ['relu', 'tanh']\n[[grid]]\nmodel.cell = ['lstm']\ninit.bias.forget_gate = [0, "
      "1]\n");
  EXPECT_EQ(e.grid_keys, (Rows{"model.cell", "model.activation", "init.bias.forget_gate"}));
  EXPECT_EQ(fields(e, {"model.cell", "model.activation", "init.bias.forget_gate"}),
            (Rows{"rnn relu ", "rnn tanh ", "lstm tanh 0", "lstm tanh 1"}));
}

TEST(ConfigGrid, AnEmptyBlockAmongOthersIsThePointOfTheSettingsThemselves) {
  const Experiment e = load_after_head("train.seed = 9\n[[grid]]\n[[grid]]\ntrain.seed = [1]");
  EXPECT_EQ(fields(e, {"train.seed"}), (Rows{"9", "1"}));
}

TEST(ConfigGrid, EqualPointsRunOnce) {
  const Experiment e =
      load_after_head("[[grid]]\ntrain.seed = [0, 1, 2]\n[[grid]]\ntrain.seed = [2, 3]\n[[grid]]\nmodel.hidden = [64, 32]");
  EXPECT_EQ(fields(e, {"train.seed", "model.hidden"}), (Rows{"0 64", "1 64", "2 64", "3 64", "0 32"}));
}

TEST(ConfigGrid, TheNumberOfPointsIsLimited) {
  expect_refused({"[grid]\ntrain.seed = '0..999'\nmodel.hidden = '1..1001'",
                  "e.toml:5:7: the grid has more than 1000000 points; model.hidden alone has 1001 values"});
  // 2^16 to the fourth power is 0 in 64 bits.
  std::string axes;
  for (const char* key : {"train.seed", "train.batch", "train.updates", "probe.every"}) axes += std::string(key) + " = '1..65536'\n";
  expect_refused({"[grid]\n" + axes, "e.toml:4:7: the grid has more than 1000000 points"});
  const std::string block = "[[grid]]\ntrain.seed = '1..700'\nmodel.hidden = '1..701'\n";  // 490,700 points
  expect_refused({block + block + block, "e.toml:5:7: the grid has more than 1000000 points"});
}

TEST(ConfigGrid, EveryPointIsChecked) {
  expect_refused({"[grid]\nmodel.cell = ['rnn', 'lstm']\nmodel.activation = ['tanh', 'relu']",
                  "e.toml:5:29: model.activation = relu: model.cell = lstm"});
  expect_refused(
      {"[grid]\nmodel.cell = ['lstm', 'rnn']\ninit.bias.forget_gate = [1]", "e.toml:5:26: init.bias.forget_gate: model.cell = rnn has no"});
}

}  // namespace
}  // namespace vp::test
