// A task of one's own in code: a function that draws one sample. Thread-safety: the function is called by many threads at once.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <span>
#include <utility>
#include <vector>

#include "models/spec/batch_source.h"
#include "models/spec/sample_stream.h"

namespace vp {

// What the function fills in; all zero before. Of targets, what the kind of the task has.
struct Sample {
  std::vector<float> inputs;          // (T, I), T the steps that have an input
  std::vector<std::int32_t> classes;  // (T), T the steps that have a target; kClasses
  std::vector<float> values;          // (T, C), likewise; kBinary and kValues
};

// Endless training samples, and as many to validate and to test on as asked for. `random` depends on the seed, the split and the number of
// the sample alone. For tasks of numbers (no tokens) whose samples are equally long.
class FunctionSource final : public BatchSource {
 public:
  using Draw = std::function<void(RandomStream& random, Sample& sample)>;
  FunctionSource(SequenceShape shape, Draw draw, std::uint64_t evaluation_samples = 1000, std::uint64_t seed = 0)
      : shape_(shape), draw_(std::move(draw)), evaluation_(evaluation_samples), seed_(seed) {}

  SequenceShape shape() const override { return shape_; }
  std::uint64_t size(Split split) const override { return split == Split::kTrain ? 0 : evaluation_; }

  void fill(Split split, std::span<const std::uint64_t> samples, const SampleRows& out) const override {
    const std::int64_t steps = input_steps(shape_), targets = target_steps(shape_);
    const bool has_classes = shape_.target == TargetKind::kClasses;
    for (std::int64_t r = 0; r < out.rows; ++r) {
      Sample sample{.inputs = zeros<float>(steps * shape_.inputs),
                    .classes = zeros<std::int32_t>(has_classes ? targets : 0),
                    .values = zeros<float>(has_classes ? 0 : targets * shape_.outputs)};
      RandomStream random = sample_stream(seed_, split, samples[static_cast<std::size_t>(r)]);
      draw_(random, sample);
      for (std::int64_t t = 0; t < steps; ++t) copy(sample.inputs, t, shape_.inputs, out.inputs + (t * out.rows + r) * shape_.inputs);
      for (std::int64_t t = 0; t < targets; ++t) {
        if (has_classes)
          copy(sample.classes, t, 1, out.classes + t * out.rows + r);
        else
          copy(sample.values, t, shape_.outputs, out.values + (t * out.rows + r) * shape_.outputs);
      }
    }
  }

 private:
  template <class T>
  static std::vector<T> zeros(std::int64_t size) {
    return std::vector<T>(static_cast<std::size_t>(size));
  }
  template <class T>
  static void copy(const std::vector<T>& from, std::int64_t step, std::int64_t width, T* to) {
    std::copy_n(from.data() + step * width, width, to);
  }

  SequenceShape shape_;
  Draw draw_;
  std::uint64_t evaluation_, seed_;
};

}  // namespace vp
