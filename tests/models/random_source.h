// Samples for tests: inputs and targets drawn from the counter-based generator, any shape.
#pragma once

#include <algorithm>
#include <cstdint>

#include "models/batch_source.h"
#include "models/phase_clock.h"
#include "models/random.h"
#include "models/sequence_model.h"

namespace vp::test {

class RandomSource final : public BatchSource {
 public:
  explicit RandomSource(SequenceShape shape, std::uint64_t evaluation_samples = 0, std::uint64_t train_samples = 0)
      : shape_(shape), evaluation_(evaluation_samples), train_(train_samples) {}
  SequenceShape shape() const override { return shape_; }
  std::uint64_t size(Split split) const override { return split == Split::kTrain ? train_ : evaluation_; }

  void fill(Split split, std::span<const std::uint64_t> samples, const SampleRows& out) const override {
    for (std::int64_t r = 0; r < out.rows; ++r) {
      const auto use = split == Split::kTrain ? RandomUse::kTrain : split == Split::kValidation ? RandomUse::kValidation : RandomUse::kTest;
      RandomStream random(7, use, samples[r]);
      for (std::int64_t t = 0; t < shape_.steps; ++t)
        for (std::int64_t i = 0; i < shape_.inputs; ++i)
          out.inputs[(t * out.rows + r) * shape_.inputs + i] = static_cast<float>(random.normal());
      for (std::int64_t t = 0; t < (shape_.target_every_step ? shape_.steps : 1); ++t) fill_target(random, t * out.rows + r, out);
    }
  }

 private:
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

// One shard of `rows` rows, forward and backward on the first samples; returns the mean loss.
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

}  // namespace vp::test
