#include "models/recurrent/decoder_shard.h"

namespace vp {
namespace {

template <class T>
DecoderShape decoder_shape(const SequenceModel<T>& model, std::int64_t rows) {
  const SequenceShape& s = model.shape();
  return {target_steps(s), rows, model.form() == Form::kOneToMany ? s.inputs : 0, s.outputs, s.target};
}

}  // namespace

template <class T>
DecoderShard<T>::DecoderShard(const SequenceModel<T>& model, std::int64_t rows)
    : ModelShard<T>(model, rows),
      model_(model),
      decoder_(model.backend(), model.cell(), model.decoder().empty() ? model.layers() : model.decoder(), model.readout(),
               decoder_shape(model, rows)),
      vectors_(model.make_input_vectors(rows)) {
  const std::int64_t source = model.shape().source_steps;
  for (std::int64_t l = 0; l < model.layer_count(); ++l) {
    if (!model.decoder().empty())
      encoder_.push_back(std::make_unique<RecurrentLayer<T>>(model.backend(), model.cell(), model.layer(l), source, rows, source));
    if (!encoder_.empty()) start_decoder(l);
    unrolled_.emplace_back(encoder_.empty() ? nullptr : encoder_.back().get(), decoder_, l);
  }
}

template <class T>
void DecoderShard<T>::measure_activations(bool on) {
  for (auto& layer : encoder_) layer->measure_activations(on);
  for (std::int64_t l = 0; l < model_.layer_count(); ++l) decoder_.layer(l).measure_activations(on);
}

template <class T>
void DecoderShard<T>::keep_hidden_gradients() {
  for (auto& layer : encoder_) layer->keep_hidden_gradients();
  for (std::int64_t l = 0; l < model_.layer_count(); ++l) decoder_.layer(l).keep_hidden_gradients();
}

template <class T>
void DecoderShard<T>::begin(Split split, std::uint64_t) {
  teacher_forcing_ = split == Split::kTrain && model_.teacher_forcing();
}

template <class T>
void DecoderShard<T>::forward(PhaseClock& clock) {
  const DecoderTargets<T> targets{classes_.data(), values_.data()};
  if (encoder_.empty()) return decoder_.forward(input_.data(), targets, teacher_forcing_, logits_.data(), clock);
  encode(clock);
  decoder_.forward(nullptr, targets, teacher_forcing_, logits_.data(), clock);
}

template <class T>
void DecoderShard<T>::encode(PhaseClock& clock) {
  const std::int64_t source = model_.shape().source_steps;
  first_input_ = vectors_.read(input_.data(), tokens_, lengths_, model_.parameters());
  for (std::int64_t l = 0; l < model_.layer_count(); ++l) {
    encoder_[l]->forward({0, source}, encoder_input(l), clock);
    start_decoder(l);
  }
}

template <class T>
void DecoderShard<T>::start_decoder(std::int64_t l) {
  const std::int64_t last = model_.shape().source_steps - 1;
  decoder_.layer(l).start_from(encoder_[l]->hidden_at(last), encoder_[l]->cell_at(last));
}

template <class T>
void DecoderShard<T>::backward(PhaseClock& clock) {
  gradient_.zero();
  decoder_.backward(dlogits_.data(), gradient_.data(), clock);
  if (!encoder_.empty()) encoder_backward(clock);
}

template <class T>
void DecoderShard<T>::encoder_backward(PhaseClock& clock) {
  const Segment source{0, model_.shape().source_steps};
  SignalView<T> above;
  for (std::int64_t l = model_.layer_count() - 1; l >= 0; --l) {
    RecurrentLayer<T>& layer = *encoder_[l];
    layer.begin_backward();
    layer.continue_backward(decoder_.layer(l));
    layer.backward(source, encoder_input(l), above, gradient_.data(), clock);
    layer.end_backward(gradient_.data());
    above = layer.input_signal();
  }
  encoder_[0]->count_lost(vectors_.backward(source, tokens_, above, gradient_.data()));
}

template <class T>
std::set<std::string> DecoderShard<T>::implementation_names() const {
  std::set<std::string> names = decoder_.implementations();
  for (const auto& layer : encoder_) names.merge(layer->implementations());
  return names;
}

template class DecoderShard<float>;
template class DecoderShard<double>;

}  // namespace vp
