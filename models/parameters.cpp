#include "models/parameters.h"

#include <algorithm>
#include <span>

#include "models/cell_list.h"

namespace vp {
namespace {

constexpr std::int64_t kTensorAlignment = 16;  // elements: a tensor starts on a cache line of floats

void place(Tensor& tensor, std::int64_t& end) {
  tensor.offset = end;
  end = (end + tensor.size() + kTensorAlignment - 1) / kTensorAlignment * kTensorAlignment;
}

RecurrentTensors make_recurrent(const Cell<double>& cell, std::int64_t layer, std::int64_t inputs, std::int64_t hidden) {
  const std::string suffix = "_l" + std::to_string(layer);
  const auto tensor = [&](std::string_view name, std::int64_t blocks, std::int64_t cols, WeightRole role, bool is_bias) {
    return Tensor{"rnn." + std::string(name) + suffix, blocks * hidden, cols, 0, layer, role, is_bias, blocks};
  };
  const std::int64_t gates = cell.gates();
  RecurrentTensors tensors = {tensor("weight_ih", gates, inputs, WeightRole::kInput, false),
                              tensor("weight_hh", gates, hidden, WeightRole::kRecurrent, false),
                              tensor("bias_ih", gates, 1, WeightRole::kInput, true),
                              tensor("bias_hh", gates, 1, WeightRole::kRecurrent, true),
                              {},
                              {}};
  for (const CellTensor& own : cell.own_tensors()) tensors.own.push_back(tensor(own.name, own.blocks, 1, WeightRole::kRecurrent, true));
  if (cell.recurrence() != Recurrence::kNormalised) return tensors;
  for (const char* name : {"gain_ih", "gain_hh"}) {
    tensors.gains.push_back(tensor(name, gates, 1, WeightRole::kRecurrent, true));
    tensors.gains.back().starts_at = 1;
  }
  return tensors;
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
void draw(const Tensor& tensor, const InitSpec& init, std::int64_t hidden, std::uint64_t seed, std::uint64_t number,
          std::span<double> values) {
  const std::int64_t rows = tensor.rows / tensor.blocks;
  for (std::int64_t block = 0; block < tensor.blocks; ++block) {
    const auto part = values.subspan(block * rows * tensor.cols, rows * tensor.cols);
    const std::uint64_t index = number * 64 + block;
    if (tensor.is_bias)
      initialize_bias(init, tensor.role, hidden, seed, index, part);
    else
      initialize_weights(init, tensor.role, rows, tensor.cols, hidden, seed, index, part);
  }
}

void set_gate_biases(const Tensor& tensor, const CellEntry& cell, const InitSpec& init, bool holds_it, std::span<double> values) {
  const std::int64_t hidden = tensor.rows / tensor.blocks;
  for (std::int64_t block = 0; block < tensor.blocks; ++block)
    if (const auto bias = gate_bias(init, cell.gate_names[block]))
      std::ranges::fill(values.subspan(block * hidden, hidden), holds_it ? *bias : 0.0);
}

}  // namespace

std::vector<const Tensor*> ParameterLayout::tensors() const {
  std::vector<const Tensor*> all;
  for (const RecurrentTensors& l : layers) {
    all.insert(all.end(), {&l.weight_ih, &l.weight_hh, &l.bias_ih, &l.bias_hh});
    for (const auto* more : {&l.own, &l.gains})
      for (const Tensor& tensor : *more) all.push_back(&tensor);
  }
  all.insert(all.end(), {&readout_weight, &readout_bias});
  return all;
}

ParameterLayout make_layout(const ModelSpec& model, const Options& cell_options, std::int64_t inputs, std::int64_t outputs) {
  const auto cell = find_cell(model.cell)->make_double(cell_options, *find_activation(model.activation));
  const std::int64_t hidden = model.hidden;
  ParameterLayout layout;
  for (std::int64_t l = 0; l < model.layers; ++l) layout.layers.push_back(make_recurrent(*cell, l, l == 0 ? inputs : hidden, hidden));
  layout.readout_weight = {"readout.weight", outputs, hidden, 0, model.layers, WeightRole::kReadout, false, 1};
  layout.readout_bias = {"readout.bias", outputs, 1, 0, model.layers, WeightRole::kReadout, true, 1};
  for (const Tensor* tensor : layout.tensors()) place(const_cast<Tensor&>(*tensor), layout.size);
  return layout;
}

template <class T>
void initialize_parameters(const ParameterLayout& layout, const ModelSpec& model, const InitSpec& init, std::uint64_t seed, T* flat) {
  const CellEntry& cell = *find_cell(model.cell);
  std::vector<double> values;
  std::uint64_t number = 0;
  const auto put = [&](const Tensor& tensor, bool has_gate_biases = false) {
    values.assign(tensor.size(), tensor.starts_at.value_or(0));
    if (!tensor.starts_at) draw(tensor, init, model.hidden, seed, number, values);
    ++number;
    if (has_gate_biases) set_gate_biases(tensor, cell, init, tensor.role == WeightRole::kInput, values);
    std::ranges::transform(values, flat + tensor.offset, [](double v) { return static_cast<T>(v); });
  };
  for (const RecurrentTensors& l : layout.layers)
    for (const Tensor* tensor : {&l.weight_ih, &l.weight_hh, &l.bias_ih, &l.bias_hh}) put(*tensor, tensor->is_bias);
  put(layout.readout_weight);
  put(layout.readout_bias);
  for (const RecurrentTensors& l : layout.layers)  // behind all that every cell has, so that its numbers stay the same
    for (const auto* more : {&l.own, &l.gains})
      for (const Tensor& tensor : *more) put(tensor);
}
template void initialize_parameters(const ParameterLayout&, const ModelSpec&, const InitSpec&, std::uint64_t, float*);
template void initialize_parameters(const ParameterLayout&, const ModelSpec&, const InitSpec&, std::uint64_t, double*);

}  // namespace vp
