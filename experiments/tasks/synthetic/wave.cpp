// A wave is asked for by its frequency and phase, and written step by step: the task of nets that live on their own outputs (one_to_many).
//
// One input, at the first step: [u, sin p, cos p], p the phase, uniform over the circle, and u uniform in [-1, 1], which says the frequency
// f, the middle of [slowest, fastest] plus u times half its width, in cycles a step. Targets at every step t: sin(2 pi f t + p). A
// sequence's share of steps with an error below 0.1 is its accuracy.
#include <cmath>
#include <numbers>

#include "experiments/tasks/task_support.h"

namespace vp {
namespace {

struct WaveOptions : OptionsOf<WaveOptions> {
  std::int64_t length = 20;
  double slowest = 0.04, fastest = 0.08;
  SampleCounts samples;

  void visit_fields(FieldVisitor& visitor) override {
    visitor.field({.key = "task.length", .description = "steps T of every sequence", .minimum = 1, .maximum = 1e6}, length);
    visitor.field({.key = "task.slowest", .description = "smallest frequency, cycles a step", .minimum = 0, .maximum = 0.5}, slowest);
    visitor.field({.key = "task.fastest", .description = "largest frequency, cycles a step", .minimum = 0, .maximum = 0.5}, fastest);
    samples.visit_fields(visitor);
  }
};

class WaveSource final : public BatchSource {
 public:
  WaveSource(std::uint64_t seed, const WaveOptions& options)
      : seed_(seed), steps_(options.length), slowest_(options.slowest), fastest_(options.fastest), samples_(options.samples) {}

  SequenceShape shape() const override {
    return {.steps = steps_,
            .inputs = 3,
            .outputs = 1,
            .target = TargetKind::kValues,
            .target_every_step = true,
            .correct_within = 0.1,
            .source_steps = 1};
  }
  std::uint64_t size(Split split) const override { return samples_.size(split); }

  void fill(Split split, std::span<const std::uint64_t> samples, const SampleRows& out) const override {
    for (std::size_t r = 0; r < samples.size(); ++r) {
      check_sample("wave", samples[r], size(split));
      RandomStream random = sample_stream(seed_, split, samples[r]);
      const double u = random.uniform(-1, 1), phase = random.uniform(0, 2 * std::numbers::pi);
      const double frequency = 0.5 * (slowest_ + fastest_) + 0.5 * u * (fastest_ - slowest_);
      float* input = out.inputs + 3 * r;
      input[0] = static_cast<float>(u);
      input[1] = static_cast<float>(std::sin(phase));
      input[2] = static_cast<float>(std::cos(phase));
      for (std::int64_t t = 0; t < steps_; ++t)
        out.values[t * out.rows + static_cast<std::int64_t>(r)] =
            static_cast<float>(std::sin(2 * std::numbers::pi * frequency * static_cast<double>(t) + phase));
    }
  }

 private:
  std::uint64_t seed_;
  std::int64_t steps_;
  double slowest_, fastest_;
  SampleCounts samples_;
};

}  // namespace

TaskEntry wave_task() {
  return {.name = "wave",
          .description = "frequency and phase at the first step; a sine, a value at every step; one_to_many; generated",
          .step_targets = false,
          .make_options = make_options<WaveOptions>,
          .make = [](const TaskContext& context, const Options& options) -> std::shared_ptr<const BatchSource> {
            refuse_path(context, "wave");
            const auto& wave = options_as<WaveOptions>(options);
            if (wave.slowest > wave.fastest)
              throw usage_error(fmt::format("task.slowest = {} is above task.fastest = {}; exchange them", wave.slowest, wave.fastest));
            return std::make_shared<WaveSource>(context.seed, wave);
          }};
}

}  // namespace vp
