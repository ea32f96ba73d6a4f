// One recurrent layer over all time steps of a shard: forward, and backpropagation through time with per-step gradient norms.
//
// LayerWeights is shared by all shards of a run: packed once per update, then read only. RecurrentLayer belongs to one shard slot: its
// products, states and signals are made once and reused, so that a steady-state step allocates nothing.
#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <string>

#include "kernels/backend.h"
#include "kernels/views.h"
#include "models/cell.h"
#include "models/parameters.h"
#include "models/phase_clock.h"

namespace vp {

// Products over time run on this many rows at once: enough to fill the engine, few enough to stay in the second-level cache. Part of what
// defines the bits of a result (the order of sums over time), so never a function of the machine.
inline constexpr std::int64_t kChunkRows = 256;

inline std::int64_t steps_per_chunk(std::int64_t rows) { return rows >= kChunkRows ? 1 : kChunkRows / rows; }

// A signal (T, B, width) with an exponent per row and step (scaled_rows.h).
template <class T>
struct SignalView {
  const T* data = nullptr;                 // (T, B, width); nullptr: no signal
  const std::int32_t* exponent = nullptr;  // (T, B); nullptr: all zero
  std::int64_t first_step = 0;             // steps before it carry none; data and exponent begin with this step
};

template <class T>
class LayerWeights {
 public:
  LayerWeights(Backend<T>& backend, const Cell<T>& cell, const RecurrentTensors& tensors, std::int64_t rows, bool needs_input_gradient);
  // parameters: the flat array. Must be called once before the first use and after every update.
  void pack(const T* parameters);

  const RecurrentTensors& tensors() const { return tensors_; }
  const T* bias() const { return bias_.data(); }  // (G*H): the sum of the two
  std::int64_t inputs() const { return tensors_.weight_ih.cols; }
  std::int64_t hidden() const { return tensors_.weight_hh.cols; }
  std::int64_t gate_width() const { return tensors_.weight_hh.rows; }  // G*H
  PackedWeights<T>* input_forward() const { return input_forward_.get(); }
  PackedWeights<T>* recurrent_forward() const { return recurrent_forward_.get(); }
  PackedWeights<T>* recurrent_backward() const { return recurrent_backward_.get(); }
  PackedWeights<T>* input_backward() const { return input_backward_.get(); }  // nullptr if no input gradient is needed
  const FusedWeights<T>* fused() const { return fused_.get(); }               // nullptr if the engine has no fused step for the cell

 private:
  RecurrentTensors tensors_;
  AlignedBuffer<T> bias_;
  std::unique_ptr<PackedWeights<T>> input_forward_, recurrent_forward_, recurrent_backward_, input_backward_;
  std::unique_ptr<FusedWeights<T>> fused_;
};

template <class T>
class RecurrentLayer {
 public:
  RecurrentLayer(Backend<T>& backend, const Cell<T>& cell, const LayerWeights<T>& weights, std::int64_t steps, std::int64_t rows);

  // input (T, B, I). Fills the states. h_0 and c_0 are zero.
  void forward(const T* input, PhaseClock& clock);

  // `above`: dL/dh_t from the readout or the next layer. Adds the parameter gradients to `gradients` (flat array), fills the norms and,
  // where the weights were made for it, input_signal().
  void backward(const T* input, SignalView<T> above, T* gradients, PhaseClock& clock);

  const T* hidden_states() const { return h_.data() + rows_ * hidden_; }  // (T, B, H): h_1 .. h_T
  const T* hidden_at(std::int64_t t) const { return h_.data() + (t + 1) * rows_ * hidden_; }
  const T* gates_at(std::int64_t t) const { return gates_.data() + t * rows_ * width_; }
  const T* saved_at(std::int64_t t) const { return saved_.data() + t * rows_ * hidden_ * cell_.saved_blocks(); }
  SignalView<T> input_signal() const { return {input_signal_.data(), dz_exponent_.data(), 0}; }

  // Per step and row: sum of squares of dL/dh_t (dL/dc_t) and the exponent it is counted with.
  const double* sum_squares_dh(std::int64_t t) const { return sum_squares_dh_.data() + t * rows_; }
  const double* sum_squares_dc(std::int64_t t) const { return sum_squares_dc_.data() + t * rows_; }
  const std::int32_t* norm_exponent(std::int64_t t) const { return norm_exponent_.data() + t * rows_; }

  // dL/dh_t (T, B, H) with norm_exponent(): kept only on demand, it doubles the memory of the states.
  void keep_hidden_gradients();
  const T* hidden_gradients() const { return kept_dh_.data(); }

  std::int64_t lost_in_scaling() const {
    return lost_;
  }                                               // elements of dz that left the range of T when the parameter gradients got the scale back
  std::set<std::string> implementations() const;  // of its products
  const Cell<T>& cell() const { return cell_; }
  std::int64_t steps() const { return steps_; }
  std::int64_t rows() const { return rows_; }
  std::int64_t hidden() const { return hidden_; }

 private:
  // The products of a chunk of time steps; the last chunk may be shorter.
  struct ChunkProducts {
    std::unique_ptr<Product<T>> input, input_backward, weight_ih, weight_hh;
  };
  ChunkProducts make_chunk(Backend<T>& backend, std::int64_t steps);
  ChunkProducts& chunk_of(std::int64_t first) { return first + chunk_steps_ <= steps_ ? full_ : rest_; }
  CellForward<T> forward_arrays(std::int64_t t);
  void composed_forward(const T* input, PhaseClock& clock);
  void fused_forward(const T* input, PhaseClock& clock);
  const T* above_at(std::int64_t t, SignalView<T> above) const { return above.data + (t - above.first_step) * rows_ * hidden_; }
  bool reaches(std::int64_t t, SignalView<T> above) const { return above.data != nullptr && t >= above.first_step; }
  std::int32_t above_exponent(std::int64_t t, std::int64_t b, SignalView<T> above) const {
    return above.exponent == nullptr ? 0 : above.exponent[(t - above.first_step) * rows_ + b];
  }
  bool same_exponents(std::int64_t t, SignalView<T> above) const;
  void copy_exponents(std::int64_t t, SignalView<T> above);
  void add_above(std::int64_t t, SignalView<T> above);
  void step_backward(std::int64_t t, SignalView<T> above, const T* dz_next, T* dz, PhaseClock& clock);
  CellBackward<T> backward_arrays(std::int64_t t, T* dz);
  void composed_backward(std::int64_t t, SignalView<T> above, const T* dz_next, T* dz, PhaseClock& clock);
  void fused_backward(std::int64_t t, SignalView<T> above, const T* dz_next, T* dz, PhaseClock& clock);
  void rescale(std::int64_t t, T* dz);
  void finish_chunk(const T* input, std::int64_t first, T* gradients);
  // dz of step t: two chunks, since the last dz of one is still needed while the next begins.
  T* dz_at(std::int64_t t) { return dz_.data() + (t / chunk_steps_ % 2 * chunk_steps_ + t % chunk_steps_) * rows_ * width_; }

  const Cell<T>& cell_;
  const LayerWeights<T>& weights_;
  const PointwiseKernels<T>& kernels_;
  std::int64_t steps_, rows_, inputs_, hidden_, width_, chunk_steps_;
  ChunkProducts full_, rest_;
  std::unique_ptr<Product<T>> recurrent_, recurrent_backward_;
  std::unique_ptr<FusedStep<T>> fused_;                                     // nullptr: steps are composed of products and pointwise kernels
  AlignedBuffer<T> h_;                                                      // (T+1, B, H)
  AlignedBuffer<T> c_;                                                      // (T+1, B, H) or empty
  AlignedBuffer<T> gates_;                                                  // (T, B, G*H)
  AlignedBuffer<T> saved_;                                                  // (T, B, S*H)
  AlignedBuffer<T> dh_, dc_;                                                // (B, H)
  AlignedBuffer<T> dz_;                                                     // (2, steps of a chunk, B, G*H)
  AlignedBuffer<T> input_signal_;                                           // (T, B, I) or empty
  AlignedBuffer<T> kept_dh_;                                                // (T, B, H) or empty
  AlignedBuffer<double> sum_squares_dh_, sum_squares_dc_;                   // (T, B)
  AlignedBuffer<std::int32_t> norm_exponent_, dz_exponent_, row_exponent_;  // (T, B), (T, B), (B)
  std::int64_t lost_ = 0;
};

}  // namespace vp
