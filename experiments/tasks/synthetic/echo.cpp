// Delayed echo: every step shows a random number and asks for the one of `delay` steps before.
//
// Inputs are uniform in [-1, 1), the target a value, always answering 0 has a mean squared error of 1/3; or, with task.inputs = "bits", 1
// or -1 with equal chance, the target yes for 1, and guessing is right half of the time. Where the delay reaches back before the start of a
// sequence or stream, the target is 0, or no. So with T steps and delay k < T the error of a net without memory is (T - k) / (3 T), its
// accuracy with bits (T + k) / (2 T).
//
// A net whose state is cut every k steps cannot know what was shown before the cut: on a stream its mean squared error is at least
// min(delay, k) / (3 k), its accuracy with bits at most 1 - min(delay, k) / (2 k). model.form = "stateful" carries the state over;
// "many_to_many" with task.start = "middle" cuts it at every window of task.length steps.
#include "experiments/tasks/synthetic/running_inputs.h"

namespace vp {
namespace {

struct EchoOptions : OptionsOf<EchoOptions> {
  std::int64_t delay = 10;
  RunningOptions running;

  void visit_fields(FieldVisitor& visitor) override {
    visitor.field({.key = "task.delay", .description = "steps between a number and its echo", .minimum = 0, .maximum = 1e6}, delay);
    running.visit_fields(visitor);
  }
};

class EchoSource : public BatchSource {
 public:
  EchoSource(const TaskContext& context, const EchoOptions& options) : context_(context), options_(options) {}

  SequenceShape shape() const override {
    return {.steps = options_.running.length,
            .inputs = 1,
            .outputs = 1,
            .target = bits() ? TargetKind::kBinary : TargetKind::kValues,
            .target_every_step = true,
            .streams = context_.streams};
  }
  std::uint64_t size(Split split) const override { return options_.running.samples.size(split, context_.streams); }

  void fill(Split split, std::span<const std::uint64_t> samples, const SampleRows& out) const override {
    const auto delay = static_cast<std::uint64_t>(options_.delay);
    for (std::size_t r = 0; r < samples.size(); ++r) {
      check_sample("echo", samples[r], size(split));
      const RunningInputs inputs(context_, options_.running, options_.delay, split, samples[r]);
      for (std::int64_t t = 0; t < options_.running.length; ++t) {
        const std::int64_t row = t * out.rows + static_cast<std::int64_t>(r);
        const std::uint64_t n = inputs.first() + static_cast<std::uint64_t>(t);
        out.inputs[row] = inputs.at(n);
        out.values[row] = n < delay ? 0 : target(inputs.at(n - delay));
      }
    }
  }

 private:
  bool bits() const { return options_.running.inputs == kBits; }
  float target(float input) const { return bits() && input < 0 ? 0 : input; }

  TaskContext context_;
  EchoOptions options_;
};

}  // namespace

TaskEntry echo_task() {
  return {.name = "echo",
          .description = "a number per step; the number of some steps before, at every step, in sequences or endless streams; generated",
          .step_targets = true,
          .make_options = make_options<EchoOptions>,
          .make = [](const TaskContext& context, const Options& options) -> std::shared_ptr<const BatchSource> {
            const auto& own = options_as<EchoOptions>(options);
            check_running(context, own.running, "echo");
            return std::make_shared<EchoSource>(context, own);
          }};
}

}  // namespace vp
