#include "models/recurrent/layer_weights.h"

#include <algorithm>

#include "models/recurrent/sequence_layout.h"

namespace vp {

template <class T>
std::optional<FusedShape> fused_shape(const Cell<T>& cell, std::int64_t rows, std::int64_t inputs, std::int64_t hidden) {
  std::optional<FusedShape> shape = cell.fused_shape();
  if (shape) shape->rows = rows, shape->inputs = inputs, shape->hidden = hidden;
  return shape;
}

template std::optional<FusedShape> fused_shape(const Cell<float>&, std::int64_t, std::int64_t, std::int64_t);
template std::optional<FusedShape> fused_shape(const Cell<double>&, std::int64_t, std::int64_t, std::int64_t);

template <class T>
LayerWeights<T>::LayerWeights(Backend<T>& backend, const Cell<T>& cell, const RecurrentTensors& tensors, std::int64_t rows,
                              bool needs_input_gradient)
    : tensors_(tensors),
      recurrence_(cell.recurrence()),
      own_(tensors.own.size()),
      gains_(tensors.gains.size()),
      bias_((biases_added() ? 1 : 2) * tensors.weight_hh.rows) {
  const std::int64_t width = gate_width(), chunk = rows * steps_per_chunk(rows);
  const bool added = recurrence_ == Recurrence::kAdded, normalised = recurrence_ == Recurrence::kNormalised;
  input_forward_ = backend.make_weights({.m = chunk, .n = width, .k = inputs(), .transpose_b = true, .bias = !normalised});
  recurrent_forward_ = backend.make_weights(
      {.m = rows, .n = recurrent_width(), .k = hidden(), .transpose_b = true, .accumulate = added, .bias = !biases_added()});
  recurrent_backward_ = backend.make_weights({.m = rows, .n = hidden(), .k = recurrent_width()});
  if (recurrence_ == Recurrence::kGated) {
    last_forward_ = backend.make_weights({.m = rows, .n = hidden(), .k = hidden(), .transpose_b = true, .bias = true});
    last_backward_ = backend.make_weights({.m = rows, .n = hidden(), .k = hidden()});
  }
  if (needs_input_gradient) input_backward_ = backend.make_weights({.m = chunk, .n = inputs(), .k = width});
  if (const auto shape = fused_shape(cell, rows, inputs(), hidden())) fused_ = backend.make_fused_weights(*shape);
}

template <class T>
void LayerWeights<T>::pack(const T* parameters) {
  const T *weight_ih = parameters + tensors_.weight_ih.offset, *weight_hh = parameters + tensors_.weight_hh.offset;
  const T *bias_ih = parameters + tensors_.bias_ih.offset, *bias_hh = parameters + tensors_.bias_hh.offset;
  for (std::size_t i = 0; i < own_.size(); ++i) own_[i] = parameters + tensors_.own[i].offset;
  for (std::size_t i = 0; i < gains_.size(); ++i) gains_[i] = parameters + tensors_.gains[i].offset;
  if (biases_added()) {
    for (std::int64_t i = 0; i < bias_.size(); ++i) bias_[i] = bias_ih[i] + bias_hh[i];
  } else {
    std::copy_n(bias_ih, gate_width(), bias_.data());
    std::copy_n(bias_hh, gate_width(), bias_.data() + gate_width());
  }
  recurrent_backward_->pack(weight_hh);  // where `above` comes with other exponents, a step is composed all the same
  if (input_backward_) input_backward_->pack(weight_ih);
  const T* const last = weight_hh + recurrent_width() * hidden();
  if (last_backward_) last_backward_->pack(last);
  if (fused_) return fused_->pack(weight_ih, weight_hh, bias_.data());
  input_forward_->pack(weight_ih);
  recurrent_forward_->pack(weight_hh);
  if (last_forward_) last_forward_->pack(last);
}

template class LayerWeights<float>;
template class LayerWeights<double>;

}  // namespace vp
