// Digits come in and go out in reverse order: the task of an encoder and a decoder (sequence_to_sequence). The last digit is the first to
// be said, the first one has been held longest (after Sutskever, Vinyals & Le 2014, who reverse the source to bring its start near).
//
// S inputs, one-hot over K symbols; then S targets, classes: the symbols, last first. Chance is 1/K.
#include "experiments/tasks/task_support.h"

namespace vp {
namespace {

struct ReverseOptions : OptionsOf<ReverseOptions> {
  std::int64_t length = 5, alphabet = 10;
  SampleCounts samples;

  void visit_fields(FieldVisitor& visitor) override {
    visitor.field({.key = "task.length", .description = "symbols S to read, and as many to say", .minimum = 1, .maximum = 1e5}, length);
    visitor.field({.key = "task.alphabet", .description = "different symbols, K", .minimum = 2, .maximum = 1000}, alphabet);
    samples.visit_fields(visitor);
  }
};

class ReverseSource final : public BatchSource {
 public:
  ReverseSource(std::uint64_t seed, const ReverseOptions& options)
      : seed_(seed), length_(options.length), alphabet_(options.alphabet), samples_(options.samples) {}

  SequenceShape shape() const override {
    return {.steps = 2 * length_, .inputs = alphabet_, .outputs = alphabet_, .target = TargetKind::kClasses, .source_steps = length_};
  }
  std::uint64_t size(Split split) const override { return samples_.size(split); }

  void fill(Split split, std::span<const std::uint64_t> samples, const SampleRows& out) const override {
    for (std::size_t r = 0; r < samples.size(); ++r) {
      check_sample("reverse", samples[r], size(split));
      RandomStream random = sample_stream(seed_, split, samples[r]);
      for (std::int64_t t = 0; t < length_; ++t) {
        const std::int64_t symbol = draw(random, alphabet_), row = static_cast<std::int64_t>(r);
        write_one_hot(out.inputs + (t * out.rows + row) * alphabet_, alphabet_, symbol);
        out.classes[(length_ - 1 - t) * out.rows + row] = static_cast<std::int32_t>(symbol);
      }
    }
  }

 private:
  std::uint64_t seed_;
  std::int64_t length_, alphabet_;
  SampleCounts samples_;
};

}  // namespace

TaskEntry reverse_task() {
  return {.name = "reverse",
          .description = "symbols, then the same in reverse order, a class at each step; sequence_to_sequence; generated",
          .step_targets = false,
          .make_options = make_options<ReverseOptions>,
          .make = [](const TaskContext& context, const Options& options) -> std::shared_ptr<const BatchSource> {
            refuse_path(context, "reverse");
            return std::make_shared<ReverseSource>(context.seed, options_as<ReverseOptions>(options));
          }};
}

}  // namespace vp
