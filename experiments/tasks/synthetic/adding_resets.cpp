// Adding with resets: a stream of which the past must be forgotten. Every step shows a value and a marker; marker 1 adds the value to a
// sum, marker -1 sets the sum to 0 (the value of that step does not count), marker 0 means nothing. The sum is asked for, at the end or,
// with model.form = "many_to_many" or "stateful", at every step after it was changed. It starts from 0.
//
// Each step draws for itself: reset with probability r = task.reset_share, add with a = task.add_share; values are uniform in [-1, 1). A
// sum over n steps has variance a (1 - (1 - r)^n) / (3 r): the mean squared error of always answering 0 (at the defaults a = 0.3, r = 0.05
// that is 2 on a stream and 1.99 at the end of 100 steps). A cell that adds but cannot forget, like the LSTM of 1997 without its forget
// gate, holds the sum of all values ever added, whose variance a n / 3 grows for ever; since the values have mean 0, no fixed decrement at
// a reset helps: it would have to subtract what it holds. Remembering the reset alone does not help either. A step counts as right if the
// error is below 0.1.
#include "experiments/tasks/task_support.h"

namespace vp {
namespace {

struct AddingResetsOptions : OptionsOf<AddingResetsOptions> {
  std::int64_t length = 100;
  double add_share = 0.3, reset_share = 0.05;
  SampleCounts samples;

  void visit_fields(FieldVisitor& visitor) override {
    visitor.field({.key = "task.length", .description = "steps T of every sequence or window", .minimum = 1, .maximum = 1e6}, length);
    visitor.field({.key = "task.add_share", .description = "share of the steps whose value is added", .minimum = 0.001, .maximum = 0.999},
                  add_share);
    visitor.field({.key = "task.reset_share", .description = "share of the steps that clear the sum", .minimum = 0.001, .maximum = 0.999},
                  reset_share);
    samples.visit_fields(visitor);
  }
};

// What one step shows.
struct Step {
  float value;
  int marker;  // 1 adds, -1 resets, 0 neither
};

class AddingResetsSource : public BatchSource {
 public:
  AddingResetsSource(const TaskContext& context, const AddingResetsOptions& options) : context_(context), options_(options) {}

  SequenceShape shape() const override {
    return {.steps = options_.length,
            .inputs = 2,
            .outputs = 1,
            .target = TargetKind::kValues,
            .target_every_step = has_step_targets(context_),
            .correct_within = 0.1,
            .streams = context_.streams};
  }
  std::uint64_t size(Split split) const override { return options_.samples.size(split, context_.streams); }

  void fill(Split split, std::span<const std::uint64_t> samples, const SampleRows& out) const override {
    for (std::size_t r = 0; r < samples.size(); ++r) {
      check_sample("adding_resets", samples[r], size(split));
      fill_row(split, step_numbers(samples[r], context_.streams, options_.length), static_cast<std::int64_t>(r), out);
    }
  }

 private:
  Step step(Split split, const StepNumbers& steps, std::uint64_t n) const {
    RandomStream random = steps.random(context_.seed, split, n);
    const double kind = random.uniform();
    const int marker = kind < options_.reset_share ? -1 : kind < options_.reset_share + options_.add_share ? 1 : 0;
    return {static_cast<float>(random.uniform(-1, 1)), marker};
  }

  static void apply(const Step& step, double& sum) {
    if (step.marker < 0) sum = 0;
    if (step.marker > 0) sum += static_cast<double>(step.value);
  }

  // The sum after the steps before `first`: back to the last reset, 1 / reset_share steps on average, and forward again.
  double sum_before(Split split, const StepNumbers& steps) const {
    std::uint64_t n = steps.first;
    while (n > 0 && step(split, steps, n - 1).marker >= 0) --n;
    double sum = 0;
    for (; n < steps.first; ++n) apply(step(split, steps, n), sum);
    return sum;
  }

  void fill_row(Split split, const StepNumbers& steps, std::int64_t r, const SampleRows& out) const {
    const bool every_step = has_step_targets(context_);
    double sum = sum_before(split, steps);
    for (std::int64_t t = 0; t < options_.length; ++t) {
      const std::int64_t row = t * out.rows + r;
      const Step now = step(split, steps, steps.first + static_cast<std::uint64_t>(t));
      apply(now, sum);
      out.inputs[2 * row] = now.value;
      out.inputs[2 * row + 1] = static_cast<float>(now.marker);
      if (every_step) out.values[row] = static_cast<float>(sum);
    }
    if (!every_step) out.values[r] = static_cast<float>(sum);
  }

  TaskContext context_;
  AddingResetsOptions options_;
};

std::shared_ptr<const BatchSource> make_adding_resets(const TaskContext& context, const AddingResetsOptions& options) {
  refuse_path(context, "adding_resets");
  if (options.add_share + options.reset_share > 1)
    throw usage_error(fmt::format("task.add_share + task.reset_share: expected at most 1, got {}; a step adds, resets, or does neither",
                                  options.add_share + options.reset_share));
  return std::make_shared<AddingResetsSource>(context, options);
}

}  // namespace

TaskEntry adding_resets_task() {
  return {
      .name = "adding_resets",
      .description =
          "a value and a marker per step, which adds it to a sum or clears the sum; the sum, at the end or at every step, in sequences or "
          "endless streams; generated",
      .step_targets = true,
      .make_options = make_options<AddingResetsOptions>,
      .make = [](const TaskContext& context, const Options& options) {
        return make_adding_resets(context, options_as<AddingResetsOptions>(options));
      }};
}

}  // namespace vp
