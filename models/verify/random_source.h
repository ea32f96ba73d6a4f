// Samples for checks and tests: inputs and targets drawn from the counter-based generator, any shape.
#pragma once

#include <algorithm>
#include <cstdint>

#include "models/model/shard.h"
#include "models/model_kinds.h"
#include "models/probes/probes.h"
#include "models/spec/batch_source.h"
#include "models/spec/phase_clock.h"
#include "models/spec/sample_stream.h"

namespace vp {

class RandomSource final : public BatchSource {
 public:
  explicit RandomSource(SequenceShape shape, std::uint64_t evaluation_samples = 0, std::uint64_t train_samples = 0)
      : shape_(shape), evaluation_(evaluation_samples), train_(train_samples) {}
  SequenceShape shape() const override { return shape_; }
  std::uint64_t size(Split split) const override { return split == Split::kTrain ? train_ : evaluation_; }

  void fill(Split split, std::span<const std::uint64_t> samples, const SampleRows& out) const override {
    for (std::int64_t r = 0; r < out.rows; ++r) {
      RandomStream random = sample_stream(7, split, samples[r]);
      const std::int64_t length = shape_.variable_length ? 1 + below(random, shape_.steps) : shape_.steps;
      if (shape_.variable_length) out.lengths[r] = static_cast<std::int32_t>(length);
      for (std::int64_t t = 0; t < input_steps(shape_); ++t) fill_input(random, t * out.rows + r, t < length, out);
      for (std::int64_t t = 0; t < target_steps(shape_); ++t) fill_target(random, t * out.rows + r, out);
    }
  }

 private:
  static std::int64_t below(RandomStream& random, std::int64_t n) {
    return static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(n)));
  }
  // Padding is what the contract says: zeros.
  void fill_input(RandomStream& random, std::int64_t row, bool inside, const SampleRows& out) const {
    if (shape_.vocabulary > 0) {
      out.tokens[row] = inside ? static_cast<std::int32_t>(below(random, shape_.vocabulary)) : 0;
      return;
    }
    for (std::int64_t i = 0; i < shape_.inputs; ++i)
      out.inputs[row * shape_.inputs + i] = inside ? static_cast<float>(random.normal()) : 0.0f;
  }
  void fill_target(RandomStream& random, std::int64_t row, const SampleRows& out) const {
    if (shape_.target == TargetKind::kClasses) {
      out.classes[row] = static_cast<std::int32_t>(random.below(static_cast<std::uint64_t>(shape_.outputs)));
      return;
    }
    for (std::int64_t c = 0; c < shape_.outputs; ++c)
      out.values[row * shape_.outputs + c] =
          shape_.target == TargetKind::kBinary ? static_cast<float>(random.below(2)) : static_cast<float>(random.normal());
  }
  SequenceShape shape_;
  std::uint64_t evaluation_, train_;
};

// Zero inputs; the target is 1, so that the gradient at the last step is not zero although the state is.
class ZeroSource final : public BatchSource {
 public:
  explicit ZeroSource(std::int64_t steps) : steps_(steps) {}
  SequenceShape shape() const override { return {.steps = steps_, .inputs = 1, .outputs = 1, .target = TargetKind::kValues}; }
  std::uint64_t size(Split) const override { return 0; }
  void fill(Split, std::span<const std::uint64_t>, const SampleRows& out) const override {
    std::fill_n(out.inputs, steps_ * out.rows, 0.0f);
    std::fill_n(out.values, out.rows, 1.0f);
  }

 private:
  std::int64_t steps_;
};

// Fills the shard with the first samples and runs it forward and backward; returns the mean loss.
template <class Shard>
double run_shard(Shard& shard, const BatchSource& source, LossAt at = LossAt::kTask) {
  PhaseSeconds seconds{};
  PhaseClock clock(seconds);
  std::vector<std::uint64_t> samples(static_cast<std::size_t>(shard.rows()));
  for (std::size_t i = 0; i < samples.size(); ++i) samples[i] = i;
  shard.fill(source, Split::kTrain, samples, clock);
  shard.forward(clock);
  const double loss = shard.score(shard.rows(), at, clock).loss / static_cast<double>(shard.rows());
  shard.backward(clock);
  return loss;
}

// Forward alone, on what the shard holds.
template <class Shard>
double shard_loss(Shard& shard) {
  PhaseSeconds seconds{};
  PhaseClock clock(seconds);
  shard.forward(clock);
  return shard.score(shard.rows(), LossAt::kTask, clock).loss / static_cast<double>(shard.rows());
}

// log10 |dL/dh_t| of the top layer, t = 0 .. T-1, of a new model on its first `rows` samples.
template <class T>
std::vector<double> log10_norms(const RunSpec& spec, const BatchSource& source, std::int64_t rows) {
  const auto model = make_model<T>(spec, source.shape(), rows);
  model->pack_all();
  std::vector<std::unique_ptr<ModelShard<T>>> shards;
  shards.push_back(model->make_shard(rows));
  shards[0]->measure_activations(true);
  run_shard(*shards[0], source);
  const std::span<const T> gradient(shards[0]->gradient(), static_cast<std::size_t>(model->layout().size));
  std::vector<TimestepRow> table;
  probe_timesteps<T>({*model, shards, rows, gradient}, 0, table);
  std::vector<double> norms;
  for (const TimestepRow& row : table)
    if (row.layer == model->layer_count() - 1) norms.push_back(*row.log10_dh);
  return norms;
}

}  // namespace vp
