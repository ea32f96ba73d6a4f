// Combinations that cannot be meant, each refused at the setting to blame with both keys named, and their lawful neighbours.
#include "tests/experiments/config/config_text.h"

namespace vp::test {
namespace {

TEST(ConfigChecks, ActivationOfACellThatHasItsOwn) {
  expect_refused({"[model]\ncell = 'lstm'\nactivation = 'relu'",
                  "e.toml:5:14: model.activation = relu: model.cell = lstm has activations of its own"});
  expect_refused(
      {"[model]\nactivation = 'relu'\n[grid]\nmodel.cell = ['rnn', 'lstm']", "e.toml:4:14: model.activation = relu: model.cell = lstm"});
  EXPECT_EQ(load_after_head("[model]\nactivation = 'relu'\n").runs.size(), 1u);
  EXPECT_EQ(load_after_head("[model]\ncell = 'lstm'\nactivation = 'tanh'").runs.size(), 1u);
}

TEST(ConfigChecks, ActivationsInsideOfACell) {
  const std::string lstm = "model.cell = 'lstm'\n";
  expect_refused({lstm + "model.variant = 'no_input_activation'\nmodel.candidate_activation = 'relu'",
                  "e.toml:5:30: model.candidate_activation = relu has no place: model.variant = no_input_activation leaves it out"});
  expect_refused({lstm + "model.state_activation = 'expr: sin(x)'\n[grid]\nmodel.variant = ['plain', 'no_output_activation']",
                  "e.toml:4:26: model.state_activation = expr: sin(x) has no place: model.variant = no_output_activation"});
  expect_refused({"model.cell = 'gru'\nmodel.state_activation = 'relu'", "e.toml:4:", {"model.state_activation belongs to the cell lstm"}});
  expect_refused(
      {"model.cell = 'rnn'\nmodel.gate_activation = 'relu'", "e.toml:4:", {"model.gate_activation belongs to the cells lstm, gru, mgu"}});
  expect_refused({lstm + "model.gate_activation = 'sigmoidd'",
                  "e.toml:4:",
                  {"model.gate_activation: there is no \"sigmoidd\"; did you mean sigmoid"}});
  EXPECT_EQ(load_after_head(lstm + "model.variant = 'no_input_activation'\nmodel.state_activation = 'relu'").runs.size(), 1u);
}

TEST(ConfigChecks, GateBiasOfACellWithoutThatGate) {
  for (const char* gate : {"input_gate", "forget_gate", "output_gate"}) {
    const std::string key = std::string("bias.") + gate;
    const std::string column = std::to_string(key.size() + 4);
    expect_refused(
        {"[init]\n" + key + " = 1", "e.toml:4:" + column + ": init." + key + ": model.cell = rnn has no " + gate + "; its gates: none"});
    EXPECT_EQ(fields(load_after_head("[init]\n" + key + " = 1\n[model]\ncell = 'lstm'"), {"init." + key}), std::vector<std::string>{"1"});
  }
  for (const std::string gate : {"reset_gate", "update_gate"}) {
    const std::string key = "init.bias." + gate;
    expect_refused({key + " = 1\nmodel.cell = 'lstm'", "e.toml:3:", {key + ": model.cell = lstm has no " + gate + "; its gates: "}});
    EXPECT_EQ(fields(load_after_head(key + " = 1\nmodel.cell = 'gru'"), {key}), std::vector<std::string>{"1"});
  }
  expect_refused(
      {"init.bias.forget_gate = 1\nmodel.cell = 'gru'", "e.toml:3:", {"gru has no forget_gate; its gates: reset_gate, update_gate"}});
}

TEST(ConfigChecks, TheResetOfACellWithoutOne) {
  expect_refused({"model.cell = 'lstm'\nmodel.reset = 'after'", "e.toml:4:", {"model.reset"}});
  expect_refused({"model.cell = 'gru'\nmodel.reset = 'never'", "e.toml:4:", {"model.reset", "after, before"}});
  EXPECT_EQ(fields(load_after_head("model.cell = 'gru'\nmodel.reset = 'before'"), {"model.reset"}), std::vector<std::string>{"before"});
}

TEST(ConfigChecks, GateBiasOfAGateThatAVariantLeavesOut) {
  expect_refused({"init.bias.input_gate = 1\nmodel.cell = 'lstm'\nmodel.variant = 'no_input_gate'",
                  "e.toml:3:",
                  {"init.bias.input_gate: model.cell = lstm with these options has no input_gate; its gates: forget_gate, output_gate"}});
  expect_refused(
      {"init.bias.forget_gate = 1\nmodel.cell = 'lstm'\nmodel.variant = 'coupled'", "e.toml:3:", {"its gates: input_gate, output_gate"}});
  EXPECT_EQ(load_after_head("init.bias.forget_gate = 1\nmodel.cell = 'lstm'\nmodel.variant = 'no_input_gate'").runs.size(), 1u);
  EXPECT_EQ(load_after_head("init.bias.forget_gate = 1\nmodel.cell = 'mgu'").runs.size(), 1u);
  expect_refused({"model.cell = 'gru'\nmodel.layer_norm = true", "e.toml:4:", {"model.layer_norm belongs to the cells rnn, lstm"}});
}

TEST(ConfigChecks, OrthogonalRecurrenceStartsOrthogonal) {
  const std::string orthogonal = "train.recurrence = 'orthogonal'\n";
  expect_refused({orthogonal + "model.cell = 'rnn'", "e.toml:3:", {"set init.recurrent.scheme to orthogonal or identity; it is pytorch"}});
  expect_refused(
      {orthogonal + "init.recurrent.scheme = 'orthogonal'\ninit.gain = 2", "e.toml:5:", {"set init.recurrent.gain to 1; it is 2"}});
  expect_refused({orthogonal + "init.scheme = 'identity'\ninit.recurrent.nonzeros = 2", "e.toml:5:", {"remove init.recurrent.nonzeros"}});
  expect_refused(
      {orthogonal + "init.scheme = 'identity'\ninit.recurrent.spectral_radius = 1", "e.toml:5:", {"remove init.recurrent.spectral"}});
  expect_refused({orthogonal + "init.from_checkpoint = 'a.safetensors'", "e.toml:3:", {"remove init.from_checkpoint"}});
  expect_refused({"train.recurrence = 'orthogona'", "e.toml:3:", {"did you mean orthogonal"}});
  EXPECT_EQ(load_after_head(orthogonal + "init.recurrent.scheme = 'identity'\ninit.gain = 2\ninit.recurrent.gain = 1").runs.size(), 1u);
}

TEST(ConfigChecks, TwoSizesForOneRole) {
  for (const std::string role : {"input", "recurrent", "readout"})
    expect_refused({"[init." + role + "]\nscheme = 'normal'\ngain = 1\nstd = 1",
                    "e.toml:6:7: init." + role + ".gain and init." + role + ".std exclude each other"});
  expect_refused({"[init.recurrent]\nscheme = 'normal'\nspectral_radius = 1\nstd = 1",
                  "e.toml:5:19: init.recurrent.std and init.recurrent.spectral_radius exclude each other"});
  expect_refused({"[init.recurrent]\nspectral_radius = 1\ngain = 1",
                  "e.toml:4:19: init.recurrent.gain and init.recurrent.spectral_radius exclude each other"});
  EXPECT_EQ(load_after_head("[init]\ngain = 2\ninput.gain = 1\nrecurrent.spectral_radius = 1\nreadout = {scheme = 'normal', std = 0.1}")
                .runs.size(),
            1u);
}

TEST(ConfigChecks, StdOfASchemeThatHasNone) {
  expect_refused({"[init]\nrecurrent.std = 0.1",
                  "e.toml:4:17: init.recurrent.std: init.scheme = pytorch has no standard deviation to set; those that have one: ",
                  {"normal"}});
  expect_refused(
      {"[init.input]\nscheme = 'orthogonal'\nstd = 0.1", "e.toml:5:7: init.input.std: init.input.scheme = orthogonal has no standard"});
  EXPECT_EQ(load_after_head("[init]\nscheme = 'normal'\nrecurrent.std = 0.1").runs.size(), 1u);
}

TEST(ConfigChecks, KeysThatOnlyOneRoleHas) {
  expect_refused({"[init]\ninput.spectral_radius = 1",
                  "e.toml:4:7: there is no key init.input.spectral_radius; did you mean init.recurrent.spectral_radius?"});
  expect_refused({"[init]\nreadout.nonzeros = 1",
                  "e.toml:4:9: there is no key init.readout.nonzeros; did you mean init.input.nonzeros, init.recurrent.nonzeros or "
                  "init.hidden.nonzeros?"});
}

TEST(ConfigChecks, Training) {
  expect_refused({"[train]\nclip_norm = 1\nclip_value = 1", "e.toml:5:14: train.clip_norm and train.clip_value exclude each other"});
  expect_refused({"[train]\nstop_at = 0.9", "e.toml:4:11: train.stop_at: the metric is never looked at while train.evaluate_every is 0"});
  EXPECT_EQ(load_after_head("[train]\nstop_at = 0.9\nevaluate_every = 10\nclip_norm = 1").runs.size(), 1u);
}

TEST(ConfigChecks, Probes) {
  expect_refused({"[probe]\nsamples = 129", "e.toml:4:11: probe.samples = 129 is more than train.batch = 128"});
  expect_refused({"[train]\nbatch = 4\n[probe]\nsamples = 5", "e.toml:6:11: probe.samples = 5 is more than train.batch = 4"});
  expect_refused({"[probe]\ntimesteps = false\ntimesteps_every = 5",
                  "e.toml:5:19: probe.timesteps_every = 5 is never used while probe.timesteps is false"});
  EXPECT_EQ(load_after_head("[probe]\nsamples = 128").runs.size(), 1u);
}

TEST(ConfigChecks, Engine) {
  expect_refused(
      {"[run]\nbackend = 'onednn'\nprecision = 'f64'", "e.toml:5:13: run.precision = f64: run.backend = onednn computes in f32 only"});
  EXPECT_EQ(load_after_head("[run]\nbackend = 'reference'\nprecision = 'f64'").runs.size(), 1u);
  EXPECT_EQ(load_after_head("[run]\nprecision = 'f64'").runs.size(), 1u);
  EXPECT_EQ(load_after_head("[run]\nbackend = 'onednn'").runs.size(), 1u);
}

TEST(ConfigChecks, TheCommandLineIsNamedWhereItIsToBlame) {
  expect_refused(
      {"[train]\nclip_norm = 1", "command line: train.clip_value=2: train.clip_norm and train.clip_value", {}, {"train.clip_value=2"}});
}

}  // namespace
}  // namespace vp::test
