#include "models/recurrent_layer.h"

#include <algorithm>

#include "models/scaled_rows.h"

namespace vp {
namespace {

template <class T>
std::optional<FusedShape> fused_shape(const Cell<T>& cell, std::int64_t rows, std::int64_t inputs, std::int64_t hidden) {
  std::optional<FusedShape> shape = cell.fused_shape();
  if (shape) shape->rows = rows, shape->inputs = inputs, shape->hidden = hidden;
  return shape;
}

}  // namespace

template <class T>
LayerWeights<T>::LayerWeights(Backend<T>& backend, const Cell<T>& cell, const RecurrentTensors& tensors, std::int64_t rows,
                              bool needs_input_gradient)
    : tensors_(tensors), bias_(tensors.weight_hh.rows) {
  const std::int64_t width = gate_width(), chunk = rows * steps_per_chunk(rows);
  input_forward_ = backend.make_weights({.m = chunk, .n = width, .k = inputs(), .transpose_b = true, .bias = true});
  recurrent_forward_ = backend.make_weights({.m = rows, .n = width, .k = hidden(), .transpose_b = true, .accumulate = true});
  recurrent_backward_ = backend.make_weights({.m = rows, .n = hidden(), .k = width});
  if (needs_input_gradient) input_backward_ = backend.make_weights({.m = chunk, .n = inputs(), .k = width});
  if (const auto shape = fused_shape(cell, rows, inputs(), hidden())) fused_ = backend.make_fused_weights(*shape);
}

template <class T>
void LayerWeights<T>::pack(const T* parameters) {
  const T *weight_ih = parameters + tensors_.weight_ih.offset, *weight_hh = parameters + tensors_.weight_hh.offset;
  const T *bias_ih = parameters + tensors_.bias_ih.offset, *bias_hh = parameters + tensors_.bias_hh.offset;
  for (std::int64_t i = 0; i < bias_.size(); ++i) bias_[i] = bias_ih[i] + bias_hh[i];
  recurrent_backward_->pack(weight_hh);  // where `above` comes with other exponents, a step is composed all the same
  if (input_backward_) input_backward_->pack(weight_ih);
  if (fused_) return fused_->pack(weight_ih, weight_hh, bias_.data());
  input_forward_->pack(weight_ih);
  recurrent_forward_->pack(weight_hh);
}

template <class T>
RecurrentLayer<T>::RecurrentLayer(Backend<T>& backend, const Cell<T>& cell, const LayerWeights<T>& weights, std::int64_t steps,
                                  std::int64_t rows)
    : cell_(cell),
      weights_(weights),
      kernels_(backend.pointwise()),
      steps_(steps),
      rows_(rows),
      inputs_(weights.inputs()),
      hidden_(weights.hidden()),
      width_(weights.gate_width()),
      chunk_steps_(std::min(steps, steps_per_chunk(rows))),
      h_((steps + 1) * rows * hidden_),
      c_(cell.has_cell_state() ? (steps + 1) * rows * hidden_ : 0),
      gates_(steps * rows * width_),
      saved_(steps * rows * hidden_ * cell.saved_blocks()),
      dh_(rows * hidden_),
      dc_(cell.has_cell_state() ? rows * hidden_ : 0),
      dz_(2 * chunk_steps_ * rows * width_),
      input_signal_(weights.input_backward() != nullptr ? steps * rows * inputs_ : 0),
      sum_squares_dh_(steps * rows),
      sum_squares_dc_(cell.has_cell_state() ? steps * rows : 0),
      norm_exponent_(steps * rows),
      dz_exponent_(steps * rows),
      row_exponent_(rows) {
  full_ = make_chunk(backend, chunk_steps_);
  if (steps_ % chunk_steps_ != 0) rest_ = make_chunk(backend, steps_ % chunk_steps_);
  recurrent_ =
      backend.make_product({.m = rows, .n = width_, .k = hidden_, .transpose_b = true, .accumulate = true}, weights.recurrent_forward());
  recurrent_backward_ = backend.make_product({.m = rows, .n = hidden_, .k = width_}, weights.recurrent_backward());
  if (weights.fused() != nullptr) fused_ = backend.make_fused_step(*fused_shape(cell, rows, inputs_, hidden_), *weights.fused());
}

template <class T>
typename RecurrentLayer<T>::ChunkProducts RecurrentLayer<T>::make_chunk(Backend<T>& backend, std::int64_t steps) {
  const std::int64_t m = steps * rows_;
  ChunkProducts chunk;
  chunk.input = backend.make_product({.m = m, .n = width_, .k = inputs_, .transpose_b = true, .bias = true}, weights_.input_forward());
  chunk.weight_ih = backend.make_product({.m = width_, .n = inputs_, .k = m, .transpose_a = true, .accumulate = true}, nullptr);
  chunk.weight_hh = backend.make_product({.m = width_, .n = hidden_, .k = m, .transpose_a = true, .accumulate = true}, nullptr);
  if (weights_.input_backward() != nullptr)
    chunk.input_backward = backend.make_product({.m = m, .n = inputs_, .k = width_}, weights_.input_backward());
  return chunk;
}

template <class T>
void RecurrentLayer<T>::keep_hidden_gradients() {
  if (kept_dh_.empty()) kept_dh_ = AlignedBuffer<T>(steps_ * rows_ * hidden_);
}

template <class T>
void RecurrentLayer<T>::forward(const T* input, PhaseClock& clock) {
  if (fused_)
    fused_forward(input, clock);
  else
    composed_forward(input, clock);
}

template <class T>
void RecurrentLayer<T>::fused_forward(const T* input, PhaseClock& clock) {
  for (std::int64_t t = 0; t < steps_; ++t) {
    const CellForward<T> s = forward_arrays(t);
    fused_->forward(input + t * rows_ * inputs_, t > 0 ? s.h_prev : nullptr, s.gates, s.c_prev, s.c, s.saved, s.h);
  }
  clock.lap(Phase::kProduct);
}

template <class T>
void RecurrentLayer<T>::composed_forward(const T* input, PhaseClock& clock) {
  for (std::int64_t t = 0; t < steps_; ++t) {
    if (t % chunk_steps_ == 0)
      chunk_of(t).input->run(input + t * rows_ * inputs_, nullptr, weights_.bias(), gates_.data() + t * rows_ * width_);
    const CellForward<T> step = forward_arrays(t);
    if (t > 0) recurrent_->run(step.h_prev, nullptr, nullptr, step.gates);  // h_0 = 0
    clock.lap(Phase::kProduct);
    cell_.forward(kernels_, step);
    clock.lap(Phase::kPointwise);
  }
}

template <class T>
CellForward<T> RecurrentLayer<T>::forward_arrays(std::int64_t t) {
  const std::int64_t n = rows_ * hidden_;
  CellForward<T> step{.rows = rows_, .hidden = hidden_, .gates = gates_.data() + t * rows_ * width_, .h_prev = h_.data() + t * n};
  step.h = h_.data() + (t + 1) * n;
  if (!c_.empty()) step.c_prev = c_.data() + t * n, step.c = c_.data() + (t + 1) * n;
  step.saved = saved_.data() + t * n * cell_.saved_blocks();
  return step;
}

template <class T>
void RecurrentLayer<T>::backward(const T* input, SignalView<T> above, T* gradients, PhaseClock& clock) {
  dc_.zero();
  std::ranges::fill(row_exponent_.span(), kNoSignal);
  lost_ = 0;
  for (std::int64_t t = steps_ - 1; t >= 0; --t) {
    step_backward(t, above, t + 1 < steps_ ? dz_at(t + 1) : nullptr, dz_at(t), clock);
    if ((t + 1) % chunk_steps_ == 0 && t + 1 < steps_) finish_chunk(input, t + 1, gradients);  // dz_{t+1} has had its last reader
    clock.lap(Phase::kProduct);
  }
  finish_chunk(input, 0, gradients);
  clock.lap(Phase::kProduct);
  const RecurrentTensors& tensors = weights_.tensors();  // the two biases are added, so their gradients are one
  std::copy_n(gradients + tensors.bias_ih.offset, width_, gradients + tensors.bias_hh.offset);
}

template <class T>
void RecurrentLayer<T>::step_backward(std::int64_t t, SignalView<T> above, const T* dz_next, T* dz, PhaseClock& clock) {
  if (fused_ && (!reaches(t, above) || same_exponents(t, above)))
    fused_backward(t, above, dz_next, dz, clock);
  else
    composed_backward(t, above, dz_next, dz, clock);
  if (!kept_dh_.empty()) std::copy_n(dh_.data(), rows_ * hidden_, kept_dh_.data() + t * rows_ * hidden_);
  rescale(t, dz);
  clock.lap(Phase::kPointwise);
}

template <class T>
CellBackward<T> RecurrentLayer<T>::backward_arrays(std::int64_t t, T* dz) {
  const std::int64_t n = rows_ * hidden_;
  CellBackward<T> step{.rows = rows_, .hidden = hidden_, .gates = gates_at(t), .h_prev = h_.data() + t * n};
  if (!c_.empty()) step.c_prev = c_.data() + t * n, step.dc = dc_.data(), step.sum_squares_dc = sum_squares_dc_.data() + t * rows_;
  step.saved = saved_at(t);
  step.dh = dh_.data();
  step.dz = dz;
  step.sum_squares_dh = sum_squares_dh_.data() + t * rows_;
  return step;
}

template <class T>
void RecurrentLayer<T>::composed_backward(std::int64_t t, SignalView<T> above, const T* dz_next, T* dz, PhaseClock& clock) {
  if (dz_next != nullptr)
    recurrent_backward_->run(dz_next, nullptr, nullptr, dh_.data());  // dL/dh_t through time = dz_{t+1} W_hh
  else
    dh_.zero();
  clock.lap(Phase::kProduct);
  add_above(t, above);
  cell_.backward(kernels_, backward_arrays(t, dz));
}

template <class T>
void RecurrentLayer<T>::fused_backward(std::int64_t t, SignalView<T> above, const T* dz_next, T* dz, PhaseClock& clock) {
  const CellBackward<T> s = backward_arrays(t, dz);
  FusedBackward<T> step{.dz_next = dz_next, .gates = s.gates, .c_prev = s.c_prev, .saved = s.saved};
  if (reaches(t, above)) {
    step.above = above_at(t, above);
    if (dz_next == nullptr) copy_exponents(t, above);
  }
  step.dh = kept_dh_.empty() ? nullptr : dh_.data();
  step.dc = s.dc, step.dz = dz, step.sum_squares_dh = s.sum_squares_dh, step.sum_squares_dc = s.sum_squares_dc;
  fused_->backward(step);
  clock.lap(Phase::kProduct);
}

// At the last step there is nothing to agree with yet. Rows without a signal take any exponent.
template <class T>
bool RecurrentLayer<T>::same_exponents(std::int64_t t, SignalView<T> above) const {
  for (std::int64_t b = 0; b < rows_; ++b) {
    const std::int32_t f = above_exponent(t, b, above);
    if (row_exponent_[b] != f && f != kNoSignal && t + 1 < steps_) return false;
  }
  return true;
}

template <class T>
void RecurrentLayer<T>::copy_exponents(std::int64_t t, SignalView<T> above) {
  for (std::int64_t b = 0; b < rows_; ++b) row_exponent_[b] = above_exponent(t, b, above);
}

// dh_t += what the readout or the next layer sends to this step.
template <class T>
void RecurrentLayer<T>::add_above(std::int64_t t, SignalView<T> above) {
  if (!reaches(t, above)) return;
  const T* data = above_at(t, above);
  for (std::int64_t b = 0; b < rows_; ++b) {
    T* companion = dc_.empty() ? nullptr : dc_.data() + b * hidden_;
    row_exponent_[b] =
        add_scaled_row(dh_.data() + b * hidden_, companion, row_exponent_[b], data + b * hidden_, above_exponent(t, b, above), hidden_);
  }
}

// Books the exponents of step t and brings rows that drift towards the ends of the float range back to the middle.
template <class T>
void RecurrentLayer<T>::rescale(std::int64_t t, T* dz) {
  for (std::int64_t b = 0; b < rows_; ++b) {
    double sum_squares = sum_squares_dh_[t * rows_ + b];
    if (!dc_.empty()) sum_squares = std::max(sum_squares, sum_squares_dc_[t * rows_ + b]);
    norm_exponent_[t * rows_ + b] = row_exponent_[b];
    const std::int32_t shift = band_shift(sum_squares);
    if (shift == kNoSignal) {
      row_exponent_[b] = kNoSignal;
    } else if (shift != 0) {
      scale_row(dz + b * width_, width_, -shift);
      if (!dc_.empty()) scale_row(dc_.data() + b * hidden_, hidden_, -shift);
      row_exponent_[b] += shift;
    }
    dz_exponent_[t * rows_ + b] = row_exponent_[b];
  }
}

// Parameter gradients of a chunk of steps, after the rows got their scale back: here they may honestly leave the float range.
template <class T>
void RecurrentLayer<T>::finish_chunk(const T* input, std::int64_t first, T* gradients) {
  ChunkProducts& chunk = chunk_of(first);
  const RecurrentTensors& tensors = weights_.tensors();
  const std::int64_t m = std::min(chunk_steps_, steps_ - first) * rows_;
  T* dz = dz_at(first);
  if (chunk.input_backward) chunk.input_backward->run(dz, nullptr, nullptr, input_signal_.data() + first * rows_ * inputs_);
  for (std::int64_t r = 0; r < m; ++r) {
    const std::int32_t exponent = dz_exponent_[first * rows_ + r];
    if (exponent != 0 && exponent != kNoSignal) lost_ += scale_row(dz + r * width_, width_, exponent);
  }
  chunk.weight_ih->run(dz, input + first * rows_ * inputs_, nullptr, gradients + tensors.weight_ih.offset);
  chunk.weight_hh->run(dz, h_.data() + first * rows_ * hidden_, nullptr, gradients + tensors.weight_hh.offset);
  kernels_.add_column_sums(m, width_, dz, gradients + tensors.bias_ih.offset);
}

template <class T>
std::set<std::string> RecurrentLayer<T>::implementations() const {
  std::set<std::string> names = {recurrent_->implementation(), recurrent_backward_->implementation()};
  if (fused_) names.insert(fused_->implementation());
  for (const ChunkProducts* chunk : {&full_, &rest_})
    for (const auto* product : {&chunk->input, &chunk->input_backward, &chunk->weight_ih, &chunk->weight_hh})
      if (*product) names.insert((*product)->implementation());
  return names;
}

template class LayerWeights<float>;
template class LayerWeights<double>;
template class RecurrentLayer<float>;
template class RecurrentLayer<double>;

}  // namespace vp
