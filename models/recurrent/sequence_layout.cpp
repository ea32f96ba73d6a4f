#include "models/recurrent/sequence_layout.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <string_view>

#include "kernels/activation/custom_activation.h"
#include "models/cells/cell_list.h"
#include "models/recurrent/forms.h"

namespace vp {
namespace {

constexpr std::array<std::string_view, 2> kGainNames = {"gain_ih", "gain_hh"};

std::string recurrent_name(std::string_view name, std::int64_t layer, Part part) {
  return (part == Part::kDecoder ? "decoder." : "rnn.") + std::string(name) + "_l" + std::to_string(layer) +
         (part == Part::kReverse ? "_reverse" : "");
}

void add_recurrent(ParameterLayout& layout, std::int64_t layer, Part part, std::int64_t gates, std::int64_t inputs, std::int64_t hidden) {
  const auto add = [&](const char* name, std::int64_t cols, WeightRole role, bool is_bias) {
    layout.add({recurrent_name(name, layer, part), gates * hidden, cols, 0, layer, role, is_bias, gates, hidden});
  };
  add("weight_ih", inputs, WeightRole::kInput, false);
  add("weight_hh", hidden, WeightRole::kRecurrent, false);
  add("bias_ih", 1, WeightRole::kInput, true);
  add("bias_hh", 1, WeightRole::kRecurrent, true);
}

// rnn.weight_ch_l0_reverse -> weight_ch
std::string_view special_name(const Tensor& tensor) {
  const std::string_view name = std::string_view(tensor.name).substr(tensor.name.find('.') + 1);
  return name.substr(0, name.rfind("_l"));
}

// What some cells have beside that: of their own, and gains of a normalised recurrence.
void add_special(ParameterLayout& layout, const Cell<double>& cell, std::int64_t layer, Part part, std::int64_t hidden) {
  const auto add = [&](std::string_view name, std::int64_t blocks, std::optional<double> starts_at) {
    layout.add(
        {recurrent_name(name, layer, part), blocks * hidden, 1, 0, layer, WeightRole::kRecurrent, true, blocks, hidden, true, starts_at});
  };
  for (const CellTensor& own : cell.own_tensors()) add(own.name, own.blocks, std::nullopt);
  if (cell.recurrence() != Recurrence::kNormalised) return;
  for (const std::string_view name : kGainNames) add(name, cell.gates(), 1);
}

}  // namespace

// What only some models have stands last: the numbers by which the other tensors are drawn do not move, and variants of a cell start from
// the same weights.
ParameterLayout sequence_layout(const ModelSpec& model, const Options& cell_options, const SequenceShape& shape) {
  const auto cell = find_cell(model.cell)->make_double(cell_options, resolve_activation(model.activation));
  const std::int64_t gates = cell->gates(), hidden = model.hidden, outputs = shape.outputs;
  const std::int64_t width = model.bidirectional ? 2 * hidden : hidden;  // of what a layer sends up
  const Form form = form_of(model);
  const std::int64_t inputs = model.embedding > 0 ? model.embedding : form == Form::kOneToMany ? shape.inputs + outputs : shape.inputs;
  const bool decodes = form == Form::kSequenceToSequence;
  ParameterLayout layout;
  for (std::int64_t l = 0; l < model.layers; ++l) {
    add_recurrent(layout, l, Part::kForward, gates, l == 0 ? inputs : width, hidden);
    if (model.bidirectional) add_recurrent(layout, l, Part::kReverse, gates, l == 0 ? inputs : width, hidden);
  }
  for (std::int64_t l = 0; decodes && l < model.layers; ++l)
    add_recurrent(layout, l, Part::kDecoder, gates, l == 0 ? outputs : hidden, hidden);
  layout.add({"readout.weight", outputs, width, 0, model.layers, WeightRole::kReadout, false, 1, width});
  layout.add({"readout.bias", outputs, 1, 0, model.layers, WeightRole::kReadout, true, 1, width});
  if (model.embedding > 0)
    layout.add({"embedding.weight", shape.vocabulary, model.embedding, 0, -1, WeightRole::kEmbedding, false, 1, model.embedding});
  for (std::int64_t l = 0; l < model.layers; ++l) {
    add_special(layout, *cell, l, Part::kForward, hidden);
    if (model.bidirectional) add_special(layout, *cell, l, Part::kReverse, hidden);
    if (decodes) add_special(layout, *cell, l, Part::kDecoder, hidden);
  }
  return layout;
}

RecurrentTensors recurrent_tensors(const ParameterLayout& layout, std::int64_t layer, Part part) {
  const auto find = [&](const char* name) { return layout.find(recurrent_name(name, layer, part)); };
  RecurrentTensors tensors = {find("weight_ih"), find("weight_hh"), find("bias_ih"), find("bias_hh"), {}, {}};
  for (const Tensor& tensor : layout.list) {
    if (!tensor.is_special || tensor.name != recurrent_name(special_name(tensor), layer, part)) continue;
    (std::ranges::find(kGainNames, special_name(tensor)) == kGainNames.end() ? tensors.own : tensors.gains).push_back(tensor);
  }
  return tensors;
}

}  // namespace vp
