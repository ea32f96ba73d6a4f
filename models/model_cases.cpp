#include "models/model_cases.h"

#include "kernels/custom_activation.h"
#include "models/cell_list.h"
#include "models/initializers.h"

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

std::string_view readout_name(const ModelCase& c) { return c.every_step ? "readout every step" : "readout last step"; }
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

}  // namespace

std::string name_of(const ModelCase& c) {
  return c.cell + " " + c.activation + ", " + layers_name(c) + ", " + std::string(readout_name(c)) + ", T=" + std::to_string(c.steps) +
         ", " + std::string(loss_name(c.target)) + ", init " + c.scheme + ", seed " + std::to_string(c.seed);
}

std::vector<std::string> subjects_of(const ModelCase& c) {
  if (c.scheme != "pytorch") return {"init " + c.scheme};
  std::vector<std::string> subjects = {"cell " + c.cell};
  if (find_cell(c.cell)->takes_any_activation) subjects.push_back("activation " + c.activation);
  subjects.push_back("loss " + std::string(loss_name(c.target)));
  subjects.emplace_back(readout_name(c));
  subjects.push_back(layers_name(c));
  subjects.push_back("steps " + std::to_string(c.steps));
  return subjects;
}

std::vector<ModelCase> model_cases() {
  std::vector<ModelCase> cases;
  const auto add = [&cases](const CellEntry& cell, const Activation& activation) {
    if (cell.takes_any_activation || activation.name == "tanh")
      add_shapes(cases, {.cell = std::string(cell.name), .activation = std::string(activation.name)});
  };
  for (const CellEntry& cell : cells())
    for (const Activation& activation : activations()) add(cell, activation);
  for (const CellEntry& cell : cells())  // behind the others, whose seeds are their places
    for (const Activation& activation : checked_activations().subspan(activations().size())) add(cell, activation);
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

RunSpec spec_of(const ModelCase& c, std::int64_t hidden) {
  RunSpec spec;
  spec.model.cell = c.cell;
  spec.model.activation = c.activation;
  spec.model.layers = c.layers;
  spec.model.hidden = hidden;
  spec.model.form = c.every_step ? "many_to_many" : "many_to_one";
  spec.cell_options = OptionsHandle(find_cell(c.cell)->make_options());
  spec.init.scheme = c.scheme;
  spec.init.gain = 1.5;  // large enough that recurrent terms matter
  spec.train.seed = static_cast<std::int64_t>(c.seed);
  return spec;
}

SequenceShape shape_of(const ModelCase& c, std::int64_t inputs, std::int64_t outputs) {
  return {
      .steps = c.steps, .inputs = inputs, .outputs = outputs, .target = c.target, .target_every_step = c.every_step, .correct_within = 0};
}

}  // namespace vp
