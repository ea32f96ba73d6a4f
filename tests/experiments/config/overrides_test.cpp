// Settings on the command line.
#include "tests/experiments/config/config_text.h"

namespace vp::test {
namespace {

using Rows = std::vector<std::string>;

const char* const kSeeds = "[grid]\ntrain.seed = [1, 2]\nmodel.hidden = [8, 4]";
const char* const kArms = "[[grid]]\nmodel.cell = ['rnn']\ninit.recurrent.gain = [1, 2]\n[[grid]]\nmodel.cell = ['lstm']\ntrain.seed = [5]";

TEST(ConfigOverrides, AValueReplacesTheSetting) {
  const Experiment e =
      load_after_head("train.seed = 3", {"train.seed=7", "run.ftz = true", "train.learning_rate=1e-2", "model.cell=lstm", "task.path=a b"});
  EXPECT_EQ(fields(e, {"train.seed", "run.ftz", "train.learning_rate", "model.cell", "task.path"}), Rows{"7 true 0.01 lstm a b"});
  EXPECT_TRUE(e.grid_keys.empty());
}

TEST(ConfigOverrides, AValueTakesItsAxisOut) {
  const Experiment e = load_after_head(kSeeds, {"train.seed=9"});
  EXPECT_EQ(e.grid_keys, Rows{"model.hidden"});
  EXPECT_EQ(fields(e, {"train.seed", "model.hidden"}), (Rows{"9 8", "9 4"}));
  EXPECT_EQ(load_after_head(kSeeds, {"train.seed=9", "model.hidden=2"}).runs.size(), 1u);
  EXPECT_EQ(fields(load_after_head(kArms, {"model.cell=rnn"}), {"model.cell", "init.recurrent.gain", "train.seed"}),
            (Rows{"rnn 1 0", "rnn 2 0", "rnn  5"}));
}

TEST(ConfigOverrides, AListReplacesTheAxisWhereItStands) {
  EXPECT_EQ(fields(load_after_head(kSeeds, {"train.seed=5,6"}), {"train.seed", "model.hidden"}), (Rows{"5 8", "5 4", "6 8", "6 4"}));
  EXPECT_EQ(fields(load_after_head(kArms, {"train.seed=6, 7"}), {"model.cell", "init.recurrent.gain", "train.seed"}),
            (Rows{"rnn 1 0", "rnn 2 0", "lstm  6", "lstm  7"}));
}

TEST(ConfigOverrides, AListThatNoBlockHasBecomesTheLastAxisOfAll) {
  EXPECT_EQ(fields(load_after_head("", {"train.seed=1,0"}), {"train.seed"}), (Rows{"1", "0"}));
  EXPECT_EQ(fields(load_after_head(kArms, {"train.batch=3,2"}), {"model.cell", "init.recurrent.gain", "train.batch"}),
            (Rows{"rnn 1 3", "rnn 1 2", "rnn 2 3", "rnn 2 2", "lstm  3", "lstm  2"}));
  EXPECT_EQ(load_after_head("train.seed = 4", {"train.seed=1,0"}).grid_keys, Rows{"train.seed"});
}

TEST(ConfigOverrides, Ranges) {
  EXPECT_EQ(fields(load_after_head("", {"train.seed=2..4"}), {"train.seed"}), (Rows{"2", "3", "4"}));
  EXPECT_EQ(fields(load_after_head("", {"model.hidden=7..7"}), {"model.hidden"}), Rows{"7"});
  EXPECT_EQ(fields(load_after_head("", {"task.path=0..3"}), {"task.path"}), Rows{"0..3"});
  expect_refused(
      {"", "command line: train.seed=4..2: train.seed: the range 4..2 runs backwards; did you mean 2..4?", {}, {"train.seed=4..2"}});
  expect_refused(
      {"", "command line: train.seed=0..1000000: train.seed: the range 0..1000000 has more than", {}, {"train.seed=0..1000000"}});
  expect_refused({"", "command line: init.gain=0..3: init.gain: expected a number from 0 to 1e+30, got \"0..3\"", {}, {"init.gain=0..3"}});
}

TEST(ConfigOverrides, QuotesAndBracketsHoldOneValueTogether) {
  const auto path = [](const std::string& argument) {
    return field(load_after_head("", {"task.path=" + argument}).runs.at(0), "task.path");
  };
  EXPECT_EQ(path("'a,b'"), "a,b");
  EXPECT_EQ(path("\"a,\\\"b\""), "a,\"b");
  EXPECT_EQ(path("'7'"), "7");
  EXPECT_EQ(path("[a,b]"), "[a,b]");
  EXPECT_EQ(path("max(x,0)"), "max(x,0)");
  EXPECT_EQ(path("it's"), "it's");
  EXPECT_EQ(fields(load_after_head("", {"task.path='a,b', c,(d,e)"}), {"task.path"}), (Rows{"a,b", "c", "(d,e)"}));
  expect_refused({"",
                  "command line: train.seed=[0,1]: train.seed: expected an integer of at least 0, got \"[0,1]\"; several values",
                  {},
                  {"train.seed=[0,1]"}});
}

TEST(ConfigOverrides, TheLaterOneCounts) {
  EXPECT_EQ(fields(load_after_head("", {"train.seed=1,2", "train.seed=3"}), {"train.seed"}), Rows{"3"});
  EXPECT_EQ(fields(load_after_head("", {"train.seed=3", "train.seed=1,2"}), {"train.seed"}), (Rows{"1", "2"}));
}

TEST(ConfigOverrides, WhatCannotBeReadIsRefused) {
  const auto refused = [](const std::string& argument, const std::string& reason) {
    expect_refused({"", "command line: " + reason, {}, {argument}});
  };
  refused("fast", "fast: expected key=value");
  refused("=3", "=3: there is no key");
  refused("train.seed=", "train.seed=: a value is missing");
  refused("train.seed=1,,2", "train.seed=1,,2: a value is missing");
  refused("train.seed=1,", "train.seed=1,: a value is missing");
  refused("train.seed=1,1", "train.seed=1,1: train.seed: 1 stands twice on this axis");
  refused("train.seed=1,x", "train.seed=1,x: train.seed: the values of an axis are of one kind");
  refused("task.path='a", "task.path='a: the quotes are not closed");
  refused("task.path='a'b", "task.path='a'b: this is not a text in quotes");
  refused("task.path=(a", "task.path=(a: the brackets do not match");
  refused("task.path=a)", "task.path=a): the brackets do not match");
  refused("task.path=\xff", "task.path=\xff: the value is not UTF-8 text");
  refused("task.path=a\nb", "task.path=a\\nb: task.path: expected text without control characters");
}

TEST(ConfigOverrides, UnknownKeysNameTheNearest) {
  expect_refused({"", "command line: train.sed=1: there is no key train.sed; did you mean train.seed", {}, {"train.sed=1"}});
  expect_refused({"", "command line: seed=1,2: there is no key seed; did you mean train.seed?", {}, {"seed=1,2"}});
  expect_refused({"", "command line: train.momentum=0.5: train.momentum belongs to the optimizer momentum", {}, {"train.momentum=0.5"}});
}

TEST(ConfigOverrides, AKeyThatOneBlockCannotTakeIsRefused) {
  expect_refused({kArms,
                  "command line: init.bias.forget_gate=1: init.bias.forget_gate: model.cell = rnn has no forget_gate",
                  {},
                  {"init.bias.forget_gate=1"}});
}

}  // namespace
}  // namespace vp::test
