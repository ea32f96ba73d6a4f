// Temporal order (Pascanu, Mikolov & Bengio 2013, section 4.1.1, after experiment 6 of Hochreiter & Schmidhuber 1997): two signals, each
// one of two symbols, far apart among distractors; at the end the net says which symbols came, and in which order.
//
// As in the authors' published generator: six symbols, one-hot, 0 and 1 for the signals, 2 to 5 for the distractors; with d = L/10 rounded
// down, the first signal stands in [d, 2d), the second in [L/2, L/2 + d); the class is first + 2 * second.
#include "experiments/tasks/task_support.h"

namespace vp {
namespace {

constexpr std::int64_t kSymbols = 6, kSignals = 2;

struct TemporalOrderOptions : OptionsOf<TemporalOrderOptions> {
  std::int64_t length = 50;
  SampleCounts samples;

  void visit_fields(FieldVisitor& visitor) override {
    visitor.field({.key = "task.length", .description = "steps T of every sequence", .minimum = 10, .maximum = 1e6}, length);
    samples.visit_fields(visitor);
  }
};

class TemporalOrderSource : public BatchSource {
 public:
  TemporalOrderSource(std::uint64_t seed, const TemporalOrderOptions& options)
      : seed_(seed), steps_(options.length), samples_(options.samples) {}

  SequenceShape shape() const override {
    return {.steps = steps_, .inputs = kSymbols, .outputs = kSignals * kSignals, .target = TargetKind::kClasses};
  }
  std::uint64_t size(Split split) const override { return samples_.size(split); }

  void fill(Split split, std::span<const std::uint64_t> samples, const SampleRows& out) const override {
    for (std::size_t r = 0; r < samples.size(); ++r) {
      check_sample("temporal_order", samples[r], size(split));
      RandomStream random = sample_stream(seed_, split, samples[r]);
      out.classes[r] = fill_row(random, out.inputs + kSymbols * static_cast<std::int64_t>(r), kSymbols * out.rows);
    }
  }

 private:
  // Writes one row, whose step t stands at row + t * stride; returns its class.
  std::int32_t fill_row(RandomStream& random, float* row, std::int64_t stride) const {
    const std::int64_t tenth = steps_ / 10;
    const std::int64_t first_step = tenth + draw(random, tenth), second_step = steps_ / 2 + draw(random, tenth);
    const std::int64_t first = draw(random, kSignals), second = draw(random, kSignals);
    for (std::int64_t t = 0; t < steps_; ++t) {
      std::int64_t symbol = kSignals + draw(random, kSymbols - kSignals);
      if (t == first_step) symbol = first;
      if (t == second_step) symbol = second;
      write_one_hot(row + t * stride, kSymbols, symbol);
    }
    return static_cast<std::int32_t>(first + kSignals * second);
  }

  std::uint64_t seed_;
  std::int64_t steps_;
  SampleCounts samples_;
};

}  // namespace

TaskEntry temporal_order_task() {
  return {.name = "temporal_order",
          .description =
              "one of six symbols per step; which of two signals came first and second, at the end (4 classes); generated (Pascanu 2013)",
          .step_targets = false,
          .make_options = make_options<TemporalOrderOptions>,
          .make = [](const TaskContext& context, const Options& options) -> std::shared_ptr<const BatchSource> {
            refuse_path(context, "temporal_order");
            refuse_step_targets(context, "temporal_order");
            return std::make_shared<TemporalOrderSource>(context.seed, options_as<TemporalOrderOptions>(options));
          }};
}

}  // namespace vp
