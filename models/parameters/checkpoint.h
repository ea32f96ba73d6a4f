// Parameters <-> tensors of a safetensors file, with the names and shapes of PyTorch's state dicts: a checkpoint loads with
// load_state_dict(strict=True) into a module whose `rnn` is a torch.nn.RNN or LSTM and whose `readout` is a torch.nn.Linear, and back.
//
// Weights have shape (rows, cols), biases (rows). A checkpoint holds the parameters alone: an optimiser starts anew.
// Thread-safety: pure functions.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "models/parameters/parameters.h"
#include "models/safetensors/safetensors.h"

namespace vp {

// The shape a tensor has in a file.
std::vector<std::int64_t> tensor_shape(const Tensor& tensor);

// Views of the tensors of a flat array (layout.size), which must outlive them, in state-dict order. T: float (F32) or double (F64).
template <class T>
std::vector<TensorView> parameter_views(const ParameterLayout& layout, const T* flat, const std::string& prefix = "");

// Reads every tensor of the layout from the file into `flat` (layout.size); F32 and F64 are converted to T. The file holds just these, and
// what `others` names. Throws std::invalid_argument that lists what is missing, unexpected (with the nearest name), of another shape or
// dtype, or beyond T's range, and what the model has; `flat` is then unchanged.
template <class T>
void load_parameters(const Safetensors& file, const ParameterLayout& layout, T* flat, std::span<const std::string_view> others = {});

}  // namespace vp
