// Running sum: every step shows a random number x and asks for the sum of the last N of them, this one included, divided by sqrt(N).
//
// With N = T, the default, in the form many_to_many that is the sum of all numbers so far: one state that accumulates. A shorter span must
// also forget, each number when its time is over; on a stream (model.form = "stateful") it bounds the sum, which would otherwise grow
// without end. N = 0 stands for T. Inputs are uniform in [-1, 1) with variance v = 1/3, or, with task.inputs = "bits", 1 or -1, v = 1.
//
// What came before the start of a sequence or stream counts as zeros. Always answering 0 has a mean squared error of v on a stream, and of
// v (T + 1) / (2 T) over sequences with N = T. A net whose state is cut every k steps misses the numbers before the cut: on a stream its
// error is at least v / (N k) sum_{j=1}^{min(N-1, k)} (N - j), with k >= N that is v (N - 1) / (2 k). model.form = "stateful" carries the
// state over; "many_to_many" with task.start = "middle" cuts it at every window of task.length steps. With bits a step counts as right if
// the error is below half of the smallest difference between two sums, 1 / sqrt(N); with values there is no accuracy.
#include <cmath>

#include "experiments/tasks/synthetic/running_inputs.h"

namespace vp {
namespace {

struct RunningSumOptions : OptionsOf<RunningSumOptions> {
  std::int64_t span = 0;
  RunningOptions running;

  void visit_fields(FieldVisitor& visitor) override {
    visitor.field({.key = "task.span", .description = "last numbers that are added up, N; 0: task.length", .minimum = 0, .maximum = 1e6},
                  span);
    running.visit_fields(visitor);
  }
};

class RunningSumSource : public BatchSource {
 public:
  RunningSumSource(const TaskContext& context, const RunningSumOptions& options)
      : context_(context),
        options_(options.running),
        span_(options.span == 0 ? options.running.length : options.span),
        scale_(1 / std::sqrt(static_cast<double>(span_))) {}

  SequenceShape shape() const override {
    return {.steps = options_.length,
            .inputs = 1,
            .outputs = 1,
            .target = TargetKind::kValues,
            .target_every_step = true,
            .correct_within = options_.inputs == kBits ? scale_ : 0,
            .streams = context_.streams};
  }
  std::uint64_t size(Split split) const override { return options_.samples.size(split, context_.streams); }

  void fill(Split split, std::span<const std::uint64_t> samples, const SampleRows& out) const override {
    for (std::size_t r = 0; r < samples.size(); ++r) {
      check_sample("running_sum", samples[r], size(split));
      fill_row(RunningInputs(context_, options_, span_ - 1, split, samples[r]), static_cast<std::int64_t>(r), out);
    }
  }

 private:
  // Inputs are whole multiples of 2^-31: sums in double are exact, so they do not depend on where a window starts.
  void fill_row(const RunningInputs& inputs, std::int64_t r, const SampleRows& out) const {
    const auto span = static_cast<std::uint64_t>(span_);
    const std::uint64_t first = inputs.first();
    double sum = 0;
    for (std::uint64_t n = first < span ? 0 : first - span; n < first; ++n) sum += static_cast<double>(inputs.at(n));
    for (std::uint64_t n = first; n < first + static_cast<std::uint64_t>(options_.length); ++n) {
      const std::int64_t row = static_cast<std::int64_t>(n - first) * out.rows + r;
      out.inputs[row] = inputs.at(n);
      sum += static_cast<double>(out.inputs[row]);
      if (n >= span) sum -= static_cast<double>(inputs.at(n - span));
      out.values[row] = static_cast<float>(sum * scale_);
    }
  }

  TaskContext context_;
  RunningOptions options_;
  std::int64_t span_;
  double scale_;
};

}  // namespace

TaskEntry running_sum_task() {
  return {.name = "running_sum",
          .description =
              "a number per step; the sum of the last ones or of all so far, at every step, in sequences or endless streams; generated",
          .step_targets = true,
          .make_options = make_options<RunningSumOptions>,
          .make = [](const TaskContext& context, const Options& options) -> std::shared_ptr<const BatchSource> {
            const auto& own = options_as<RunningSumOptions>(options);
            check_running(context, own.running, "running_sum");
            return std::make_shared<RunningSumSource>(context, own);
          }};
}

}  // namespace vp
