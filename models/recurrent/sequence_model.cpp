#include "models/recurrent/sequence_model.h"

#include <algorithm>
#include <optional>
#include <type_traits>

#include "kernels/activation/custom_activation.h"
#include "kernels/backend_list.h"
#include "kernels/default_backend.h"
#include "models/cells/cell_list.h"
#include "models/recurrent/bidirectional_shard.h"
#include "models/recurrent/decoder_shard.h"
#include "models/recurrent/sequence_layout.h"

namespace vp {
namespace {

template <class T>
std::unique_ptr<Cell<T>> make_cell(const RunSpec& spec) {
  const CellEntry& entry = *find_cell(spec.model.cell);
  const Activation activation = resolve_activation(spec.model.activation);
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
    : Model<T>(spec, shape, sequence_layout(spec.model, spec.cell_options.get(), shape),
               make_backend<T>(std::is_same_v<T, double> ? spec.engine.backend : engine_of(spec, sequence_engine))),
      form_(form_of(spec.model)),
      teacher_forcing_(spec.model.teacher_forcing),
      reset_every_(spec.model.reset_every),
      embedding_(spec.model.embedding),
      cell_(make_cell<T>(spec)),
      checkpoint_every_steps_(spec.train.checkpoint_every_steps) {
  const bool values_come_back = feeds_back(form_) && shape.target == TargetKind::kValues;
  add_layers(layers_, spec.model, Part::kForward, rows, embedding_ > 0 || (form_ == Form::kOneToMany && values_come_back));
  if (spec.model.bidirectional) add_layers(reverse_, spec.model, Part::kReverse, rows, embedding_ > 0);
  if (form_ == Form::kSequenceToSequence) add_layers(decoder_, spec.model, Part::kDecoder, rows, values_come_back);
  const std::int64_t chunk = feeds_back(form_) ? 1 : std::min(target_steps(shape), steps_per_chunk(rows));
  readout_ = std::make_unique<ReadoutWeights<T>>(this->backend(), this->layout(), rows, chunk);
}

template <class T>
void SequenceModel<T>::add_layers(Weights& weights, const ModelSpec& model, Part part, std::int64_t rows, bool first_needs_input_gradient) {
  for (std::int64_t l = 0; l < model.layers; ++l)
    weights.push_back(std::make_unique<LayerWeights<T>>(this->backend(), *cell_, recurrent_tensors(this->layout(), l, part), rows,
                                                        l > 0 || first_needs_input_gradient));
}

template <class T>
std::int64_t SequenceModel<T>::segment_steps(std::int64_t rows) const {
  const std::int64_t every = checkpoint_every_steps_, chunk = steps_per_chunk(rows);
  return every == 0 ? this->shape().steps : std::min(this->shape().steps, (every + chunk - 1) / chunk * chunk);
}

template <class T>
InputVectors<T> SequenceModel<T>::make_input_vectors(std::int64_t rows) const {
  const std::int64_t offset = embedding_ > 0 ? this->layout().find("embedding.weight").offset : 0;
  return InputVectors<T>(input_steps(this->shape()), rows, embedding_, offset);
}

template <class T>
std::int64_t SequenceModel<T>::pack_items() const {
  return static_cast<std::int64_t>(layers_.size() + reverse_.size() + decoder_.size()) + 1;
}

template <class T>
void SequenceModel<T>::pack(std::int64_t item) {
  for (const Weights* weights : {&layers_, &reverse_, &decoder_}) {
    const auto count = static_cast<std::int64_t>(weights->size());
    if (item < count) return (*weights)[item]->pack(this->parameters());
    item -= count;
  }
  readout_->pack(this->parameters());
}

template <class T>
std::unique_ptr<ModelShard<T>> SequenceModel<T>::make_shard(std::int64_t rows) const {
  if (feeds_back(form_)) return std::make_unique<DecoderShard<T>>(*this, rows);
  if (!reverse_.empty()) return std::make_unique<BidirectionalShard<T>>(*this, rows);
  return std::make_unique<SequenceShard<T>>(*this, rows);
}

template <class T>
SequenceShard<T>::SequenceShard(const SequenceModel<T>& model, std::int64_t rows)
    : ModelShard<T>(model, rows),
      model_(model),
      readout_(model.backend(), model.readout(), targets_, rows),
      vectors_(model.make_input_vectors(rows)),
      gathers_(model.shape().variable_length && targets_ == 1),
      segment_steps_(model.segment_steps(rows)),
      segments_((model.shape().steps + segment_steps_ - 1) / segment_steps_) {
  const SequenceShape& shape = model.shape();
  for (const auto& weights : model.layers()) {
    layers_.push_back(std::make_unique<RecurrentLayer<T>>(model.backend(), model.cell(), *weights, shape.steps, rows, segment_steps_));
    if (shape.variable_length) layers_.back()->end_rows_at(lengths_.data());
  }
  const std::int64_t n = rows * layers_[0]->hidden();
  dh_ = AlignedBuffer<T>(std::min(targets_, segment_steps_) * n);
  last_h_ = AlignedBuffer<T>(gathers_ ? n : 0);
  last_step_ = AlignedBuffer<std::int32_t>(gathers_ ? rows : 0);
  if (shape.streams > 0)
    for (auto& ends : ends_) ends = AlignedBuffer<T>(model.layer_count() * (model.has_cell_state() ? 2 : 1) * n);
  if (gathers_) layers_.back()->take_scattered_signals();
  begin(Split::kTrain, 0);  // makes what windows start from
}

// A window goes on from the states at the end of the one before, and resets are counted from the stream's start.
template <class T>
void SequenceShard<T>::begin(Split split, std::uint64_t first_sample) {
  const SequenceShape& shape = model_.shape();
  const std::int64_t n = rows_ * layers_[0]->hidden(), every = model_.reset_every();
  const auto window = shape.streams > 0 ? static_cast<std::int64_t>(first_sample) / shape.streams : 0;
  for (auto& layer : layers_) layer->reset_every(every, every > 0 ? window * shape.steps % every : 0);
  if (shape.streams == 0) return;
  stream_set_ = split == Split::kTrain ? 0 : 1;
  if (window == 0) ends_[stream_set_].zero();
  const T* h = ends_[stream_set_].data();
  for (auto& layer : layers_) {
    layer->start_from(h, model_.has_cell_state() ? h + n : nullptr);
    h += model_.has_cell_state() ? 2 * n : n;
  }
}

template <class T>
void SequenceShard<T>::keep_final_states() {
  const std::int64_t n = rows_ * layers_[0]->hidden(), last = model_.shape().steps - 1;
  T* to = ends_[stream_set_].data();
  for (const auto& layer : layers_) {
    to = std::copy_n(layer->hidden_at(last), n, to);
    if (model_.has_cell_state()) to = std::copy_n(layer->cell_at(last), n, to);
  }
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
  return l == 0 ? first_input_ + segment.first * rows_ * model_.layer(0).inputs() : layers_[l - 1]->hidden_states();
}

template <class T>
void SequenceShard<T>::forward(PhaseClock& clock) {
  const SequenceShape& shape = model_.shape();
  first_input_ = vectors_.read(input_.data(), tokens_, lengths_, model_.parameters());
  held_ = segments_ - 1;
  for (std::int64_t i = 0; i < segments_; ++i) {
    for (std::int64_t l = 0; l < model_.layer_count(); ++l) layers_[l]->forward(segment(i), layer_input(l, segment(i)), clock);
    if (gathers_) {
      gather_last_states(segment(i));
      continue;
    }
    const Segment targets = targets_of(segment(i));
    const T* h = layers_.back()->hidden_at(targets.first + shape.steps - targets_);
    if (targets.steps > 0) readout_.forward(targets.first, targets.steps, h, logits_.data() + targets.first * rows_ * shape.outputs);
    clock.lap(Phase::kProduct);
  }
  if (gathers_) readout_.forward(0, 1, last_h_.data(), logits_.data());
  if (shape.streams > 0) keep_final_states();
  clock.lap(Phase::kProduct);
}

template <class T>
void SequenceShard<T>::gather_last_states(Segment segment) {
  const std::int64_t hidden = layers_.back()->hidden();
  for (std::int64_t b = 0; b < rows_; ++b) {
    const std::int64_t last = lengths_[b] - 1;
    if (last < segment.first || last >= segment.end()) continue;
    std::copy_n(layers_.back()->hidden_at(last) + b * hidden, hidden, last_h_.data() + b * hidden);
  }
}

template <class T>
void SequenceShard<T>::backward(PhaseClock& clock) {
  gradient_.zero();
  for (std::int64_t b = 0; gathers_ && b < rows_; ++b) last_step_[b] = lengths_[b] - 1;
  if (gathers_) readout_.backward(0, 1, last_h_.data(), dlogits_.data(), gradient_.data(), dh_.data());
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

// What the readout sends to the top layer in this segment.
template <class T>
SignalView<T> SequenceShard<T>::readout_backward(Segment segment) {
  if (gathers_) return {dh_.data(), nullptr, 0, last_step_.data()};
  const SequenceShape& shape = model_.shape();
  const Segment targets = targets_of(segment);
  if (targets.steps == 0) return {};
  const std::int64_t first_step = targets.first + shape.steps - targets_;
  readout_.backward(targets.first, targets.steps, layers_.back()->hidden_at(first_step),
                    dlogits_.data() + targets.first * rows_ * shape.outputs, gradient_.data(), dh_.data());
  return {dh_.data(), nullptr, first_step};
}

template <class T>
void SequenceShard<T>::backward(Segment segment, PhaseClock& clock) {
  SignalView<T> above = readout_backward(segment);
  clock.lap(Phase::kProduct);
  for (std::int64_t l = model_.layer_count() - 1; l >= 0; --l) {
    layers_[l]->backward(segment, layer_input(l, segment), above, gradient_.data(), clock);
    above = layers_[l]->input_signal();
  }
  layers_[0]->count_lost(vectors_.backward(segment, tokens_, above, gradient_.data()));
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
