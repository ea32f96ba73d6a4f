// Counting parentheses in the form of Foerster, Gilmer, Chorowski, Sohl-Dickstein & Sussillo 2017 (after Collins et al. 2017): every step
// shows an opening or a closing bracket of one of several kinds, or a symbol that means nothing; how many brackets of each kind are open is
// asked for, at the end, or, with model.form = "many_to_many", at every step after the symbol of that step.
//
// Symbols are uniform among 2 kinds + distractors, one-hot: 2k opens and 2k+1 closes kind k, the rest are distractors. A count stays
// between 0 and `depth` (5 in the paper): what opens beyond it, or closes where nothing is open, changes nothing. The kinds are counted
// each for itself. Targets are the counts as one-hot vectors, kind after kind, depth + 1 values each, under squared error. A step counts as
// right if every value is within 0.5.
#include <algorithm>
#include <array>

#include "experiments/tasks/task_support.h"

namespace vp {
namespace {

constexpr std::int64_t kMostKinds = 100;
using Counts = std::array<std::int64_t, kMostKinds>;  // of the brackets that are open, by kind

struct ParenthesesOptions : OptionsOf<ParenthesesOptions> {
  std::int64_t length = 50, kinds = 3, depth = 5, distractors = 1;
  SampleCounts samples;

  void visit_fields(FieldVisitor& visitor) override {
    visitor.field({.key = "task.length", .description = "steps T of every sequence", .minimum = 1, .maximum = 1e6}, length);
    visitor.field({.key = "task.kinds", .description = "kinds of brackets, each counted for itself", .minimum = 1, .maximum = kMostKinds},
                  kinds);
    visitor.field({.key = "task.depth", .description = "count at which further opening brackets are ignored", .minimum = 1, .maximum = 100},
                  depth);
    visitor.field({.key = "task.distractors", .description = "different symbols that mean nothing", .minimum = 0, .maximum = 100},
                  distractors);
    samples.visit_fields(visitor);
  }
};

class ParenthesesSource : public BatchSource {
 public:
  ParenthesesSource(const TaskContext& context, const ParenthesesOptions& options)
      : seed_(context.seed),
        steps_(options.length),
        kinds_(options.kinds),
        depth_(options.depth),
        symbols_(2 * options.kinds + options.distractors),
        every_step_(context.target_every_step),
        samples_(options.samples) {}

  SequenceShape shape() const override {
    return {.steps = steps_,
            .inputs = symbols_,
            .outputs = kinds_ * (depth_ + 1),
            .target = TargetKind::kValues,
            .target_every_step = every_step_,
            .correct_within = 0.5};
  }
  std::uint64_t size(Split split) const override { return samples_.size(split); }

  void fill(Split split, std::span<const std::uint64_t> samples, const SampleRows& out) const override {
    for (std::size_t r = 0; r < samples.size(); ++r) {
      check_sample("parentheses", samples[r], size(split));
      RandomStream random = sample_stream(seed_, split, samples[r]);
      Counts open{};
      for (std::int64_t t = 0; t < steps_; ++t) {
        const std::int64_t row = t * out.rows + static_cast<std::int64_t>(r), symbol = draw(random, symbols_);
        write_one_hot(out.inputs + row * symbols_, symbols_, symbol);
        count(symbol, open);
        if (every_step_) write_counts(open, row, out);
      }
      if (!every_step_) write_counts(open, static_cast<std::int64_t>(r), out);
    }
  }

 private:
  void count(std::int64_t symbol, Counts& open) const {
    if (symbol >= 2 * kinds_) return;
    std::int64_t& n = open[static_cast<std::size_t>(symbol / 2)];
    n = symbol % 2 == 0 ? std::min(n + 1, depth_) : std::max<std::int64_t>(n - 1, 0);
  }

  // Row `row` of values (..., kinds, depth + 1).
  void write_counts(const Counts& open, std::int64_t row, const SampleRows& out) const {
    const std::int64_t width = depth_ + 1;
    for (std::int64_t kind = 0; kind < kinds_; ++kind)
      write_one_hot(out.values + (row * kinds_ + kind) * width, width, open[static_cast<std::size_t>(kind)]);
  }

  std::uint64_t seed_;
  std::int64_t steps_, kinds_, depth_, symbols_;
  bool every_step_;
  SampleCounts samples_;
};

}  // namespace

TaskEntry parentheses_task() {
  return {.name = "parentheses",
          .description =
              "a bracket or a distractor per step; how many of each kind are open, one-hot, at the end or at every step; generated "
              "(Foerster 2017)",
          .step_targets = true,
          .make_options = make_options<ParenthesesOptions>,
          .make = [](const TaskContext& context, const Options& options) -> std::shared_ptr<const BatchSource> {
            refuse_path(context, "parentheses");
            return std::make_shared<ParenthesesSource>(context, options_as<ParenthesesOptions>(options));
          }};
}

}  // namespace vp
