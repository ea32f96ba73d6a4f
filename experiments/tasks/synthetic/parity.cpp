// Parity (Bengio, Simard & Frasconi 1994; Hochreiter & Schmidhuber 1996): every step shows 1 or -1 with equal chance; the answer is 1 if
// the number of ones is odd, else 0. It is asked for at the end, or, with model.form = "many_to_many", at every step for the steps so far.
//
// Guessing is right half of the time, and whoever misses one step can do no better. There are 2^T sequences: below some 20 steps those for
// validation and testing have been seen in training, and what is measured is whether the problem is learned, not whether it generalises.
#include "experiments/tasks/task_support.h"

namespace vp {
namespace {

struct ParityOptions : OptionsOf<ParityOptions> {
  std::int64_t length = 10;
  SampleCounts samples;

  void visit_fields(FieldVisitor& visitor) override {
    visitor.field({.key = "task.length", .description = "steps T of every sequence", .minimum = 1, .maximum = 1e6}, length);
    samples.visit_fields(visitor);
  }
};

class ParitySource : public BatchSource {
 public:
  ParitySource(const TaskContext& context, const ParityOptions& options)
      : seed_(context.seed), steps_(options.length), every_step_(context.target_every_step), samples_(options.samples) {}

  SequenceShape shape() const override {
    return {.steps = steps_, .inputs = 1, .outputs = 1, .target = TargetKind::kBinary, .target_every_step = every_step_};
  }
  std::uint64_t size(Split split) const override { return samples_.size(split); }

  void fill(Split split, std::span<const std::uint64_t> samples, const SampleRows& out) const override {
    for (std::size_t r = 0; r < samples.size(); ++r) {
      check_sample("parity", samples[r], size(split));
      RandomStream random = sample_stream(seed_, split, samples[r]);
      bool odd = false;
      for (std::int64_t t = 0; t < steps_; ++t) {
        const std::int64_t row = t * out.rows + static_cast<std::int64_t>(r);
        const bool one = draw(random, 2) == 1;
        odd = odd != one;
        out.inputs[row] = one ? 1.0f : -1.0f;
        if (every_step_) out.values[row] = odd ? 1.0f : 0.0f;
      }
      if (!every_step_) out.values[r] = odd ? 1.0f : 0.0f;
    }
  }

 private:
  std::uint64_t seed_;
  std::int64_t steps_;
  bool every_step_;
  SampleCounts samples_;
};

}  // namespace

TaskEntry parity_task() {
  return {.name = "parity",
          .description = "1 or -1 per step; whether the number of ones is odd, at the end or at every step; generated (Bengio 1994)",
          .step_targets = true,
          .make_options = make_options<ParityOptions>,
          .make = [](const TaskContext& context, const Options& options) -> std::shared_ptr<const BatchSource> {
            refuse_path(context, "parity");
            return std::make_shared<ParitySource>(context, options_as<ParityOptions>(options));
          }};
}

}  // namespace vp
