// The trainable tensors of a model in one flat array: names and layouts are those of PyTorch's state dicts (design: checkpoints load
// there).
//
// Thread-safety: constant once built.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "models/initializers.h"
#include "models/spec.h"

namespace vp {

struct Tensor {
  std::string name;         // e.g. rnn.weight_hh_l0
  std::int64_t rows = 0;    // fan_out, G*H for recurrent layers
  std::int64_t cols = 1;    // fan_in; 1 for a bias
  std::int64_t offset = 0;  // of its first element in the flat array; a multiple of 16, the gaps stay zero
  std::int64_t layer = 0;   // recurrent layer, or L for the readout
  WeightRole role = WeightRole::kInput;
  bool is_bias = false;
  std::int64_t blocks = 1;  // gate blocks: each (rows / blocks, cols) is initialised as a matrix of its own
  std::optional<double> starts_at;  // every element, instead of being drawn

  std::int64_t size() const { return rows * cols; }
};

struct RecurrentTensors {
  Tensor weight_ih, weight_hh, bias_ih, bias_hh;
  std::vector<Tensor> own;    // of the cell (Cell::own_tensors)
  std::vector<Tensor> gains;  // norm.gain_ih, norm.gain_hh of (G*H) where the recurrence is normalised, else none
};

// The parameters of a recurrent model with a linear readout.
struct ParameterLayout {
  std::vector<RecurrentTensors> layers;
  Tensor readout_weight, readout_bias;
  std::int64_t size = 0;  // elements of the flat array, gaps included

  std::vector<const Tensor*> tensors() const;  // in state-dict order
};

// cell_options: those of model.cell; NoOptions: its defaults.
ParameterLayout make_layout(const ModelSpec& model, const Options& cell_options, std::int64_t inputs, std::int64_t outputs);

// What is drawn for one tensor does not depend on what else the cell has: variants of a cell start from the same weights.
// Draws every tensor into `flat` (layout.size). The gate biases of `init` override their blocks: bias_ih holds the value, bias_hh is zero
// there.
template <class T>
void initialize_parameters(const ParameterLayout& layout, const ModelSpec& model, const InitSpec& init, std::uint64_t seed, T* flat);

}  // namespace vp
