#include "models/parameters.h"

#include <algorithm>
#include <span>
#include <stdexcept>
#include <utility>

#include "models/cell_list.h"

namespace vp {
namespace {

constexpr std::int64_t kTensorAlignment = 16;  // elements: a tensor starts on a cache line of floats

std::string recurrent_name(const char* name, std::int64_t layer) { return "rnn." + std::string(name) + "_l" + std::to_string(layer); }

void add_recurrent(ParameterLayout& layout, std::int64_t layer, std::int64_t gates, std::int64_t inputs, std::int64_t hidden) {
  const auto add = [&](const char* name, std::int64_t cols, WeightRole role, bool is_bias) {
    layout.add({recurrent_name(name, layer), gates * hidden, cols, 0, layer, role, is_bias, gates, hidden});
  };
  add("weight_ih", inputs, WeightRole::kInput, false);
  add("weight_hh", hidden, WeightRole::kRecurrent, false);
  add("bias_ih", 1, WeightRole::kInput, true);
  add("bias_hh", 1, WeightRole::kRecurrent, true);
}

std::optional<double> gate_bias(const InitSpec& init, std::string_view gate) {
  if (gate == "input_gate") return init.input_gate_bias;
  if (gate == "forget_gate") return init.forget_gate_bias;
  if (gate == "output_gate") return init.output_gate_bias;
  return std::nullopt;
}

// Draws `tensor` block by block. `number` tells the tensors of a model apart.
void draw(const Tensor& tensor, const InitSpec& init, std::uint64_t seed, std::uint64_t number, std::span<double> values) {
  const std::int64_t rows = tensor.rows / tensor.blocks;
  for (std::int64_t block = 0; block < tensor.blocks; ++block) {
    const auto part = values.subspan(block * rows * tensor.cols, rows * tensor.cols);
    const std::uint64_t index = number * 64 + block;
    if (tensor.is_bias)
      initialize_bias(init, tensor.role, tensor.spread, seed, index, part);
    else
      initialize_weights(init, tensor.role, rows, tensor.cols, tensor.spread, seed, index, part);
  }
}

void set_gate_biases(const Tensor& tensor, const CellEntry& cell, const InitSpec& init, bool holds_it, std::span<double> values) {
  const std::int64_t hidden = tensor.rows / tensor.blocks;
  for (std::int64_t block = 0; block < tensor.blocks; ++block)
    if (const auto bias = gate_bias(init, cell.gate_names[block]))
      std::ranges::fill(values.subspan(block * hidden, hidden), holds_it ? *bias : 0.0);
}

}  // namespace

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

ParameterLayout sequence_layout(const ModelSpec& model, std::int64_t inputs, std::int64_t outputs) {
  const std::int64_t gates = find_cell(model.cell)->gates, hidden = model.hidden;
  ParameterLayout layout;
  for (std::int64_t l = 0; l < model.layers; ++l) add_recurrent(layout, l, gates, l == 0 ? inputs : hidden, hidden);
  layout.add({"readout.weight", outputs, hidden, 0, model.layers, WeightRole::kReadout, false, 1, hidden});
  layout.add({"readout.bias", outputs, 1, 0, model.layers, WeightRole::kReadout, true, 1, hidden});
  return layout;
}

RecurrentTensors recurrent_tensors(const ParameterLayout& layout, std::int64_t layer) {
  const auto find = [&](const char* name) { return layout.find(recurrent_name(name, layer)); };
  return {find("weight_ih"), find("weight_hh"), find("bias_ih"), find("bias_hh")};
}

template <class T>
void initialize_parameters(const ParameterLayout& layout, const ModelSpec& model, const InitSpec& init, std::uint64_t seed, T* flat) {
  const CellEntry& cell = *find_cell(model.cell);
  std::vector<double> values;
  std::uint64_t number = 0;
  for (const Tensor* tensor : layout.tensors()) {
    values.assign(tensor->size(), 0.0);
    draw(*tensor, init, seed, number++, values);
    if (tensor->fixed) std::ranges::fill(values, *tensor->fixed);
    if (tensor->is_bias && tensor->blocks == cell.gates && tensor->layer < model.layers && model.kind == "sequence")
      set_gate_biases(*tensor, cell, init, tensor->role == WeightRole::kInput, values);
    std::ranges::transform(values, flat + tensor->offset, [](double v) { return static_cast<T>(v); });
  }
}
template void initialize_parameters(const ParameterLayout&, const ModelSpec&, const InitSpec&, std::uint64_t, float*);
template void initialize_parameters(const ParameterLayout&, const ModelSpec&, const InitSpec&, std::uint64_t, double*);

}  // namespace vp
