// The two-sequence problem of Bengio, Simard & Frasconi 1994, as experiment 3b of Hochreiter & Schmidhuber 1997 (section 5.3) states it:
// the first N of T values say which of two sequences this is, the rest is noise; which one is asked for at the end.
//
// One input: 1 at the first N steps for class 1, -1 for class 0, 0 at all later steps, plus Gaussian noise of variance v at every step.
// Both classes are equally frequent. Nobody can be right more often than Phi(sqrt(N/v)), Phi the normal distribution function: 0.99995 at
// the paper's N = 3, v = 0.2, and 0.987 at N = 1. Deviation: the paper draws the length from T to T + T/10, here it is T.
#include <cmath>

#include "experiments/tasks/task_support.h"

namespace vp {
namespace {

struct TwoSequenceOptions : OptionsOf<TwoSequenceOptions> {
  std::int64_t length = 100, prefix = 3;
  double noise_variance = 0.2;
  SampleCounts samples;

  void visit_fields(FieldVisitor& visitor) override {
    visitor.field({.key = "task.length", .description = "steps T of every sequence", .minimum = 2, .maximum = 1e6}, length);
    visitor.field(
        {.key = "task.prefix", .description = "first steps N that tell the class, below task.length", .minimum = 1, .maximum = 1e6},
        prefix);
    visitor.field(
        {.key = "task.noise_variance", .description = "variance of the Gaussian noise on every step", .minimum = 0, .maximum = 1e6},
        noise_variance);
    samples.visit_fields(visitor);
  }
};

class TwoSequenceSource : public BatchSource {
 public:
  TwoSequenceSource(std::uint64_t seed, const TwoSequenceOptions& options)
      : seed_(seed),
        steps_(options.length),
        prefix_(options.prefix),
        deviation_(std::sqrt(options.noise_variance)),
        samples_(options.samples) {}

  SequenceShape shape() const override { return {.steps = steps_, .inputs = 1, .outputs = 1, .target = TargetKind::kBinary}; }
  std::uint64_t size(Split split) const override { return samples_.size(split); }

  void fill(Split split, std::span<const std::uint64_t> samples, const SampleRows& out) const override {
    for (std::size_t r = 0; r < samples.size(); ++r) {
      check_sample("two_sequence", samples[r], size(split));
      RandomStream random = sample_stream(seed_, split, samples[r]);
      const std::int64_t label = draw(random, 2);
      for (std::int64_t t = 0; t < steps_; ++t) {
        const double signal = t >= prefix_ ? 0 : label == 1 ? 1 : -1;
        out.inputs[t * out.rows + static_cast<std::int64_t>(r)] = static_cast<float>(signal + deviation_ * random.normal());
      }
      out.values[r] = static_cast<float>(label);
    }
  }

 private:
  std::uint64_t seed_;
  std::int64_t steps_, prefix_;
  double deviation_;
  SampleCounts samples_;
};

std::shared_ptr<const BatchSource> make_two_sequence(const TaskContext& context, const TwoSequenceOptions& options) {
  refuse_path(context, "two_sequence");
  refuse_step_targets(context, "two_sequence");
  if (options.prefix >= options.length)
    throw usage_error(
        fmt::format("task.prefix: expected below task.length = {}, got {}; the steps after the prefix are what must be bridged",
                    options.length, options.prefix));
  return std::make_shared<TwoSequenceSource>(context.seed, options);
}

}  // namespace

TaskEntry two_sequence_task() {
  return {.name = "two_sequence",
          .description =
              "one noisy value per step; which of two sequences the first steps began, at the end; generated (Bengio 1994, Hochreiter & "
              "Schmidhuber 1997)",
          .step_targets = false,
          .make_options = make_options<TwoSequenceOptions>,
          .make = [](const TaskContext& context, const Options& options) {
            return make_two_sequence(context, options_as<TwoSequenceOptions>(options));
          }};
}

}  // namespace vp
