#include "models/parameters/parameters.h"

#include <algorithm>
#include <array>
#include <span>
#include <stdexcept>
#include <utility>

#include "models/cells/cell_list.h"

namespace vp {
namespace {

constexpr std::int64_t kTensorAlignment = 16;  // elements: a tensor starts on a cache line of floats

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

template <class T>
void initialize_parameters(const ParameterLayout& layout, const ModelSpec& model, const InitSpec& init, std::uint64_t seed, T* flat) {
  const CellEntry& cell = *find_cell(model.cell);
  std::vector<double> values;
  std::uint64_t number = 0;
  for (const Tensor* tensor : layout.tensors()) {
    values.assign(tensor->size(), tensor->starts_at.value_or(0));
    if (!tensor->starts_at) draw(*tensor, init, seed, number, values);
    ++number;
    const bool has_gate_biases = tensor->is_bias && !tensor->is_special && tensor->layer < model.layers;
    if (has_gate_biases) set_gate_biases(*tensor, cell, init, tensor->role == WeightRole::kInput, values);
    std::ranges::transform(values, flat + tensor->offset, [](double v) { return static_cast<T>(v); });
  }
}
template void initialize_parameters(const ParameterLayout&, const ModelSpec&, const InitSpec&, std::uint64_t, float*);
template void initialize_parameters(const ParameterLayout&, const ModelSpec&, const InitSpec&, std::uint64_t, double*);

}  // namespace vp
