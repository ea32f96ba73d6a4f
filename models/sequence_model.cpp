#include "models/sequence_model.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <set>
#include <type_traits>

#include "kernels/custom_activation.h"
#include "kernels/default_engine.h"
#include "kernels/losses.h"
#include "models/cell_list.h"

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

std::int64_t target_steps(const SequenceShape& shape) { return shape.target_every_step ? shape.steps : 1; }

}  // namespace

std::string engine_name(const RunSpec& spec) {
  if (spec.engine.backend != "auto") return spec.engine.backend;
  if (spec.engine.precision == "f64") return "reference";
  std::optional<FusedShape> step = make_cell<float>(spec)->fused_shape();
  if (step) step->hidden = spec.model.hidden;
  return std::string(default_engine(step));
}

template <class T>
SequenceModel<T>::SequenceModel(const RunSpec& spec, const SequenceShape& shape, std::int64_t rows)
    : shape_(shape),
      layout_(make_layout(spec.model, shape.inputs, shape.outputs)),
      backend_(make_backend<T>(std::is_same_v<T, double> ? spec.engine.backend : engine_name(spec))),
      cell_(make_cell<T>(spec)),
      parameters_(layout_.size),
      checkpoint_every_steps_(spec.train.checkpoint_every_steps) {
  initialize_parameters(layout_, spec.model, spec.init, static_cast<std::uint64_t>(spec.train.seed), parameters_.data());
  for (std::size_t l = 0; l < layout_.layers.size(); ++l)
    layers_.push_back(std::make_unique<LayerWeights<T>>(*backend_, *cell_, layout_.layers[l], rows, l > 0));
  readout_ = std::make_unique<ReadoutWeights<T>>(*backend_, layout_, rows, std::min(target_steps(shape), steps_per_chunk(rows)));
}

template <class T>
std::int64_t SequenceModel<T>::segment_steps(std::int64_t rows) const {
  const std::int64_t every = checkpoint_every_steps_, chunk = steps_per_chunk(rows);
  return every == 0 ? shape_.steps : std::min(shape_.steps, (every + chunk - 1) / chunk * chunk);
}

template <class T>
void SequenceModel<T>::pack(std::int64_t item) {
  if (item < layer_count()) return layers_[item]->pack(parameters_.data());
  readout_->pack(parameters_.data());
}

template <class T>
void SequenceModel<T>::pack_all() {
  for (std::int64_t item = 0; item < pack_items(); ++item) pack(item);
}

template <class T>
SequenceShard<T>::SequenceShard(const SequenceModel<T>& model, std::int64_t rows)
    : model_(model),
      rows_(rows),
      targets_(target_steps(model.shape())),
      readout_(model.backend(), model.readout(), targets_, rows),
      segment_steps_(model.segment_steps(rows)),
      segments_((model.shape().steps + segment_steps_ - 1) / segment_steps_),
      gradient_(model.layout().size) {
  const SequenceShape& s = model.shape();
  for (std::int64_t l = 0; l < model.layer_count(); ++l)
    layers_.push_back(std::make_unique<RecurrentLayer<T>>(model.backend(), model.cell(), model.layer(l), s.steps, rows, segment_steps_));
  const std::int64_t m = targets_ * rows, hidden = layers_[0]->hidden();
  const bool values = s.target != TargetKind::kClasses;
  input_ = AlignedBuffer<T>(s.steps * rows * s.inputs);
  classes_ = AlignedBuffer<std::int32_t>(values ? 0 : m);
  values_ = AlignedBuffer<T>(values ? m * s.outputs : 0);
  if constexpr (!std::is_same_v<T, float>) staging_ = AlignedBuffer<float>(input_.size() + values_.size());
  logits_ = AlignedBuffer<T>(m * s.outputs);
  dlogits_ = AlignedBuffer<T>(m * s.outputs);
  row_loss_ = AlignedBuffer<double>(m);
  dh_ = AlignedBuffer<T>(std::min(targets_, segment_steps_) * rows * hidden);
}

template <class T>
void SequenceShard<T>::measure_activations(bool on) {
  for (auto& layer : layers_) layer->measure_activations(on);
}

template <class T>
void SequenceShard<T>::keep_hidden_gradients() {
  for (auto& layer : layers_) layer->keep_hidden_gradients();
}

namespace {

// The samples of a shard with the last one repeated up to `rows`, without an allocation.
struct PaddedSamples {
  PaddedSamples(std::span<const std::uint64_t> samples, std::int64_t rows) : size(static_cast<std::size_t>(rows)) {
    for (std::size_t r = 0; r < size; ++r) indices[r] = samples[std::min(r, samples.size() - 1)];
  }
  std::span<const std::uint64_t> span() const { return {indices, size}; }
  std::uint64_t indices[kMaxShardRows];
  std::size_t size;
};

}  // namespace

template <class T>
void SequenceShard<T>::fill(const BatchSource& source, Split split, std::span<const std::uint64_t> samples, PhaseClock& clock) {
  filled_ = static_cast<std::int64_t>(samples.size());
  const PaddedSamples padded(samples, rows_);
  SampleRows out{.rows = rows_, .classes = classes_.empty() ? nullptr : classes_.data()};
  if constexpr (std::is_same_v<T, float>) {
    out.inputs = input_.data();
    out.values = values_.empty() ? nullptr : values_.data();
    source.fill(split, padded.span(), out);
  } else {
    out.inputs = staging_.data();
    out.values = values_.empty() ? nullptr : staging_.data() + input_.size();
    source.fill(split, padded.span(), out);
    std::copy_n(staging_.data(), input_.size(), input_.data());
    std::copy_n(staging_.data() + input_.size(), values_.size(), values_.data());
  }
  clock.lap(Phase::kInput);
}

template <class T>
void SequenceShard<T>::mark_filled(PhaseClock& clock) {
  filled_ = rows_;
  clock.lap(Phase::kInput);
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

// Fills row_loss_ and dlogits_ for every target row.
template <class T>
void SequenceShard<T>::loss_rows(T scale) {
  const std::int64_t m = targets_ * rows_, outputs = model_.shape().outputs;
  T* dlogits = dlogits_.data();
  switch (model_.shape().target) {
    case TargetKind::kClasses:
      softmax_cross_entropy(m, outputs, logits_.data(), classes_.data(), scale, dlogits, row_loss_.data());
      break;
    case TargetKind::kBinary:
      sigmoid_cross_entropy(m, outputs, logits_.data(), values_.data(), scale, dlogits, row_loss_.data());
      break;
    case TargetKind::kValues:
      mean_squared_error(m, outputs, logits_.data(), values_.data(), scale, dlogits, row_loss_.data());
      break;
  }
}

template <class T>
ShardScore SequenceShard<T>::score(std::int64_t batch_rows, LossAt at, PhaseClock& clock) {
  const std::int64_t counted = at == LossAt::kLastStep ? 1 : targets_, first = targets_ - counted;
  loss_rows(T{1} / static_cast<T>(batch_rows * counted));
  std::fill_n(dlogits_.data(), first * rows_ * model_.shape().outputs, T{0});
  ShardScore score;
  for (std::int64_t r = 0; r < filled_; ++r) {
    double loss = 0;
    for (std::int64_t s = first; s < targets_; ++s) loss += row_loss_[s * rows_ + r];
    score.loss += loss / static_cast<double>(counted);
    score.correct += correct_share(r);
  }
  clock.lap(Phase::kPointwise);
  return score;
}

template <class T>
double SequenceShard<T>::correct_share(std::int64_t row) const {
  std::int64_t correct = 0;
  for (std::int64_t s = 0; s < targets_; ++s) correct += is_correct(s * rows_ + row);
  return static_cast<double>(correct) / static_cast<double>(targets_);
}

template <class T>
bool SequenceShard<T>::is_correct(std::int64_t logit_row) const {
  const std::int64_t outputs = model_.shape().outputs;
  const T* out = logits_.data() + logit_row * outputs;
  if (model_.shape().target == TargetKind::kClasses) return std::max_element(out, out + outputs) - out == classes_[logit_row];
  const T* target = values_.data() + logit_row * outputs;
  for (std::int64_t j = 0; j < outputs; ++j) {
    if (model_.shape().target == TargetKind::kBinary ? (out[j] > 0) != (target[j] > T{0.5})
                                                     : !(std::abs(static_cast<double>(out[j] - target[j])) < model_.shape().correct_within))
      return false;
  }
  return true;
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
std::int64_t SequenceShard<T>::bytes() const {
  std::int64_t sum = 0;
  for (const auto& layer : layers_) sum += layer->bytes();
  for (const AlignedBuffer<T>* b : {&input_, &values_, &logits_, &dlogits_, &dh_, &gradient_})
    sum += b->size() * static_cast<std::int64_t>(sizeof(T));
  return sum + staging_.size() * 4 + classes_.size() * 4 + row_loss_.size() * 8;
}

template <class T>
std::vector<std::string> SequenceShard<T>::implementations() const {
  std::set<std::string> names = readout_.implementations();
  for (const auto& layer : layers_) names.merge(layer->implementations());
  return {names.begin(), names.end()};
}

template class SequenceModel<float>;
template class SequenceModel<double>;
template class SequenceShard<float>;
template class SequenceShard<double>;

}  // namespace vp
