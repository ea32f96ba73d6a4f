#include "models/sequence_model.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <type_traits>

#include "kernels/losses.h"
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

std::int64_t target_steps(const SequenceShape& shape) { return shape.target_every_step ? shape.steps : 1; }

}  // namespace

template <class T>
SequenceModel<T>::SequenceModel(const RunSpec& spec, const SequenceShape& shape, std::int64_t rows)
    : shape_(shape),
      layout_(make_layout(spec.model, shape.inputs, shape.outputs)),
      backend_(make_backend<T>(spec.engine.backend)),
      cell_(make_cell<T>(spec)),
      parameters_(layout_.size) {
  initialize_parameters(layout_, spec.model, spec.init, static_cast<std::uint64_t>(spec.train.seed), parameters_.data());
  for (std::size_t l = 0; l < layout_.layers.size(); ++l)
    layers_.push_back(std::make_unique<LayerWeights<T>>(*backend_, *cell_, layout_.layers[l], rows, l > 0));
  const std::int64_t m = rows * target_steps(shape), hidden = spec.model.hidden;
  readout_forward_ = backend_->make_weights({.m = m, .n = shape.outputs, .k = hidden, .transpose_b = true, .bias = true});
  readout_backward_ = backend_->make_weights({.m = m, .n = hidden, .k = shape.outputs});
}

template <class T>
void SequenceModel<T>::pack(std::int64_t item) {
  if (item < layer_count()) return layers_[item]->pack(parameters_.data());
  readout_forward_->pack(parameters_.data() + layout_.readout_weight.offset);
  readout_backward_->pack(parameters_.data() + layout_.readout_weight.offset);
}

template <class T>
void SequenceModel<T>::pack_all() {
  for (std::int64_t item = 0; item < pack_items(); ++item) pack(item);
}

template <class T>
SequenceShard<T>::SequenceShard(const SequenceModel<T>& model, std::int64_t rows)
    : model_(model), rows_(rows), targets_(target_steps(model.shape())), gradient_(model.layout().size) {
  const SequenceShape& s = model.shape();
  for (std::int64_t l = 0; l < model.layer_count(); ++l)
    layers_.push_back(std::make_unique<RecurrentLayer<T>>(model.backend(), model.cell(), model.layer(l), s.steps, rows));
  const std::int64_t m = targets_ * rows, hidden = layers_[0]->hidden();
  readout_ =
      model.backend().make_product({.m = m, .n = s.outputs, .k = hidden, .transpose_b = true, .bias = true}, model.readout_forward());
  readout_backward_ = model.backend().make_product({.m = m, .n = hidden, .k = s.outputs}, model.readout_backward());
  readout_weight_ = model.backend().make_product({.m = s.outputs, .n = hidden, .k = m, .transpose_a = true, .accumulate = true}, nullptr);
  const bool values = s.target != TargetKind::kClasses;
  input_ = AlignedBuffer<T>(s.steps * rows * s.inputs);
  classes_ = AlignedBuffer<std::int32_t>(values ? 0 : m);
  values_ = AlignedBuffer<T>(values ? m * s.outputs : 0);
  if constexpr (!std::is_same_v<T, float>) staging_ = AlignedBuffer<float>(input_.size() + values_.size());
  logits_ = AlignedBuffer<T>(m * s.outputs);
  dlogits_ = AlignedBuffer<T>(m * s.outputs);
  row_loss_ = AlignedBuffer<double>(m);
  dh_ = AlignedBuffer<T>(m * hidden);
}

template <class T>
void SequenceShard<T>::keep_hidden_gradients() {
  for (auto& layer : layers_) layer->keep_hidden_gradients();
}

namespace {

constexpr std::int64_t kMaxRows = 4096;  // of a shard

// The samples of a shard with the last one repeated up to `rows`, without an allocation.
struct PaddedSamples {
  PaddedSamples(std::span<const std::uint64_t> samples, std::int64_t rows) : size(static_cast<std::size_t>(rows)) {
    for (std::size_t r = 0; r < size; ++r) indices[r] = samples[std::min(r, samples.size() - 1)];
  }
  std::span<const std::uint64_t> span() const { return {indices, size}; }
  std::uint64_t indices[kMaxRows];
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
void SequenceShard<T>::forward(PhaseClock& clock) {
  for (std::int64_t l = 0; l < model_.layer_count(); ++l) layers_[l]->forward(layer_input(l), clock);
  const RecurrentLayer<T>& top = *layers_.back();
  const T* h = top.hidden_at(top.steps() - targets_);
  readout_->run(h, nullptr, model_.parameters() + model_.layout().readout_bias.offset, logits_.data());
  clock.lap(Phase::kProduct);
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
  const ParameterLayout& layout = model_.layout();
  gradient_.zero();
  const RecurrentLayer<T>& top = *layers_.back();
  const std::int64_t first = top.steps() - targets_, m = targets_ * rows_;
  readout_weight_->run(dlogits_.data(), top.hidden_at(first), nullptr, gradient_.data() + layout.readout_weight.offset);
  model_.backend().pointwise().add_column_sums(m, model_.shape().outputs, dlogits_.data(), gradient_.data() + layout.readout_bias.offset);
  readout_backward_->run(dlogits_.data(), nullptr, nullptr, dh_.data());
  clock.lap(Phase::kProduct);
  SignalView<T> above{dh_.data(), nullptr, first};
  for (std::int64_t l = model_.layer_count() - 1; l >= 0; --l) {
    layers_[l]->backward(layer_input(l), above, gradient_.data(), clock);
    above = layers_[l]->input_signal();
  }
}

template <class T>
std::vector<std::string> SequenceShard<T>::implementations() const {
  std::set<std::string> names = {readout_->implementation(), readout_backward_->implementation(), readout_weight_->implementation()};
  for (const auto& layer : layers_) names.merge(layer->implementations());
  return {names.begin(), names.end()};
}

template class SequenceModel<float>;
template class SequenceModel<double>;
template class SequenceShard<float>;
template class SequenceShard<double>;

}  // namespace vp
