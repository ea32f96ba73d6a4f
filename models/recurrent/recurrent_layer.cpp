#include "models/recurrent/recurrent_layer.h"

#include <algorithm>

#include "models/model/scaled_rows.h"
#include "models/recurrent/sequence_layout.h"

namespace vp {

template <class T>
RecurrentLayer<T>::RecurrentLayer(Backend<T>& backend, const Cell<T>& cell, const LayerWeights<T>& weights, std::int64_t steps,
                                  std::int64_t rows, std::int64_t segment_steps, Stepping stepping)
    : RecurrentLayer(backend, cell, weights, weights.shape(steps, rows, segment_steps), stepping) {}

template <class T>
RecurrentLayer<T>::RecurrentLayer(Backend<T>& backend, const Cell<T>& cell, const LayerWeights<T>& weights, const LayerShape& shape,
                                  Stepping stepping)
    : weights_(weights),
      kernels_(backend.pointwise()),
      steps_(shape.steps),
      rows_(shape.rows),
      chunk_steps_(shape.chunk_steps),
      products_(backend, cell, weights, shape, stepping),
      tape_(cell, shape),
      signal_(kernels_, cell, shape),
      recorder_(cell, shape),
      sums_(weights.tensors()),
      input_signal_(products_.makes_input_signal() ? shape.segment_steps * shape.rows * shape.inputs : 0) {}

template <class T>
void RecurrentLayer<T>::forward(Segment segment, const T* input, PhaseClock& clock) {
  tape_.begin(segment);
  run_forward(input, clock);
  recorder_.record(tape_);
  if (recorder_.measures()) clock.lap(Phase::kProbe);
}

template <class T>
void RecurrentLayer<T>::forward_again(Segment segment, const T* input, PhaseClock& clock) {
  tape_.begin_again(segment);
  run_forward(input, clock);
}

template <class T>
void RecurrentLayer<T>::run_forward(const T* input, PhaseClock& clock) {
  const Segment& segment = tape_.held();
  for (std::int64_t t = segment.first; t < segment.end(); ++t) run_step(t, held_at(input, t, weights_.inputs()), clock);
  clock.lap(Phase::kProduct);
}

template <class T>
void RecurrentLayer<T>::run_step(std::int64_t t, const T* x, PhaseClock& clock) {
  products_.forward(t, x, tape_, clock);
  if (tape_.has_lengths()) tape_.end_rows(t);
}

template <class T>
void RecurrentLayer<T>::forward_step(std::int64_t t, const T* x, PhaseClock& clock) {
  run_step(t, x, clock);
  clock.lap(Phase::kProduct);
  recorder_.record_step(tape_, t);
}

template <class T>
void RecurrentLayer<T>::begin_backward() {
  signal_.begin();
  sums_.begin();
  lost_ = 0;
  continued_ = false;
}

template <class T>
void RecurrentLayer<T>::continue_backward(RecurrentLayer& later) {
  later.products_.through_time(later.signal_.carried(), signal_.dh());
  signal_.continue_behind(later.signal_);
  continued_ = true;
}

template <class T>
void RecurrentLayer<T>::backward(Segment segment, const T* input, SignalView<T> above, T* gradients, PhaseClock& clock) {
  for (std::int64_t t = segment.end() - 1; t >= segment.first; --t) {
    const bool last = t + 1 == steps_, cut = !last && tape_.resets_at(t + 1);
    if (cut) signal_.begin();
    step_backward(t, above, last || cut ? nullptr : signal_.next(t), clock);
    if (products_.one_by_one()) send_down(t, signal_.dz_at(t));
    if (t % chunk_steps_ != 0) continue;
    signal_.carry(t);
    finish_chunk(input, t, gradients);
    clock.lap(Phase::kProduct);
  }
}

// Where the recurrence is added, so are the two biases, and their gradients are one.
template <class T>
void RecurrentLayer<T>::end_backward(T* gradients) {
  lost_ += sums_.finish(kernels_, gradients);
  if (!weights_.biases_added()) return;
  const RecurrentTensors& tensors = weights_.tensors();
  std::copy_n(gradients + tensors.bias_ih.offset, weights_.gate_width(), gradients + tensors.bias_hh.offset);
}

// Step 0 left its dr with the signal.
template <class T>
std::int64_t RecurrentLayer<T>::initial_gradients(T* dh0, T* dc0) {
  products_.through_time(signal_.carried(), dh0);
  return signal_.finish_initial(dh0, dc0);
}

template <class T>
void RecurrentLayer<T>::step_backward(std::int64_t t, SignalView<T> above, const T* dr_next, PhaseClock& clock) {
  if (can_fuse(t, above, dr_next))
    fused_backward(t, above, dr_next, clock);
  else
    composed_backward(t, above, dr_next, clock);
  if (tape_.has_lengths()) signal_.end_rows(t, tape_);
  recorder_.record_gradient(t, signal_.dh());
  signal_.rescale(t, tape_.held());
  clock.lap(Phase::kPointwise);
}

template <class T>
CellBackward<T> RecurrentLayer<T>::backward_arrays(std::int64_t t) {
  const CellForward<T> forward = tape_.at(t);
  CellBackward<T> step = signal_.at(t);
  step.gates = forward.gates, step.h_prev = forward.h_prev, step.c_prev = forward.c_prev, step.saved = forward.saved;
  step.own = weights_.own();
  return step;
}

template <class T>
void RecurrentLayer<T>::composed_backward(std::int64_t t, SignalView<T> above, const T* dr_next, PhaseClock& clock) {
  if (dr_next != nullptr) {  // dL/dh_t through time = dr_{t+1} W_hh, and what passes that by
    products_.through_time(dr_next, signal_.dh());
    signal_.add_direct_to(signal_.dh());
  } else if (!continues_at(t)) {
    std::fill_n(signal_.dh(), rows_ * weights_.hidden(), T{0});
  }
  clock.lap(Phase::kProduct);
  signal_.add(t, above);
  products_.backward(t, tape_, backward_arrays(t));
}

template <class T>
bool RecurrentLayer<T>::can_fuse(std::int64_t t, SignalView<T> above, const T* dr_next) const {
  if (products_.fused() == nullptr || (dr_next == nullptr && continues_at(t))) return false;
  return signal_.agrees(t, above, dr_next != nullptr, tape_.has_lengths());
}

template <class T>
void RecurrentLayer<T>::fused_backward(std::int64_t t, SignalView<T> above, const T* dr_next, PhaseClock& clock) {
  const CellBackward<T> s = backward_arrays(t);
  FusedBackward<T> step{.dr_next = dr_next, .gates = s.gates, .h_prev = s.h_prev, .c_prev = s.c_prev, .saved = s.saved};
  step.above = signal_.join(t, above, dr_next != nullptr, tape_.has_lengths());
  step.dh = recorder_.keeps_hidden_gradients() ? signal_.dh() : nullptr;
  step.dc = s.dc, step.direct = s.direct, step.dz = s.dz, step.dr = s.dr;
  step.sum_squares_dh = s.sum_squares_dh, step.sum_squares_dc = s.sum_squares_dc;
  products_.fused()->backward(step);
  clock.lap(Phase::kProduct);
}

// dx: gradients of the products W_ih x, of a chunk from step t on, or of step t alone where steps go one by one.
template <class T>
void RecurrentLayer<T>::send_down(std::int64_t t, const T* dx) {
  if (products_.makes_input_signal()) products_.input_signal(t, dx, held_at(input_signal_.data(), t, weights_.inputs()));
}

// Parameter gradients of a chunk of steps, whose rows are brought to one unit: what is too small beside the largest of them becomes zero.
template <class T>
void RecurrentLayer<T>::finish_chunk(const T* input, std::int64_t first, T* gradients) {
  const std::int64_t rows = products_.chunk_rows(first), inputs = weights_.inputs(), width = weights_.gate_width();
  T* const dx = products_.input_products(first, signal_.dz_at(first), tape_);
  if (!products_.one_by_one()) send_down(first, dx);
  const std::int32_t* const exponents = held_at(signal_.exponents(), first, 1);
  lost_ += sums_.prepare(*std::max_element(exponents, exponents + rows), kernels_, gradients);
  for (std::int64_t r = 0; r < rows; ++r) {
    const std::int32_t shift = exponents[r] - sums_.unit();
    if (shift == 0 || exponents[r] == kNoSignal) continue;
    lost_ += signal_.scale_row(r, shift);
    if (dx != signal_.dz_at(first)) lost_ += kernels_.scale(width, shift, dx + r * width);
  }
  products_.add_gradients(first, held_at(input, first, inputs), dx, signal_, tape_, sums_.tensors(), sums_.data(gradients));
}

template class RecurrentLayer<float>;
template class RecurrentLayer<double>;

}  // namespace vp
