// One recurrent layer over the time steps of a shard: forward, and backpropagation through time with per-step gradient norms.
//
// The layer leads its parts through the steps: the tape of states (state_tape.h), the error signal (scaled_signal.h), the products
// (step_products.h), the sums of parameter gradients (scaled_sums.h) and what probes look at (state_recorder.h).
// Steps are worked through in segments: states are held for one segment at a time. With one segment nothing is ever computed twice.
// Segments are whole chunks of steps, so that every sum over time is made in the same order, whatever their number: the bits of a result do
// not depend on it. Thread-safety: a layer belongs to one shard slot. Its products, states and signals are made once: a steady-state step
// allocates nothing.
#pragma once

#include <cstdint>
#include <set>
#include <span>
#include <string>
#include <string_view>

#include "kernels/backend/backend.h"
#include "kernels/memory/aligned_buffer.h"
#include "models/cells/cell.h"
#include "models/model/layer.h"
#include "models/recurrent/layer_weights.h"
#include "models/recurrent/scaled_signal.h"
#include "models/recurrent/scaled_sums.h"
#include "models/recurrent/state_recorder.h"
#include "models/recurrent/state_tape.h"
#include "models/recurrent/step_products.h"
#include "models/spec/phase_clock.h"

namespace vp {

template <class T>
class RecurrentLayer final : public Layer<T> {
 public:
  // segment_steps: length of a segment, a multiple of steps_per_chunk(rows), or at least `steps`: one segment.
  RecurrentLayer(Backend<T>& backend, const Cell<T>& cell, const LayerWeights<T>& weights, std::int64_t steps, std::int64_t rows,
                 std::int64_t segment_steps, Stepping stepping = Stepping::kSegments);

  // Where the next sequences start: h and c before step 0, (B, H) each, copied; nullptr (and without this call): zero.
  void start_from(const T* h0, const T* c0) { tape_.start_from(h0, c0); }
  // Rows end at steps of their own: h_t and c_t are zero from step lengths[b] on, and nothing comes back from there. lengths (B) is read by
  // every pass, so it outlives the layer; nullptr: all rows have all steps.
  void end_rows_at(const std::int32_t* lengths) { tape_.end_rows_at(lengths); }
  // h and c are zero before each step t for which phase + t is a multiple of `every`, and no gradient passes there. 0: never.
  void reset_every(std::int64_t every, std::int64_t phase) { tape_.reset_every(every, phase); }
  // Makes room for signals at steps of their own (SignalView::at), if they are to come.
  void take_scattered_signals() { signal_.take_scattered_signals(); }
  // Segments in ascending order; the first starts from there. input (segment.steps, B, I). Fills the states of the segment.
  void forward(Segment segment, const T* input, PhaseClock& clock);
  // The same for an earlier segment, from its checkpoint.
  void forward_again(Segment segment, const T* input, PhaseClock& clock);
  // Instead of forward(), with Stepping::kSteps: steps 0, 1, ... one after the other, each with its input x (B, I). Backward then goes by
  // segments of one step, each with the inputs of all steps.
  void begin_steps() { tape_.begin({0, steps_}); }
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
  const T* hidden_states() const { return tape_.hidden(); }  // (segment.steps, B, H)
  const T* hidden_at(std::int64_t t) const { return tape_.hidden_at(t); }
  const T* cell_at(std::int64_t t) const { return tape_.cell_at(t); }
  const T* gates_at(std::int64_t t) const { return tape_.gates_at(t); }
  const T* saved_at(std::int64_t t) const { return tape_.saved_at(t); }
  SignalView<T> input_signal() const { return {input_signal_.data(), signal_.exponents(), tape_.held().first}; }

  // Of all steps (layer.h):
  const double* sum_squares_dh(std::int64_t t) const override { return signal_.sum_squares_dh(t); }
  const double* sum_squares_dc(std::int64_t t) const override { return signal_.sum_squares_dc(t); }
  const std::int32_t* norm_exponent(std::int64_t t) const override { return signal_.norm_exponent(t); }
  // Of h_t, each row: measured by forward() while on.
  void measure_activations(bool on) { recorder_.measure_activations(on); }
  const Moments& activations(std::int64_t t, std::int64_t row) const override { return recorder_.activations(t, row); }
  void measure_slopes(bool on) { recorder_.measure_slopes(on); }
  // Gates and states of the leading `rows` rows at every step, from the next forward() on.
  void keep_traces(std::int64_t rows) { recorder_.keep_traces(rows); }
  std::span<const std::string_view> trace_names() const override { return recorder_.trace_names(); }
  const T* trace(std::size_t name, std::int64_t t, std::int64_t row) const override { return recorder_.trace(name, t, row); }
  // h_t of all steps, and dL/dh_t with norm_exponent(), (T, B, H) each: kept only on demand, each as large as all hidden states.
  void keep_hidden_states() { recorder_.keep_hidden_states(); }
  const T* kept_hidden_states() const override { return recorder_.hidden_states(); }
  void keep_hidden_gradients() { recorder_.keep_hidden_gradients(); }
  const T* hidden_gradients() const override { return recorder_.hidden_gradients(); }

  std::int64_t lost_in_scaling() const override { return lost_; }
  void count_lost(std::int64_t elements) { lost_ += elements; }  // of what is made of input_signal()
  std::set<std::string> implementations() const { return products_.implementations(); }
  std::int64_t steps() const override { return steps_; }
  std::int64_t rows() const override { return rows_; }
  std::int64_t hidden() const override { return weights_.hidden(); }

 private:
  RecurrentLayer(Backend<T>& backend, const Cell<T>& cell, const LayerWeights<T>& weights, const LayerShape& shape, Stepping stepping);
  void run_forward(const T* input, PhaseClock& clock);
  void run_step(std::int64_t t, const T* x, PhaseClock& clock);

  // dr_next: the gradients of step t+1's recurrent products of h_t; nullptr: nothing comes through time.
  void step_backward(std::int64_t t, SignalView<T> above, const T* dr_next, PhaseClock& clock);
  CellBackward<T> backward_arrays(std::int64_t t);
  bool continues_at(std::int64_t t) const { return continued_ && t + 1 == steps_; }
  bool can_fuse(std::int64_t t, SignalView<T> above, const T* dr_next) const;
  void composed_backward(std::int64_t t, SignalView<T> above, const T* dr_next, PhaseClock& clock);
  void fused_backward(std::int64_t t, SignalView<T> above, const T* dr_next, PhaseClock& clock);
  void send_down(std::int64_t t, const T* dx);
  void finish_chunk(const T* input, std::int64_t first, T* gradients);
  // Of step t in an array (segment.steps, B, width).
  template <class U>
  U* held_at(U* array, std::int64_t t, std::int64_t width) const {
    return array + (t - tape_.held().first) * rows_ * width;
  }

  const LayerWeights<T>& weights_;
  const PointwiseKernels<T>& kernels_;
  std::int64_t steps_, rows_, chunk_steps_;
  StepProducts<T> products_;
  StateTape<T> tape_;
  ScaledSignal<T> signal_;
  StateRecorder<T> recorder_;
  ScaledSums<T> sums_;             // of parameter gradients
  AlignedBuffer<T> input_signal_;  // (S, B, I) or empty; S: steps of a segment
  bool continued_ = false;         // the signal holds what a later layer sends to the last step
  std::int64_t lost_ = 0;
};

}  // namespace vp
