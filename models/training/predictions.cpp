#include "models/training/predictions.h"

#include <algorithm>
#include <limits>

#include "models/model/answers.h"
#include "models/model/model.h"

namespace vp {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

// Of one target: its outputs, and the rows they become.
class TargetRows {
 public:
  TargetRows(PredictionRow place, std::vector<PredictionRow>& rows) : row_(std::move(place)), rows_(rows) {}

  void classes(std::span<const double> outputs, std::int32_t truth, bool one_against_all) {
    row_.target = truth;
    if (const auto answer = chosen_class(outputs))
      add(static_cast<double>(*answer), class_probabilities(outputs, one_against_all)[static_cast<std::size_t>(*answer)]);
    else
      add(kNaN);
  }

  void yes_or_no(std::int64_t output, double z, double truth) {
    row_.output = output, row_.target = truth;
    if (const auto yes = chosen_yes(z))
      add(*yes ? 1 : 0, sigmoid(*yes ? z : -z));
    else
      add(kNaN);
  }

  void value(std::int64_t output, double z, double truth) {
    row_.output = output, row_.target = truth;
    add(z);
  }

 private:
  void add(double prediction, Number probability = std::nullopt) {
    row_.prediction = prediction, row_.probability = probability;
    rows_.push_back(row_);
  }

  PredictionRow row_;
  std::vector<PredictionRow>& rows_;
};

// at: of the target among (targets, B).
template <class T>
void append_target(const Model<T>& model, ModelShard<T>& shard, std::int64_t at, TargetRows rows) {
  const SequenceShape& shape = model.shape();
  const std::int64_t first = at * shape.outputs;
  const auto logits = shard.logits().subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(shape.outputs));
  const std::vector<double> outputs(logits.begin(), logits.end());
  if (shape.target == TargetKind::kClasses) return rows.classes(outputs, shard.classes()[at], model.one_against_all());
  for (std::int64_t j = 0; j < shape.outputs; ++j) {
    const auto truth = static_cast<double>(shard.values()[first + j]);
    if (shape.target == TargetKind::kBinary)
      rows.yes_or_no(j, outputs[j], truth);
    else
      rows.value(j, outputs[j], truth);
  }
}

}  // namespace

double most_prediction_rows(const SequenceShape& shape, std::uint64_t samples) {
  const std::int64_t outputs = shape.target == TargetKind::kClasses ? 1 : shape.outputs;
  return static_cast<double>(samples) * static_cast<double>(target_steps(shape)) * static_cast<double>(outputs);
}

template <class T>
void append_predictions(const Model<T>& model, ModelShard<T>& shard, const BatchSource& source, Split split,
                        std::span<const std::uint64_t> samples, std::vector<PredictionRow>& rows) {
  const SequenceShape& shape = model.shape();
  const std::int64_t targets = target_steps(shape);
  const bool has_steps = shape.target_every_step || shape.source_steps > 0;
  for (std::int64_t r = 0; r < std::ssize(samples); ++r) {
    PredictionRow place{.split = split, .sample = source.sample_id(split, samples[r])};
    const std::int64_t own = std::min(targets, shard.length(r));  // steps behind the row's end are padding
    for (std::int64_t s = 0; s < own; ++s) {
      if (has_steps) place.t = shape.steps - targets + s;
      append_target(model, shard, s * shard.rows() + r, TargetRows(place, rows));
    }
  }
}
template void append_predictions(const Model<float>&, ModelShard<float>&, const BatchSource&, Split, std::span<const std::uint64_t>,
                                 std::vector<PredictionRow>&);
template void append_predictions(const Model<double>&, ModelShard<double>&, const BatchSource&, Split, std::span<const std::uint64_t>,
                                 std::vector<PredictionRow>&);

}  // namespace vp
