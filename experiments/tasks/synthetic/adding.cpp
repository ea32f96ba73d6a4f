// The adding problem: of many values in a sequence two are marked; their sum is asked for at the end.
//
// Form hochreiter1997 is experiment 4 of Hochreiter & Schmidhuber 1997 (section 5.4). Values are uniform in [-1, 1]; the first mark lies in
// the first ten steps, the second on one of the first T/2 - 1 steps that are still unmarked, so that at least T/2 steps follow it. Markers:
// 1 at the two marked steps, -1 at the first and the last step, else 0; target 0.5 + (X1 + X2) / 4. "In the rare case where the first pair
// of the sequence gets marked, we set X1 to zero" is done so: the value of the first step becomes 0 in the input too, and its marker stays
// 1; then the target is always what the marks say. Deviation: the paper draws the length from T to T + T/10, here it is T.
//
// Form le2015 is Le, Jaitly & Hinton 2015: values uniform in [0, 1), one mark in each half, markers 1 and 0, target X1 + X2.
#include "experiments/tasks/synthetic/marked_values.h"
#include "experiments/tasks/task_support.h"

namespace vp {
namespace {

constexpr std::string_view kHochreiter = "hochreiter1997", kLe = "le2015";

struct AddingOptions : OptionsOf<AddingOptions> {
  std::int64_t length = 100;
  std::string form{kHochreiter};
  SampleCounts samples;

  void visit_fields(FieldVisitor& visitor) override {
    visitor.field({.key = "task.length", .description = "steps T of every sequence", .minimum = 4, .maximum = 1e6}, length);
    visitor.field({.key = "task.form", .description = "whose adding problem: ranges, markers and target", .choices = {kHochreiter, kLe}},
                  form);
    samples.visit_fields(visitor);
  }
};

class AddingSource : public BatchSource {
 public:
  AddingSource(std::uint64_t seed, const AddingOptions& options)
      : seed_(seed), steps_(options.length), hochreiter_(options.form == kHochreiter), samples_(options.samples) {}

  SequenceShape shape() const override {
    // A sequence counts as right if the error at its end is below 0.04 (Hochreiter & Schmidhuber 1997); kept for le2015, which states none.
    return {.steps = steps_, .inputs = 2, .outputs = 1, .target = TargetKind::kValues, .correct_within = 0.04};
  }
  std::uint64_t size(Split split) const override { return samples_.size(split); }

  void fill(Split split, std::span<const std::uint64_t> samples, const SampleRows& out) const override {
    for (std::size_t r = 0; r < samples.size(); ++r) {
      check_sample("adding", samples[r], size(split));
      const MarkedRow row{out.inputs + 2 * r, 2 * out.rows, steps_};
      RandomStream random = sample_stream(seed_, split, samples[r]);
      out.values[r] = hochreiter_ ? fill_hochreiter(random, row) : fill_le(random, row);
    }
  }

 private:
  // Both return the target.
  static float fill_hochreiter(RandomStream& random, const MarkedRow& row) {
    const MarkedPair pair = fill_marked_early(random, -1, 0, row);
    return 0.5f + (pair.first + pair.second) / 4;
  }

  static float fill_le(RandomStream& random, const MarkedRow& row) {
    const std::int64_t half = row.steps / 2;
    const std::int64_t first = draw(random, half), second = half + draw(random, row.steps - half);
    fill_values(random, 0, row);
    const MarkedPair pair = mark(row, first, second);
    return pair.first + pair.second;
  }

  std::uint64_t seed_;
  std::int64_t steps_;
  bool hochreiter_;
  SampleCounts samples_;
};

}  // namespace

TaskEntry adding_task() {
  return {.name = "adding",
          .description =
              "a value and a marker per step; the sum of the two marked values at the end; generated (Hochreiter & Schmidhuber 1997)",
          .step_targets = false,
          .make_options = make_options<AddingOptions>,
          .make = [](const TaskContext& context, const Options& options) -> std::shared_ptr<const BatchSource> {
            refuse_path(context, "adding");
            refuse_step_targets(context, "adding");
            return std::make_shared<AddingSource>(context.seed, options_as<AddingOptions>(options));
          }};
}

}  // namespace vp
