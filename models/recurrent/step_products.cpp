#include "models/recurrent/step_products.h"

#include <algorithm>

#include "models/recurrent/sequence_layout.h"

namespace vp {

template <class T>
StepProducts<T>::StepProducts(Backend<T>& backend, const Cell<T>& cell, const LayerWeights<T>& weights, const LayerShape& shape,
                              Stepping stepping)
    : cell_(cell),
      weights_(weights),
      kernels_(backend.pointwise()),
      steps_(shape.steps),
      rows_(shape.rows),
      inputs_(shape.inputs),
      hidden_(shape.hidden),
      width_(shape.gate_width),
      recurrent_width_(shape.recurrent_width),
      chunk_steps_(shape.chunk_steps) {
  full_ = make_chunk(backend, chunk_steps_);
  if (steps_ % chunk_steps_ != 0) rest_ = make_chunk(backend, steps_ % chunk_steps_);
  make_recurrent(backend);
  if (stepping == Stepping::kSteps) {
    step_input_ = backend.make_product({.m = rows_, .n = width_, .k = inputs_, .transpose_b = true, .bias = true}, weights.input_forward());
    if (weights.input_backward() != nullptr)
      step_input_backward_ = backend.make_product({.m = rows_, .n = inputs_, .k = width_}, weights.input_backward());
  }
  if (weights.fused() != nullptr) fused_ = backend.make_fused_step(*fused_shape(cell, rows_, inputs_, hidden_), *weights.fused());

  const bool gated = weights.recurrence() == Recurrence::kGated, normalised = weights.recurrence() == Recurrence::kNormalised;
  for (AlignedBuffer<T>* norm : {&norm_ih_, &norm_hh_}) *norm = AlignedBuffer<T>(normalised ? shape.segment_steps * rows_ * width_ : 0);
  for (AlignedBuffer<T>* inverse : {&inverse_ih_, &inverse_hh_}) *inverse = AlignedBuffer<T>(normalised ? shape.segment_steps * rows_ : 0);
  dx_ = AlignedBuffer<T>(normalised ? chunk_steps_ * rows_ * width_ : 0);
  recurrent_sum_ = AlignedBuffer<T>(weights.biases_added() || fused_ ? 0 : rows_ * recurrent_width_);
  for (AlignedBuffer<T>* array : {&last_sum_, &doperand_}) *array = AlignedBuffer<T>(gated ? rows_ * hidden_ : 0);
  own_gradients_.resize(weights.tensors().own.size());
}

template <class T>
void StepProducts<T>::make_recurrent(Backend<T>& backend) {
  const bool added = weights_.recurrence() == Recurrence::kAdded;
  recurrent_ = backend.make_product(
      {.m = rows_, .n = recurrent_width_, .k = hidden_, .transpose_b = true, .accumulate = added, .bias = !weights_.biases_added()},
      weights_.recurrent_forward());
  recurrent_backward_ = backend.make_product({.m = rows_, .n = hidden_, .k = recurrent_width_}, weights_.recurrent_backward());
  if (weights_.recurrence() != Recurrence::kGated) return;
  last_ = backend.make_product({.m = rows_, .n = hidden_, .k = hidden_, .transpose_b = true, .bias = true}, weights_.last_forward());
  last_backward_ = backend.make_product({.m = rows_, .n = hidden_, .k = hidden_}, weights_.last_backward());
}

template <class T>
typename StepProducts<T>::ChunkProducts StepProducts<T>::make_chunk(Backend<T>& backend, std::int64_t steps) const {
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
void StepProducts<T>::forward(std::int64_t t, const T* x, StateTape<T>& tape, PhaseClock& clock) {
  CellForward<T> step = tape.at(t);
  step.own = weights_.own();
  step.recurrent = recurrent_sum_.data(), step.last = last_sum_.data();
  if (fused_)
    fused_->forward(x, tape.has_previous(t) ? step.h_prev : nullptr, step.gates, step.c_prev, step.c, step.saved, step.h);
  else
    composed_step(t, x, tape, step, clock);
}

template <class T>
void StepProducts<T>::composed_step(std::int64_t t, const T* x, const StateTape<T>& tape, const CellForward<T>& step, PhaseClock& clock) {
  if (normalises()) {
    add_normalised_products(t, x, tape.held(), step);
  } else {
    multiply_input(t, x, step.gates);
    multiply_recurrent(tape.has_previous(t), step);
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
void StepProducts<T>::multiply_input(std::int64_t t, const T* x, T* gates) {
  if (step_input_)
    step_input_->run(x, nullptr, weights_.bias(), gates);
  else if (t % chunk_steps_ == 0)
    chunk_of(t).input->run(x, nullptr, weights_.bias(), gates);
}

template <class T>
void StepProducts<T>::multiply_recurrent(bool has_previous, const CellForward<T>& step) {
  if (weights_.recurrence() == Recurrence::kAdded) {
    if (has_previous) recurrent_->run(step.h_prev, nullptr, nullptr, step.gates);
  } else if (has_previous) {
    recurrent_->run(step.h_prev, nullptr, weights_.recurrent_bias(), recurrent_sum_.data());
  } else {
    T* const sum = recurrent_sum_.data();
    for (std::int64_t b = 0; b < rows_; ++b) std::copy_n(weights_.recurrent_bias(), recurrent_width_, sum + b * recurrent_width_);
  }
}

template <class T>
void StepProducts<T>::add_normalised_products(std::int64_t t, const T* x, const Segment& held, const CellForward<T>& step) {
  T *const from_x = held_at(norm_ih_, held, t, width_), *const from_h = held_at(norm_hh_, held, t, width_);
  if (t % chunk_steps_ == 0) {
    chunk_of(t).input->run(x, nullptr, nullptr, from_x);
    kernels_.normalise(chunk_rows(t), width_, from_x, held_at(inverse_ih_, held, t, 1));
  }
  recurrent_->run(step.h_prev, nullptr, nullptr, from_h);
  kernels_.normalise(rows_, width_, from_h, held_at(inverse_hh_, held, t, 1));
  kernels_.add_normalised(rows_, width_, from_x, weights_.gain(0), from_h, weights_.gain(1), weights_.bias(), step.gates);
}

template <class T>
void StepProducts<T>::backward(std::int64_t t, const StateTape<T>& tape, CellBackward<T> step) {
  const Segment& held = tape.held();
  cell_.backward(kernels_, step);
  if (normalises())
    kernels_.normalise_backward(rows_, width_, step.dz, weights_.gain(1), held_at(norm_hh_, held, t, width_),
                                held_at(inverse_hh_, held, t, 1), step.dr);
  if (!last_backward_) return;
  last_backward_->run(step.dlast, nullptr, nullptr, doperand_.data());
  step.doperand = doperand_.data();
  cell_.operand_backward(kernels_, step);
}

template <class T>
T* StepProducts<T>::input_products(std::int64_t t, T* dz, const StateTape<T>& tape) {
  if (!normalises()) return dz;
  const Segment& held = tape.held();
  kernels_.normalise_backward(chunk_rows(t), width_, dz, weights_.gain(0), held_at(norm_ih_, held, t, width_),
                              held_at(inverse_ih_, held, t, 1), dx_.data());
  return dx_.data();
}

template <class T>
void StepProducts<T>::input_signal(std::int64_t t, const T* dx, T* signal) {
  (one_by_one() ? step_input_backward_ : chunk_of(t).input_backward)->run(dx, nullptr, nullptr, signal);
}

template <class T>
void StepProducts<T>::add_gradients(std::int64_t t, const T* input, const T* dx, ScaledSignal<T>& signal, StateTape<T>& tape,
                                    const RecurrentTensors& tensors, T* gradients) {
  ChunkProducts& chunk = chunk_of(t);
  T* const weight_hh = gradients + tensors.weight_hh.offset;
  chunk.weight_ih->run(dx, input, nullptr, gradients + tensors.weight_ih.offset);
  chunk.weight_hh->run(signal.dr_at(t), tape.previous_hidden(t, chunk_rows(t) / rows_), nullptr, weight_hh);
  if (chunk.weight_last) chunk.weight_last->run(signal.dlast(), tape.operands_at(t), nullptr, weight_hh + recurrent_width_ * hidden_);
  add_vector_gradients(t, signal, tape, tensors, gradients);
}

// Of biases, gains, and what the cell has of its own.
template <class T>
void StepProducts<T>::add_vector_gradients(std::int64_t t, ScaledSignal<T>& signal, StateTape<T>& tape, const RecurrentTensors& tensors,
                                           T* gradients) {
  const std::int64_t rows = chunk_rows(t);
  const Segment& held = tape.held();
  const T *const dz = signal.dz_at(t), *const dr = signal.dr_at(t);
  T* const bias_hh = gradients + tensors.bias_hh.offset;
  kernels_.add_column_sums(rows, width_, dz, gradients + tensors.bias_ih.offset);
  if (!weights_.biases_added()) kernels_.add_column_sums(rows, recurrent_width_, dr, bias_hh);
  if (last_) kernels_.add_column_sums(rows, hidden_, signal.dlast(), bias_hh + recurrent_width_);
  if (!tensors.gains.empty()) {
    kernels_.add_column_dots(rows, width_, dz, width_, held_at(norm_ih_, held, t, width_), gradients + tensors.gains[0].offset);
    kernels_.add_column_dots(rows, width_, dz, width_, held_at(norm_hh_, held, t, width_), gradients + tensors.gains[1].offset);
  }
  if (tensors.own.empty()) return;
  for (std::size_t i = 0; i < tensors.own.size(); ++i) own_gradients_[i] = gradients + tensors.own[i].offset;
  CellOwnGradients<T> own{.rows = rows, .hidden = hidden_, .dz = dz};
  if (tape.has_cell_state()) own.c_prev = tape.previous_cells(t, rows / rows_), own.c = tape.cell_at(t);
  own.own = own_gradients_.data();
  cell_.add_own_gradients(kernels_, own);
}

template <class T>
std::set<std::string> StepProducts<T>::implementations() const {
  std::set<std::string> names = {recurrent_->implementation(), recurrent_backward_->implementation()};
  for (const auto* product : {&last_, &last_backward_, &step_input_, &step_input_backward_})
    if (*product) names.insert((*product)->implementation());
  if (fused_) names.insert(fused_->implementation());
  for (const ChunkProducts* chunk : {&full_, &rest_})
    for (const auto* product : {&chunk->input, &chunk->input_backward, &chunk->weight_ih, &chunk->weight_hh, &chunk->weight_last})
      if (*product) names.insert((*product)->implementation());
  return names;
}

template class StepProducts<float>;
template class StepProducts<double>;

}  // namespace vp
