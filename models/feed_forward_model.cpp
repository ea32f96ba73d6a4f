#include "models/feed_forward_model.h"

#include <algorithm>
#include <type_traits>
#include <utility>

#include "kernels/default_engine.h"

namespace vp {

std::string feed_forward_engine(const RunSpec& spec) {
  return spec.model.kind == "mlp" ? std::string(default_dense_engine()) : "onednn";
}

template <class T>
FeedForwardModel<T>::FeedForwardModel(const RunSpec& spec, const SequenceShape& shape, std::int64_t rows, FeedForwardPlan plan)
    : Model<T>(spec, shape, std::move(plan.layout), make_backend<T>(std::is_same_v<T, double> ? spec.engine.backend : engine_name(spec))),
      turned_channels_(plan.turned_channels),
      seed_(static_cast<std::uint64_t>(spec.train.seed)) {
  for (const LayerPlan& layer : plan.layers)
    layers_.push_back(std::make_unique<FeedForwardWeights<T>>(this->backend(), layer, rows, !layers_.empty()));
}

template <class T>
std::unique_ptr<ModelShard<T>> FeedForwardModel<T>::make_shard(std::int64_t rows) const {
  return std::make_unique<FeedForwardShard<T>>(*this, rows);
}

template <class T>
FeedForwardShard<T>::FeedForwardShard(const FeedForwardModel<T>& model, std::int64_t rows) : ModelShard<T>(model, rows), model_(model) {
  std::int64_t widest = 0;
  for (std::int64_t l = 0; l <= model.layer_count(); ++l) {
    layers_.push_back(std::make_unique<FeedForwardLayer<T>>(model.backend(), model.layer(l), l, rows));
    const LayerPlan& plan = model.layer(l).plan();
    widest = std::max({widest, plan.size(), l > 0 ? plan.inputs : 0});
  }
  if (model.shape().steps > 1) flat_ = AlignedBuffer<T>(input_.size());
  if (model.turned_channels() > 0) turned_ = AlignedBuffer<T>(rows * model.layer(model.layer_count()).plan().inputs);
  for (AlignedBuffer<T>& signal : signals_) signal = AlignedBuffer<T>(rows * widest);
  dz_ = AlignedBuffer<T>(rows * widest);
  exponent_ = AlignedBuffer<std::int32_t>(rows);
}

template <class T>
void FeedForwardShard<T>::measure_activations(bool on) {
  for (std::int64_t l = 0; l < model_.layer_count(); ++l) layers_[l]->measure_activations(on);
}

template <class T>
void FeedForwardShard<T>::keep_hidden_gradients() {
  for (auto& layer : layers_) layer->keep_hidden_gradients();
}

template <class T>
const T* FeedForwardShard<T>::layer_input(std::size_t l) const {
  if (l == 0) return flat_.empty() ? input_.data() : flat_.data();
  return l + 1 == layers_.size() && !turned_.empty() ? turned_.data() : layers_[l - 1]->output();
}

namespace {

// Every matrix (a, b) of `count` to (b, a).
template <class T>
void transpose_each(std::int64_t count, std::int64_t a, std::int64_t b, const T* from, T* to) {
  for (std::int64_t n = 0; n < count; ++n, from += a * b, to += a * b)
    for (std::int64_t i = 0; i < a; ++i)
      for (std::int64_t j = 0; j < b; ++j) to[j * a + i] = from[i * b + j];
}

// (T, B, I) to (B, T, I).
template <class T>
void flatten_steps(std::int64_t steps, std::int64_t rows, std::int64_t inputs, const T* from, T* to) {
  for (std::int64_t t = 0; t < steps; ++t)
    for (std::int64_t b = 0; b < rows; ++b, from += inputs) std::copy_n(from, inputs, to + (b * steps + t) * inputs);
}

}  // namespace

template <class T>
void FeedForwardShard<T>::forward(PhaseClock& clock) {
  const SequenceShape& shape = model_.shape();
  if (!flat_.empty()) flatten_steps(shape.steps, rows_, shape.inputs, input_.data(), flat_.data());
  clock.lap(Phase::kInput);
  const DropoutKey dropout{model_.seed(), static_cast<std::uint64_t>(this->update()), this->training_samples()};
  for (std::size_t l = 0; l < layers_.size(); ++l) {
    const std::int64_t channels = model_.turned_channels();
    if (l + 1 == layers_.size() && channels > 0)
      transpose_each(rows_, turned_.size() / rows_ / channels, channels, layers_[l - 1]->output(), turned_.data());
    layers_[l]->forward(layer_input(l), dropout, clock);
  }
  std::copy_n(layers_.back()->output(), logits_.size(), logits_.data());
}

template <class T>
void FeedForwardShard<T>::backward(PhaseClock& clock) {
  std::ranges::fill(exponent_.span(), 0);
  T* above = dlogits_.data();
  for (std::size_t l = layers_.size(); l-- > 0;) {
    T* below = signals_[l % 2].data();
    layers_[l]->backward(layer_input(l), {above, exponent_.data()}, dz_.data(), below, gradient_.data(), clock);
    above = below;
    if (l + 1 < layers_.size() || turned_.empty()) continue;
    const std::int64_t channels = model_.turned_channels();
    above = signals_[(l + 1) % 2].data();
    transpose_each(rows_, channels, turned_.size() / rows_ / channels, below, above);
    std::swap(signals_[0], signals_[1]);  // the next layer writes into the other one
  }
}

template <class T>
std::set<std::string> FeedForwardShard<T>::implementation_names() const {
  std::set<std::string> names;
  for (const auto& layer : layers_) names.merge(layer->implementations());
  return names;
}

template <class T>
std::int64_t FeedForwardShard<T>::own_bytes() const {
  std::int64_t sum = 0;
  for (const AlignedBuffer<T>* b : {&flat_, &turned_, &signals_[0], &signals_[1], &dz_})
    sum += b->size() * static_cast<std::int64_t>(sizeof(T));
  for (const auto& layer : layers_) sum += layer->bytes();
  return sum;
}

template class FeedForwardModel<float>;
template class FeedForwardModel<double>;
template class FeedForwardShard<float>;
template class FeedForwardShard<double>;

}  // namespace vp
