// The weights of one recurrent layer as the engine wants them, for all shards of a run.
//
// Thread-safety: pack() by one thread while no shard works; then read by all.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "kernels/backend/backend.h"
#include "kernels/memory/aligned_buffer.h"
#include "models/cells/cell.h"
#include "models/parameters/parameters.h"
#include "models/recurrent/sequence_layout.h"

namespace vp {

// Products over time run on this many rows at once: enough to fill the engine, few enough to stay in the second-level cache. Part of what
// defines the bits of a result (the order of sums over time), so never a function of the machine.
inline constexpr std::int64_t kChunkRows = 256;

inline std::int64_t steps_per_chunk(std::int64_t rows) { return rows >= kChunkRows ? 1 : kChunkRows / rows; }

// The sizes of a layer over the steps of a shard.
struct LayerShape {
  std::int64_t steps = 0, rows = 0, inputs = 0, hidden = 0;
  std::int64_t gate_width = 0;       // G*H
  std::int64_t recurrent_width = 0;  // R*H: of the blocks of W_hh that multiply h_{t-1}
  std::int64_t segment_steps = 0;    // held at a time, at the most
  std::int64_t chunk_steps = 0;      // multiplied at once, the last chunk of a sequence may have fewer
  Recurrence recurrence = Recurrence::kAdded;
  std::size_t own_tensors = 0;  // of the cell
};

// The step an engine would have to fuse for this cell; nullopt if no engine knows it.
template <class T>
std::optional<FusedShape> fused_shape(const Cell<T>& cell, std::int64_t rows, std::int64_t inputs, std::int64_t hidden);

template <class T>
class LayerWeights {
 public:
  LayerWeights(Backend<T>& backend, const Cell<T>& cell, const RecurrentTensors& tensors, std::int64_t rows, bool needs_input_gradient);
  // parameters: the flat array. Must be called once before the first use and after every update.
  void pack(const T* parameters);

  // segment_steps: as many as are to be held, or more than `steps`.
  LayerShape shape(std::int64_t steps, std::int64_t rows, std::int64_t segment_steps) const {
    return {.steps = steps,
            .rows = rows,
            .inputs = inputs(),
            .hidden = hidden(),
            .gate_width = gate_width(),
            .recurrent_width = recurrent_width(),
            .segment_steps = std::min(steps, segment_steps),
            .chunk_steps = std::min(steps, steps_per_chunk(rows)),
            .recurrence = recurrence_,
            .own_tensors = tensors_.own.size()};
  }
  const RecurrentTensors& tensors() const { return tensors_; }
  Recurrence recurrence() const { return recurrence_; }
  // The two products meet in the pre-activations, and so do their biases.
  bool biases_added() const { return recurrence_ == Recurrence::kAdded || recurrence_ == Recurrence::kNormalised; }
  const T* bias() const { return bias_.data(); }                           // (G*H): of the input; the sum of the two where it is added
  const T* recurrent_bias() const { return bias_.data() + gate_width(); }  // (G*H), where it is not
  const T* const* own() const { return own_.data(); }                      // the cell's own tensors, in their order
  const T* gain(std::size_t product) const { return gains_[product]; }     // (G*H) where normalised; 0: of W_ih x, 1: of W_hh h
  std::int64_t inputs() const { return tensors_.weight_ih.cols; }
  std::int64_t hidden() const { return tensors_.weight_hh.cols; }
  std::int64_t gate_width() const { return tensors_.weight_hh.rows; }  // G*H
  // R*H: of the blocks of W_hh that multiply h_{t-1}.
  std::int64_t recurrent_width() const { return gate_width() - (recurrence_ == Recurrence::kGated ? hidden() : 0); }
  PackedWeights<T>* input_forward() const { return input_forward_.get(); }
  PackedWeights<T>* recurrent_forward() const { return recurrent_forward_.get(); }
  PackedWeights<T>* recurrent_backward() const { return recurrent_backward_.get(); }
  PackedWeights<T>* last_forward() const { return last_forward_.get(); }      // the last block of W_hh, nullptr unless gated
  PackedWeights<T>* last_backward() const { return last_backward_.get(); }    // likewise
  PackedWeights<T>* input_backward() const { return input_backward_.get(); }  // nullptr if no input gradient is needed
  const FusedWeights<T>* fused() const { return fused_.get(); }               // nullptr if the engine has no fused step for the cell

 private:
  RecurrentTensors tensors_;
  Recurrence recurrence_;
  std::vector<const T*> own_, gains_;  // into the flat array
  AlignedBuffer<T> bias_;              // (G*H), or (2, G*H): of the input, of the recurrence
  std::unique_ptr<PackedWeights<T>> input_forward_, recurrent_forward_, recurrent_backward_, last_forward_, last_backward_, input_backward_;
  std::unique_ptr<FusedWeights<T>> fused_;
};

}  // namespace vp
