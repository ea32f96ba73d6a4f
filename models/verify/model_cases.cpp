#include "models/verify/model_cases.h"

#include <algorithm>
#include <array>
#include <iterator>

#include "kernels/activation/custom_activation.h"
#include "models/cells/cell_list.h"
#include "models/parameters/initializers.h"
#include "models/verify/cell_variants.h"
#include "models/verify/feed_forward_cases.h"

namespace vp {
namespace {

std::string_view loss_name(TargetKind target) {
  switch (target) {
    case TargetKind::kClasses:
      return "softmax";
    case TargetKind::kBinary:
      return "sigmoid";
    case TargetKind::kValues:
      return "mean square";
  }
  return "";
}

// Of the loss that the case is trained with.
std::string loss_name(const ModelCase& c) { return std::string(loss_name(c.target)) + (c.output == "task" ? "" : ", output " + c.output); }

std::string_view readout_name(const ModelCase& c) { return c.every_step ? "readout every step" : "readout last step"; }
bool is_sequence(const ModelCase& c) { return c.kind == "sequence"; }
// E.g. "lstm peepholes=true", or "cnn layer norm".
std::string net_name(const ModelCase& c) {
  if (is_sequence(c)) return c.variant.empty() ? c.cell : c.variant;
  return c.kind + (c.variant.empty() ? "" : " " + c.variant);
}
std::string layers_name(const ModelCase& c) { return "layers " + std::to_string(c.layers); }

void add_shapes(std::vector<ModelCase>& cases, const ModelCase& cell) {
  for (const std::int64_t layers : {1, 2})
    for (const bool every_step : {false, true})
      for (const std::int64_t steps : {1, 3, 7})
        for (const TargetKind target : {TargetKind::kClasses, TargetKind::kBinary, TargetKind::kValues}) {
          ModelCase c = cell;
          c.layers = layers, c.every_step = every_step, c.steps = steps, c.target = target;
          c.seed = cases.size();
          cases.push_back(c);
        }
}

constexpr std::array kTargets = {TargetKind::kClasses, TargetKind::kBinary, TargetKind::kValues};

std::vector<ModelCase> form_variants() {
  return {
      {.variable_length = true},
      {.every_step = true, .variable_length = true},
      {.tokens = true},
      {.bidirectional = true},
      {.every_step = true, .bidirectional = true},
      {.variable_length = true, .tokens = true, .bidirectional = true},
      {.every_step = true, .variable_length = true, .tokens = true, .bidirectional = true},
      {.every_step = true, .reset_every = 2},
      {.form = "stateful", .reset_every = 3},
      {.form = "one_to_many"},
      {.form = "one_to_many", .teacher_forcing = false},
      {.form = "sequence_to_sequence"},
      {.form = "sequence_to_sequence", .tokens = true, .teacher_forcing = false},
  };
}

// Depth, readout and loss lie outside of a cell, so that a variant of one needs few of their combinations.
void add_few_shapes(std::vector<ModelCase>& cases, const ModelCase& cell) {
  for (const std::int64_t layers : {1, 2})
    for (const std::int64_t steps : {1, 3, 7}) {
      ModelCase c = cell;
      c.layers = layers, c.every_step = layers == 2, c.steps = steps, c.target = layers == 1 ? TargetKind::kValues : TargetKind::kClasses;
      c.seed = cases.size();
      cases.push_back(c);
    }
}

}  // namespace

std::vector<std::string> form_subjects(const ModelCase& c) {
  std::vector<std::string> words;
  if (!c.form.empty()) words.push_back("form " + c.form + (c.teacher_forcing ? "" : " free"));
  if (c.variable_length) words.emplace_back("lengths of their own");
  if (c.tokens) words.emplace_back("embedding");
  if (c.bidirectional) words.emplace_back("bidirectional");
  if (c.reset_every > 0) words.push_back("reset every " + std::to_string(c.reset_every));
  return words;
}

bool decides(const ModelCase& c) { return !c.teacher_forcing && c.target != TargetKind::kValues; }

std::string name_of(const ModelCase& c) {
  std::string form;
  if (is_sequence(c)) form = ", " + std::string(readout_name(c));
  for (const std::string& word : form_subjects(c)) form += ", " + word;
  if (is_sequence(c)) form += ", T=" + std::to_string(c.steps);
  return net_name(c) + " " + c.activation + ", " + layers_name(c) + form + ", " + loss_name(c) + ", init " + c.scheme + ", seed " +
         std::to_string(c.seed);
}

std::string net_row(const ModelCase& c) { return is_sequence(c) ? "cell " + find_cell_variant(net_name(c)).row : net_name(c); }

std::vector<std::string> subjects_of(const ModelCase& c) {
  if (c.scheme != "pytorch") return {"init " + c.scheme};
  std::vector<std::string> subjects = {net_row(c)};
  if (!is_sequence(c)) {
    for (const std::string& word : {"activation " + c.activation, "loss " + loss_name(c), layers_name(c)}) subjects.push_back(word);
    return subjects;
  }
  if (std::vector<std::string> words = form_subjects(c); !words.empty()) {
    words.push_back(subjects[0]);
    return words;
  }
  if (find_cell(c.cell)->takes_any_activation) subjects.push_back("activation " + c.activation);
  subjects.push_back("loss " + loss_name(c));
  subjects.emplace_back(readout_name(c));
  subjects.push_back(layers_name(c));
  subjects.push_back("steps " + std::to_string(c.steps));
  return subjects;
}

std::vector<ModelCase> model_cases() {
  std::vector<ModelCase> cases;
  const auto add_case = [&cases](const CellVariant& variant, const Activation& activation) {
    if (!variant.entry->takes_any_activation && activation.name != "tanh") return;
    const auto add = variant.name == variant.entry->name ? add_shapes : add_few_shapes;
    add(cases, {.cell = std::string(variant.entry->name), .activation = std::string(activation.name), .variant = variant.name});
  };
  for (const CellVariant& variant : cell_variants())
    for (const Activation& activation : activations())
      if (!variant.other_activations) add_case(variant, activation);
  for (const CellEntry& cell : cells())  // behind the others, whose seeds are their places
    for (const Activation& activation : checked_activations().subspan(activations().size()))
      add_case(find_cell_variant(cell.name), activation);
  for (const CellVariant& variant : cell_variants())
    if (variant.other_activations) add_case(variant, *find_activation("tanh"));
  // A gate without bounds multiplies what it lets through, step after step, which ends in numbers that hang on every bit of the first:
  // smaller weights keep that growth near 1, as the checks' bounds assume.
  for (const CellVariant& variant : activation_variants())
    cases.push_back({.cell = std::string(variant.entry->name),
                     .activation = "tanh",
                     .every_step = true,  // relu gates shut whole steps, and would shut a second layer for good
                     .steps = 7,
                     .target = kTargets[cases.size() % kTargets.size()],
                     .seed = cases.size(),
                     .variant = variant.name,
                     .gain = 0.5});
  std::ranges::copy(feed_forward_cases(), std::back_inserter(cases));
  return cases;
}

std::vector<ModelCase> form_cases() {
  std::vector<ModelCase> cases;
  for (const CellEntry& cell : cells())
    for (const ModelCase& variant : form_variants())
      for (const std::int64_t layers : {1, 2})
        for (const std::int64_t steps : {1, 3, 7}) {
          ModelCase c = variant;
          c.cell = cell.name, c.activation = "tanh", c.layers = layers, c.steps = steps;
          c.target = kTargets[cases.size() % kTargets.size()];
          c.seed = 5000 + cases.size();
          cases.push_back(c);
        }
  return cases;
}

std::vector<ModelCase> initializer_cases() {
  std::vector<ModelCase> cases;
  for (const InitializerEntry& entry : initializers())
    for (const CellEntry& cell : cells())
      cases.push_back(
          {.cell = std::string(cell.name), .activation = "tanh", .steps = 3, .scheme = std::string(entry.name), .seed = cases.size()});
  return cases;
}

void set_form(const ModelCase& c, ModelSpec& model) {
  model.form = !c.form.empty() ? c.form : c.every_step ? "many_to_many" : "many_to_one";
  model.embedding = c.tokens ? 5 : 0;
  model.bidirectional = c.bidirectional;
  model.teacher_forcing = c.teacher_forcing;
  model.reset_every = c.reset_every;
}

RunSpec spec_of(const ModelCase& c, std::int64_t hidden) {
  RunSpec spec;
  spec.model.kind = c.kind;
  spec.model.activation = c.activation;
  spec.model.layers = c.layers;
  spec.model.hidden = hidden;
  spec.model.output = c.output;
  if (is_sequence(c)) {
    set_form(c, spec.model);
    spec.model.cell = c.cell;
    spec.cell_options = find_cell_variant(net_name(c)).options;
  } else {
    spec.kind_options = feed_forward_options(c, hidden);
  }
  spec.init.scheme = c.scheme;
  spec.init.gain = c.gain;
  spec.train.seed = static_cast<std::int64_t>(c.seed);
  return spec;
}

SequenceShape shape_of(const ModelCase& c, std::int64_t inputs, std::int64_t outputs) {
  SequenceShape shape{
      .steps = c.steps, .inputs = inputs, .outputs = outputs, .target = c.target, .target_every_step = c.every_step, .correct_within = 0};
  shape.variable_length = c.variable_length;
  if (c.tokens) shape.inputs = 1, shape.vocabulary = 4;
  if (c.form == "stateful") shape.target_every_step = true, shape.streams = 1 << 20;  // all rows: window 0
  if (c.form == "one_to_many") shape.target_every_step = true, shape.source_steps = 1;
  if (c.form == "sequence_to_sequence") shape.source_steps = c.steps, shape.steps = 2 * c.steps;
  if (c.kind != "cnn") return shape;
  shape.image_channels = 1 + inputs % 3, shape.image_height = c.steps, shape.image_width = c.steps - 1;
  shape.inputs = shape.image_width * shape.image_channels;
  return shape;
}

}  // namespace vp
