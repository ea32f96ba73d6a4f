// One recurrent layer over the time steps of a shard: forward, and backpropagation through time with per-step gradient norms.
//
// The steps are worked through in segments: states are held for one segment at a time, and what later segments need of earlier ones is a
// checkpoint of h and c at each segment's start. With one segment nothing is ever computed twice. Segments are whole chunks of steps, so
// that every sum over time is made in the same order, whatever their number: the bits of a result do not depend on it. Thread-safety: a
// layer belongs to one shard slot. Its products, states and signals are made once: a steady-state step allocates nothing.
#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <string>

#include "kernels/backend.h"
#include "kernels/views.h"
#include "models/cell.h"
#include "models/layer.h"
#include "models/layer_weights.h"
#include "models/phase_clock.h"

namespace vp {

// Steps first .. first+steps-1.
struct Segment {
  std::int64_t first = 0, steps = 0;
  std::int64_t end() const { return first + steps; }
};

// A signal (steps, B, width) with an exponent per row and step (scaled_rows.h), as the layer or readout above sends it down.
template <class T>
struct SignalView {
  const T* data = nullptr;                 // (steps, B, width); nullptr: no signal
  const std::int32_t* exponent = nullptr;  // (steps, B); nullptr: all zero
  std::int64_t first_step = 0;             // of data and exponent; earlier steps carry none
};

template <class T>
class RecurrentLayer final : public Layer<T> {
 public:
  // segment_steps: length of a segment, a multiple of steps_per_chunk(rows), or at least `steps`: one segment.
  RecurrentLayer(Backend<T>& backend, const Cell<T>& cell, const LayerWeights<T>& weights, std::int64_t steps, std::int64_t rows,
                 std::int64_t segment_steps);

  // Where the next sequences start: h and c before step 0, (B, H) each, copied; nullptr (and without this call): zero.
  void start_from(const T* h0, const T* c0);
  // Segments in ascending order; the first starts from there. input (segment.steps, B, I). Fills the states of the segment.
  void forward(Segment segment, const T* input, PhaseClock& clock);
  // The same for an earlier segment, from its checkpoint.
  void forward_again(Segment segment, const T* input, PhaseClock& clock);

  // begin, then segments in descending order, each with its states in place, then end. `above`: dL/dh_t from the readout or the next layer.
  // Adds the parameter gradients to `gradients` (flat array), fills the norms and, where the weights were made for it, input_signal().
  void begin_backward();
  void backward(Segment segment, const T* input, SignalView<T> above, T* gradients, PhaseClock& clock);
  void end_backward(T* gradients);
  // After end_backward(): dL/dh and dL/dc before step 0, (B, H) each, overwritten; dc0 is not looked at without a cell state. Returns how
  // many elements left the range of T.
  std::int64_t initial_gradients(T* dh0, T* dc0);

  // Of the segment in place, t absolute:
  const T* hidden_states() const { return h_.data() + rows_ * hidden_; }  // (segment.steps, B, H)
  const T* hidden_at(std::int64_t t) const { return h_.data() + (t - held_.first + 1) * rows_ * hidden_; }
  const T* gates_at(std::int64_t t) const { return gates_.data() + (t - held_.first) * rows_ * width_; }
  const T* saved_at(std::int64_t t) const { return saved_.data() + (t - held_.first) * rows_ * hidden_ * cell_.saved_blocks(); }
  SignalView<T> input_signal() const { return {input_signal_.data(), dz_exponent_.data(), held_.first}; }

  // Of all steps (layer.h):
  const double* sum_squares_dh(std::int64_t t) const override { return sum_squares_dh_.data() + t * rows_; }
  const double* sum_squares_dc(std::int64_t t) const override { return sum_squares_dc_.data() + t * rows_; }
  const std::int32_t* norm_exponent(std::int64_t t) const override { return norm_exponent_.data() + t * rows_; }
  // Of h_t, each row: measured by forward() while on.
  void measure_activations(bool on);
  const Moments& activations(std::int64_t t, std::int64_t row) const override { return activations_[t * rows_ + row]; }
  // h_t of all steps, and dL/dh_t with norm_exponent(), (T, B, H) each: kept only on demand, each as large as all hidden states.
  void keep_hidden_states();
  const T* kept_hidden_states() const override { return kept_h_.data(); }
  void keep_hidden_gradients();
  const T* hidden_gradients() const override { return kept_dh_.data(); }

  std::int64_t lost_in_scaling() const override { return lost_; }
  std::set<std::string> implementations() const;  // of its products
  std::int64_t bytes() const;                     // of its arrays
  std::int64_t steps() const override { return steps_; }
  std::int64_t rows() const override { return rows_; }
  std::int64_t hidden() const override { return hidden_; }

 private:
  // The products of a chunk of time steps; the last chunk may be shorter.
  struct ChunkProducts {
    std::unique_ptr<Product<T>> input, input_backward, weight_ih, weight_hh;
  };
  ChunkProducts make_chunk(Backend<T>& backend, std::int64_t steps);
  ChunkProducts& chunk_of(std::int64_t first) { return first + chunk_steps_ <= steps_ ? full_ : rest_; }

  void run_forward(Segment segment, const T* input, PhaseClock& clock);
  CellForward<T> forward_arrays(std::int64_t t);
  void composed_step(std::int64_t t, const T* input, const CellForward<T>& step, PhaseClock& clock);
  void measure(std::int64_t t);

  void step_backward(std::int64_t t, SignalView<T> above, const T* dz_next, T* dz, PhaseClock& clock);
  CellBackward<T> backward_arrays(std::int64_t t, T* dz);
  void composed_backward(std::int64_t t, SignalView<T> above, const T* dz_next, T* dz, PhaseClock& clock);
  void fused_backward(std::int64_t t, SignalView<T> above, const T* dz_next, T* dz, PhaseClock& clock);
  const T* above_at(std::int64_t t, SignalView<T> above) const { return above.data + (t - above.first_step) * rows_ * hidden_; }
  bool has_previous(std::int64_t t) const { return t > 0 || !initial_h_.empty(); }  // else h before step t is zero: a product less
  bool reaches(std::int64_t t, SignalView<T> above) const { return above.data != nullptr && t >= above.first_step; }
  std::int32_t above_exponent(std::int64_t t, std::int64_t b, SignalView<T> above) const {
    return above.exponent == nullptr ? 0 : above.exponent[(t - above.first_step) * rows_ + b];
  }
  bool same_exponents(std::int64_t t, SignalView<T> above) const;
  void copy_exponents(std::int64_t t, SignalView<T> above);
  void add_above(std::int64_t t, SignalView<T> above);
  void rescale(std::int64_t t, T* dz);
  void finish_chunk(const T* input, std::int64_t first, T* gradients);
  T* dz_at(std::int64_t t) { return dz_.data() + t % chunk_steps_ * rows_ * width_; }

  const Cell<T>& cell_;
  const LayerWeights<T>& weights_;
  const PointwiseKernels<T>& kernels_;
  std::int64_t steps_, rows_, inputs_, hidden_, width_, chunk_steps_, segment_steps_;
  Segment held_;  // whose states are in place
  bool measure_ = false;
  std::int64_t lost_ = 0;
  ChunkProducts full_, rest_;
  std::unique_ptr<Product<T>> recurrent_, recurrent_backward_;
  std::unique_ptr<FusedStep<T>> fused_;  // nullptr: steps are composed of products and pointwise kernels
  // S: steps of a segment, N: number of segments
  AlignedBuffer<T> h_, c_;                                                  // (S+1, B, H); c: LSTM
  AlignedBuffer<T> gates_;                                                  // (S, B, G*H)
  AlignedBuffer<T> saved_;                                                  // (S, B, saved blocks * H)
  AlignedBuffer<T> checkpoint_h_, checkpoint_c_;                            // (N, B, H), where N > 1
  AlignedBuffer<T> dh_, dc_;                                                // (B, H)
  AlignedBuffer<T> dz_;                                                     // (steps of a chunk, B, G*H)
  AlignedBuffer<T> dz_carry_;                                               // (B, G*H): of the step behind the chunk under way
  AlignedBuffer<T> input_signal_;                                           // (S, B, I) or empty
  AlignedBuffer<T> initial_h_, initial_c_;                                  // (B, H), or empty: zero
  AlignedBuffer<T> kept_h_, kept_dh_;                                       // (T, B, H) or empty
  AlignedBuffer<Moments> activations_;                                      // (T, B) or empty
  AlignedBuffer<double> sum_squares_dh_, sum_squares_dc_;                   // (T, B)
  AlignedBuffer<std::int32_t> norm_exponent_, dz_exponent_, row_exponent_;  // (T, B), (S, B), (B)
};

}  // namespace vp
