#include "models/recurrent/state_tape.h"

#include <algorithm>

namespace vp {

template <class T>
StateTape<T>::StateTape(const Cell<T>& cell, const LayerShape& shape)
    : shape_(shape), n_(shape.rows * shape.hidden), saved_blocks_(cell.saved_blocks()) {
  const std::int64_t s = shape.segment_steps, segments = (shape.steps + s - 1) / s;
  const bool cell_state = cell.has_cell_state();
  h_ = AlignedBuffer<T>((s + 1) * n_);
  c_ = AlignedBuffer<T>(cell_state ? (s + 1) * n_ : 0);
  gates_ = AlignedBuffer<T>(s * shape.rows * shape.gate_width);
  saved_ = AlignedBuffer<T>(s * n_ * saved_blocks_);
  operand_ = AlignedBuffer<T>(shape.recurrence == Recurrence::kGated ? s * n_ : 0);
  checkpoint_h_ = AlignedBuffer<T>(segments > 1 ? segments * n_ : 0);
  checkpoint_c_ = AlignedBuffer<T>(segments > 1 && cell_state ? segments * n_ : 0);
}

template <class T>
void StateTape<T>::start_from(const T* h0, const T* c0) {
  const auto keep = [this](const T* states, AlignedBuffer<T>& initial) {
    const std::int64_t size = states == nullptr ? 0 : n_;
    if (initial.size() != size) initial = AlignedBuffer<T>(size);
    std::copy_n(states, size, initial.data());
  };
  keep(h0, initial_h_);
  keep(c0, initial_c_);
}

template <class T>
void StateTape<T>::reset_every(std::int64_t every, std::int64_t phase) {
  reset_every_ = every, reset_phase_ = phase;
  if (every == 0 || !zero_.empty()) return;
  zero_ = AlignedBuffer<T>(n_);
  previous_h_ = AlignedBuffer<T>(shape_.chunk_steps * n_);
  previous_c_ = AlignedBuffer<T>(shape_.own_tensors > 0 ? previous_h_.size() : 0);
}

template <class T>
void StateTape<T>::begin(Segment segment) {
  const std::int64_t index = segment.first / shape_.segment_steps;
  const auto carry = [&](AlignedBuffer<T>& states, const AlignedBuffer<T>& initial, AlignedBuffer<T>& checkpoints) {
    if (states.empty()) return;
    if (segment.first > 0)
      std::copy_n(states.data() + held_.steps * n_, n_, states.data());
    else if (initial.empty())
      std::fill_n(states.data(), n_, T{0});
    else
      std::copy_n(initial.data(), n_, states.data());
    if (!checkpoints.empty()) std::copy_n(states.data(), n_, checkpoints.data() + index * n_);
  };
  carry(h_, initial_h_, checkpoint_h_);
  carry(c_, initial_c_, checkpoint_c_);
  held_ = segment;
}

template <class T>
void StateTape<T>::begin_again(Segment segment) {
  const std::int64_t index = segment.first / shape_.segment_steps;
  std::copy_n(checkpoint_h_.data() + index * n_, n_, h_.data());
  if (!c_.empty()) std::copy_n(checkpoint_c_.data() + index * n_, n_, c_.data());
  held_ = segment;
}

// The operand is zero as well: what no gradient asks for must not grow out of range there, as zero times infinity would come back.
template <class T>
void StateTape<T>::end_rows(std::int64_t t) {
  const CellForward<T> step = at(t);
  for (std::int64_t b = 0; b < shape_.rows; ++b) {
    if (t < lengths_[b]) continue;
    for (T* state : {step.h, step.c, step.operand})
      if (state != nullptr) std::fill_n(state + b * shape_.hidden, shape_.hidden, T{0});
  }
}

template <class T>
CellForward<T> StateTape<T>::at(std::int64_t t) {
  const std::int64_t s = local(t);
  CellForward<T> step{.rows = shape_.rows, .hidden = shape_.hidden};
  step.gates = gates_.data() + s * shape_.rows * shape_.gate_width;
  step.h_prev = h_.data() + s * n_, step.h = h_.data() + (s + 1) * n_;
  if (!c_.empty()) step.c_prev = c_.data() + s * n_, step.c = c_.data() + (s + 1) * n_;
  step.saved = saved_.data() + s * n_ * saved_blocks_;
  if (!operand_.empty()) step.operand = operand_.data() + s * n_;
  if (resets_at(t)) {
    step.h_prev = zero_.data();
    if (!c_.empty()) step.c_prev = zero_.data();
  }
  return step;
}

template <class T>
const T* StateTape<T>::previous(const AlignedBuffer<T>& states, AlignedBuffer<T>& previous, std::int64_t first, std::int64_t steps) {
  const T* before = states.data() + local(first) * n_;
  if (reset_every_ == 0) return before;
  std::copy_n(before, steps * n_, previous.data());
  for (std::int64_t s = 0; s < steps; ++s)
    if (resets_at(first + s)) std::fill_n(previous.data() + s * n_, n_, T{0});
  return previous.data();
}

template class StateTape<float>;
template class StateTape<double>;

}  // namespace vp
