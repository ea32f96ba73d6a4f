// The copy problem in the form of Arjovsky, Shah & Bengio 2016 (section 4.1), after Hochreiter & Schmidhuber 1997: S symbols of an alphabet
// of K are shown, then nothing for a while, then a marker; from the step after it on the net repeats the symbols in their order.
//
// T = D + 2S steps, D the delay: S symbols, D - 1 blanks, the marker, S blanks. Inputs are one-hot, 0 to K-1 the symbols, K the blank, K+1
// the marker. The target is a class at every step: the blank, K, at the first D + S steps, then the S symbols. The paper has S = 10, K = 8.
//
// Without a memory for the symbols the best is to say blank at the first D + S steps and to guess then: loss S ln K / (D + 2S) (the mean
// over all steps), accuracy (D + S + S/K) / (D + 2S). Accuracy is the share of right steps, the blanks too, so it is high from the start:
// at the defaults 0.78 is chance; the loss is what to compare.
#include "experiments/tasks/task_support.h"

namespace vp {
namespace {

struct CopyOptions : OptionsOf<CopyOptions> {
  std::int64_t symbols = 10, alphabet = 8, delay = 20;
  SampleCounts samples;

  void visit_fields(FieldVisitor& visitor) override {
    visitor.field(
        {.key = "task.symbols", .description = "symbols to copy, S; a sequence has delay + 2 S steps", .minimum = 1, .maximum = 1e5},
        symbols);
    visitor.field({.key = "task.alphabet", .description = "different symbols, K", .minimum = 2, .maximum = 1000}, alphabet);
    visitor.field({.key = "task.delay",
                   .description = "steps D between the symbols and the answer, the last one the marker",
                   .minimum = 1,
                   .maximum = 1e6},
                  delay);
    samples.visit_fields(visitor);
  }
};

class CopySource : public BatchSource {
 public:
  CopySource(std::uint64_t seed, const CopyOptions& options)
      : seed_(seed), symbols_(options.symbols), alphabet_(options.alphabet), delay_(options.delay), samples_(options.samples) {}

  SequenceShape shape() const override {
    return {.steps = delay_ + 2 * symbols_,
            .inputs = alphabet_ + 2,
            .outputs = alphabet_ + 1,
            .target = TargetKind::kClasses,
            .target_every_step = true};
  }
  std::uint64_t size(Split split) const override { return samples_.size(split); }

  void fill(Split split, std::span<const std::uint64_t> samples, const SampleRows& out) const override {
    for (std::size_t r = 0; r < samples.size(); ++r) {
      check_sample("copy", samples[r], size(split));
      fill_row(sample_stream(seed_, split, samples[r]), static_cast<std::int64_t>(r), out);
    }
  }

 private:
  void fill_row(RandomStream shown, std::int64_t r, const SampleRows& out) const {
    RandomStream asked = shown;  // draws the same symbols again
    const std::int64_t blank = alphabet_, marker = alphabet_ + 1, width = alphabet_ + 2;
    const std::int64_t copy_from = symbols_ + delay_;
    for (std::int64_t t = 0; t < copy_from + symbols_; ++t) {
      const std::int64_t row = t * out.rows + r;
      const std::int64_t input = t < symbols_ ? draw(shown, alphabet_) : t == copy_from - 1 ? marker : blank;
      write_one_hot(out.inputs + row * width, width, input);
      out.classes[row] = static_cast<std::int32_t>(t < copy_from ? blank : draw(asked, alphabet_));
    }
  }

  std::uint64_t seed_;
  std::int64_t symbols_, alphabet_, delay_;
  SampleCounts samples_;
};

}  // namespace

TaskEntry copy_task() {
  return {.name = "copy",
          .description =
              "symbols, a delay, a marker; blanks, then the symbols again, a class at every step (accuracy counts the blanks); generated "
              "(Arjovsky 2016)",
          .step_targets = true,
          .make_options = make_options<CopyOptions>,
          .make = [](const TaskContext& context, const Options& options) -> std::shared_ptr<const BatchSource> {
            refuse_path(context, "copy");
            require_step_targets(context, "copy");
            return std::make_shared<CopySource>(context.seed, options_as<CopyOptions>(options));
          }};
}

}  // namespace vp
