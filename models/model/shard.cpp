#include "models/model/shard.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>
#include <type_traits>

#include "kernels/pointwise/losses.h"
#include "models/model/answers.h"
#include "models/spec/padding.h"

namespace vp {

template <class T>
ModelShard<T>::ModelShard(const Model<T>& model, std::int64_t rows)
    : rows_(rows),
      targets_(target_steps(model.shape())),
      gradient_(model.layout().size),
      shape_(model.shape()),
      relu_outputs_(model.relu_outputs()),
      samples_(rows) {
  const std::int64_t m = targets_ * rows;
  const bool values = shape_.target != TargetKind::kClasses;
  const std::int64_t inputs = input_steps(shape_) * rows;
  input_ = AlignedBuffer<T>(shape_.vocabulary > 0 ? 0 : inputs * shape_.inputs);
  tokens_ = AlignedBuffer<std::int32_t>(shape_.vocabulary > 0 ? inputs : 0);
  lengths_ = AlignedBuffer<std::int32_t>(rows);
  std::ranges::fill(lengths_.span(), static_cast<std::int32_t>(shape_.steps));
  classes_ = AlignedBuffer<std::int32_t>(values ? 0 : m);
  values_ = AlignedBuffer<T>(values ? m * shape_.outputs : 0);
  if constexpr (!std::is_same_v<T, float>) staging_ = AlignedBuffer<float>(input_.size() + values_.size());
  logits_ = AlignedBuffer<T>(m * shape_.outputs);
  dlogits_ = AlignedBuffer<T>(m * shape_.outputs);
  row_loss_ = AlignedBuffer<double>(m);
  if (model.one_against_all()) is_class_ = AlignedBuffer<T>(m * shape_.outputs);
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
void ModelShard<T>::fill(const BatchSource& source, Split split, std::span<const std::uint64_t> samples, PhaseClock& clock) {
  filled_ = static_cast<std::int64_t>(samples.size());
  const PaddedSamples padded(samples, rows_);
  std::ranges::copy(padded.span(), samples_.data());
  training_ = split == Split::kTrain;
  SampleRows out{.rows = rows_, .classes = classes_.empty() ? nullptr : classes_.data()};
  out.tokens = tokens_.data();
  if (shape_.variable_length) out.lengths = lengths_.data();
  if constexpr (std::is_same_v<T, float>) {
    out.inputs = input_.data();
    out.values = values_.empty() ? nullptr : values_.data();
    source.fill(split, padded.span(), out);
  } else if (source.in_double()) {
    out.inputs_f64 = input_.data();
    out.values_f64 = values_.empty() ? nullptr : values_.data();
    source.fill(split, padded.span(), out);
  } else {
    out.inputs = staging_.data();
    out.values = values_.empty() ? nullptr : staging_.data() + input_.size();
    source.fill(split, padded.span(), out);
    std::copy_n(staging_.data(), input_.size(), input_.data());
    std::copy_n(staging_.data() + input_.size(), values_.size(), values_.data());
  }
  clear_and_check();
  begin(split, samples[0]);
  clock.lap(Phase::kInput);
}

namespace {

// What is used as an index.
void check_range(const char* what, std::span<const std::int32_t> values, std::int64_t least, std::int64_t most) {
  for (const std::int32_t value : values)
    if (value < least || value > most)
      throw std::out_of_range(std::string("[fill] ") + what + ": expected " + std::to_string(least) + " to " + std::to_string(most) +
                              ", got " + std::to_string(value));
}

}  // namespace

template <class T>
void ModelShard<T>::clear_and_check() {
  check_range("length", lengths_.span(), 1, shape_.steps);
  const std::span<const std::int32_t> lengths = lengths_.span();
  clear_padding(lengths, shape_.inputs, input_.span());
  clear_padding(lengths, 1, tokens_.span());
  if (shape_.target_every_step) clear_padding(lengths, 1, classes_.span());
  if (shape_.target_every_step) clear_padding(lengths, shape_.outputs, values_.span());
  check_range("token", tokens_.span(), 0, shape_.vocabulary - 1);
  check_range("class", classes_.span(), 0, shape_.outputs - 1);
}

template <class T>
void ModelShard<T>::mark_filled(PhaseClock& clock) {
  filled_ = rows_;
  training_ = false;
  clear_and_check();
  begin(Split::kTrain, 0);
  clock.lap(Phase::kInput);
}

// Outputs below 0 become 0; NaN stays.
template <class T>
void ModelShard<T>::cut_outputs() {
  for (T& z : logits_.span()) z = z < 0 ? T{0} : z;
}

template <class T>
void ModelShard<T>::classes_loss(T scale) {
  const std::int64_t m = targets_ * rows_, outputs = shape_.outputs;
  if (is_class_.empty())
    return softmax_cross_entropy(m, outputs, logits_.data(), classes_.data(), scale, dlogits_.data(), row_loss_.data());
  is_class_.zero();
  for (std::int64_t row = 0; row < m; ++row) is_class_[row * outputs + classes_[row]] = T{1};
  sigmoid_cross_entropy(m, outputs, logits_.data(), is_class_.data(), scale, dlogits_.data(), row_loss_.data());
}

// Fills row_loss_ and dlogits_ for every target row.
template <class T>
void ModelShard<T>::loss_rows(T scale) {
  if (relu_outputs_) cut_outputs();
  const std::int64_t m = targets_ * rows_, outputs = shape_.outputs;
  T* dlogits = dlogits_.data();
  switch (shape_.target) {
    case TargetKind::kClasses:
      classes_loss(scale);
      break;
    case TargetKind::kBinary:
      sigmoid_cross_entropy(m, outputs, logits_.data(), values_.data(), scale, dlogits, row_loss_.data());
      break;
    case TargetKind::kValues:
      mean_squared_error(m, outputs, logits_.data(), values_.data(), scale, dlogits, row_loss_.data());
      break;
  }
  if (!relu_outputs_) return;
  for (std::int64_t i = 0; i < logits_.size(); ++i)
    if (logits_[i] == 0) dlogits[i] = 0;
}

template <class T>
ShardScore ModelShard<T>::score(std::int64_t batch_rows, LossAt at, PhaseClock& clock) {
  if (shape_.variable_length && targets_ > 1) return score_own_steps(batch_rows, at, clock);
  const std::int64_t counted = at == LossAt::kLastStep ? 1 : targets_, first = targets_ - counted;
  loss_rows(T{1} / static_cast<T>(batch_rows * counted));
  std::fill_n(dlogits_.data(), first * rows_ * shape_.outputs, T{0});
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

// Where there is a target at every step, and rows have steps of their own: the mean over these, and nothing from behind them.
template <class T>
ShardScore ModelShard<T>::score_own_steps(std::int64_t batch_rows, LossAt at, PhaseClock& clock) {
  const std::int64_t outputs = shape_.outputs;
  loss_rows(T{1} / static_cast<T>(batch_rows));
  ShardScore score;
  for (std::int64_t r = 0; r < rows_; ++r) {
    const std::int64_t last = lengths_[r] - 1, first = at == LossAt::kLastStep ? last : 0, counted = last - first + 1;
    double loss = 0;
    for (std::int64_t s = 0; s < targets_; ++s) {
      const bool counts = s >= first && s <= last;
      T* d = dlogits_.data() + (s * rows_ + r) * outputs;
      for (std::int64_t j = 0; j < outputs; ++j) d[j] = counts ? d[j] / static_cast<T>(counted) : T{0};
      if (counts) loss += row_loss_[s * rows_ + r];
    }
    if (r >= filled_) continue;
    score.loss += loss / static_cast<double>(counted);
    score.correct += correct_share(r);
  }
  clock.lap(Phase::kPointwise);
  return score;
}

template <class T>
double ModelShard<T>::correct_share(std::int64_t row) const {
  const std::int64_t counted = std::min<std::int64_t>(targets_, lengths_[row]);
  std::int64_t correct = 0;
  for (std::int64_t s = 0; s < counted; ++s) correct += is_correct(s * rows_ + row);
  return static_cast<double>(correct) / static_cast<double>(counted);
}

template <class T>
bool ModelShard<T>::is_correct(std::int64_t logit_row) const {
  const std::int64_t outputs = shape_.outputs;
  const T* out = logits_.data() + logit_row * outputs;
  if (shape_.target == TargetKind::kClasses)
    return chosen_class(std::span(out, static_cast<std::size_t>(outputs))) == std::int64_t{classes_[logit_row]};
  const T* target = values_.data() + logit_row * outputs;
  for (std::int64_t j = 0; j < outputs; ++j) {
    if (shape_.target == TargetKind::kBinary ? chosen_yes(out[j]) != (target[j] > T{0.5})
                                             : !(std::abs(static_cast<double>(out[j] - target[j])) < shape_.correct_within))
      return false;
  }
  return true;
}

template <class T>
std::vector<std::string> ModelShard<T>::implementations() const {
  const std::set<std::string> names = implementation_names();
  return {names.begin(), names.end()};
}

template class ModelShard<float>;
template class ModelShard<double>;

}  // namespace vp
