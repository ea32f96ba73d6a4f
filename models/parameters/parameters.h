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

#include "models/parameters/initializers.h"
#include "models/spec/batch_source.h"
#include "models/spec/spec.h"

namespace vp {

struct Tensor {
  std::string name;         // e.g. rnn.weight_hh_l0
  std::int64_t rows = 0;    // units, G*H for recurrent layers
  std::int64_t cols = 1;    // fan_in; 1 for a bias
  std::int64_t offset = 0;  // of its first element in the flat array; a multiple of 16, the gaps stay zero
  std::int64_t layer = 0;   // 0 .. L-1, L for the readout, -1 for an embedding
  WeightRole role = WeightRole::kInput;
  bool is_bias = false;
  std::int64_t blocks = 1;          // gate blocks: each (rows / blocks, cols) is initialised as a matrix of its own
  std::int64_t spread = 1;          // PyTorch's default draws from U(-1/sqrt(spread), 1/sqrt(spread)): H for recurrent layers, else fan_in
  bool is_special = false;          // not of every recurrent layer: a cell's own, or a gain
  std::optional<double> starts_at;  // every element, instead of being drawn
  std::vector<std::int64_t> dims = {};  // its shape in a file, where that is not (rows, cols), or (rows) of a bias

  std::int64_t size() const { return rows * cols; }
  WeightShape block_shape() const;  // of each block, as it is initialised
};

// The parameters of a model.
struct ParameterLayout {
  std::vector<Tensor> list;  // in state-dict order, each placed
  std::int64_t size = 0;     // elements of the flat array, gaps included

  void add(Tensor tensor);  // behind those that are there
  std::vector<const Tensor*> tensors() const;
  const Tensor& find(std::string_view name) const;  // std::invalid_argument if there is none
};

// A range of the flat array. Where units > 0 it is rows of the weight of a dense layer, whose gradient is made for all shards of a batch in
// one go, while it is in the near cache (ModelShard::add_piece); of the others every shard makes its own. `layer`: the lowest whose signals
// it is made of.
struct GradientPiece {
  std::int64_t begin = 0, end = 0;
  std::int64_t layer = 0, first_unit = 0, units = 0;

  std::int64_t size() const { return end - begin; }
};

// What is drawn for one tensor does not depend on what else the cell has: variants of a cell start from the same weights.
// Draws every tensor into `flat` (layout.size). The gate biases of `init` override their blocks: bias_ih holds the value, bias_hh is zero
// there.
template <class T>
void initialize_parameters(const ParameterLayout& layout, const ModelSpec& model, const InitSpec& init, std::uint64_t seed, T* flat);

}  // namespace vp
