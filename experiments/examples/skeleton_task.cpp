// A task to start from: of two numbers a step, was the first or the second larger in sum? Generated, one target a sequence.
//
// As a task of the program: experiments/tasks/synthetic/larger_sum.cpp, and `each(larger_sum)` in VP_TASKS of
// experiments/tasks/task_list.cpp.
// Rename it: the tests link this file, and would test its larger_sum_task() in place of yours.
#include "experiments/tasks/task_support.h"

namespace vp {
namespace {

struct LargerSumOptions : OptionsOf<LargerSumOptions> {
  std::int64_t length = 10;
  SampleCounts samples;

  void visit_fields(FieldVisitor& visitor) override {
    visitor.field({.key = "task.length", .description = "steps T of every sequence", .minimum = 1, .maximum = 1e6}, length);
    samples.visit_fields(visitor);
  }
};

class LargerSumSource final : public BatchSource {
 public:
  LargerSumSource(const TaskContext& context, const LargerSumOptions& options) : seed_(context.seed), options_(options) {}

  SequenceShape shape() const override { return {.steps = options_.length, .inputs = 2, .outputs = 2, .target = TargetKind::kClasses}; }
  std::uint64_t size(Split split) const override { return options_.samples.size(split); }

  void fill(Split split, std::span<const std::uint64_t> samples, const SampleRows& out) const override {
    for (std::size_t r = 0; r < samples.size(); ++r) {
      check_sample("larger_sum", samples[r], size(split));
      RandomStream random = sample_stream(seed_, split, samples[r]);
      double difference = 0;
      for (std::int64_t t = 0; t < options_.length; ++t) {
        float* x = out.inputs + (t * out.rows + static_cast<std::int64_t>(r)) * 2;
        x[0] = static_cast<float>(random.uniform()), x[1] = static_cast<float>(random.uniform());
        difference += static_cast<double>(x[1]) - static_cast<double>(x[0]);
      }
      out.classes[r] = difference > 0 ? 1 : 0;
    }
  }

 private:
  const std::uint64_t seed_;
  const LargerSumOptions options_;
};

}  // namespace

TaskEntry larger_sum_task() {
  return {.name = "larger_sum",
          .description = "two numbers per step in [0, 1); which of the two has the larger sum; generated",
          .step_targets = false,
          .make_options = make_options<LargerSumOptions>,
          .make = [](const TaskContext& context, const Options& options) -> std::shared_ptr<const BatchSource> {
            refuse_path(context, "larger_sum");
            refuse_step_targets(context, "larger_sum");
            return std::make_shared<LargerSumSource>(context, options_as<LargerSumOptions>(options));
          }};
}

}  // namespace vp
