// Strings of the Reber grammar, plain (`reber`) and embedded (`embedded_reber`: experiment 1 of Hochreiter & Schmidhuber 1997): one symbol
// of seven per step, one-hot in the order B T P S X V E; what may come next is asked for at every step but the last. Strings have their own
// lengths n, of which n - 1 symbols are shown (nothing follows E); strings of more than task.max_length symbols are drawn again.
//
// task.targets = "legal": seven yes/no targets, 1 for each symbol that the grammar allows next. A step counts as right if all seven are, so
// an accuracy of 1 is the criterion of the paper, all symbols of all strings predicted (there: the largest outputs are the legal symbols).
// "next": the class is the symbol that does come next; where two may, no net is right more than half of the time, so the best accuracy is
// .58 for the plain and .70 for the embedded grammar. Accuracy is high without a long memory: whoever knows the embedded grammar but not
// the first choice is wrong only at the last step but one, half of the time, and reaches .951 ("legal"; strings have 12 symbols on
// average).
//
// embedded_reber in the form "many_to_one" asks only for the long-range symbol: the first n - 2 symbols are shown, the answer is yes if T
// comes next, no if P. Both are equally frequent. There are few short strings: those for validation and testing have been seen in training,
// and what is measured is whether the grammar is learned. Deviation: the paper trains on the symbol that follows, with 256 + 256 fixed
// strings.
#include "experiments/tasks/text/reber_targets.h"

namespace vp {
namespace {

struct ReberOptions : OptionsOf<ReberOptions> {
  std::int64_t max_length = 30;
  std::string targets{kLegal};
  SampleCounts samples;

  void visit_fields(FieldVisitor& visitor) override {
    visitor.field({.key = "task.max_length",
                   .description = "symbols of the longest string, B and E with them",
                   .minimum = static_cast<double>(kShortestEmbeddedReber),
                   .maximum = 1000},
                  max_length);
    visit_reber_targets(visitor, targets);
    samples.visit_fields(visitor);
  }
};

class ReberSource : public BatchSource {
 public:
  ReberSource(const TaskContext& context, const ReberOptions& options, bool is_embedded)
      : seed_(context.seed), every_step_(context.target_every_step), is_embedded_(is_embedded), options_(options) {}

  SequenceShape shape() const override {
    SequenceShape shape = reber_shape(options_.max_length - 1, options_.targets);
    shape.variable_length = true;
    if (every_step_) return shape;
    return {
        .steps = options_.max_length - 2, .inputs = kReberSymbols, .outputs = 1, .target = TargetKind::kBinary, .variable_length = true};
  }
  std::uint64_t size(Split split) const override { return options_.samples.size(split); }

  void fill(Split split, std::span<const std::uint64_t> samples, const SampleRows& out) const override {
    for (std::size_t r = 0; r < samples.size(); ++r) {
      check_sample(is_embedded_ ? "embedded_reber" : "reber", samples[r], size(split));
      fill_row(sample_stream(seed_, split, samples[r]), static_cast<std::int64_t>(r), out);
    }
  }

 private:
  void fill_row(RandomStream random, std::int64_t r, const SampleRows& out) const {
    const auto any = [](std::int64_t) { return true; };
    const std::int64_t symbols = find_reber_string(random, is_embedded_, options_.max_length, any);
    const std::int64_t length = symbols - (every_step_ ? 1 : 2), steps = shape().steps;
    out.lengths[r] = static_cast<std::int32_t>(length);
    ReberWalk walk(is_embedded_);
    for (std::int64_t t = 0; t < steps; ++t) {
      const std::int64_t row = t * out.rows + r;
      if (t >= length) {
        pad(row, out);
        continue;
      }
      write_reber_input(walk.next(random), row, out);
      if (every_step_) write_targets(walk, random, row, out);
    }
    if (!every_step_) out.values[r] = walk.ways().front().symbol == kT ? 1.0f : 0.0f;
  }

  void write_targets(const ReberWalk& walk, RandomStream random, std::int64_t row, const SampleRows& out) const {
    if (options_.targets == kLegal)
      write_legal(walk.ways(), row, out);
    else
      out.classes[row] = ReberWalk(walk).next(random);  // both are copies: the walk goes on from here
  }

  void pad(std::int64_t row, const SampleRows& out) const {
    std::fill_n(out.inputs + row * kReberSymbols, kReberSymbols, 0.0f);
    if (!every_step_) return;
    if (options_.targets == kLegal)
      write_legal({}, row, out);
    else
      out.classes[row] = 0;
  }

  std::uint64_t seed_;
  bool every_step_, is_embedded_;
  ReberOptions options_;
};

std::shared_ptr<const BatchSource> make_embedded_reber(const TaskContext& context, const ReberOptions& options) {
  refuse_path(context, "embedded_reber");
  if (!context.target_every_step && options.targets != kLegal)
    throw usage_error(
        "task.targets: with model.form = \"many_to_one\" the task embedded_reber has one answer, yes or no; remove task.targets, "
        "or set model.form = \"many_to_many\"");
  return std::make_shared<ReberSource>(context, options, true);
}

}  // namespace

TaskEntry reber_task() {
  return {.name = "reber",
          .description = "a symbol per step of a string of the Reber grammar; which symbols may come next, at every step; generated",
          .step_targets = true,
          .make_options = make_options<ReberOptions>,
          .make = [](const TaskContext& context, const Options& options) -> std::shared_ptr<const BatchSource> {
            refuse_path(context, "reber");
            require_step_targets(context, "reber");
            return std::make_shared<ReberSource>(context, options_as<ReberOptions>(options), false);
          }};
}

TaskEntry embedded_reber_task() {
  return {
      .name = "embedded_reber",
      .description =
          "a Reber string within another, whose second symbol decides the last but one; which symbols may come next, or that one at the "
          "end; generated (Hochreiter & Schmidhuber 1997)",
      .step_targets = true,
      .make_options = make_options<ReberOptions>,
      .make = [](const TaskContext& context, const Options& options) {
        return make_embedded_reber(context, options_as<ReberOptions>(options));
      }};
}

}  // namespace vp
