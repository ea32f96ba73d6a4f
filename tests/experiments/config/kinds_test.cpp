// Kinds of models: each has its own keys, lists among them, and those of the others are refused.
#include <gtest/gtest.h>

#include "experiments/config/config.h"
#include "models/feed_forward/plan.h"
#include "tests/experiments/config/config_text.h"
#include "tests/experiments/io/user_error.h"

namespace vp::test {
namespace {

const std::string kImages = "name = 'e'\n[task]\nname = 'fashion_mnist'\n";

const MlpOptions& mlp_of(const Config& config) { return dynamic_cast<const MlpOptions&>(config.run.kind_options.get()); }

std::string refusal(const std::string& text, const std::vector<std::string>& overrides = {}) {
  return load_error(kImages + text, overrides);
}

TEST(ConfigKinds, AListIsOneValueInAFileAndOnTheCommandLine) {
  const std::string text = "[model]\nkind = 'mlp'\nwidths = [300, 100]\n";
  EXPECT_EQ(mlp_of(load(kImages + text).runs.at(0)).widths, (IntegerList{300, 100}));
  EXPECT_EQ(mlp_of(load(kImages + text, {"model.widths=[7,8,9]"}).runs.at(0)).widths, (IntegerList{7, 8, 9}));
  const Experiment axis = load(kImages + text, {"model.widths=[7],[8, 9]"});
  ASSERT_EQ(axis.runs.size(), 2u);
  EXPECT_EQ(mlp_of(axis.runs[1]).widths, (IntegerList{8, 9}));
  const Experiment grid = load(kImages + "[model]\nkind = 'mlp'\n[grid]\nmodel.widths = [[5], [6, 7]]\n");
  ASSERT_EQ(grid.runs.size(), 2u);
  EXPECT_EQ(mlp_of(grid.runs[1]).widths, (IntegerList{6, 7}));
}

TEST(ConfigKinds, TheResolvedFileMakesTheSameRuns) {
  for (const std::string text : {"[model]\nkind = 'mlp'\nwidths = [300, 100]\n", "[model]\nkind = 'cnn'\n",
                                 "[model]\nkind = 'mlp'\n[grid]\nmodel.widths = [[5], [6, 7]]\n"}) {
    const Experiment first = load(kImages + text), again = load(first.resolved_toml);
    ASSERT_EQ(first.runs.size(), again.runs.size()) << text;
    for (std::size_t i = 0; i < first.runs.size(); ++i) EXPECT_EQ(run_id(first.runs[i]), run_id(again.runs[i])) << text;
  }
}

TEST(ConfigKinds, AListMayBeOfTexts) {
  const std::string csv = "name = 'e'\n[task]\nname = 'csv'\npath = 'd.csv'\n";
  const auto inputs = [&](const std::string& text, const std::vector<std::string>& overrides = {}) {
    return field(load(csv + text, overrides).runs.at(0), "task.inputs");
  };
  EXPECT_EQ(inputs("inputs = ['x', \"y z\"]\n"), "x,y z");
  EXPECT_EQ(inputs("inputs = ['a,b', 'c\"']\n"), "\"a,b\",\"c\"\"\"") << "a line of CSV";
  EXPECT_EQ(inputs("", {"task.inputs=['x', \"y\"]"}), "x,y");
  EXPECT_EQ(inputs("", {"task.inputs=[x, y z,\"a,b\"]"}), "x,y z,\"a,b\"");
  EXPECT_EQ(inputs("", {"task.inputs=[]"}), "");
  EXPECT_EQ(inputs("inputs = [1, 'x', -2]\n"), "1,x,-2") << "integers are texts";
  EXPECT_EQ(load(csv, {"task.inputs=[x],[x,y]"}).runs.size(), 2u);
  EXPECT_EQ(load(csv + "[grid]\ntask.inputs = [['x'], ['x', 'y'], [3]]\n").runs.size(), 3u);
  EXPECT_EQ(run_id(load(csv + "classes = [1, 2]\n").runs.at(0)), run_id(load(csv + "classes = ['1', '2']\n").runs.at(0)));
  const Experiment first = load(csv + "inputs = [\"a\\\"b\", 'c']\n[grid]\ntask.classes = [['x', 'y'], [1, 2]]\n");
  const Experiment again = load(first.resolved_toml);
  ASSERT_EQ(again.runs.size(), 2u);
  for (std::size_t i = 0; i < 2; ++i) EXPECT_EQ(run_id(first.runs[i]), run_id(again.runs[i]));
  EXPECT_NE(load_error(csv + "inputs = 'x'\n", {}).find("expected a list of texts in brackets, as in [\"a\", \"b\"], got \"x\""),
            std::string::npos);
  EXPECT_NE(load_error(csv + "inputs = ['x', 1.5]\n", {}).find("expected texts in the list, got 1.5"), std::string::npos);
  EXPECT_NE(load_error(csv + "inputs = [\"a\\nb\"]\n", {}).find("text without control characters"), std::string::npos);
  EXPECT_NE(load_error(csv, {"task.inputs=x,y"}).find("expected a list of texts"), std::string::npos);
}

TEST(ConfigKinds, AListOfOtherThingsIsRefused) {
  const std::string mlp = "[model]\nkind = 'mlp'\n";
  EXPECT_NE(refusal(mlp + "widths = 300\n").find("expected a list of integers in brackets"), std::string::npos);
  EXPECT_NE(refusal(mlp + "widths = [1.5]\n").find("expected integers in the list, got 1.5"), std::string::npos);
  EXPECT_NE(refusal(mlp + "widths = [0]\n").find("each from 1 to 65536, got [0]"), std::string::npos);
  EXPECT_NE(refusal(mlp + "hidden = [1, 2]\n").find("one value belongs here, not a list"), std::string::npos);
}

TEST(ConfigKinds, KeysOfOtherKindsAreRefused) {
  for (const char* key : {"model.cell=lstm", "model.form=many_to_many", "init.recurrent.gain=2", "init.bias.forget_gate=1",
                          "train.checkpoint_every_steps=4", "probe.timesteps=false", "probe.loss_at=last"})
    for (const char* kind : {"mlp", "cnn"}) {
      const std::string message = refusal(std::string("[model]\nkind = '") + kind + "'\n", {key});
      EXPECT_NE(message.find("belongs to model.kind = sequence; this experiment's is " + std::string(kind)), std::string::npos) << message;
    }
  EXPECT_NE(refusal("", {"init.hidden.gain=2"}).find("belongs to model.kind = mlp, cnn"), std::string::npos);
  EXPECT_NE(refusal("", {"model.widths=[3]"}).find("belongs to model.kind = mlp"), std::string::npos);
  EXPECT_NE(refusal("[model]\nkind = 'cnn'\n", {"model.hidden=3"}).find("belongs to model.kind = sequence, mlp"), std::string::npos);
  EXPECT_NE(refusal("[model]\nkind = 'cnn'\n", {"model.peepholes=true"}).find("belongs to model.kind = sequence; this experiment's is cnn"),
            std::string::npos);
  EXPECT_NE(refusal("[model]\nkind = 'cnn'\n", {"probe.spectra=true"}).find("belongs to model.kind = sequence"), std::string::npos);
  EXPECT_EQ(load(kImages + "[model]\nkind = 'mlp'\nlayer_norm = true\n").runs.size(), 1u);
  EXPECT_NE(refusal("", {"model.output=relu"}).find("model.output = relu is for model.kind = mlp and cnn"), std::string::npos);
}

TEST(ConfigKinds, CombinationsThatCannotBeMeantAreRefused) {
  const std::string mlp = "[model]\nkind = 'mlp'\n", cnn = "[model]\nkind = 'cnn'\n";
  EXPECT_NE(refusal(mlp + "widths = [3, 4]\nlayers = 5\n").find("remove model.layers and model.hidden"), std::string::npos);
  EXPECT_NE(refusal(mlp + "widths = [3, 4]\nresidual = true\n").find("equally wide"), std::string::npos);
  EXPECT_NE(refusal(cnn + "channels = []\n").find("model.channels is empty"), std::string::npos);
  EXPECT_NE(refusal(cnn + "pool = 'none'\npool_every = 2\n").find("pools nothing"), std::string::npos);
}

}  // namespace
}  // namespace vp::test
