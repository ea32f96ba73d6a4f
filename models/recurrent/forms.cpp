#include "models/recurrent/forms.h"

#include <algorithm>
#include <array>
#include <stdexcept>

#include "kernels/activation/custom_activation.h"
#include "models/cells/cell_list.h"

namespace vp {
namespace {

constexpr std::array<FormEntry, 5> kForms = {{
    {"many_to_one", "a sequence comes in; one output at its last step", Form::kManyToOne},
    {"many_to_many", "a sequence comes in; an output at every step", Form::kManyToMany},
    {"stateful", "as many_to_many on windows of endless streams: the state goes on from window to window, the gradient ends at each",
     Form::kStateful},
    {"one_to_many", "an input at the first step alone; then each output is the next input", Form::kOneToMany},
    {"sequence_to_sequence",
     "an encoder reads the sequence; a decoder of its own weights goes on from its state, each output its next input",
     Form::kSequenceToSequence},
}};

std::string quoted(std::string_view key, std::string_view value) { return std::string(key) + " = \"" + std::string(value) + "\""; }

// The form that a task's samples are made for.
Form form_of(const SequenceShape& shape) {
  if (shape.source_steps > 0) return shape.target_every_step ? Form::kOneToMany : Form::kSequenceToSequence;
  if (shape.streams > 0) return Form::kStateful;
  return shape.target_every_step ? Form::kManyToMany : Form::kManyToOne;
}

std::string_view name_of(Form form) { return std::ranges::find(kForms, form, &FormEntry::form)->name; }

std::string check_tokens(const ModelSpec& model, const SequenceShape& shape) {
  const std::string key = "model.embedding = " + std::to_string(model.embedding);
  if (shape.vocabulary > 0 && model.embedding == 0)
    return key + ": the task's inputs are token ids; set model.embedding to the width of their vectors, e.g. 16";
  if (shape.vocabulary == 0 && model.embedding > 0)
    return key + ": the task's inputs are numbers, not token ids; leave model.embedding at 0";
  return "";
}

// What no layer computes.
std::string check_cell(const RunSpec& spec, Form form) {
  const auto cell = find_cell(spec.model.cell)->make_double(spec.cell_options.get(), resolve_activation(spec.model.activation));
  if (cell->recurrence() == Recurrence::kNormalised && feeds_back(form))
    return "model.layer_norm: with " + quoted("model.form", spec.model.form) +
           " steps are computed one by one, which normalised products do not do; set it to false";
  return "";
}

std::string check_options(const RunSpec& spec, Form form) {
  const ModelSpec& model = spec.model;
  const std::string of_form = " has no meaning with " + quoted("model.form", model.form);
  if (!model.teacher_forcing && !feeds_back(form))
    return "model.teacher_forcing = false" + of_form + ", which feeds nothing back; remove it";
  if (model.bidirectional && form != Form::kManyToOne && form != Form::kManyToMany)
    return "model.bidirectional" + of_form + ": the end is not known before; use many_to_one or many_to_many";
  if (model.reset_every > 0 && (feeds_back(form) || model.bidirectional))
    return "model.reset_every: only nets that read in one direction, one input a step, have a state to cut; set it to 0";
  if (spec.train.checkpoint_every_steps > 0 && (feeds_back(form) || model.bidirectional))
    return "train.checkpoint_every_steps: " + (model.bidirectional ? "a bidirectional net" : quoted("model.form", model.form)) +
           " holds the states of all steps; set it to 0";
  return check_cell(spec, form);
}

std::string check_streams(const RunSpec& spec, const BatchSource& source) {
  const auto streams = static_cast<std::uint64_t>(source.shape().streams);
  if (streams != static_cast<std::uint64_t>(spec.train.batch))
    return "train.batch = " + std::to_string(spec.train.batch) + " differs from the task's " + std::to_string(streams) + " streams";
  if (source.size(Split::kTrain) != 0) return quoted("model.form", "stateful") + " needs endless training streams";
  for (const Split split : {Split::kValidation, Split::kTest})
    if (source.size(split) % streams != 0)
      return "train.batch = " + std::to_string(spec.train.batch) + ": the " + std::to_string(source.size(split)) +
             " windows to evaluate do not fill whole streams; use a divisor";
  return "";
}

}  // namespace

std::span<const FormEntry> forms() { return kForms; }

Form form_of(const ModelSpec& model) {
  const auto it = std::ranges::find(kForms, model.form, &FormEntry::name);
  if (it == kForms.end()) throw std::invalid_argument("[form_of] unknown form " + model.form);
  return it->form;
}

std::string check_form(const RunSpec& spec, const BatchSource& source) {
  const SequenceShape shape = source.shape();
  const Form form = form_of(spec.model), fitting = form_of(shape);
  if (form != fitting)
    return quoted("model.form", spec.model.form) + " does not fit the task; it is made for " + quoted("model.form", name_of(fitting));
  if (shape.variable_length && form != Form::kManyToOne && form != Form::kManyToMany)
    return quoted("model.form", spec.model.form) + " takes sequences of one length, and the task's have lengths of their own";
  for (const std::string& misfit : {check_options(spec, form), check_tokens(spec.model, shape)})
    if (!misfit.empty()) return misfit;
  return form == Form::kStateful ? check_streams(spec, source) : "";
}

}  // namespace vp
