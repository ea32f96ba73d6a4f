#include "models/recurrent/decoder.h"

#include <algorithm>

#include "models/model/scaled_rows.h"

namespace vp {

template <class T>
Decoder<T>::Decoder(Backend<T>& backend, const Cell<T>& cell, const std::vector<std::unique_ptr<LayerWeights<T>>>& weights,
                    const ReadoutWeights<T>& readout, const DecoderShape& shape)
    : shape_(shape),
      kernels_(backend.pointwise()),
      width_(shape.given + shape.outputs),
      readout_(backend, readout, shape.steps, shape.rows, 1),
      input_(shape.steps * shape.rows * width_),
      exponent_(shape.rows) {
  for (const auto& w : weights)
    layers_.push_back(std::make_unique<RecurrentLayer<T>>(backend, cell, *w, shape.steps, shape.rows, shape.steps, Stepping::kSteps));
  dh_ = AlignedBuffer<T>(shape.rows * layers_[0]->hidden());
}

template <class T>
void Decoder<T>::forward(const T* given, const DecoderTargets<T>& targets, bool teacher_forcing, T* logits, PhaseClock& clock) {
  const std::int64_t n = shape_.rows * shape_.outputs;
  forced_ = teacher_forcing;
  input_.zero();
  for (std::int64_t b = 0; given != nullptr && b < shape_.rows; ++b)
    std::copy_n(given + b * shape_.given, shape_.given, input_.data() + b * width_);
  for (auto& layer : layers_) layer->begin_steps();
  for (std::int64_t t = 0; t < shape_.steps; ++t) {
    const T* x = input_at(t);
    for (auto& layer : layers_) {
      layer->forward_step(t, x, clock);
      x = layer->hidden_at(t);
    }
    readout_.forward(t, 1, x, logits + t * n);
    clock.lap(Phase::kProduct);
    if (t + 1 < shape_.steps) feed(t, targets, logits + t * n);
  }
}

// y_t, into the input of step t+1.
template <class T>
void Decoder<T>::feed(std::int64_t t, const DecoderTargets<T>& targets, const T* logits) {
  const std::int64_t outputs = shape_.outputs;
  for (std::int64_t b = 0; b < shape_.rows; ++b) {
    const T* out = logits + b * outputs;
    const std::int64_t row = t * shape_.rows + b;
    T* y = input_at(t + 1) + b * width_ + shape_.given;
    if (shape_.target == TargetKind::kClasses) {
      std::fill_n(y, outputs, T{0});
      y[forced_ ? targets.classes[row] : std::max_element(out, out + outputs) - out] = 1;
    } else if (forced_) {
      std::copy_n(targets.values + row * outputs, outputs, y);
    } else if (shape_.target == TargetKind::kBinary) {
      std::transform(out, out + outputs, y, [](T v) { return v > 0 ? T{1} : T{0}; });
    } else {
      std::copy_n(out, outputs, y);
    }
  }
}

template <class T>
void Decoder<T>::backward(T* dlogits, T* gradients, PhaseClock& clock) {
  const std::int64_t outputs = shape_.outputs, rows = shape_.rows, n = rows * outputs;
  const bool fed_back = shape_.target == TargetKind::kValues && !forced_;
  lost_ = 0;
  for (auto& layer : layers_) layer->begin_backward();
  for (std::int64_t t = shape_.steps - 1; t >= 0; --t) {
    T* d = dlogits + t * n;
    std::ranges::fill(exponent_.span(), 0);
    for (std::int64_t b = 0; fed_back && t + 1 < shape_.steps && b < rows; ++b) {
      const SignalView<T> back = layers_[0]->input_signal();
      const std::int64_t row = (t + 1) * rows + b;
      exponent_[b] = add_scaled_row(kernels_, d + b * outputs, static_cast<T*>(nullptr), 0, back.data + row * width_ + shape_.given,
                                    back.exponent[row], outputs);
    }
    readout_.signal(t, 1, d, dh_.data());
    SignalView<T> above{dh_.data(), exponent_.data(), t};
    for (std::int64_t b = 0; b < rows; ++b)
      if (exponent_[b] != 0) lost_ += kernels_.scale(outputs, exponent_[b], d + b * outputs);
    readout_.add_gradients(t, 1, layers_.back()->hidden_at(t), d, gradients);
    clock.lap(Phase::kProduct);
    for (auto l = static_cast<std::int64_t>(layers_.size()) - 1; l >= 0; --l) {
      layers_[l]->backward({t, 1}, l == 0 ? input_.data() : layers_[l - 1]->hidden_states(), above, gradients, clock);
      above = layers_[l]->input_signal();
    }
  }
  for (auto& layer : layers_) layer->end_backward(gradients);
}

template <class T>
std::set<std::string> Decoder<T>::implementations() const {
  std::set<std::string> names = readout_.implementations();
  for (const auto& layer : layers_) names.merge(layer->implementations());
  return names;
}

template class Decoder<float>;
template class Decoder<double>;

}  // namespace vp
