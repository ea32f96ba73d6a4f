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
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/backend/backend.h"
#include "kernels/memory/aligned_buffer.h"
#include "models/cells/cell.h"
#include "models/model/layer.h"
#include "models/recurrent/layer_weights.h"
#include "models/recurrent/scaled_sums.h"
#include "models/spec/phase_clock.h"

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
  // (B): where set, data is (B, width) and exponent (B), and row b has its one signal at step at[b].
  const std::int32_t* at = nullptr;
};

// How a layer is run through its steps.
enum class Stepping : std::uint8_t {
  kSegments,  // inputs are known before: products over many steps at once
  kSteps,     // the input of a step may depend on the output before: one step at a time, all held
};

template <class T>
class RecurrentLayer final : public Layer<T> {
 public:
  // segment_steps: length of a segment, a multiple of steps_per_chunk(rows), or at least `steps`: one segment.
  RecurrentLayer(Backend<T>& backend, const Cell<T>& cell, const LayerWeights<T>& weights, std::int64_t steps, std::int64_t rows,
                 std::int64_t segment_steps, Stepping stepping = Stepping::kSegments);

  // Where the next sequences start: h and c before step 0, (B, H) each, copied; nullptr (and without this call): zero.
  void start_from(const T* h0, const T* c0);
  // Rows end at steps of their own: h_t and c_t are zero from step lengths[b] on, and nothing comes back from there. lengths (B) is read by
  // every pass, so it outlives the layer; nullptr: all rows have all steps.
  void end_rows_at(const std::int32_t* lengths) { lengths_ = lengths; }
  // h and c are zero before each step t for which phase + t is a multiple of `every`, and no gradient passes there. 0: never.
  void reset_every(std::int64_t every, std::int64_t phase);
  // Makes room for signals at steps of their own (SignalView::at), if they are to come.
  void take_scattered_signals();
  // Segments in ascending order; the first starts from there. input (segment.steps, B, I). Fills the states of the segment.
  void forward(Segment segment, const T* input, PhaseClock& clock);
  // The same for an earlier segment, from its checkpoint.
  void forward_again(Segment segment, const T* input, PhaseClock& clock);
  // Instead of forward(), with Stepping::kSteps: steps 0, 1, ... one after the other, each with its input x (B, I). Backward then goes by
  // segments of one step, each with the inputs of all steps.
  void begin_steps();
  void forward_step(std::int64_t t, const T* x, PhaseClock& clock);

  // begin, then segments in descending order, each with its states in place, then end. `above`: dL/dh_t from the readout or the next layer.
  // Adds the parameter gradients to `gradients` (flat array), fills the norms and, where the weights were made for it, input_signal().
  void begin_backward();
  // Directly after it: another layer went on from where this one ended, and has done its backward(); its gradients by that state come in.
  void continue_backward(RecurrentLayer& later);
  void backward(Segment segment, const T* input, SignalView<T> above, T* gradients, PhaseClock& clock);
  void end_backward(T* gradients);
  // After end_backward(): dL/dh and dL/dc before step 0, (B, H) each, overwritten; dc0 is not looked at without a cell state. Returns how
  // many elements left the range of T.
  std::int64_t initial_gradients(T* dh0, T* dc0);

  // Of the segment in place, t absolute:
  const T* hidden_states() const { return h_.data() + rows_ * hidden_; }  // (segment.steps, B, H)
  const T* hidden_at(std::int64_t t) const { return h_.data() + (t - held_.first + 1) * rows_ * hidden_; }
  const T* cell_at(std::int64_t t) const { return c_.empty() ? nullptr : c_.data() + (t - held_.first + 1) * rows_ * hidden_; }
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
  void measure_slopes(bool on) { measure_slopes_ = on; }
  // Gates and states of the leading `rows` rows at every step, from the next forward() on.
  void keep_traces(std::int64_t rows);
  std::span<const std::string_view> trace_names() const override { return trace_names_; }
  const T* trace(std::size_t name, std::int64_t t, std::int64_t row) const override {
    return traces_.data() +
           ((t * traced_rows_ + row) * static_cast<std::int64_t>(trace_names_.size()) + static_cast<std::int64_t>(name)) * hidden_;
  }
  // h_t of all steps, and dL/dh_t with norm_exponent(), (T, B, H) each: kept only on demand, each as large as all hidden states.
  void keep_hidden_states();
  const T* kept_hidden_states() const override { return kept_h_.data(); }
  void keep_hidden_gradients();
  const T* hidden_gradients() const override { return kept_dh_.data(); }

  std::int64_t lost_in_scaling() const override { return lost_; }
  void count_lost(std::int64_t elements) { lost_ += elements; }  // of what is made of input_signal()
  std::set<std::string> implementations() const;                 // of its products
  std::int64_t steps() const override { return steps_; }
  std::int64_t rows() const override { return rows_; }
  std::int64_t hidden() const override { return hidden_; }

 private:
  // The products of a chunk of time steps; the last chunk may be shorter.
  struct ChunkProducts {
    std::unique_ptr<Product<T>> input, input_backward, weight_ih, weight_hh, weight_last;
  };
  ChunkProducts make_chunk(Backend<T>& backend, std::int64_t steps);
  void make_step_products(Backend<T>& backend);
  ChunkProducts& chunk_of(std::int64_t first) { return first + chunk_steps_ <= steps_ ? full_ : rest_; }

  void carry_in(Segment segment);
  void run_forward(Segment segment, const T* input, PhaseClock& clock);
  void run_step(std::int64_t t, const T* x, PhaseClock& clock);
  void end_rows(std::int64_t t);
  void end_signals(std::int64_t t);
  CellForward<T> forward_arrays(std::int64_t t);
  void multiply_recurrent(std::int64_t t, const CellForward<T>& step);
  void composed_step(std::int64_t t, const T* input, const CellForward<T>& step, PhaseClock& clock);
  void add_normalised_products(std::int64_t t, const T* input, const CellForward<T>& step);
  void measure(std::int64_t t);
  void record(std::int64_t t);

  // dr_next: the gradients of step t+1's recurrent products of h_t.
  void step_backward(std::int64_t t, SignalView<T> above, const T* dr_next, PhaseClock& clock);
  CellBackward<T> backward_arrays(std::int64_t t);
  bool continues_at(std::int64_t t) const { return continued_ && t + 1 == steps_; }
  void composed_backward(std::int64_t t, SignalView<T> above, const T* dr_next, PhaseClock& clock);
  void fused_backward(std::int64_t t, SignalView<T> above, const T* dr_next, PhaseClock& clock);
  const T* above_at(std::int64_t t, SignalView<T> above);
  bool resets_at(std::int64_t t) const { return reset_every_ > 0 && (reset_phase_ + t) % reset_every_ == 0; }
  // Else h before step t is zero: a product less.
  bool has_previous(std::int64_t t) const { return (t > 0 || !initial_h_.empty()) && !resets_at(t); }
  bool reaches(std::int64_t t, SignalView<T> above) const;
  std::int32_t above_exponent(std::int64_t t, std::int64_t b, SignalView<T> above) const;
  bool can_fuse(std::int64_t t, SignalView<T> above, const T* dr_next) const;
  void take_exponents(std::int64_t t, SignalView<T> above, bool all_rows);
  const T* previous_states(const AlignedBuffer<T>& states, AlignedBuffer<T>& previous, std::int64_t first, std::int64_t steps);
  void add_above(std::int64_t t, SignalView<T> above);
  void rescale(std::int64_t t);
  // call(array, its width) for each array of gradients of pre-activations.
  template <class Call>
  void for_each_gradient(const Call& call);
  void finish_chunk(const T* input, std::int64_t first, T* gradients);
  std::int32_t largest_exponent(std::int64_t first_row, std::int64_t rows) const;
  void add_vector_gradients(std::int64_t first, std::int64_t rows, T* gradients);
  T* step_of(AlignedBuffer<T>& chunk, std::int64_t t, std::int64_t width) { return chunk.data() + t % chunk_steps_ * rows_ * width; }
  T* held_at(AlignedBuffer<T>& states, std::int64_t t, std::int64_t width) { return states.data() + (t - held_.first) * rows_ * width; }
  T* dz_at(std::int64_t t) { return step_of(dz_, t, width_); }
  T* dr_at(std::int64_t t) { return step_of(dr_.empty() ? dz_ : dr_, t, recurrent_width_); }

  const Cell<T>& cell_;
  const LayerWeights<T>& weights_;
  const PointwiseKernels<T>& kernels_;
  ScaledSums<T> sums_;  // of parameter gradients
  std::int64_t steps_, rows_, inputs_, hidden_, width_, recurrent_width_, chunk_steps_, segment_steps_;
  Segment held_;                           // whose states are in place
  const bool one_by_one_;                  // Stepping::kSteps
  const std::int32_t* lengths_ = nullptr;  // (B), the caller's
  std::int64_t reset_every_ = 0, reset_phase_ = 0;
  bool measure_ = false, measure_slopes_ = false, continued_ = false;  // continued_: dh_ holds what a later layer sends to the last step
  std::int64_t traced_rows_ = 0;
  std::vector<std::string_view> trace_names_;  // of the blocks of gates, then cell and hidden
  std::int64_t lost_ = 0;
  ChunkProducts full_, rest_;
  std::unique_ptr<Product<T>> recurrent_, recurrent_backward_;
  std::unique_ptr<Product<T>> last_, last_backward_;              // of the last block of W_hh, where it multiplies an operand of its own
  std::unique_ptr<Product<T>> step_input_, step_input_backward_;  // one by one only
  std::vector<T*> own_gradients_;                                 // of the cell's own tensors, where the chunk under way adds them
  std::unique_ptr<FusedStep<T>> fused_;                           // nullptr: steps are composed of products and pointwise kernels
  // S: steps of a segment, N: number of segments
  AlignedBuffer<T> h_, c_;                                                  // (S+1, B, H); c: LSTM
  AlignedBuffer<T> gates_;                                                  // (S, B, G*H)
  AlignedBuffer<T> saved_;                                                  // (S, B, saved blocks * H)
  AlignedBuffer<T> checkpoint_h_, checkpoint_c_;                            // (N, B, H), where N > 1
  AlignedBuffer<T> dh_, dc_;                                                // (B, H)
  AlignedBuffer<T> recurrent_sum_;                                          // (B, R*H), where it is not added to the gates
  AlignedBuffer<T> last_sum_, doperand_;                                    // (B, H), gated recurrence
  AlignedBuffer<T> operand_;                                                // (S, B, H), gated recurrence
  AlignedBuffer<T> direct_;                                                 // (B, H), where the cell has a path past W_hh
  AlignedBuffer<T> norm_ih_, norm_hh_;                                      // (S, B, G*H), the two products normalised, or empty
  AlignedBuffer<T> inverse_ih_, inverse_hh_;                                // (S, B), of their standard deviations
  AlignedBuffer<T> dx_;                                                     // (steps of a chunk, B, G*H): gradients of W_ih x, or empty
  AlignedBuffer<T> dz_;                                                     // (steps of a chunk, B, G*H)
  AlignedBuffer<T> dr_;                                                     // (steps of a chunk, B, R*H), or empty: it is dz
  AlignedBuffer<T> dlast_;                                                  // (steps of a chunk, B, H), gated recurrence
  AlignedBuffer<T> dr_carry_;                                               // (B, R*H): of the step behind the chunk under way
  AlignedBuffer<T> input_signal_;                                           // (S, B, I) or empty
  AlignedBuffer<T> initial_h_, initial_c_;                                  // (B, H), or empty: zero
  AlignedBuffer<T> above_;                                                  // (B, H): a step of signals at steps of their own, or empty
  AlignedBuffer<T> zero_, previous_h_, previous_c_;                         // (B, H), (steps of a chunk, B, H), or empty: for resets
  AlignedBuffer<T> kept_h_, kept_dh_;                                       // (T, B, H) or empty
  AlignedBuffer<T> traces_;                                                 // (T, traced rows, names, H) or empty
  AlignedBuffer<Moments> activations_;                                      // (T, B) or empty
  AlignedBuffer<double> sum_squares_dh_, sum_squares_dc_;                   // (T, B)
  AlignedBuffer<std::int32_t> norm_exponent_, dz_exponent_, row_exponent_;  // (T, B), (S, B), (B)
};

}  // namespace vp
