#include "models/recurrent/bidirectional_shard.h"

namespace vp {

template <class T>
BidirectionalShard<T>::BidirectionalShard(const SequenceModel<T>& model, std::int64_t rows)
    : ModelShard<T>(model, rows),
      model_(model),
      readout_(model.backend(), model.readout(), targets_, rows),
      vectors_(model.make_input_vectors(rows)) {
  for (std::int64_t l = 0; l < model.layer_count(); ++l)
    layers_.push_back(std::make_unique<BidirectionalLayer<T>>(model.backend(), model.cell(), *model.layers()[l], *model.reverse()[l],
                                                              model.shape().steps, rows, lengths_.data()));
  const std::int64_t n = rows * layers_[0]->hidden();
  const bool at_end = !model.shape().target_every_step;
  last_h_ = AlignedBuffer<T>(at_end ? n : 0);
  last_step_ = AlignedBuffer<std::int32_t>(at_end ? rows : 0);
  dh_ = AlignedBuffer<T>(targets_ * n);
  for (const bool reverse : {false, true})
    if (at_end) layers_.back()->direction(reverse).take_scattered_signals();
}

template <class T>
void BidirectionalShard<T>::measure_activations(bool on) {
  for (auto& layer : layers_) layer->measure_activations(on);
}

template <class T>
void BidirectionalShard<T>::keep_hidden_gradients() {
  for (auto& layer : layers_) layer->keep_hidden_gradients();
}

template <class T>
void BidirectionalShard<T>::forward(PhaseClock& clock) {
  first_input_ = vectors_.read(input_.data(), tokens_, lengths_, model_.parameters());
  for (std::int64_t l = 0; l < model_.layer_count(); ++l) layers_[l]->forward(layer_input(l), clock);
  if (!last_h_.empty()) layers_.back()->final_states(last_h_.data());
  readout_.forward(0, targets_, last_h_.empty() ? layers_.back()->outputs() : last_h_.data(), logits_.data());
  clock.lap(Phase::kProduct);
}

template <class T>
void BidirectionalShard<T>::backward(PhaseClock& clock) {
  gradient_.zero();
  for (std::int64_t b = 0; b < last_step_.size(); ++b) last_step_[b] = lengths_[b] - 1;
  readout_.backward(0, targets_, last_h_.empty() ? layers_.back()->outputs() : last_h_.data(), dlogits_.data(), gradient_.data(),
                    dh_.data());
  clock.lap(Phase::kProduct);
  SignalView<T> above{dh_.data(), nullptr, 0, last_step_.data()};
  for (std::int64_t l = model_.layer_count() - 1; l >= 0; --l) {
    layers_[l]->backward(layer_input(l), above, gradient_.data(), clock);
    above = layers_[l]->input_signal();
  }
  layers_[0]->direction(false).count_lost(vectors_.backward({0, model_.shape().steps}, tokens_, above, gradient_.data()));
}

template <class T>
std::set<std::string> BidirectionalShard<T>::implementation_names() const {
  std::set<std::string> names = readout_.implementations();
  for (const auto& layer : layers_) names.merge(layer->implementations());
  return names;
}

template class BidirectionalShard<float>;
template class BidirectionalShard<double>;

}  // namespace vp
