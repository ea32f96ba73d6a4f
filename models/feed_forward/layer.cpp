#include "models/feed_forward/layer.h"

#include <algorithm>

#include "kernels/pointwise/layer_norm.h"
#include "models/base/random.h"
#include "models/model/scaled_rows.h"

namespace vp {

template <class T>
FeedForwardWeights<T>::FeedForwardWeights(Backend<T>& backend, const LayerPlan& plan, std::int64_t rows, bool needs_input_gradient)
    : plan_(plan), needs_input_gradient_(needs_input_gradient) {
  if (plan.convolution) {
    ConvolutionShape shape = *plan.convolution;
    shape.rows = rows;
    convolution_ = backend.make_convolution_weights(shape);
    return;
  }
  forward_ = backend.make_weights({.m = rows, .n = plan.units, .k = plan.inputs, .transpose_b = true, .bias = true, .used_once = true});
  if (needs_input_gradient) backward_ = backend.make_weights({.m = rows, .n = plan.inputs, .k = plan.units, .used_once = true});
}

template <class T>
void FeedForwardWeights<T>::pack(const T* parameters) {
  parameters_ = parameters;
  const T* weight = parameters + plan_.weight.offset;
  if (convolution_) return convolution_->pack(weight);
  forward_->pack(weight);
  if (backward_) backward_->pack(weight);
}

template <class T>
FeedForwardLayer<T>::FeedForwardLayer(Backend<T>& backend, const FeedForwardWeights<T>& weights, std::int64_t index, std::int64_t rows,
                                      Scratch<T>& scratch)
    : weights_(weights), plan_(weights.plan()), kernels_(backend.pointwise()), index_(index), rows_(rows) {
  const std::int64_t size = rows * plan_.size();
  if (plan_.convolution) {
    ConvolutionShape shape = *plan_.convolution;
    shape.rows = rows;
    convolution_ = backend.make_convolution(shape, *weights.convolution());
  } else {
    const std::int64_t n = plan_.units, k = plan_.inputs;
    forward_ = backend.make_product({.m = rows, .n = n, .k = k, .transpose_b = true, .bias = true}, weights.forward());
    forward_->work_in(scratch);
    if (weights.needs_input_gradient()) {
      input_ = backend.make_product({.m = rows, .n = k, .k = n}, weights.backward());
      input_->work_in(scratch);
    }
    dz_ = AlignedBuffer<T>(size);
    pieces_ = dense_pieces(plan_, index);
    if (pieces_.size() > 1) cut_ = AlignedBuffer<T>(size);
  }
  if (plan_.pooling) {
    PoolingShape shape = *plan_.pooling;
    shape.rows = rows;
    pooling_ = backend.make_pooling(shape);
    pooled_ = AlignedBuffer<T>(rows * plan_.outputs);
    unpooled_ = AlignedBuffer<T>(size);
  }
  slope_ = AlignedBuffer<T>(size);
  h_ = AlignedBuffer<T>(size);
  if (plan_.norm_weight) normalized_ = AlignedBuffer<T>(size), norm_gradients_ = AlignedBuffer<double>(2 * plan_.units);
  deviation_ = AlignedBuffer<double>(rows);
  squares_ = AlignedBuffer<double>(rows);
  discarded_ = AlignedBuffer<double>(rows);
  norm_exponent_ = AlignedBuffer<std::int32_t>(rows);
  dz_exponent_ = AlignedBuffer<std::int32_t>(rows);
}

template <class T>
void FeedForwardLayer<T>::measure_activations(bool on) {
  measure_ = on;
  if (!on || !activations_.empty()) return;
  activations_ = AlignedBuffer<Moments>(rows_);
  alive_ = AlignedBuffer<std::uint8_t>(rows_ * plan_.units);
}

template <class T>
void FeedForwardLayer<T>::keep_hidden_gradients() {
  if (kept_dh_.empty()) kept_dh_ = AlignedBuffer<T>(rows_ * plan_.outputs);
}

// slope_ = the pre-activations.
template <class T>
void FeedForwardLayer<T>::affine(const T* x, const FeedForwardWeights<T>* next) {
  const T* bias = weights_.values(plan_.bias);
  if (convolution_) return convolution_->forward(x, bias, slope_.data());
  forward_->followed_by(next ? next->forward() : nullptr);
  forward_->run(x, nullptr, bias, slope_.data());
}

template <class T>
void FeedForwardLayer<T>::forward(const T* x, const DropoutKey& dropout, const FeedForwardWeights<T>* next, PhaseClock& clock) {
  affine(x, next);
  clock.lap(Phase::kProduct);
  if (plan_.norm_weight)
    layer_norm_forward({rows_, plan_.places, plan_.units}, weights_.values(*plan_.norm_weight), weights_.values(*plan_.norm_bias),
                       slope_.data(), normalized_.data(), deviation_.data());
  kernels_.rnn_forward(plan_.activation, rows_ * plan_.size(), slope_.data(), h_.data());
  clock.lap(Phase::kPointwise);
  if (measure_) {
    measure();
    clock.lap(Phase::kProbe);
  }
  if (plan_.dropout > 0 && !dropout.samples.empty()) drop(dropout);
  if (plan_.shortcut)
    for (std::int64_t i = 0; i < h_.size(); ++i) h_[i] += x[i];
  if (pooling_) pooling_->forward(h_.data(), pooled_.data());
  clock.lap(Phase::kPointwise);
}

template <class T>
void FeedForwardLayer<T>::measure() {
  std::ranges::fill(alive_.span(), std::uint8_t{0});
  const std::int64_t n = plan_.size();
  const double steep = kSaturatedSlope * plan_.activation.max_slope;
  for (std::int64_t b = 0; b < rows_; ++b) {
    const T *h = h_.data() + b * n, *slope = slope_.data() + b * n;
    Moments m{.count = static_cast<double>(n)};
    for (std::int64_t i = 0; i < n; ++i) {
      m.sum += static_cast<double>(h[i]);
      m.saturated += std::abs(static_cast<double>(slope[i])) < steep;
      alive_[b * plan_.units + i % plan_.units] |= slope[i] != 0;
    }
    const double mean = m.mean();
    for (std::int64_t i = 0; i < n; ++i) m.squares += (static_cast<double>(h[i]) - mean) * (static_cast<double>(h[i]) - mean);
    activations_[b] = m;
  }
}

// Outputs and slopes of dropped units become zero, those of the others grow, so that the mean stays.
template <class T>
void FeedForwardLayer<T>::drop(const DropoutKey& key) {
  constexpr std::uint64_t kMostLayers = 1 << 20;
  RandomStream of_layer(key.seed, RandomUse::kDropout, key.update * kMostLayers + static_cast<std::uint64_t>(index_));
  const std::uint64_t high = of_layer.bits(), seed = high << 32 | of_layer.bits();
  const T kept = static_cast<T>(1 / (1 - plan_.dropout));
  for (std::int64_t b = 0; b < rows_; ++b) {
    RandomStream random(seed, RandomUse::kDropout, key.samples[b]);
    for (std::int64_t i = b * plan_.size(); i < (b + 1) * plan_.size(); ++i) {
      const T factor = random.uniform() < plan_.dropout ? T{0} : kept;
      h_[i] *= factor;
      slope_[i] *= factor;
    }
  }
}

template <class T>
void FeedForwardLayer<T>::norms_of(const T* dh) {
  for (std::int64_t b = 0; b < rows_; ++b) {
    squares_[b] = 0;
    for (std::int64_t i = b * plan_.outputs; i < (b + 1) * plan_.outputs; ++i)
      squares_[b] += static_cast<double>(dh[i]) * static_cast<double>(dh[i]);
  }
}

template <class T>
void FeedForwardLayer<T>::backward(const T* x, RowSignal<T> signal, T* dz, T* dx, T* gradients, const FeedForwardWeights<T>* next,
                                   PhaseClock& clock) {
  lost_ = 0;
  if (!dz_.empty()) dz = dz_.data();
  std::copy_n(signal.exponent, rows_, norm_exponent_.data());
  if (!kept_dh_.empty()) std::copy_n(signal.data, kept_dh_.size(), kept_dh_.data());
  const T* dh = signal.data;
  if (pooling_) {
    norms_of(dh);
    pooling_->backward(dh, unpooled_.data());
    dh = unpooled_.data();
  }
  kernels_.rnn_backward(rows_, plan_.size(), slope_.data(), dh, dz, pooling_ ? discarded_.data() : squares_.data());
  if (plan_.norm_weight) normalize_backward(dz, signal.exponent, gradients);
  rescale(dz, signal.exponent);
  std::copy_n(signal.exponent, rows_, dz_exponent_.data());
  clock.lap(Phase::kPointwise);
  if (weights_.needs_input_gradient()) input_gradient(signal, dz, dx, next);
  parameter_gradients(x, dz, gradients);
  clock.lap(Phase::kProduct);
}

template <class T>
void FeedForwardLayer<T>::normalize_backward(T* dz, const std::int32_t* exponent, T* gradients) {
  norm_gradients_.zero();
  double *dgain = norm_gradients_.data(), *dbias = dgain + plan_.units;
  layer_norm_backward({rows_, plan_.places, plan_.units}, weights_.values(*plan_.norm_weight), normalized_.data(), deviation_.data(),
                      exponent, dz, dgain, dbias);
  const auto rounded = [](double v) { return static_cast<T>(v); };
  std::transform(dgain, dbias, gradients + plan_.norm_weight->offset, rounded);
  std::transform(dbias, dbias + plan_.units, gradients + plan_.norm_bias->offset, rounded);
}

// Brings rows that drift towards the ends of the float range back to the middle.
template <class T>
void FeedForwardLayer<T>::rescale(T* dz, std::int32_t* exponent) {
  for (std::int64_t b = 0; b < rows_; ++b) {
    const std::int32_t shift = band_shift(squares_[b]);
    if (shift == kNoSignal) {
      exponent[b] = kNoSignal;
    } else if (shift != 0) {
      kernels_.scale(plan_.size(), -shift, dz + b * plan_.size());
      exponent[b] += shift;
    }
  }
}

template <class T>
void FeedForwardLayer<T>::input_gradient(RowSignal<T> signal, const T* dz, T* dx, const FeedForwardWeights<T>* next) {
  if (convolution_) {
    convolution_->backward_input(dz, dx);
  } else {
    input_->followed_by(next ? next->backward() : nullptr);
    input_->run(dz, nullptr, nullptr, dx);
  }
  if (!plan_.shortcut) return;
  for (std::int64_t b = 0; b < rows_; ++b)
    signal.exponent[b] = add_scaled_row<T>(kernels_, dx + b * plan_.inputs, nullptr, signal.exponent[b], signal.data + b * plan_.inputs,
                                           norm_exponent_[b], plan_.inputs);
}

// After the rows got their scale back: here gradients may honestly leave the float range.
template <class T>
void FeedForwardLayer<T>::parameter_gradients(const T* x, T* dz, T* gradients) {
  const std::int64_t size = plan_.size();
  for (std::int64_t b = 0; b < rows_; ++b)
    if (const std::int32_t e = dz_exponent_[b]; e != 0 && e != kNoSignal) lost_ += kernels_.scale(size, e, dz + b * size);
  T* const dbias = gradients + plan_.bias.offset;
  if (convolution_) convolution_->backward_weights(x, dz, gradients + plan_.weight.offset);
  if (!cut_.empty()) cut_signals();
  std::fill_n(dbias, plan_.units, T{0});
  kernels_.add_column_sums(rows_ * plan_.places, plan_.units, dz, dbias);
}

template <class T>
void FeedForwardLayer<T>::cut_signals() {
  for (const GradientPiece& piece : pieces_) {
    const T* from = dz_.data() + piece.first_unit;
    T* to = cut_.data() + rows_ * piece.first_unit;
    for (std::int64_t b = 0; b < rows_; ++b, from += plan_.units, to += piece.units) std::copy_n(from, piece.units, to);
  }
}

template <class T>
std::vector<std::int64_t> FeedForwardLayer<T>::sample_shape() const {
  if (plan_.pooling) return {plan_.units, plan_.pooling->out_height(), plan_.pooling->out_width()};
  if (plan_.convolution) return {plan_.units, plan_.convolution->out_height(), plan_.convolution->out_width()};
  return {plan_.units};
}

template <class T>
std::set<std::string> FeedForwardLayer<T>::implementations() const {
  std::set<std::string> names;
  for (const auto* product : {&forward_, &input_})
    if (*product) names.insert((*product)->implementation());
  if (convolution_) names.insert(convolution_->implementation());
  if (pooling_) names.insert(pooling_->implementation());
  return names;
}

template class FeedForwardWeights<float>;
template class FeedForwardWeights<double>;
template class FeedForwardLayer<float>;
template class FeedForwardLayer<double>;

}  // namespace vp
