// Which tensors a recurrent model has, in which order: its plan, as feed_forward/plan.h is that of the other family.
// Thread-safety: pure functions.
#pragma once

#include <cstdint>
#include <vector>

#include "models/parameters/parameters.h"
#include "models/spec/batch_source.h"
#include "models/spec/spec.h"

namespace vp {

struct RecurrentTensors {
  Tensor weight_ih, weight_hh, bias_ih, bias_hh;
  std::vector<Tensor> own;    // of the cell (Cell::own_tensors)
  std::vector<Tensor> gains;  // gain_ih, gain_hh of (G*H) where the recurrence is normalised, else none
};

// Which of the recurrent layers of a level.
enum class Part : std::uint8_t {
  kForward,  // rnn.*_l{k}; the encoder, where there is a decoder
  kReverse,  // rnn.*_l{k}_reverse, as PyTorch's bidirectional modules
  kDecoder,  // decoder.*_l{k}
};

// Of a recurrent model with a linear readout, readout.*, and for token ids embedding.weight (V, width). cell_options: those of model.cell;
// NoOptions: its defaults.
ParameterLayout sequence_layout(const ModelSpec& model, const Options& cell_options, const SequenceShape& shape);
RecurrentTensors recurrent_tensors(const ParameterLayout& layout, std::int64_t layer, Part part = Part::kForward);

}  // namespace vp
