// Predict the cosine from the sine, one value in and one out per step (the regression of the MofanPy tutorials, after which the defaults
// are chosen: windows of 20 steps, an angle of 1 / (10 pi) per step, that is 197 steps a turn; they train with batches of 50).
//
// Step n of a stream shows sin(a + n w) and asks for cos(a + n w). The sine alone leaves the sign of the cosine open: whether the wave
// rises or falls must be remembered from the steps before. Always answering 0 has a mean squared error of 0.5, and so has the best answer
// from the sine of one step; from two steps on the cosine is determined. With model.form = "stateful" a window goes on where the one before
// ended, and only the very first step of a stream is a guess; with "many_to_many" every sequence starts anew, which costs 0.5 / T at least.
//
// The phase a is uniform in [0, 2 pi) (the tutorials start row b of a batch b windows after row 0, which is as even but the same for every
// seed); the angle per step is w (1 + s u), u uniform in [-1, 1) for every sequence or stream and s task.frequency_spread.
#include <cmath>
#include <numbers>

#include "experiments/tasks/task_support.h"

namespace vp {
namespace {

struct SineOptions : OptionsOf<SineOptions> {
  std::int64_t length = 20;
  double step = 0.1 * std::numbers::inv_pi, frequency_spread = 0;
  SampleCounts samples;

  void visit_fields(FieldVisitor& visitor) override {
    visitor.field({.key = "task.length", .description = "steps T of every sequence or window", .minimum = 1, .maximum = 1e6}, length);
    visitor.field({.key = "task.step", .description = "angle per step, radians", .minimum = 0, .maximum = 3.14, .exclusive_minimum = true},
                  step);
    visitor.field({.key = "task.frequency_spread",
                   .description = "angles per step differ between sequences by up to this share of task.step",
                   .minimum = 0,
                   .maximum = 1},
                  frequency_spread);
    samples.visit_fields(visitor);
  }
};

class SineSource : public BatchSource {
 public:
  SineSource(const TaskContext& context, const SineOptions& options) : seed_(context.seed), streams_(context.streams), options_(options) {}

  SequenceShape shape() const override {
    return {
        .steps = options_.length, .inputs = 1, .outputs = 1, .target = TargetKind::kValues, .target_every_step = true, .streams = streams_};
  }
  std::uint64_t size(Split split) const override { return options_.samples.size(split, streams_); }

  void fill(Split split, std::span<const std::uint64_t> samples, const SampleRows& out) const override {
    for (std::size_t r = 0; r < samples.size(); ++r) {
      check_sample("sine", samples[r], size(split));
      const bool is_window = streams_ > 0;
      RandomStream random = sample_stream(seed_, split, is_window ? samples[r] % static_cast<std::uint64_t>(streams_) : samples[r]);
      const double phase = random.uniform(0, 2 * std::numbers::pi);
      const double step = options_.step * (1 + options_.frequency_spread * random.uniform(-1, 1));
      const std::uint64_t first = step_numbers(samples[r], streams_, options_.length).first;
      for (std::int64_t t = 0; t < options_.length; ++t) {
        const std::int64_t row = t * out.rows + static_cast<std::int64_t>(r);
        const double angle = phase + step * static_cast<double>(first + static_cast<std::uint64_t>(t));
        out.inputs[row] = static_cast<float>(std::sin(angle));
        out.values[row] = static_cast<float>(std::cos(angle));
      }
    }
  }

 private:
  std::uint64_t seed_;
  std::int64_t streams_;
  SineOptions options_;
};

}  // namespace

TaskEntry sine_task() {
  return {.name = "sine",
          .description = "the cosine from the sine at every step, in sequences or endless streams; generated (MofanPy's regression)",
          .step_targets = true,
          .make_options = make_options<SineOptions>,
          .make = [](const TaskContext& context, const Options& options) -> std::shared_ptr<const BatchSource> {
            refuse_path(context, "sine");
            require_step_targets(context, "sine");
            return std::make_shared<SineSource>(context, options_as<SineOptions>(options));
          }};
}

}  // namespace vp
