#include "models/sequence_model.h"

#include <algorithm>
#include <optional>
#include <type_traits>

#include "kernels/default_engine.h"
#include "models/cell_list.h"

namespace vp {
namespace {

template <class T>
std::unique_ptr<Cell<T>> make_cell(const RunSpec& spec) {
  const CellEntry& entry = *find_cell(spec.model.cell);
  const Activation& activation = *find_activation(spec.model.activation);
  if constexpr (std::is_same_v<T, float>)
    return entry.make_float(spec.cell_options.get(), activation);
  else
    return entry.make_double(spec.cell_options.get(), activation);
}

}  // namespace

std::string sequence_engine(const RunSpec& spec) {
  std::optional<FusedShape> step = make_cell<float>(spec)->fused_shape();
  if (step) step->hidden = spec.model.hidden;
  return std::string(default_engine(step));
}

template <class T>
SequenceModel<T>::SequenceModel(const RunSpec& spec, const SequenceShape& shape, std::int64_t rows)
    : Model<T>(spec, shape, sequence_layout(spec.model, shape.inputs, shape.outputs),
               make_backend<T>(std::is_same_v<T, double> ? spec.engine.backend : engine_name(spec))),
      cell_(make_cell<T>(spec)),
      checkpoint_every_steps_(spec.train.checkpoint_every_steps) {
  const ParameterLayout& layout = this->layout();
  for (std::int64_t l = 0; l < spec.model.layers; ++l)
    layers_.push_back(std::make_unique<LayerWeights<T>>(this->backend(), *cell_, recurrent_tensors(layout, l), rows, l > 0));
  readout_ = std::make_unique<ReadoutWeights<T>>(this->backend(), layout, rows, std::min(target_steps(shape), steps_per_chunk(rows)));
}

template <class T>
std::int64_t SequenceModel<T>::segment_steps(std::int64_t rows) const {
  const std::int64_t every = checkpoint_every_steps_, chunk = steps_per_chunk(rows);
  return every == 0 ? this->shape().steps : std::min(this->shape().steps, (every + chunk - 1) / chunk * chunk);
}

template <class T>
void SequenceModel<T>::pack(std::int64_t item) {
  if (item < layer_count()) return layers_[item]->pack(this->parameters());
  readout_->pack(this->parameters());
}

template <class T>
std::unique_ptr<ModelShard<T>> SequenceModel<T>::make_shard(std::int64_t rows) const {
  return std::make_unique<SequenceShard<T>>(*this, rows);
}

template <class T>
SequenceShard<T>::SequenceShard(const SequenceModel<T>& model, std::int64_t rows)
    : ModelShard<T>(model, rows),
      model_(model),
      readout_(model.backend(), model.readout(), targets_, rows),
      segment_steps_(model.segment_steps(rows)),
      segments_((model.shape().steps + segment_steps_ - 1) / segment_steps_) {
  for (std::int64_t l = 0; l < model.layer_count(); ++l)
    layers_.push_back(
        std::make_unique<RecurrentLayer<T>>(model.backend(), model.cell(), model.layer(l), model.shape().steps, rows, segment_steps_));
  dh_ = AlignedBuffer<T>(std::min(targets_, segment_steps_) * rows * layers_[0]->hidden());
}

template <class T>
void SequenceShard<T>::measure_activations(bool on) {
  for (auto& layer : layers_) layer->measure_activations(on);
}

template <class T>
void SequenceShard<T>::measure_slopes(bool on) {
  for (auto& layer : layers_) layer->measure_slopes(on);
}

template <class T>
void SequenceShard<T>::keep_traces(std::int64_t rows) {
  for (auto& layer : layers_) layer->keep_traces(rows);
}

template <class T>
void SequenceShard<T>::keep_hidden_gradients() {
  for (auto& layer : layers_) layer->keep_hidden_gradients();
}

template <class T>
Segment SequenceShard<T>::segment(std::int64_t index) const {
  const std::int64_t first = index * segment_steps_;
  return {first, std::min(segment_steps_, model_.shape().steps - first)};
}

template <class T>
Segment SequenceShard<T>::targets_of(Segment segment) const {
  const std::int64_t skipped = model_.shape().steps - targets_, first = std::max(segment.first, skipped);
  return {first - skipped, std::max<std::int64_t>(0, segment.end() - first)};
}

template <class T>
const T* SequenceShard<T>::layer_input(std::int64_t l, Segment segment) const {
  return l == 0 ? input_.data() + segment.first * rows_ * model_.shape().inputs : layers_[l - 1]->hidden_states();
}

template <class T>
void SequenceShard<T>::forward(PhaseClock& clock) {
  const SequenceShape& shape = model_.shape();
  held_ = segments_ - 1;
  for (std::int64_t i = 0; i < segments_; ++i) {
    for (std::int64_t l = 0; l < model_.layer_count(); ++l) layers_[l]->forward(segment(i), layer_input(l, segment(i)), clock);
    const Segment targets = targets_of(segment(i));
    const T* h = layers_.back()->hidden_at(targets.first + shape.steps - targets_);
    if (targets.steps > 0) readout_.forward(targets.first, targets.steps, h, logits_.data() + targets.first * rows_ * shape.outputs);
    clock.lap(Phase::kProduct);
  }
}

template <class T>
void SequenceShard<T>::backward(PhaseClock& clock) {
  gradient_.zero();
  for (auto& layer : layers_) layer->begin_backward();
  for (std::int64_t i = segments_ - 1; i >= 0; --i) {
    if (held_ != i) forward_again(segment(i), clock);  // after forward() the last one is still held
    backward(segment(i), clock);
    held_ = i;
  }
  for (auto& layer : layers_) layer->end_backward(gradient_.data());
}

template <class T>
void SequenceShard<T>::forward_again(Segment segment, PhaseClock& clock) {
  for (std::int64_t l = 0; l < model_.layer_count(); ++l) layers_[l]->forward_again(segment, layer_input(l, segment), clock);
}

template <class T>
void SequenceShard<T>::backward(Segment segment, PhaseClock& clock) {
  const SequenceShape& shape = model_.shape();
  const Segment targets = targets_of(segment);
  SignalView<T> above;
  if (targets.steps > 0) {
    const std::int64_t first_step = targets.first + shape.steps - targets_;
    readout_.backward(targets.first, targets.steps, layers_.back()->hidden_at(first_step),
                      dlogits_.data() + targets.first * rows_ * shape.outputs, gradient_.data(), dh_.data());
    above = {dh_.data(), nullptr, first_step};
  }
  clock.lap(Phase::kProduct);
  for (std::int64_t l = model_.layer_count() - 1; l >= 0; --l) {
    layers_[l]->backward(segment, layer_input(l, segment), above, gradient_.data(), clock);
    above = layers_[l]->input_signal();
  }
}

template <class T>
std::int64_t SequenceShard<T>::own_bytes() const {
  std::int64_t sum = dh_.size() * static_cast<std::int64_t>(sizeof(T));
  for (const auto& layer : layers_) sum += layer->bytes();
  return sum;
}

template <class T>
std::set<std::string> SequenceShard<T>::implementation_names() const {
  std::set<std::string> names = readout_.implementations();
  for (const auto& layer : layers_) names.merge(layer->implementations());
  return names;
}

template class SequenceModel<float>;
template class SequenceModel<double>;
template class SequenceShard<float>;
template class SequenceShard<double>;

}  // namespace vp
