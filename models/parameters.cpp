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

RecurrentTensors make_recurrent(std::int64_t layer, std::int64_t gates, std::int64_t inputs, std::int64_t hidden) {
  const std::string suffix = "_l" + std::to_string(layer);
  const auto tensor = [&](const char* name, std::int64_t cols, WeightRole role, bool is_bias) {
    return Tensor{"rnn." + std::string(name) + suffix, gates * hidden, cols, 0, layer, role, is_bias, gates};
  };
  return {tensor("weight_ih", inputs, WeightRole::kInput, false), tensor("weight_hh", hidden, WeightRole::kRecurrent, false),
          tensor("bias_ih", 1, WeightRole::kInput, true), tensor("bias_hh", 1, WeightRole::kRecurrent, true)};
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
  for (const RecurrentTensors& l : layers) all.insert(all.end(), {&l.weight_ih, &l.weight_hh, &l.bias_ih, &l.bias_hh});
  all.insert(all.end(), {&readout_weight, &readout_bias});
  return all;
}

ParameterLayout make_layout(const ModelSpec& model, std::int64_t inputs, std::int64_t outputs) {
  const std::int64_t gates = find_cell(model.cell)->gates, hidden = model.hidden;
  ParameterLayout layout;
  for (std::int64_t l = 0; l < model.layers; ++l) layout.layers.push_back(make_recurrent(l, gates, l == 0 ? inputs : hidden, hidden));
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
  for (const Tensor* tensor : layout.tensors()) {
    values.assign(tensor->size(), 0.0);
    draw(*tensor, init, model.hidden, seed, number++, values);
    if (tensor->is_bias && tensor->layer < model.layers) set_gate_biases(*tensor, cell, init, tensor->role == WeightRole::kInput, values);
    std::ranges::transform(values, flat + tensor->offset, [](double v) { return static_cast<T>(v); });
  }
}
template void initialize_parameters(const ParameterLayout&, const ModelSpec&, const InitSpec&, std::uint64_t, float*);
template void initialize_parameters(const ParameterLayout&, const ModelSpec&, const InitSpec&, std::uint64_t, double*);

}  // namespace vp
