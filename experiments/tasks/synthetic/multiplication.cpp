// The multiplication problem: experiment 5 of Hochreiter & Schmidhuber 1997 (section 5.5). As their adding problem (adding.cpp), but
// the values are uniform in [0, 1) and the product X1 X2 is asked for at the end. In the rare case where the first pair of the sequence
// gets marked, X1 is set to 1, in the input too, so that the target is always what the marks say. Deviation: the paper draws the length
// from T to T + T/10, here it is T.
//
// Always answering the mean has a mean squared error of about 7/144 = 0.0486, the variance of the product of two uniform numbers (0.0592 at
// T = 100, where about one sequence in eight has its first step marked).
#include "experiments/tasks/synthetic/marked_values.h"
#include "experiments/tasks/task_support.h"

namespace vp {
namespace {

struct MultiplicationOptions : OptionsOf<MultiplicationOptions> {
  std::int64_t length = 100;
  SampleCounts samples;

  void visit_fields(FieldVisitor& visitor) override {
    visitor.field({.key = "task.length", .description = "steps T of every sequence", .minimum = 4, .maximum = 1e6}, length);
    samples.visit_fields(visitor);
  }
};

class MultiplicationSource : public BatchSource {
 public:
  MultiplicationSource(std::uint64_t seed, const MultiplicationOptions& options)
      : seed_(seed), steps_(options.length), samples_(options.samples) {}

  SequenceShape shape() const override {
    // A sequence counts as right if the error at its end is below 0.04 (Hochreiter & Schmidhuber 1997).
    return {.steps = steps_, .inputs = 2, .outputs = 1, .target = TargetKind::kValues, .correct_within = 0.04};
  }
  std::uint64_t size(Split split) const override { return samples_.size(split); }

  void fill(Split split, std::span<const std::uint64_t> samples, const SampleRows& out) const override {
    for (std::size_t r = 0; r < samples.size(); ++r) {
      check_sample("multiplication", samples[r], size(split));
      RandomStream random = sample_stream(seed_, split, samples[r]);
      const MarkedPair pair = fill_marked_early(random, 0, 1, {out.inputs + 2 * r, 2 * out.rows, steps_});
      out.values[r] = pair.first * pair.second;
    }
  }

 private:
  std::uint64_t seed_;
  std::int64_t steps_;
  SampleCounts samples_;
};

}  // namespace

TaskEntry multiplication_task() {
  return {.name = "multiplication",
          .description =
              "a value and a marker per step; the product of the two marked values at the end; generated (Hochreiter & Schmidhuber 1997)",
          .step_targets = false,
          .make_options = make_options<MultiplicationOptions>,
          .make = [](const TaskContext& context, const Options& options) -> std::shared_ptr<const BatchSource> {
            refuse_path(context, "multiplication");
            refuse_step_targets(context, "multiplication");
            return std::make_shared<MultiplicationSource>(context.seed, options_as<MultiplicationOptions>(options));
          }};
}

}  // namespace vp
