// The matrix products of a recurrent layer: those of a step, those over a chunk of steps, and what joins them to the cell's arithmetic.
//
// How W_hh h_{t-1} reaches the cell (Recurrence, cell.h) decides which products there are; where an engine knows the cell, a fused step
// does product and cell at once. All products are made once. Thread-safety: belongs to one layer of one shard slot.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "kernels/backend/backend.h"
#include "kernels/memory/aligned_buffer.h"
#include "models/cells/cell.h"
#include "models/recurrent/layer_weights.h"
#include "models/recurrent/scaled_signal.h"
#include "models/recurrent/state_tape.h"
#include "models/spec/phase_clock.h"

namespace vp {

// How a layer is run through its steps.
enum class Stepping : std::uint8_t {
  kSegments,  // inputs are known before: products over many steps at once
  kSteps,     // the input of a step may depend on the output before: one step at a time, all held
};

template <class T>
class StepProducts {
 public:
  StepProducts(Backend<T>& backend, const Cell<T>& cell, const LayerWeights<T>& weights, const LayerShape& shape, Stepping stepping);

  // Step t of the tape from its input x (B, I). Of Stepping::kSegments, x is followed by the inputs of the chunk's other steps, which are
  // multiplied together at its first.
  void forward(std::int64_t t, const T* x, StateTape<T>& tape, PhaseClock& clock);

  // dh (B, H) = dr W_hh, overwritten; dr (B, R*H).
  void through_time(const T* dr, T* dh) { recurrent_backward_->run(dr, nullptr, nullptr, dh); }
  // The cell's step from dL/dh_t in `signal` to gradients of pre-activations there.
  void backward(std::int64_t t, const StateTape<T>& tape, CellBackward<T> step);
  // nullptr: steps are composed of products and the cell's kernels.
  FusedStep<T>* fused() const { return fused_.get(); }

  // Of a chunk whose first step is t, M rows, from gradients of pre-activations dz (M, G*H):
  // those of the products W_ih x, which are dz, or where products are normalised an array of this class; rows as in dz.
  T* input_products(std::int64_t t, T* dz, const StateTape<T>& tape);
  // dL/dx (M, I), overwritten, where an input gradient is wanted. With Stepping::kSteps: of step t alone, from its dz (B, G*H).
  void input_signal(std::int64_t t, const T* dx, T* signal);
  bool makes_input_signal() const { return full_.input_backward != nullptr; }
  // += to W_ih, W_hh and the vectors at the tensors' offsets from `gradients` on; input (M, I).
  void add_gradients(std::int64_t t, const T* input, const T* dx, ScaledSignal<T>& signal, StateTape<T>& tape,
                     const RecurrentTensors& tensors, T* gradients);

  bool one_by_one() const { return step_input_ != nullptr; }
  bool normalises() const { return !norm_hh_.empty(); }
  std::int64_t chunk_rows(std::int64_t t) const { return std::min(chunk_steps_, steps_ - t) * rows_; }
  std::set<std::string> implementations() const;

 private:
  // The products of a chunk of time steps.
  struct ChunkProducts {
    std::unique_ptr<Product<T>> input, input_backward, weight_ih, weight_hh, weight_last;
  };
  ChunkProducts make_chunk(Backend<T>& backend, std::int64_t steps) const;
  void make_recurrent(Backend<T>& backend);
  ChunkProducts& chunk_of(std::int64_t first) { return first + chunk_steps_ <= steps_ ? full_ : rest_; }
  void multiply_input(std::int64_t t, const T* x, T* gates);
  void multiply_recurrent(bool has_previous, const CellForward<T>& step);
  void add_normalised_products(std::int64_t t, const T* x, const Segment& held, const CellForward<T>& step);
  void composed_step(std::int64_t t, const T* x, const StateTape<T>& tape, const CellForward<T>& step, PhaseClock& clock);
  void add_vector_gradients(std::int64_t t, ScaledSignal<T>& signal, StateTape<T>& tape, const RecurrentTensors& tensors, T* gradients);
  T* held_at(AlignedBuffer<T>& array, const Segment& held, std::int64_t t, std::int64_t width) {
    return array.data() + (t - held.first) * rows_ * width;
  }

  const Cell<T>& cell_;
  const LayerWeights<T>& weights_;
  const PointwiseKernels<T>& kernels_;
  std::int64_t steps_, rows_, inputs_, hidden_, width_, recurrent_width_, chunk_steps_;
  ChunkProducts full_, rest_;
  std::unique_ptr<Product<T>> recurrent_, recurrent_backward_;
  std::unique_ptr<Product<T>> last_, last_backward_;              // of the last block of W_hh, where it multiplies an operand of its own
  std::unique_ptr<Product<T>> step_input_, step_input_backward_;  // Stepping::kSteps
  std::unique_ptr<FusedStep<T>> fused_;
  std::vector<T*> own_gradients_;             // of the cell's own tensors, where the chunk under way adds them
  AlignedBuffer<T> recurrent_sum_;            // (B, R*H), where it is not added to the gates
  AlignedBuffer<T> last_sum_, doperand_;      // (B, H), gated
  AlignedBuffer<T> norm_ih_, norm_hh_;        // (S, B, G*H), the two products normalised, or empty; S: steps of a segment
  AlignedBuffer<T> inverse_ih_, inverse_hh_;  // (S, B), of their standard deviations
  AlignedBuffer<T> dx_;                       // (steps of a chunk, B, G*H): gradients of W_ih x, where normalised
};

}  // namespace vp
