// What the command line changed of an experiment file, and what of it is said beside the verdicts.
#include "experiments/config/changes.h"

#include "tests/experiments/config/config_text.h"

namespace vp::test {
namespace {

const char* const kFile3 =
    "train.updates = 430\ntrain.clip_norm = 1.0\n[grid]\nmodel.cell = ['rnn', 'lstm']\ninit.gain = [0.5]\ntrain.seed = [0, 1, 2]\n";

std::string note(const std::vector<std::string>& overrides, const std::string& text = kFile3) {
  return changes_note(load_after_head(text, overrides).changes);
}

TEST(ConfigChanges, ValuesAndAxesAreSaidWithWhatTheFileHas) {
  EXPECT_EQ(note({}), "");
  EXPECT_EQ(note({"train.updates=100"}), "changed on the command line: train.updates = 100 instead of 430");
  EXPECT_EQ(note({"model.cell=lstm", "init.gain=0.5,2"}),
            "changed on the command line: model.cell = \"lstm\" instead of [\"rnn\", \"lstm\"], init.gain = [0.5, 2] instead of 0.5");
  EXPECT_EQ(note({"train.updates=100", "train.updates=200"}), "changed on the command line: train.updates = 200 instead of 430");
}

TEST(ConfigChanges, WhatTheFileDoesNotSetIsComparedWithTheDefault) {
  EXPECT_EQ(note({"train.batch=64"}), "changed on the command line: train.batch = 64 instead of 128");
  EXPECT_EQ(note({"train.clip_norm=0.5"}, ""), "changed on the command line: train.clip_norm = 0.5 instead of unset");
  EXPECT_EQ(note({"run.precision=f64"}), "changed on the command line: run.precision = \"f64\" instead of \"f32\"");
}

TEST(ConfigChanges, WhatTheFileSaysAlreadyIsNoChange) {
  EXPECT_EQ(note({"train.updates=430", "train.clip_norm=1", "model.cell=rnn,lstm", "init.gain=0.5", "train.batch=128", "run.ftz=false"}),
            "");
  EXPECT_EQ(note({"train.updates=100", "train.updates=430"}), "");
}

// A seed is a replicate: other ones and more of them are what the claim is about as well, fewer are not.
TEST(ConfigChanges, OtherAndMoreSeedsAreNoChangeFewerAre) {
  EXPECT_EQ(note({"train.seed=0..9"}), "");
  EXPECT_EQ(note({"train.seed=100..102"}), "");
  EXPECT_EQ(note({"train.seed=7,8,9,10"}), "");
  EXPECT_EQ(note({"train.seed=0,1"}), "changed on the command line: train.seed = [0, 1] instead of [0, 1, 2]");
  EXPECT_EQ(note({"train.seed=1"}), "changed on the command line: train.seed = 1 instead of [0, 1, 2]");
  EXPECT_EQ(note({"train.seed=0..2"}, ""), "");
  EXPECT_EQ(note({"train.seed=0..9"}, "[grid]\ntrain.seed = '0..19'\n"), "changed on the command line: train.seed = 0..9 instead of 0..19");
  EXPECT_EQ(note({"train.seed=0,1"}, "[[grid]]\nmodel.cell = ['rnn']\ntrain.seed = [0, 1, 2]\n[[grid]]\nmodel.cell = ['lstm']\n"),
            "changed on the command line: train.seed = [0, 1] and 0 instead of [0, 1, 2] and 0");
  EXPECT_EQ(note({"train.seed=0..9"}, "[[grid]]\nmodel.cell = ['rnn']\ntrain.seed = [0, 1, 2]\n[[grid]]\nmodel.cell = ['lstm']\n"), "");
}

TEST(ConfigChanges, BlocksThatDifferAreSaidEach) {
  const std::string blocks = "[[grid]]\nmodel.cell = ['rnn', 'gru']\n[[grid]]\nmodel.cell = ['lstm']\n";
  EXPECT_EQ(note({"model.cell=gru"}, blocks),
            "changed on the command line: model.cell = \"gru\" instead of [\"rnn\", \"gru\"] and \"lstm\"");
}

TEST(ConfigChanges, StandInConfigTomlAndKeepWhatTheFileHad) {
  const Experiment e = load_after_head(kFile3, {"train.updates=100", "train.seed=0..9"});
  EXPECT_TRUE(has(e.resolved_toml, {"\n[[override]]\nkey = \"train.updates\"\nvalue = \"100\"\ninstead_of = \"430\"\n"}));
  const Experiment again = load(e.resolved_toml);
  EXPECT_EQ(again.resolved_toml, e.resolved_toml);
  EXPECT_EQ(changes_note(again.changes), "changed on the command line: train.updates = 100 instead of 430");
  const Experiment further = load(e.resolved_toml, {"train.updates=50", "train.batch=8"});
  EXPECT_EQ(changes_note(further.changes),
            "changed on the command line: train.updates = 50 instead of 430, train.batch = 8 instead of 128");
  EXPECT_EQ(changes_note(load(e.resolved_toml, {"train.updates=430"}).changes), "");
  EXPECT_EQ(load_after_head(kFile3).resolved_toml.find("[[override"), std::string::npos);
}

TEST(ConfigChanges, BrokenTablesAreRefused) {
  expect_refused({"[[override]]\nkey = 'a'\nvalue = '1'", "e.toml:3:1: [[override]] needs instead_of = "});
  expect_refused({"[[override]]\nkey = 3\nvalue = '1'\ninstead_of = '2'", "e.toml:3:1: [[override]] needs key = "});
  expect_refused({"[[override]]\nkey = 'a'\nvalue = '1'\ninstead_of = '2'\nwas = '3'", "e.toml:7:1: [[override]] has no key was"});
  expect_refused({"[[override]]\nkey = 'train.seed'\nvalue = '9..1'\ninstead_of = '2'", "e.toml:3:1: train.seed: the range 9..1"});
  expect_refused({"[override]\nkey = 'a'", "e.toml:3:1: unknown section [override]"});
}

}  // namespace
}  // namespace vp::test
