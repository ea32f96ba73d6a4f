// Two interleaved spirals (Lang & Witbrock 1988): a point of the plane, and which of two spirals it lies on. One step, two inputs: a
// problem for feed-forward nets, which no straight line solves.
//
// With u uniform in [0, 1): radius (104 - 96 u) / 104 and angle 2 pi turns u, the second spiral is the first turned by half a turn;
// Gaussian noise of standard deviation `noise` on both coordinates. The original has three turns (97 points per spiral at even steps of u,
// scaled by 6.5) and no noise; the default of 1.75 leaves 0.26 between neighbouring arms. Both spirals are equally frequent. The best
// straight line is right for 0.61 of the points there.
#include <cmath>
#include <numbers>

#include "experiments/tasks/target_kind.h"
#include "experiments/tasks/task_support.h"

namespace vp {
namespace {

struct SpiralsOptions : OptionsOf<SpiralsOptions> {
  double turns = 1.75, noise = 0.02;
  std::string target_kind{kBinaryTarget};
  SampleCounts samples;

  void visit_fields(FieldVisitor& visitor) override {
    visitor.field({.key = "task.turns",
                   .description = "times that a spiral winds around the middle",
                   .minimum = 0,
                   .maximum = 100,
                   .exclusive_minimum = true},
                  turns);
    visitor.field({.key = "task.noise", .description = "standard deviation of the noise on both coordinates", .minimum = 0, .maximum = 1},
                  noise);
    visitor.field({.key = "task.target_kind", .description = "yes/no, or two classes", .choices = {kBinaryTarget, kClassTarget}},
                  target_kind);
    samples.visit_fields(visitor);
  }
};

class SpiralsSource : public BatchSource {
 public:
  SpiralsSource(std::uint64_t seed, const SpiralsOptions& options)
      : seed_(seed), is_binary_(options.target_kind == kBinaryTarget), options_(options) {}

  SequenceShape shape() const override {
    return {.steps = 1, .inputs = 2, .outputs = is_binary_ ? 1 : 2, .target = is_binary_ ? TargetKind::kBinary : TargetKind::kClasses};
  }
  std::uint64_t size(Split split) const override { return options_.samples.size(split); }

  void fill(Split split, std::span<const std::uint64_t> samples, const SampleRows& out) const override {
    for (std::size_t r = 0; r < samples.size(); ++r) {
      check_sample("spirals", samples[r], size(split));
      RandomStream random = sample_stream(seed_, split, samples[r]);
      const std::int64_t spiral = draw(random, 2);
      const double u = random.uniform(), radius = (104 - 96 * u) / 104 * (spiral == 1 ? 1 : -1);
      const double angle = 2 * std::numbers::pi * options_.turns * u;
      out.inputs[2 * r] = static_cast<float>(radius * std::sin(angle) + options_.noise * random.normal());
      out.inputs[2 * r + 1] = static_cast<float>(radius * std::cos(angle) + options_.noise * random.normal());
      if (is_binary_)
        out.values[r] = static_cast<float>(spiral);
      else
        out.classes[r] = static_cast<std::int32_t>(spiral);
    }
  }

 private:
  std::uint64_t seed_;
  bool is_binary_;
  SpiralsOptions options_;
};

}  // namespace

TaskEntry spirals_task() {
  return {.name = "spirals",
          .description = "a point of the plane, one step; which of two interleaved spirals it lies on; generated (Lang & Witbrock 1988)",
          .step_targets = false,
          .make_options = make_options<SpiralsOptions>,
          .make = [](const TaskContext& context, const Options& options) -> std::shared_ptr<const BatchSource> {
            refuse_path(context, "spirals");
            refuse_step_targets(context, "spirals");
            return std::make_shared<SpiralsSource>(context.seed, options_as<SpiralsOptions>(options));
          }};
}

}  // namespace vp
