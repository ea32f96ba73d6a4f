#include "models/recurrent/scaled_signal.h"

#include <algorithm>

#include "models/model/scaled_rows.h"

namespace vp {

template <class T>
bool SignalView<T>::reaches(std::int64_t t, std::int64_t rows) const {
  if (data == nullptr) return false;
  if (at == nullptr) return t >= first_step;
  return std::find(at, at + rows, t) != at + rows;
}

template <class T>
std::int32_t SignalView<T>::exponent_at(std::int64_t t, std::int64_t b, std::int64_t rows) const {
  if (at != nullptr && at[b] != t) return kNoSignal;
  const std::int64_t row = at != nullptr ? b : (t - first_step) * rows + b;
  return exponent == nullptr ? 0 : exponent[row];
}

template <class T>
ScaledSignal<T>::ScaledSignal(const PointwiseKernels<T>& kernels, const Cell<T>& cell, const LayerShape& shape)
    : kernels_(kernels), shape_(shape), n_(shape.rows * shape.hidden) {
  const std::int64_t rows = shape.rows, chunk_rows = shape.chunk_steps * rows;
  const bool cell_state = cell.has_cell_state();
  dh_ = AlignedBuffer<T>(n_);
  dc_ = AlignedBuffer<T>(cell_state ? n_ : 0);
  direct_ = AlignedBuffer<T>(cell.has_direct_path() ? n_ : 0);
  dz_ = AlignedBuffer<T>(chunk_rows * shape.gate_width);
  dr_ = AlignedBuffer<T>(apart() ? chunk_rows * shape.recurrent_width : 0);
  dlast_ = AlignedBuffer<T>(gated() ? chunk_rows * shape.hidden : 0);
  carried_ = AlignedBuffer<T>(rows * shape.recurrent_width);
  row_exponent_ = AlignedBuffer<std::int32_t>(rows);
  step_exponent_ = AlignedBuffer<std::int32_t>(shape.segment_steps * rows);
  sum_squares_dh_ = AlignedBuffer<double>(shape.steps * rows);
  sum_squares_dc_ = AlignedBuffer<double>(cell_state ? shape.steps * rows : 0);
  norm_exponent_ = AlignedBuffer<std::int32_t>(shape.steps * rows);
}

template <class T>
void ScaledSignal<T>::take_scattered_signals() {
  if (above_.empty()) above_ = AlignedBuffer<T>(n_);
}

template <class T>
void ScaledSignal<T>::begin() {
  dc_.zero();
  std::ranges::fill(row_exponent_.span(), kNoSignal);
}

template <class T>
void ScaledSignal<T>::continue_behind(const ScaledSignal& later) {
  later.add_direct_to(dh_.data());
  std::ranges::copy(later.dc_.span(), dc_.data());
  std::ranges::copy(later.row_exponent_.span(), row_exponent_.data());
}

template <class T>
void ScaledSignal<T>::add_direct_to(T* dh) const {
  for (std::int64_t i = 0; i < direct_.size(); ++i) dh[i] += direct_[i];
}

// (B, H). Of signals at steps of their own, rows that have none at step t are zero.
template <class T>
const T* ScaledSignal<T>::above_at(std::int64_t t, SignalView<T> above) {
  if (above.at == nullptr) return above.data + (t - above.first_step) * n_;
  take_scattered_signals();
  above_.zero();
  for (std::int64_t b = 0; b < shape_.rows; ++b)
    if (above.at[b] == t) std::copy_n(above.data + b * shape_.hidden, shape_.hidden, above_.data() + b * shape_.hidden);
  return above_.data();
}

template <class T>
void ScaledSignal<T>::add(std::int64_t t, SignalView<T> above) {
  if (!above.reaches(t, shape_.rows)) return;
  const T* data = above_at(t, above);
  for (std::int64_t b = 0; b < shape_.rows; ++b) {
    const std::int64_t at = b * shape_.hidden;
    T* companion = dc_.empty() ? nullptr : dc_.data() + at;
    row_exponent_[b] = add_scaled_row(kernels_, dh_.data() + at, companion, row_exponent_[b], data + at,
                                      above.exponent_at(t, b, shape_.rows), shape_.hidden);
  }
}

template <class T>
bool ScaledSignal<T>::agrees(std::int64_t t, SignalView<T> above, bool through_time, bool has_lengths) const {
  const bool reaches = above.reaches(t, shape_.rows);
  if (!through_time || !reaches) return through_time || reaches;
  for (std::int64_t b = 0; b < shape_.rows; ++b) {
    const std::int32_t f = above.exponent_at(t, b, shape_.rows);
    if (row_exponent_[b] != f && f != kNoSignal && !(has_lengths && row_exponent_[b] == kNoSignal)) return false;
  }
  return true;
}

template <class T>
const T* ScaledSignal<T>::join(std::int64_t t, SignalView<T> above, bool through_time, bool has_lengths) {
  if (!above.reaches(t, shape_.rows)) return nullptr;
  for (std::int64_t b = 0; b < shape_.rows; ++b)
    if (!through_time || (has_lengths && row_exponent_[b] == kNoSignal)) row_exponent_[b] = above.exponent_at(t, b, shape_.rows);
  return above_at(t, above);
}

template <class T>
CellBackward<T> ScaledSignal<T>::at(std::int64_t t) {
  CellBackward<T> step{.rows = shape_.rows, .hidden = shape_.hidden, .dh = dh_.data()};
  step.sum_squares_dh = sum_squares_dh_.data() + t * shape_.rows;
  if (!dc_.empty()) step.dc = dc_.data(), step.sum_squares_dc = sum_squares_dc_.data() + t * shape_.rows;
  step.dz = dz_at(t);
  if (apart()) step.dr = dr_at(t);
  if (gated()) step.dlast = step_of(dlast_, t, shape_.hidden);
  if (!direct_.empty()) step.direct = direct_.data();
  return step;
}

template <class T>
template <class Call>
void ScaledSignal<T>::for_each_gradient(const Call& call) {
  call(dz_, shape_.gate_width);
  if (apart()) call(dr_, shape_.recurrent_width);
  if (gated()) call(dlast_, shape_.hidden);
}

template <class T>
void ScaledSignal<T>::end_rows(std::int64_t t, const StateTape<T>& tape) {
  for (std::int64_t b = 0; b < shape_.rows; ++b) {
    if (!tape.has_ended(t, b)) continue;
    for_each_gradient([&](auto& chunk, std::int64_t width) { std::fill_n(step_of(chunk, t, width) + b * width, width, T{0}); });
    for (auto* carried : {&dh_, &dc_, &direct_})
      if (!carried->empty()) std::fill_n(carried->data() + b * shape_.hidden, shape_.hidden, T{0});
    sum_squares_dh_[t * shape_.rows + b] = 0;
    if (!dc_.empty()) sum_squares_dc_[t * shape_.rows + b] = 0;
  }
}

template <class T>
void ScaledSignal<T>::rescale(std::int64_t t, const Segment& held) {
  const std::int64_t hidden = shape_.hidden;
  for (std::int64_t b = 0; b < shape_.rows; ++b) {
    const std::int64_t row = t * shape_.rows + b;
    double sum_squares = sum_squares_dh_[row];
    if (!dc_.empty()) sum_squares = std::max(sum_squares, sum_squares_dc_[row]);
    norm_exponent_[row] = row_exponent_[b];
    const std::int32_t shift = band_shift(sum_squares);
    if (shift == kNoSignal) {
      row_exponent_[b] = kNoSignal;
    } else if (shift != 0) {
      for_each_gradient([&](auto& chunk, std::int64_t width) { kernels_.scale(width, -shift, step_of(chunk, t, width) + b * width); });
      for (auto* carried : {&dc_, &direct_})
        if (!carried->empty()) kernels_.scale(hidden, -shift, carried->data() + b * hidden);
      row_exponent_[b] += shift;
    }
    step_exponent_[(t - held.first) * shape_.rows + b] = row_exponent_[b];
  }
}

template <class T>
void ScaledSignal<T>::carry(std::int64_t t) {
  std::copy_n(dr_at(t), shape_.rows * shape_.recurrent_width, carried_.data());
}

template <class T>
std::int64_t ScaledSignal<T>::scale_row(std::int64_t r, std::int32_t shift) {
  std::int64_t lost = 0;
  for_each_gradient([&](auto& signal, std::int64_t width) { lost += kernels_.scale(width, shift, signal.data() + r * width); });
  return lost;
}

// Step 0 left f_0 dc_0 in dc and what passes W_hh by in direct, all in units of the rows' exponents.
template <class T>
std::int64_t ScaledSignal<T>::finish_initial(T* dh0, T* dc0) const {
  const std::int64_t hidden = shape_.hidden;
  std::int64_t lost = 0;
  add_direct_to(dh0);
  std::copy_n(dc_.data(), dc_.size(), dc0);
  for (std::int64_t b = 0; b < shape_.rows; ++b) {
    if (row_exponent_[b] == kNoSignal) continue;  // zeros
    lost += restore_size(hidden, row_exponent_[b], dh0 + b * hidden);
    if (!dc_.empty()) lost += restore_size(hidden, row_exponent_[b], dc0 + b * hidden);
  }
  return lost;
}

template struct SignalView<float>;
template struct SignalView<double>;
template class ScaledSignal<float>;
template class ScaledSignal<double>;

}  // namespace vp
