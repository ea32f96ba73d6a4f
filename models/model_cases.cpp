#include "models/model_cases.h"

#include <array>
#include <span>

#include "kernels/activations.h"
#include "models/cell_list.h"
#include "models/feed_forward_plan.h"
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

constexpr std::array kMlpVariants = {"layer norm", "residual", "dropout", "everything"};
constexpr std::array kCnnVariants = {"average", "no pooling", "stride", "no padding", "layer norm", "dropout", "everything"};

bool is_sequence(const ModelCase& c) { return c.kind == "sequence"; }
std::string variant_name(const ModelCase& c) { return c.kind + (c.variant.empty() ? "" : " " + c.variant); }

void add_targets(std::vector<ModelCase>& cases, ModelCase net) {
  for (const TargetKind target : {TargetKind::kClasses, TargetKind::kBinary, TargetKind::kValues}) {
    net.target = target, net.seed = cases.size();
    cases.push_back(net);
  }
}

// Every activation at several depths, then every option of the kind. Steps: of a sample that comes in at once, or the height of an image.
void add_feed_forward(std::vector<ModelCase>& cases, const std::string& kind, std::span<const char* const> variants, std::int64_t steps) {
  for (const Activation& activation : activations())
    for (const std::int64_t layers : {1, 2, 3})
      add_targets(cases, {.activation = std::string(activation.name), .layers = layers, .steps = steps, .kind = kind});
  for (const char* const variant : variants)
    for (const char* const activation : {"tanh", "gelu"})
      add_targets(cases, {.activation = activation, .layers = 3, .steps = steps, .kind = kind, .variant = variant});
}

// Of a cnn whose sizes come from `hidden`: few enough that the reference is fast, odd enough that no vector is full.
IntegerList channels_of(const ModelCase& c, std::int64_t hidden) {
  IntegerList channels;
  for (std::int64_t l = 0; l < c.layers; ++l) channels.push_back(1 + (13 * hidden + l) % 17);
  return channels;
}

OptionsHandle mlp_options(const ModelCase& c, std::int64_t hidden) {
  MlpOptions options;
  const bool all = c.variant == "everything";
  options.residual = all || c.variant == "residual";
  if (!options.residual)
    for (std::int64_t l = 0; l < c.layers; ++l) options.widths.push_back(hidden + l);
  options.common = {.layer_norm = all || c.variant == "layer norm", .dropout = all || c.variant == "dropout" ? 0.3 : 0};
  return OptionsHandle(std::make_unique<MlpOptions>(options));
}

OptionsHandle cnn_options(const ModelCase& c, std::int64_t hidden) {
  CnnOptions options;
  const bool all = c.variant == "everything";
  options.channels = channels_of(c, hidden);
  options.pool_every = 2;
  if (c.variant == "average" || all) options.pool = "average";
  if (c.variant == "no pooling") options.pool = "none";
  if (c.variant == "stride") options.stride = 2, options.pool_every = 4;
  if (c.variant == "no padding") options.padding = 0, options.kernel = 2;
  options.common = {.layer_norm = all || c.variant == "layer norm", .dropout = all || c.variant == "dropout" ? 0.3 : 0};
  return OptionsHandle(std::make_unique<CnnOptions>(options));
}

}  // namespace

std::string name_of(const ModelCase& c) {
  if (!is_sequence(c))
    return variant_name(c) + " " + c.activation + ", " + layers_name(c) + ", " + std::string(loss_name(c.target)) + ", init " + c.scheme +
           ", seed " + std::to_string(c.seed);
  return c.cell + " " + c.activation + ", " + layers_name(c) + ", " + std::string(readout_name(c)) + ", T=" + std::to_string(c.steps) +
         ", " + std::string(loss_name(c.target)) + ", init " + c.scheme + ", seed " + std::to_string(c.seed);
}

std::vector<std::string> subjects_of(const ModelCase& c) {
  if (c.scheme != "pytorch") return {"init " + c.scheme};
  if (!is_sequence(c)) return {variant_name(c), "activation " + c.activation, "loss " + std::string(loss_name(c.target)), layers_name(c)};
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
  for (const CellEntry& cell : cells())
    for (const Activation& activation : activations())
      if (cell.takes_any_activation || activation.name == "tanh")
        add_shapes(cases, {.cell = std::string(cell.name), .activation = std::string(activation.name)});
  add_feed_forward(cases, "mlp", kMlpVariants, 2);
  add_feed_forward(cases, "cnn", kCnnVariants, 9);
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
  spec.model.kind = c.kind;
  if (c.kind == "mlp") spec.kind_options = mlp_options(c, hidden);
  if (c.kind == "cnn") spec.kind_options = cnn_options(c, hidden);
  if (is_sequence(c)) spec.model.cell = c.cell;
  spec.model.activation = c.activation;
  spec.model.layers = c.layers;
  spec.model.hidden = hidden;
  spec.model.form = c.every_step ? "many_to_many" : "many_to_one";
  if (is_sequence(c)) spec.cell_options = OptionsHandle(find_cell(c.cell)->make_options());
  spec.init.scheme = c.scheme;
  spec.init.gain = 1.5;  // large enough that recurrent terms and deep layers matter
  spec.train.seed = static_cast<std::int64_t>(c.seed);
  return spec;
}

SequenceShape shape_of(const ModelCase& c, std::int64_t inputs, std::int64_t outputs) {
  SequenceShape shape{
      .steps = c.steps, .inputs = inputs, .outputs = outputs, .target = c.target, .target_every_step = c.every_step, .correct_within = 0};
  if (c.kind != "cnn") return shape;
  shape.image_channels = 1 + inputs % 3, shape.image_height = c.steps, shape.image_width = c.steps - 1;
  shape.inputs = shape.image_width * shape.image_channels;
  return shape;
}

}  // namespace vp
