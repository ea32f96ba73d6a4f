// The trainable tensors of a model in one flat array: names and layouts are those of PyTorch's state dicts (design: checkpoints load
// there).
//
// Thread-safety: constant once built.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "models/initializers.h"
#include "models/spec.h"

namespace vp {

struct Tensor {
  std::string name;         // e.g. rnn.weight_hh_l0
  std::int64_t rows = 0;    // fan_out, G*H for recurrent layers
  std::int64_t cols = 1;    // fan_in; 1 for a bias
  std::int64_t offset = 0;  // of its first element in the flat array; a multiple of 16, the gaps stay zero
  std::int64_t layer = 0;   // 0 .. L-1, or L for the readout
  WeightRole role = WeightRole::kInput;
  bool is_bias = false;
  std::int64_t blocks = 1;  // gate blocks: each (rows / blocks, cols) is initialised as a matrix of its own
  std::int64_t spread = 1;  // PyTorch's default draws from U(-1/sqrt(spread), 1/sqrt(spread)): H for recurrent layers, else fan_in
  std::vector<std::int64_t> dims = {};  // its shape in a file, where that is not (rows, cols), or (rows) of a bias
  std::optional<double> fixed = {};     // starts at this value and is not drawn

  std::int64_t size() const { return rows * cols; }
};

// The parameters of a model.
struct ParameterLayout {
  std::vector<Tensor> list;  // in state-dict order, each placed
  std::int64_t size = 0;     // elements of the flat array, gaps included

  void add(Tensor tensor);  // behind those that are there
  std::vector<const Tensor*> tensors() const;
  const Tensor& find(std::string_view name) const;  // std::invalid_argument if there is none
};

struct RecurrentTensors {
  Tensor weight_ih, weight_hh, bias_ih, bias_hh;
};

// Of a recurrent model with a linear readout.
ParameterLayout sequence_layout(const ModelSpec& model, std::int64_t inputs, std::int64_t outputs);
RecurrentTensors recurrent_tensors(const ParameterLayout& layout, std::int64_t layer);

// Draws every tensor into `flat` (layout.size). The gate biases of `init` override their blocks: bias_ih holds the value, bias_hh is zero
// there.
template <class T>
void initialize_parameters(const ParameterLayout& layout, const ModelSpec& model, const InitSpec& init, std::uint64_t seed, T* flat);

}  // namespace vp
