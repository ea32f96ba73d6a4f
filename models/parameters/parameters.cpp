#include "models/parameters/parameters.h"

#include <algorithm>
#include <array>
#include <span>
#include <stdexcept>
#include <utility>

#include "kernels/activation/custom_activation.h"
#include "models/cells/cell_list.h"
#include "models/recurrent/forms.h"

namespace vp {
namespace {

constexpr std::int64_t kTensorAlignment = 16;  // elements: a tensor starts on a cache line of floats

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

std::optional<double> gate_bias(const InitSpec& init, std::string_view gate) {
  if (gate == "input_gate") return init.input_gate_bias;
  if (gate == "forget_gate") return init.forget_gate_bias;
  if (gate == "output_gate") return init.output_gate_bias;
  if (gate == "reset_gate") return init.reset_gate_bias;
  if (gate == "update_gate") return init.update_gate_bias;
  return std::nullopt;
}

// Draws `tensor` block by block. `number` tells the tensors of a model apart.
void draw(const Tensor& tensor, const InitSpec& init, std::uint64_t seed, std::uint64_t number, std::span<double> values) {
  const WeightShape shape = tensor.block_shape();
  const std::int64_t size = shape.units * shape.fan_in;
  for (std::int64_t block = 0; block < tensor.blocks; ++block) {
    const auto part = values.subspan(block * size, size);
    const std::uint64_t index = number * 64 + block;
    if (tensor.is_bias)
      initialize_bias(init, tensor.role, tensor.spread, seed, index, part);
    else
      initialize_weights(init, tensor.role, shape, seed, index, part);
  }
}

void set_gate_biases(const Tensor& tensor, const CellEntry& cell, const InitSpec& init, bool holds_it, std::span<double> values) {
  const std::int64_t hidden = tensor.rows / tensor.blocks;
  for (std::int64_t block = 0; block < tensor.blocks; ++block)
    if (const auto bias = gate_bias(init, cell.gate_names[block]))
      std::ranges::fill(values.subspan(block * hidden, hidden), holds_it ? *bias : 0.0);
}

}  // namespace

WeightShape Tensor::block_shape() const {
  const std::int64_t units = rows / blocks, reach = dims.empty() ? 1 : cols / dims[1];  // k k places of a convolution's (O, I, k, k)
  return {.units = units, .fan_in = cols, .fan_out = units * reach, .hidden = spread};
}

void ParameterLayout::add(Tensor tensor) {
  tensor.offset = size;
  size = (size + tensor.size() + kTensorAlignment - 1) / kTensorAlignment * kTensorAlignment;
  list.push_back(std::move(tensor));
}

std::vector<const Tensor*> ParameterLayout::tensors() const {
  std::vector<const Tensor*> all;
  for (const Tensor& tensor : list) all.push_back(&tensor);
  return all;
}

const Tensor& ParameterLayout::find(std::string_view name) const {
  const auto it = std::ranges::find(list, name, &Tensor::name);
  if (it == list.end()) throw std::invalid_argument("[ParameterLayout] no tensor is called " + std::string(name));
  return *it;
}

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

template <class T>
void initialize_parameters(const ParameterLayout& layout, const ModelSpec& model, const InitSpec& init, std::uint64_t seed, T* flat) {
  const CellEntry& cell = *find_cell(model.cell);
  std::vector<double> values;
  std::uint64_t number = 0;
  for (const Tensor* tensor : layout.tensors()) {
    values.assign(tensor->size(), tensor->starts_at.value_or(0));
    if (!tensor->starts_at) draw(*tensor, init, seed, number, values);
    ++number;
    const bool has_gate_biases = tensor->is_bias && !tensor->is_special && tensor->layer < model.layers && model.kind == "sequence";
    if (has_gate_biases) set_gate_biases(*tensor, cell, init, tensor->role == WeightRole::kInput, values);
    std::ranges::transform(values, flat + tensor->offset, [](double v) { return static_cast<T>(v); });
  }
}
template void initialize_parameters(const ParameterLayout&, const ModelSpec&, const InitSpec&, std::uint64_t, float*);
template void initialize_parameters(const ParameterLayout&, const ModelSpec&, const InitSpec&, std::uint64_t, double*);

}  // namespace vp
