#include "kernels/backend_list.h"
#include "models/cells/cell_list.h"
#include "models/model_kinds.h"
#include "models/optimizers/optimizers.h"
#include "models/parameters/initializers.h"
#include "models/recurrent/forms.h"
#include "models/spec/activation_choice.h"
#include "models/spec/spec.h"

namespace vp {

namespace {

// Sizes beyond these cannot be held in memory by any machine the program runs on; a typing error is the likelier reason.
constexpr double kMaxLayers = 1000;
constexpr double kMaxWidth = 65536;
constexpr double kMaxCount = 1e12;
// Below the largest float (3.4e38) by a margin for the products they enter.
constexpr double kMaxScale = 1e30;

template <class Entries>
std::vector<std::string_view> names_of(const Entries& entries) {
  std::vector<std::string_view> names;
  for (const auto& entry : entries) names.push_back(entry.name);
  return names;
}

std::vector<std::string_view> engine_names() {
  std::vector<std::string_view> names = {"auto"};
  for (const std::string_view name : backend_names()) names.push_back(name);
  return names;
}

// Short forms of FieldInfo for the kinds of range that occur.
FieldInfo any(std::string_view key, std::string_view description) { return {.key = key, .description = description}; }

FieldInfo one_of(std::string_view key, std::string_view description, std::vector<std::string_view> choices) {
  return {.key = key, .description = description, .choices = std::move(choices)};
}

FieldInfo between(std::string_view key, std::string_view description, double minimum, double maximum) {
  return {.key = key, .description = description, .minimum = minimum, .maximum = maximum};
}

FieldInfo positive(std::string_view key, std::string_view description) {
  return {.key = key, .description = description, .minimum = 0, .maximum = kMaxScale, .exclusive_minimum = true};
}

FieldInfo weight_scale(std::string_view key, std::string_view description) { return between(key, description, 0, kMaxScale); }

FieldInfo gate_bias(std::string_view key, std::string_view description) { return between(key, description, -kMaxScale, kMaxScale); }

}  // namespace

void ModelSpec::visit_fields(FieldVisitor& v) {
  v.field(one_of("model.kind", "family of models", names_of(model_kinds())), kind);
  v.field(one_of("model.cell", "recurrent cell", names_of(cells())), cell);
  v.field(between("model.layers", "recurrent layers on top of each other, or hidden layers of an mlp", 1, kMaxLayers), layers);
  v.field(between("model.hidden", "units of each of these layers", 1, kMaxWidth), hidden);
  v.field(activation_field("model.activation", "activation function of cells that take any, and of feed-forward layers"), activation);
  v.field(one_of("model.form", "what comes in and goes out: `vpoint list forms`", names_of(forms())), form);
  v.field(one_of("model.output",
                 "readout: task for the one that fits the target, or by name; sigmoid of classes asks for each of them on its own; relu (a "
                 "bad choice, to be shown): outputs below 0 are cut before the fitting loss, and get no gradient",
                 {"task", "softmax", "sigmoid", "linear", "relu"}),
          output);
  v.field(between("model.embedding", "width of the vectors that token ids become; 0: inputs are numbers", 0, kMaxWidth), embedding);
  v.field(any("model.bidirectional", "a second net reads from the end, and both outputs stand side by side"), bidirectional);
  v.field(between("model.reset_every", "the state is cut to zero every so many steps; 0: never", 0, kMaxCount), reset_every);
  v.field(any("model.teacher_forcing", "in training, targets instead of outputs come back as inputs (one_to_many, sequence_to_sequence)"),
          teacher_forcing);
}

void InitSpec::visit_fields(FieldVisitor& v) {
  const std::vector<std::string_view> schemes = names_of(initializers());
  v.field(one_of("init.scheme", "how all weights are drawn", schemes), scheme);
  v.field(weight_scale("init.gain", "factor on all weights as drawn"), gain);
  v.field(one_of("init.input.scheme", "for weights from the input; unset: init.scheme", schemes), input.scheme);
  v.field(weight_scale("init.input.gain", "for weights from the input; unset: init.gain"), input.gain);
  v.field(weight_scale("init.input.std", "standard deviation of the weights from the input"), input.std);
  v.field(between("init.input.nonzeros", "non-zero weights from the input per unit, the others are cut", 1, kMaxWidth), input.nonzeros);
  v.field(one_of("init.recurrent.scheme", "for each H x H block of recurrent weights; unset: init.scheme", schemes), recurrent.scheme);
  v.field(weight_scale("init.recurrent.gain", "for each H x H block of recurrent weights; unset: init.gain"), recurrent.gain);
  v.field(weight_scale("init.recurrent.std", "standard deviation of the recurrent weights"), recurrent.std);
  v.field(weight_scale("init.recurrent.spectral_radius", "each recurrent block is scaled to this spectral radius"),
          recurrent.spectral_radius);
  v.field(between("init.recurrent.nonzeros", "non-zero recurrent weights per unit, the others are cut", 1, kMaxWidth), recurrent.nonzeros);
  v.field(one_of("init.readout.scheme", "for the readout's weights; unset: init.scheme", schemes), readout.scheme);
  v.field(weight_scale("init.readout.gain", "for the readout's weights; unset: init.gain"), readout.gain);
  v.field(weight_scale("init.readout.std", "standard deviation of the readout's weights"), readout.std);
  v.field(gate_bias("init.bias.input_gate", "bias of the input gate; unset: the scheme's own"), input_gate_bias);
  v.field(gate_bias("init.bias.forget_gate", "bias of the forget gate; unset: the scheme's own"), forget_gate_bias);
  v.field(gate_bias("init.bias.output_gate", "bias of the output gate; unset: the scheme's own"), output_gate_bias);
  v.field(any("init.from_checkpoint", "safetensors file whose parameters the run starts from; empty: they are drawn"), from_checkpoint);
  v.field(gate_bias("init.bias.reset_gate", "bias of the reset gate; unset: the scheme's own"), reset_gate_bias);
  v.field(gate_bias("init.bias.update_gate", "bias of the update gate; unset: the scheme's own"), update_gate_bias);
  v.field(one_of("init.embedding.scheme", "for the embedding's vectors; unset: init.scheme", schemes), embedding.scheme);
  v.field(weight_scale("init.embedding.gain", "for the embedding's vectors; unset: init.gain"), embedding.gain);
  v.field(weight_scale("init.embedding.std", "standard deviation of the embedding's vectors"), embedding.std);
  v.field(one_of("init.hidden.scheme", "for weights between feed-forward layers; unset: init.scheme", schemes), hidden.scheme);
  v.field(weight_scale("init.hidden.gain", "for weights between feed-forward layers; unset: init.gain"), hidden.gain);
  v.field(weight_scale("init.hidden.std", "standard deviation of the weights between feed-forward layers"), hidden.std);
  v.field(between("init.hidden.nonzeros", "non-zero weights per unit between feed-forward layers, the others are cut", 1, kMaxWidth),
          hidden.nonzeros);
}

void TrainSpec::visit_fields(FieldVisitor& v) {
  v.field(one_of("train.optimizer", "update rule", names_of(optimizers())), optimizer);
  v.field(positive("train.learning_rate", "step size of the optimiser"), learning_rate);
  v.field(between("train.batch", "rows of a batch", 1, kMaxCount), batch);
  v.field(between("train.shard_rows", "rows of a batch that one task computes; part of the result's bits", 1, kMaxShardRows), shard_rows);
  v.field(between("train.updates", "updates of the parameters; 0: probe and evaluate only", 0, kMaxCount), updates);
  v.field(between("train.evaluate_every", "updates between evaluations; 0: before the first and after the last only", 0, kMaxCount),
          evaluate_every);
  v.field(any("train.stop_at", "solved at this validation accuracy (or, where there is none, at or below this loss)"), stop_at);
  v.field(positive("train.clip_norm", "gradients of a larger norm are scaled down to it"), clip_norm);
  v.field(positive("train.clip_value", "each gradient element is cut to plus or minus this"), clip_value);
  v.field({.key = "train.seed", .description = "of weights, data and their order", .minimum = 0}, seed);
  v.field(between("train.checkpoint_every_steps", "time steps whose states are held; others are computed again on the way back; 0: all", 0,
                  kMaxCount),
          checkpoint_every_steps);
  v.field(any("train.save_checkpoint", "write the final parameters to checkpoints/<run_id>.safetensors"), save_checkpoint);
  v.field(one_of("train.recurrence",
                 "how each H x H block of recurrent weights is updated; orthogonal: along the orthogonal matrices (Cayley retraction)",
                 {"free", "orthogonal"}),
          recurrence);
  v.field(any("train.save_predictions", "write predictions.csv: what the final parameters answer to each validation and test sample"),
          save_predictions);
}

void ProbeSpec::visit_fields(FieldVisitor& v) {
  v.field(between("probe.every", "updates between rows of layers.csv; 0: before the first and after the last only", 0, kMaxCount), every);
  v.field(any("probe.timesteps", "write timesteps.csv"), timesteps);
  v.field(between("probe.timesteps_every", "updates between blocks of timesteps.csv; 0: as probe.every", 0, kMaxCount), timesteps_every);
  v.field(any("probe.layers", "write layers.csv"), layers);
  v.field(between("probe.samples", "leading rows of the batch that are probed; 0: all", 0, kMaxCount), samples);
  v.field(one_of("probe.loss_at", "task: the task's loss; last: its last time step only", {"task", "last"}), loss_at);
  v.field(any("probe.spectra", "write spectra.csv: singular values of the recurrent weights, mean log10 slope of each step"), spectra);
  v.field(between("probe.traces", "leading rows of the batch whose gates and states are written to traces.csv; 0: none", 0, kMaxCount),
          traces);
  v.field(between("probe.trace_units", "leading units of each layer in traces.csv; 0: all", 0, kMaxCount), trace_units);
}

void EngineSpec::visit_fields(FieldVisitor& v) {
  v.field(one_of("run.backend", "engine of the arithmetic; auto: the default for the precision and the shape", engine_names()), backend);
  v.field(one_of("run.precision", "floating-point type of training", {"f32", "f64"}), precision);
  v.field(any("run.ftz", "flush denormal numbers to zero"), ftz);
}

}  // namespace vp
