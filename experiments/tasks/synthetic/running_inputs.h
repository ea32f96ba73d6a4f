// Sequences and streams of independent random numbers, one per step, whose targets look back: what the tasks echo and running_sum share.
// Thread-safety: pure functions of options and sample.
#pragma once

#include "experiments/tasks/task_support.h"

namespace vp {

inline constexpr std::string_view kFractions = "values", kBits = "bits";      // task.inputs
inline constexpr std::string_view kAtZero = "zero", kInTheMiddle = "middle";  // task.start

struct RunningOptions {
  std::int64_t length = 50;
  std::string inputs{kFractions}, start{kAtZero};
  SampleCounts samples;

  void visit_fields(FieldVisitor& visitor) {
    visitor.field({.key = "task.length", .description = "steps T of every sequence or window", .minimum = 1, .maximum = 1e6}, length);
    visitor.field({.key = "task.inputs", .description = "values uniform in [-1, 1), or bits 1 and -1", .choices = {kFractions, kBits}},
                  inputs);
    visitor.field(
        {.key = "task.start",
         .description = "many_to_many: nothing came before a sequence, or it is cut out of a stream and targets reach back before it",
         .choices = {kAtZero, kInTheMiddle}},
        start);
    samples.visit_fields(visitor);
  }
};

// The inputs of one sample, by the number of the step in its sequence or stream.
class RunningInputs {
 public:
  // Targets look back up to `reach` steps.
  RunningInputs(const TaskContext& context, const RunningOptions& options, std::int64_t reach, Split split, std::uint64_t sample)
      : seed_(context.seed),
        split_(split),
        bits_(options.inputs == kBits),
        steps_(step_numbers(sample, context.streams, options.length, options.start == kInTheMiddle ? reach : 0)) {}

  std::uint64_t first() const { return steps_.first; }
  float at(std::uint64_t n) const {
    RandomStream random = steps_.random(seed_, split_, n);
    return bits_ ? (draw(random, 2) == 1 ? 1.0f : -1.0f) : static_cast<float>(random.uniform(-1, 1));
  }

 private:
  std::uint64_t seed_;
  Split split_;
  bool bits_;
  StepNumbers steps_;
};

// For make(): the context and the options of a task whose targets look back.
inline void check_running(const TaskContext& context, const RunningOptions& options, std::string_view task) {
  refuse_path(context, task);
  require_step_targets(context, task);
  if (context.streams > 0 && options.start == kInTheMiddle)
    throw usage_error(
        fmt::format("task.start: with model.form = \"stateful\" every window of the task {} but the first is in the middle of its "
                    "stream anyway; remove task.start",
                    task));
}

}  // namespace vp
