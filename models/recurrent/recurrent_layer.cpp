#include "models/recurrent/recurrent_layer.h"

#include <algorithm>
#include <cmath>

#include "models/model/scaled_rows.h"
#include "models/recurrent/sequence_layout.h"

namespace vp {

template <class T>
RecurrentLayer<T>::RecurrentLayer(Backend<T>& backend, const Cell<T>& cell, const LayerWeights<T>& weights, std::int64_t steps,
                                  std::int64_t rows, std::int64_t segment_steps, Stepping stepping)
    : cell_(cell),
      weights_(weights),
      kernels_(backend.pointwise()),
      sums_(weights.tensors()),
      steps_(steps),
      rows_(rows),
      inputs_(weights.inputs()),
      hidden_(weights.hidden()),
      width_(weights.gate_width()),
      recurrent_width_(weights.recurrent_width()),
      chunk_steps_(std::min(steps, steps_per_chunk(rows))),
      segment_steps_(std::min(steps, segment_steps)),
      one_by_one_(stepping == Stepping::kSteps) {
  full_ = make_chunk(backend, chunk_steps_);
  if (steps_ % chunk_steps_ != 0) rest_ = make_chunk(backend, steps_ % chunk_steps_);
  const bool added = weights.recurrence() == Recurrence::kAdded, gated = weights.recurrence() == Recurrence::kGated;
  const bool normalised = weights.recurrence() == Recurrence::kNormalised;
  const ProductShape recurrent{
      .m = rows, .n = recurrent_width_, .k = hidden_, .transpose_b = true, .accumulate = added, .bias = !weights.biases_added()};
  recurrent_ = backend.make_product(recurrent, weights.recurrent_forward());
  recurrent_backward_ = backend.make_product({.m = rows, .n = hidden_, .k = recurrent_width_}, weights.recurrent_backward());
  if (gated) {
    last_ = backend.make_product({.m = rows, .n = hidden_, .k = hidden_, .transpose_b = true, .bias = true}, weights.last_forward());
    last_backward_ = backend.make_product({.m = rows, .n = hidden_, .k = hidden_}, weights.last_backward());
  }
  if (one_by_one_) make_step_products(backend);
  if (weights.fused() != nullptr) fused_ = backend.make_fused_step(*fused_shape(cell, rows, inputs_, hidden_), *weights.fused());

  const std::int64_t n = rows * hidden_, s = segment_steps_, segments = (steps + s - 1) / s;
  const bool cell_state = cell.has_cell_state();
  h_ = AlignedBuffer<T>((s + 1) * n);
  c_ = AlignedBuffer<T>(cell_state ? (s + 1) * n : 0);
  gates_ = AlignedBuffer<T>(s * rows * width_);
  saved_ = AlignedBuffer<T>(s * n * cell.saved_blocks());
  checkpoint_h_ = AlignedBuffer<T>(segments > 1 ? segments * n : 0);
  checkpoint_c_ = AlignedBuffer<T>(segments > 1 && cell_state ? segments * n : 0);
  dh_ = AlignedBuffer<T>(n);
  dc_ = AlignedBuffer<T>(cell_state ? n : 0);
  for (AlignedBuffer<T>* norm : {&norm_ih_, &norm_hh_}) *norm = AlignedBuffer<T>(normalised ? s * rows * width_ : 0);
  for (AlignedBuffer<T>* inverse : {&inverse_ih_, &inverse_hh_}) *inverse = AlignedBuffer<T>(normalised ? s * rows : 0);
  dx_ = AlignedBuffer<T>(normalised ? chunk_steps_ * rows * width_ : 0);
  own_gradients_.resize(weights.tensors().own.size());
  recurrent_sum_ = AlignedBuffer<T>(weights.biases_added() || fused_ ? 0 : rows * recurrent_width_);
  last_sum_ = AlignedBuffer<T>(gated ? n : 0);
  doperand_ = AlignedBuffer<T>(gated ? n : 0);
  operand_ = AlignedBuffer<T>(gated ? s * n : 0);
  direct_ = AlignedBuffer<T>(cell.has_direct_path() ? n : 0);
  dz_ = AlignedBuffer<T>(chunk_steps_ * rows * width_);
  dr_ = AlignedBuffer<T>(added ? 0 : chunk_steps_ * rows * recurrent_width_);
  dlast_ = AlignedBuffer<T>(gated ? chunk_steps_ * n : 0);
  dr_carry_ = AlignedBuffer<T>(rows * recurrent_width_);
  input_signal_ = AlignedBuffer<T>(weights.input_backward() != nullptr ? s * rows * inputs_ : 0);
  sum_squares_dh_ = AlignedBuffer<double>(steps * rows);
  sum_squares_dc_ = AlignedBuffer<double>(cell_state ? steps * rows : 0);
  norm_exponent_ = AlignedBuffer<std::int32_t>(steps * rows);
  dz_exponent_ = AlignedBuffer<std::int32_t>(s * rows);
  row_exponent_ = AlignedBuffer<std::int32_t>(rows);
}

template <class T>
typename RecurrentLayer<T>::ChunkProducts RecurrentLayer<T>::make_chunk(Backend<T>& backend, std::int64_t steps) {
  const std::int64_t m = steps * rows_;
  ChunkProducts chunk;
  chunk.input = backend.make_product(
      {.m = m, .n = width_, .k = inputs_, .transpose_b = true, .bias = weights_.recurrence() != Recurrence::kNormalised},
      weights_.input_forward());
  chunk.weight_ih = backend.make_product({.m = width_, .n = inputs_, .k = m, .transpose_a = true, .accumulate = true}, nullptr);
  chunk.weight_hh = backend.make_product({.m = recurrent_width_, .n = hidden_, .k = m, .transpose_a = true, .accumulate = true}, nullptr);
  if (weights_.recurrence() == Recurrence::kGated)
    chunk.weight_last = backend.make_product({.m = hidden_, .n = hidden_, .k = m, .transpose_a = true, .accumulate = true}, nullptr);
  if (weights_.input_backward() != nullptr)
    chunk.input_backward = backend.make_product({.m = m, .n = inputs_, .k = width_}, weights_.input_backward());
  return chunk;
}

template <class T>
void RecurrentLayer<T>::make_step_products(Backend<T>& backend) {
  step_input_ = backend.make_product({.m = rows_, .n = width_, .k = inputs_, .transpose_b = true, .bias = true}, weights_.input_forward());
  if (weights_.input_backward() != nullptr)
    step_input_backward_ = backend.make_product({.m = rows_, .n = inputs_, .k = width_}, weights_.input_backward());
}

template <class T>
void RecurrentLayer<T>::start_from(const T* h0, const T* c0) {
  const std::int64_t n = rows_ * hidden_;
  const auto keep = [n](const T* states, AlignedBuffer<T>& initial) {
    const std::int64_t size = states == nullptr ? 0 : n;
    if (initial.size() != size) initial = AlignedBuffer<T>(size);
    std::copy_n(states, size, initial.data());
  };
  keep(h0, initial_h_);
  keep(c0, initial_c_);
}

template <class T>
void RecurrentLayer<T>::reset_every(std::int64_t every, std::int64_t phase) {
  reset_every_ = every, reset_phase_ = phase;
  if (every == 0 || !zero_.empty()) return;
  zero_ = AlignedBuffer<T>(rows_ * hidden_);
  previous_h_ = AlignedBuffer<T>(chunk_steps_ * rows_ * hidden_);
  previous_c_ = AlignedBuffer<T>(own_gradients_.empty() ? 0 : previous_h_.size());
}

template <class T>
void RecurrentLayer<T>::take_scattered_signals() {
  if (above_.empty()) above_ = AlignedBuffer<T>(rows_ * hidden_);
}

template <class T>
void RecurrentLayer<T>::keep_hidden_states() {
  if (kept_h_.empty()) kept_h_ = AlignedBuffer<T>(steps_ * rows_ * hidden_);
}

template <class T>
void RecurrentLayer<T>::keep_hidden_gradients() {
  if (kept_dh_.empty()) kept_dh_ = AlignedBuffer<T>(steps_ * rows_ * hidden_);
}

template <class T>
void RecurrentLayer<T>::measure_activations(bool on) {
  measure_ = on;
  if (on && activations_.empty()) activations_ = AlignedBuffer<Moments>(steps_ * rows_);
}

// The states before the first step of a segment.
template <class T>
void RecurrentLayer<T>::carry_in(Segment segment) {
  const std::int64_t n = rows_ * hidden_, index = segment.first / segment_steps_;
  const auto carry = [&](AlignedBuffer<T>& states, const AlignedBuffer<T>& initial, AlignedBuffer<T>& checkpoints) {
    if (states.empty()) return;
    if (segment.first > 0)
      std::copy_n(states.data() + held_.steps * n, n, states.data());
    else if (initial.empty())
      std::fill_n(states.data(), n, T{0});
    else
      std::copy_n(initial.data(), n, states.data());
    if (!checkpoints.empty()) std::copy_n(states.data(), n, checkpoints.data() + index * n);
  };
  carry(h_, initial_h_, checkpoint_h_);
  carry(c_, initial_c_, checkpoint_c_);
}

template <class T>
void RecurrentLayer<T>::forward(Segment segment, const T* input, PhaseClock& clock) {
  const std::int64_t n = rows_ * hidden_;
  carry_in(segment);
  run_forward(segment, input, clock);
  if (!kept_h_.empty()) std::copy_n(hidden_states(), segment.steps * n, kept_h_.data() + segment.first * n);
  if (traced_rows_ > 0)
    for (std::int64_t t = segment.first; t < segment.end(); ++t) record(t);
  if (!measure_) return;
  for (std::int64_t t = segment.first; t < segment.end(); ++t) measure(t);
  clock.lap(Phase::kProbe);
}

template <class T>
void RecurrentLayer<T>::forward_again(Segment segment, const T* input, PhaseClock& clock) {
  const std::int64_t n = rows_ * hidden_, index = segment.first / segment_steps_;
  std::copy_n(checkpoint_h_.data() + index * n, n, h_.data());
  if (!c_.empty()) std::copy_n(checkpoint_c_.data() + index * n, n, c_.data());
  run_forward(segment, input, clock);
}

template <class T>
void RecurrentLayer<T>::run_forward(Segment segment, const T* input, PhaseClock& clock) {
  held_ = segment;
  for (std::int64_t t = segment.first; t < segment.end(); ++t) run_step(t, input + (t - segment.first) * rows_ * inputs_, clock);
  clock.lap(Phase::kProduct);
}

template <class T>
void RecurrentLayer<T>::run_step(std::int64_t t, const T* x, PhaseClock& clock) {
  const CellForward<T> s = forward_arrays(t);
  if (fused_)
    fused_->forward(x, has_previous(t) ? s.h_prev : nullptr, s.gates, s.c_prev, s.c, s.saved, s.h);
  else
    composed_step(t, x, s, clock);
  if (lengths_ != nullptr) end_rows(t);
}

template <class T>
void RecurrentLayer<T>::begin_steps() {
  carry_in({0, steps_});
  held_ = {0, steps_};
}

template <class T>
void RecurrentLayer<T>::forward_step(std::int64_t t, const T* x, PhaseClock& clock) {
  run_step(t, x, clock);
  clock.lap(Phase::kProduct);
  if (measure_) measure(t);
}

// Behind a row's end the state is zero, and so is the operand: what no gradient asks for must not grow out of range there, as zero times
// infinity would come back.
template <class T>
void RecurrentLayer<T>::end_rows(std::int64_t t) {
  const CellForward<T> s = forward_arrays(t);
  for (std::int64_t b = 0; b < rows_; ++b) {
    if (t < lengths_[b]) continue;
    for (T* state : {s.h, s.c, s.operand})
      if (state != nullptr) std::fill_n(state + b * hidden_, hidden_, T{0});
  }
}

// Behind a row's end nothing comes back, whatever slopes and gates are there: zero times them may be no number.
template <class T>
void RecurrentLayer<T>::end_signals(std::int64_t t) {
  for (std::int64_t b = 0; b < rows_; ++b) {
    if (t < lengths_[b]) continue;
    for_each_gradient([&](auto& chunk, std::int64_t width) { std::fill_n(step_of(chunk, t, width) + b * width, width, T{0}); });
    for (auto* carried : {&dh_, &dc_, &direct_})
      if (!carried->empty()) std::fill_n(carried->data() + b * hidden_, hidden_, T{0});
    sum_squares_dh_[t * rows_ + b] = 0;
    if (!dc_.empty()) sum_squares_dc_[t * rows_ + b] = 0;
  }
}

template <class T>
CellForward<T> RecurrentLayer<T>::forward_arrays(std::int64_t t) {
  const std::int64_t n = rows_ * hidden_, s = t - held_.first;
  CellForward<T> step{.rows = rows_, .hidden = hidden_, .gates = gates_.data() + s * rows_ * width_, .h_prev = h_.data() + s * n};
  step.h = h_.data() + (s + 1) * n;
  if (!c_.empty()) step.c_prev = c_.data() + s * n, step.c = c_.data() + (s + 1) * n;
  step.saved = saved_.data() + s * n * cell_.saved_blocks();
  step.own = weights_.own();
  if (!operand_.empty()) step.operand = operand_.data() + s * n, step.last = last_sum_.data();
  step.recurrent = recurrent_sum_.data();
  if (resets_at(t)) {
    step.h_prev = zero_.data();
    if (!c_.empty()) step.c_prev = zero_.data();
  }
  return step;
}

template <class T>
void RecurrentLayer<T>::multiply_recurrent(std::int64_t t, const CellForward<T>& step) {
  if (weights_.recurrence() == Recurrence::kAdded) {
    if (has_previous(t)) recurrent_->run(step.h_prev, nullptr, nullptr, step.gates);
  } else if (has_previous(t)) {
    recurrent_->run(step.h_prev, nullptr, weights_.recurrent_bias(), recurrent_sum_.data());
  } else {
    T* const sum = recurrent_sum_.data();
    for (std::int64_t b = 0; b < rows_; ++b) std::copy_n(weights_.recurrent_bias(), recurrent_width_, sum + b * recurrent_width_);
  }
}

// As composed_step(), where each product is normalised by itself.
template <class T>
void RecurrentLayer<T>::add_normalised_products(std::int64_t t, const T* x, const CellForward<T>& step) {
  T *const from_x = held_at(norm_ih_, t, width_), *const from_h = held_at(norm_hh_, t, width_);
  if (t % chunk_steps_ == 0) {
    chunk_of(t).input->run(x, nullptr, nullptr, from_x);
    kernels_.normalise(std::min(chunk_steps_, steps_ - t) * rows_, width_, from_x, held_at(inverse_ih_, t, 1));
  }
  recurrent_->run(step.h_prev, nullptr, nullptr, from_h);
  kernels_.normalise(rows_, width_, from_h, held_at(inverse_hh_, t, 1));
  kernels_.add_normalised(rows_, width_, from_x, weights_.gain(0), from_h, weights_.gain(1), weights_.bias(), step.gates);
}

// x: the input of step t; at the first step of a chunk, the inputs of the whole chunk are multiplied at once.
template <class T>
void RecurrentLayer<T>::composed_step(std::int64_t t, const T* x, const CellForward<T>& step, PhaseClock& clock) {
  if (!norm_ih_.empty()) {
    add_normalised_products(t, x, step);
  } else {
    if (one_by_one_)
      step_input_->run(x, nullptr, weights_.bias(), step.gates);
    else if (t % chunk_steps_ == 0)
      chunk_of(t).input->run(x, nullptr, weights_.bias(), step.gates);
    multiply_recurrent(t, step);
  }
  clock.lap(Phase::kProduct);
  if (last_) {
    cell_.form_operand(kernels_, step);
    last_->run(step.operand, nullptr, weights_.recurrent_bias() + recurrent_width_, last_sum_.data());
  }
  cell_.forward(kernels_, step);
  clock.lap(Phase::kPointwise);
}

template <class T>
void RecurrentLayer<T>::measure(std::int64_t t) {
  for (std::int64_t b = 0; b < rows_; ++b) {
    if (lengths_ != nullptr && t >= lengths_[b]) {
      activations_[t * rows_ + b] = {};
      continue;
    }
    const T *h = hidden_at(t) + b * hidden_, *gates = gates_at(t) + b * width_, *saved = saved_at(t) + b * hidden_ * cell_.saved_blocks();
    Moments m{.count = static_cast<double>(hidden_)};
    for (std::int64_t u = 0; u < hidden_; ++u) {
      m.sum += static_cast<double>(h[u]);
      const double slope = cell_.relative_slope(gates, saved, hidden_, u);
      m.saturated += slope < kSaturatedSlope;
      if (measure_slopes_) m.log10_slope += std::log10(slope * cell_.max_slope());
    }
    const double mean = m.mean();
    for (std::int64_t u = 0; u < hidden_; ++u) m.squares += (static_cast<double>(h[u]) - mean) * (static_cast<double>(h[u]) - mean);
    activations_[t * rows_ + b] = m;
  }
}

template <class T>
void RecurrentLayer<T>::keep_traces(std::int64_t rows) {
  traced_rows_ = rows;
  trace_names_.assign(cell_.gate_names().begin(), cell_.gate_names().end());
  if (!c_.empty()) trace_names_.emplace_back("cell");
  trace_names_.emplace_back("hidden");
  const std::int64_t size = steps_ * rows * static_cast<std::int64_t>(trace_names_.size()) * hidden_;
  if (traces_.size() != size) traces_ = AlignedBuffer<T>(size);
}

template <class T>
void RecurrentLayer<T>::record(std::int64_t t) {
  T* to = traces_.data() + t * traced_rows_ * static_cast<std::int64_t>(trace_names_.size()) * hidden_;
  const T* c = c_.empty() ? nullptr : forward_arrays(t).c;
  const auto copy = [&](const T* from) { to = std::copy_n(from, hidden_, to); };
  for (std::int64_t b = 0; b < traced_rows_; ++b) {
    for (std::size_t g = 0; g < cell_.gate_names().size(); ++g) copy(gates_at(t) + b * width_ + static_cast<std::int64_t>(g) * hidden_);
    if (c != nullptr) copy(c + b * hidden_);
    copy(hidden_at(t) + b * hidden_);
  }
}

template <class T>
void RecurrentLayer<T>::begin_backward() {
  dc_.zero();
  std::ranges::fill(row_exponent_.span(), kNoSignal);
  sums_.begin();
  lost_ = 0;
  continued_ = false;
}

template <class T>
void RecurrentLayer<T>::continue_backward(RecurrentLayer& later) {
  later.recurrent_backward_->run(later.dr_carry_.data(), nullptr, nullptr, dh_.data());
  for (std::int64_t i = 0; i < dh_.size() && !later.direct_.empty(); ++i) dh_[i] += later.direct_[i];
  std::ranges::copy(later.dc_.span(), dc_.data());
  std::ranges::copy(later.row_exponent_.span(), row_exponent_.data());
  continued_ = true;
}

template <class T>
void RecurrentLayer<T>::backward(Segment segment, const T* input, SignalView<T> above, T* gradients, PhaseClock& clock) {
  for (std::int64_t t = segment.end() - 1; t >= segment.first; --t) {
    const bool chunk_ends = (t + 1) % chunk_steps_ == 0 || t + 1 == steps_;
    const bool cut = t + 1 < steps_ && resets_at(t + 1);
    const T* dr_next = t + 1 == steps_ || cut ? nullptr : chunk_ends ? dr_carry_.data() : dr_at(t + 1);
    if (cut) {
      dc_.zero();
      std::ranges::fill(row_exponent_.span(), kNoSignal);
    }
    step_backward(t, above, dr_next, clock);
    if (step_input_backward_)
      step_input_backward_->run(dz_at(t), nullptr, nullptr, input_signal_.data() + (t - held_.first) * rows_ * inputs_);
    if (t % chunk_steps_ != 0) continue;
    std::copy_n(dr_at(t), rows_ * recurrent_width_, dr_carry_.data());  // step t-1 wants it as it is now
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
  std::copy_n(gradients + tensors.bias_ih.offset, width_, gradients + tensors.bias_hh.offset);
}

// Step 0 left dr in dr_carry_, f_0 dc_0 in dc_ and what passes W_hh by in direct_, all in units of row_exponent_.
template <class T>
std::int64_t RecurrentLayer<T>::initial_gradients(T* dh0, T* dc0) {
  std::int64_t lost = 0;
  recurrent_backward_->run(dr_carry_.data(), nullptr, nullptr, dh0);
  for (std::int64_t i = 0; i < direct_.size(); ++i) dh0[i] += direct_[i];
  std::copy_n(dc_.data(), dc_.size(), dc0);
  for (std::int64_t b = 0; b < rows_; ++b) {
    if (row_exponent_[b] == kNoSignal) continue;  // zeros
    lost += restore_size(hidden_, row_exponent_[b], dh0 + b * hidden_);
    if (!dc_.empty()) lost += restore_size(hidden_, row_exponent_[b], dc0 + b * hidden_);
  }
  return lost;
}

template <class T>
void RecurrentLayer<T>::step_backward(std::int64_t t, SignalView<T> above, const T* dr_next, PhaseClock& clock) {
  if (fused_ && can_fuse(t, above, dr_next))
    fused_backward(t, above, dr_next, clock);
  else
    composed_backward(t, above, dr_next, clock);
  if (lengths_ != nullptr) end_signals(t);
  if (!kept_dh_.empty()) std::copy_n(dh_.data(), rows_ * hidden_, kept_dh_.data() + t * rows_ * hidden_);
  rescale(t);
  clock.lap(Phase::kPointwise);
}

template <class T>
CellBackward<T> RecurrentLayer<T>::backward_arrays(std::int64_t t) {
  const CellForward<T> forward = forward_arrays(t);
  CellBackward<T> step{.rows = rows_, .hidden = hidden_, .gates = forward.gates, .h_prev = forward.h_prev};
  if (!c_.empty()) step.c_prev = forward.c_prev, step.dc = dc_.data(), step.sum_squares_dc = sum_squares_dc_.data() + t * rows_;
  step.saved = forward.saved;
  step.own = forward.own;
  step.dh = dh_.data();
  step.dz = dz_at(t);
  step.sum_squares_dh = sum_squares_dh_.data() + t * rows_;
  if (!dr_.empty()) step.dr = dr_at(t);
  if (!dlast_.empty()) step.dlast = step_of(dlast_, t, hidden_), step.doperand = doperand_.data();
  if (!direct_.empty()) step.direct = direct_.data();
  return step;
}

template <class T>
void RecurrentLayer<T>::composed_backward(std::int64_t t, SignalView<T> above, const T* dr_next, PhaseClock& clock) {
  if (dr_next != nullptr) {  // dL/dh_t through time = dr_{t+1} W_hh, and what passes that by
    recurrent_backward_->run(dr_next, nullptr, nullptr, dh_.data());
    for (std::int64_t i = 0; i < direct_.size(); ++i) dh_[i] += direct_[i];
  } else if (!continues_at(t)) {
    dh_.zero();
  }
  clock.lap(Phase::kProduct);
  add_above(t, above);
  const CellBackward<T> step = backward_arrays(t);
  cell_.backward(kernels_, step);
  if (!norm_hh_.empty())
    kernels_.normalise_backward(rows_, width_, step.dz, weights_.gain(1), held_at(norm_hh_, t, width_), held_at(inverse_hh_, t, 1),
                                dr_at(t));
  if (!last_backward_) return;
  last_backward_->run(step.dlast, nullptr, nullptr, doperand_.data());
  cell_.operand_backward(kernels_, step);
}

template <class T>
void RecurrentLayer<T>::fused_backward(std::int64_t t, SignalView<T> above, const T* dr_next, PhaseClock& clock) {
  const CellBackward<T> s = backward_arrays(t);
  FusedBackward<T> step{.dr_next = dr_next, .gates = s.gates, .h_prev = s.h_prev, .c_prev = s.c_prev, .saved = s.saved};
  if (reaches(t, above)) {
    step.above = above_at(t, above);
    take_exponents(t, above, dr_next == nullptr);
  }
  step.dh = kept_dh_.empty() ? nullptr : dh_.data();
  step.dc = s.dc, step.direct = s.direct, step.dz = s.dz, step.dr = s.dr;
  step.sum_squares_dh = s.sum_squares_dh, step.sum_squares_dc = s.sum_squares_dc;
  fused_->backward(step);
  clock.lap(Phase::kProduct);
}

template <class T>
bool RecurrentLayer<T>::reaches(std::int64_t t, SignalView<T> above) const {
  if (above.data == nullptr) return false;
  if (above.at == nullptr) return t >= above.first_step;
  return std::find(above.at, above.at + rows_, t) != above.at + rows_;
}

// (B, H). Of signals at steps of their own, rows that have none at step t are zero.
template <class T>
const T* RecurrentLayer<T>::above_at(std::int64_t t, SignalView<T> above) {
  if (above.at == nullptr) return above.data + (t - above.first_step) * rows_ * hidden_;
  take_scattered_signals();
  above_.zero();
  for (std::int64_t b = 0; b < rows_; ++b)
    if (above.at[b] == t) std::copy_n(above.data + b * hidden_, hidden_, above_.data() + b * hidden_);
  return above_.data();
}

template <class T>
std::int32_t RecurrentLayer<T>::above_exponent(std::int64_t t, std::int64_t b, SignalView<T> above) const {
  if (above.at != nullptr && above.at[b] != t) return kNoSignal;
  const std::int64_t row = above.at != nullptr ? b : (t - above.first_step) * rows_ + b;
  return above.exponent == nullptr ? 0 : above.exponent[row];
}

// A fused step adds up what comes through time and from above as it stands: their exponents must agree. At the last step there is nothing
// to agree with yet. Rows without a signal take any exponent; where rows end at steps of their own, so do those that have not begun.
template <class T>
bool RecurrentLayer<T>::can_fuse(std::int64_t t, SignalView<T> above, const T* dr_next) const {
  if (dr_next == nullptr) return reaches(t, above) && !continues_at(t);
  if (!reaches(t, above)) return true;
  for (std::int64_t b = 0; b < rows_; ++b) {
    const std::int32_t f = above_exponent(t, b, above);
    if (row_exponent_[b] != f && f != kNoSignal && !(lengths_ != nullptr && row_exponent_[b] == kNoSignal)) return false;
  }
  return true;
}

// After can_fuse(). all_rows: nothing comes through time, else rows that have a signal keep their exponent.
template <class T>
void RecurrentLayer<T>::take_exponents(std::int64_t t, SignalView<T> above, bool all_rows) {
  for (std::int64_t b = 0; b < rows_; ++b)
    if (all_rows || (lengths_ != nullptr && row_exponent_[b] == kNoSignal)) row_exponent_[b] = above_exponent(t, b, above);
}

// dh_t += what the readout or the next layer sends to this step.
template <class T>
void RecurrentLayer<T>::add_above(std::int64_t t, SignalView<T> above) {
  if (!reaches(t, above)) return;
  const T* data = above_at(t, above);
  for (std::int64_t b = 0; b < rows_; ++b) {
    T* companion = dc_.empty() ? nullptr : dc_.data() + b * hidden_;
    row_exponent_[b] = add_scaled_row(kernels_, dh_.data() + b * hidden_, companion, row_exponent_[b], data + b * hidden_,
                                      above_exponent(t, b, above), hidden_);
  }
}

template <class T>
template <class Call>
void RecurrentLayer<T>::for_each_gradient(const Call& call) {
  call(dz_, width_);
  if (!dr_.empty()) call(dr_, recurrent_width_);
  if (!dlast_.empty()) call(dlast_, hidden_);
}

// Books the exponents of step t and brings rows that drift towards the ends of the float range back to the middle.
template <class T>
void RecurrentLayer<T>::rescale(std::int64_t t) {
  for (std::int64_t b = 0; b < rows_; ++b) {
    double sum_squares = sum_squares_dh_[t * rows_ + b];
    if (!dc_.empty()) sum_squares = std::max(sum_squares, sum_squares_dc_[t * rows_ + b]);
    norm_exponent_[t * rows_ + b] = row_exponent_[b];
    const std::int32_t shift = band_shift(sum_squares);
    if (shift == kNoSignal) {
      row_exponent_[b] = kNoSignal;
    } else if (shift != 0) {
      for_each_gradient([&](auto& chunk, std::int64_t width) { kernels_.scale(width, -shift, step_of(chunk, t, width) + b * width); });
      for (auto* carried : {&dc_, &direct_})
        if (!carried->empty()) kernels_.scale(hidden_, -shift, carried->data() + b * hidden_);
      row_exponent_[b] += shift;
    }
    dz_exponent_[(t - held_.first) * rows_ + b] = row_exponent_[b];
  }
}

template <class T>
std::int32_t RecurrentLayer<T>::largest_exponent(std::int64_t first_row, std::int64_t rows) const {
  return *std::max_element(dz_exponent_.data() + first_row, dz_exponent_.data() + first_row + rows);
}

// Parameter gradients of a chunk of steps, whose rows are brought to one unit: what is too small beside the largest of them becomes zero.
template <class T>
void RecurrentLayer<T>::finish_chunk(const T* input, std::int64_t first, T* gradients) {
  ChunkProducts& chunk = chunk_of(first);
  const std::int64_t m = std::min(chunk_steps_, steps_ - first) * rows_, local = (first - held_.first) * rows_;
  T *const dz = dz_at(first), *const dx = dx_.empty() ? dz : dx_.data();
  if (!dx_.empty())
    kernels_.normalise_backward(m, width_, dz, weights_.gain(0), held_at(norm_ih_, first, width_), held_at(inverse_ih_, first, 1), dx);
  if (chunk.input_backward && !one_by_one_) chunk.input_backward->run(dx, nullptr, nullptr, input_signal_.data() + local * inputs_);
  lost_ += sums_.prepare(largest_exponent(local, m), kernels_, gradients);
  const RecurrentTensors& tensors = sums_.tensors();
  gradients = sums_.data(gradients);
  for (std::int64_t r = 0; r < m; ++r) {
    const std::int32_t exponent = dz_exponent_[local + r], shift = exponent - sums_.unit();
    if (shift == 0 || exponent == kNoSignal) continue;
    for_each_gradient([&](auto& signal, std::int64_t width) { lost_ += kernels_.scale(width, shift, signal.data() + r * width); });
    if (!dx_.empty()) lost_ += kernels_.scale(width_, shift, dx + r * width_);
  }
  const T* dr = dr_at(first);
  T* const weight_hh = gradients + tensors.weight_hh.offset;
  chunk.weight_ih->run(dx, input + local * inputs_, nullptr, gradients + tensors.weight_ih.offset);
  chunk.weight_hh->run(dr, previous_states(h_, previous_h_, first, m / rows_), nullptr, weight_hh);
  if (chunk.weight_last)
    chunk.weight_last->run(dlast_.data(), operand_.data() + local * hidden_, nullptr, weight_hh + recurrent_width_ * hidden_);
  add_vector_gradients(first, m, gradients);
}

// Of biases, gains, and what the cell has of its own.
template <class T>
void RecurrentLayer<T>::add_vector_gradients(std::int64_t first, std::int64_t rows, T* gradients) {
  const RecurrentTensors& tensors = sums_.tensors();
  const T *const dz = dz_at(first), *const dr = dr_at(first);
  T* const bias_hh = gradients + tensors.bias_hh.offset;
  kernels_.add_column_sums(rows, width_, dz, gradients + tensors.bias_ih.offset);
  if (!weights_.biases_added()) kernels_.add_column_sums(rows, recurrent_width_, dr, bias_hh);
  if (!dlast_.empty()) kernels_.add_column_sums(rows, hidden_, dlast_.data(), bias_hh + recurrent_width_);
  if (!tensors.gains.empty()) {
    kernels_.add_column_dots(rows, width_, dz, width_, held_at(norm_ih_, first, width_), gradients + tensors.gains[0].offset);
    kernels_.add_column_dots(rows, width_, dz, width_, held_at(norm_hh_, first, width_), gradients + tensors.gains[1].offset);
  }
  if (tensors.own.empty()) return;
  for (std::size_t i = 0; i < tensors.own.size(); ++i) own_gradients_[i] = gradients + tensors.own[i].offset;
  CellOwnGradients<T> own{.rows = rows, .hidden = hidden_, .dz = dz};
  if (!c_.empty()) own.c_prev = previous_states(c_, previous_c_, first, rows / rows_), own.c = held_at(c_, first + 1, hidden_);
  own.own = own_gradients_.data();
  cell_.add_own_gradients(kernels_, own);
}

// h before each of the steps, (steps, B, H).
template <class T>
const T* RecurrentLayer<T>::previous_states(const AlignedBuffer<T>& states, AlignedBuffer<T>& previous, std::int64_t first,
                                            std::int64_t steps) {
  const std::int64_t n = rows_ * hidden_;
  const T* before = states.data() + (first - held_.first) * n;
  if (reset_every_ == 0) return before;
  std::copy_n(before, steps * n, previous.data());
  for (std::int64_t s = 0; s < steps; ++s)
    if (resets_at(first + s)) std::fill_n(previous.data() + s * n, n, T{0});
  return previous.data();
}

template <class T>
std::set<std::string> RecurrentLayer<T>::implementations() const {
  std::set<std::string> names = {recurrent_->implementation(), recurrent_backward_->implementation()};
  for (const auto* product : {&last_, &last_backward_, &step_input_, &step_input_backward_})
    if (*product) names.insert((*product)->implementation());
  if (fused_) names.insert(fused_->implementation());
  for (const ChunkProducts* chunk : {&full_, &rest_})
    for (const auto* product : {&chunk->input, &chunk->input_backward, &chunk->weight_ih, &chunk->weight_hh, &chunk->weight_last})
      if (*product) names.insert((*product)->implementation());
  return names;
}

template class RecurrentLayer<float>;
template class RecurrentLayer<double>;

}  // namespace vp
