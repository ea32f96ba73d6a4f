#include "models/feed_forward/model.h"

#include <algorithm>
#include <iterator>
#include <type_traits>
#include <utility>

#include "kernels/backend_list.h"
#include "kernels/default_backend.h"

namespace vp {

std::string feed_forward_engine(const RunSpec& spec) { return spec.model.kind == "mlp" ? std::string(default_dense_engine()) : "onednn"; }

template <class T>
FeedForwardModel<T>::FeedForwardModel(const RunSpec& spec, const SequenceShape& shape, std::int64_t rows, FeedForwardPlan plan)
    : Model<T>(spec, shape, std::move(plan.layout),
               make_backend<T>(std::is_same_v<T, double> ? spec.engine.backend : engine_of(spec, feed_forward_engine))),
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
std::vector<GradientPiece> FeedForwardModel<T>::gradient_pieces() const {
  std::vector<GradientPiece> pieces;
  std::int64_t at = 0;
  for (std::size_t l = 0; l < layers_.size(); ++l) {
    const LayerPlan& plan = layers_[l]->plan();
    if (plan.convolution) continue;
    const std::int64_t before = pieces.empty() ? 0 : pieces.back().layer;
    if (plan.weight.offset > at) pieces.push_back({.begin = at, .end = plan.weight.offset, .layer = before});
    std::ranges::move(dense_pieces(plan, static_cast<std::int64_t>(l)), std::back_inserter(pieces));
    at = pieces.back().end;
  }
  const bool has_norms = layers_.front()->plan().norm_weight.has_value();
  if (this->layout().size > at) pieces.push_back({.begin = at, .end = this->layout().size, .layer = has_norms ? 0 : pieces.back().layer});
  return pieces;
}

template <class T>
void WeightProducts<T>::prepare(Backend<T>& backend, std::int64_t units, std::int64_t inputs, std::int64_t rows, Scratch<T>& scratch) {
  Pair& pair = products_[{units, inputs, rows}];
  if (pair.set) return;
  ProductShape shape{.m = units, .n = inputs, .k = rows, .transpose_a = true};
  pair.set = backend.make_product(shape, nullptr);
  shape.accumulate = true;
  pair.add = backend.make_product(shape, nullptr);
  pair.set->work_in(scratch);
  pair.add->work_in(scratch);
}

template <class T>
Product<T>& WeightProducts<T>::product(std::int64_t units, std::int64_t inputs, std::int64_t rows, bool add) {
  Pair& pair = products_.at({units, inputs, rows});
  return add ? *pair.add : *pair.set;
}

template <class T>
std::set<std::string> WeightProducts<T>::implementations() const {
  std::set<std::string> names;
  for (const auto& [shape, pair] : products_) names.insert({pair.set->implementation(), pair.add->implementation()});
  return names;
}

template <class T>
FeedForwardShard<T>::FeedForwardShard(const FeedForwardModel<T>& model, std::int64_t rows) : ModelShard<T>(model, rows), model_(model) {
  std::int64_t widest = 0;
  for (std::int64_t l = 0; l <= model.layer_count(); ++l) {
    layers_.push_back(std::make_unique<FeedForwardLayer<T>>(model.backend(), model.layer(l), l, rows, scratch_));
    const LayerPlan& plan = model.layer(l).plan();
    widest = std::max({widest, plan.size(), l > 0 ? plan.inputs : 0});
  }
  if (model.shape().steps > 1) flat_ = AlignedBuffer<T>(input_.size());
  if (model.turned_channels() > 0) turned_ = AlignedBuffer<T>(rows * model.layer(model.layer_count()).plan().inputs);
  for (AlignedBuffer<T>& signal : signals_) signal = AlignedBuffer<T>(rows * widest);
  dz_ = AlignedBuffer<T>(rows * widest);
  exponent_ = AlignedBuffer<std::int32_t>(rows);
  pieces_ = model.gradient_pieces();
  prepare_pieces(std::span(&rows, 1));
}

template <class T>
void FeedForwardShard<T>::prepare_pieces(std::span<const std::int64_t> rows) {
  for (const GradientPiece& piece : pieces_)
    for (const std::int64_t r : rows)
      if (piece.units > 0) products_.prepare(model_.backend(), piece.units, model_.layer(piece.layer).plan().inputs, r, scratch_);
}

template <class T>
void FeedForwardShard<T>::add_piece(const GradientPiece& piece, const ModelShard<T>& shard, bool add, std::span<const T> changes, T* sum) {
  const auto& from = static_cast<const FeedForwardShard&>(shard);  // of the same model
  Product<T>& product = products_.product(piece.units, model_.layer(piece.layer).plan().inputs, from.rows_, add);
  product.followed_by_change(changes);
  product.run(from.layers_[piece.layer]->dz(piece), from.layer_input(piece.layer), nullptr, sum);
}

template <class T>
void FeedForwardShard<T>::backward(PhaseClock& clock) {
  backward_signals(clock);
  for (const GradientPiece& piece : pieces_)
    if (piece.units > 0) add_piece(piece, *this, false, {}, gradient_.data() + piece.begin);
  clock.lap(Phase::kProduct);
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
const T* FeedForwardShard<T>::layer_input(std::int64_t l) const {
  if (l == 0) return flat_.empty() ? input_.data() : flat_.data();
  return l == model_.layer_count() && !turned_.empty() ? turned_.data() : layers_[l - 1]->output();
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
void FeedForwardShard<T>::forward(std::int64_t l, bool leaves, PhaseClock& clock) {
  const SequenceShape& shape = model_.shape();
  if (l == 0 && !flat_.empty()) flatten_steps(shape.steps, rows_, shape.inputs, input_.data(), flat_.data());
  clock.lap(Phase::kInput);
  const bool is_last = l == model_.layer_count();
  const std::int64_t channels = model_.turned_channels();
  if (is_last && channels > 0) transpose_each(rows_, turned_.size() / rows_ / channels, channels, layers_[l - 1]->output(), turned_.data());
  const DropoutKey dropout{model_.seed(), static_cast<std::uint64_t>(this->update()), this->training_samples()};
  layers_[l]->forward(layer_input(l), dropout, leaves && !is_last ? &model_.layer(l + 1) : nullptr, clock);
  if (is_last) std::copy_n(layers_[l]->output(), logits_.size(), logits_.data());
}

template <class T>
void FeedForwardShard<T>::forward(PhaseClock& clock) {
  for (std::int64_t l = 0; l <= model_.layer_count(); ++l) forward(l, true, clock);
}

template <class T>
void FeedForwardModel<T>::forward(std::span<ModelShard<T>* const> shards, PhaseClock& clock) const {
  for (std::int64_t l = 0; l <= layer_count(); ++l)
    for (ModelShard<T>* shard : shards) static_cast<FeedForwardShard<T>*>(shard)->forward(l, shard == shards.back(), clock);
}

template <class T>
void FeedForwardShard<T>::backward_signals(std::int64_t l, bool leaves, PhaseClock& clock) {
  const bool is_last = l == model_.layer_count();
  if (is_last) {
    std::ranges::fill(exponent_.span(), 0);
    above_ = dlogits_.data();
  }
  T* const below = signals_[l % 2].data();
  layers_[l]->backward(layer_input(l), {above_, exponent_.data()}, dz_.data(), below, gradient_.data(),
                       leaves && l > 0 ? &model_.layer(l - 1) : nullptr, clock);
  above_ = below;
  this->signals_done(l);
  if (!is_last || turned_.empty()) return;
  const std::int64_t channels = model_.turned_channels();
  above_ = signals_[(l + 1) % 2].data();
  transpose_each(rows_, channels, turned_.size() / rows_ / channels, below, above_);
  std::swap(signals_[0], signals_[1]);  // the next layer writes into the other one
}

template <class T>
void FeedForwardShard<T>::backward_signals(PhaseClock& clock) {
  for (std::int64_t l = model_.layer_count(); l >= 0; --l) backward_signals(l, true, clock);
}

template <class T>
void FeedForwardModel<T>::backward_signals(std::span<ModelShard<T>* const> shards, PhaseClock& clock) const {
  for (std::int64_t l = layer_count(); l >= 0; --l)
    for (ModelShard<T>* shard : shards) static_cast<FeedForwardShard<T>*>(shard)->backward_signals(l, shard == shards.back(), clock);
}

template <class T>
std::set<std::string> FeedForwardShard<T>::implementation_names() const {
  std::set<std::string> names;
  for (const auto& layer : layers_) names.merge(layer->implementations());
  names.merge(products_.implementations());
  return names;
}

template class FeedForwardModel<float>;
template class FeedForwardModel<double>;
template class FeedForwardShard<float>;
template class FeedForwardShard<double>;

}  // namespace vp
