// Continual embedded Reber strings (Gers, Schmidhuber & Cummins 2000): one string after the other without a mark between them and without
// resetting the net; symbols, targets and the meaning of accuracy as in embedded_reber (reber.cpp). After E comes B.
//
// With model.form = "stateful" the streams never end; with "many_to_many" every sequence of task.length steps starts with a string of its
// own and may break off within one. A net must forget each string when it is over: an LSTM without forget gates lets its cell states grow
// for ever. Whoever knows the grammar but not the second symbol of the current string is wrong at one step of about 12, half of the time:
// an accuracy of .958; Gers et al. demand streams of 1,000,000 symbols without a mistake.
//
// So that any window can be made without the windows before it, streams are built in laps of 1,000 symbols, which whole strings fill
// exactly: a string that would leave a rest too short for another is drawn again.
#include "experiments/tasks/text/reber_targets.h"

namespace vp {
namespace {

constexpr std::uint64_t kLap = 1000;

struct ContinualReberOptions : OptionsOf<ContinualReberOptions> {
  std::int64_t length = 100;
  std::string targets{kLegal};
  SampleCounts samples;

  void visit_fields(FieldVisitor& visitor) override {
    visitor.field({.key = "task.length", .description = "steps T of every sequence or window", .minimum = 1, .maximum = 1e6}, length);
    visit_reber_targets(visitor, targets);
    samples.visit_fields(visitor);
  }
};

// One stream, symbol after symbol, from the start of any lap.
class ReberStream {
 public:
  ReberStream(std::uint64_t seed, Split split, const StepNumbers& laps, std::uint64_t lap)
      : seed_(seed), split_(split), laps_(laps), lap_(lap), random_(laps.random(seed, split, lap)) {
    begin_string();
  }

  ReberSymbol next() {
    const ReberSymbol symbol = walk_.next(random_);
    if (!walk_.at_end()) return symbol;
    if (left_ == 0) begin_lap();
    begin_string();
    return symbol;
  }
  std::span<const ReberArc> ways() const { return walk_.ways(); }  // for the symbol after the last one

 private:
  void begin_lap() {
    random_ = laps_.random(seed_, split_, ++lap_);
    left_ = kLap;
  }
  void begin_string() {
    const auto fits = [this](std::int64_t n) { return left_ == n || left_ - n >= kShortestEmbeddedReber; };
    left_ -= find_reber_string(random_, true, left_, fits);
    walk_ = ReberWalk(true);
  }

  std::uint64_t seed_;
  Split split_;
  StepNumbers laps_;
  std::uint64_t lap_;
  RandomStream random_;
  std::int64_t left_ = kLap;  // symbols of the lap that no string has yet
  ReberWalk walk_{true};
};

class ContinualReberSource : public BatchSource {
 public:
  ContinualReberSource(const TaskContext& context, const ContinualReberOptions& options) : context_(context), options_(options) {}

  SequenceShape shape() const override {
    SequenceShape shape = reber_shape(options_.length, options_.targets);
    shape.streams = context_.streams;
    return shape;
  }
  std::uint64_t size(Split split) const override { return options_.samples.size(split, context_.streams); }

  void fill(Split split, std::span<const std::uint64_t> samples, const SampleRows& out) const override {
    for (std::size_t r = 0; r < samples.size(); ++r) {
      check_sample("continual_reber", samples[r], size(split));
      const std::uint64_t first = step_numbers(samples[r], context_.streams, options_.length).first;
      ReberStream stream(context_.seed, split, laps(samples[r]), first / kLap);
      for (std::uint64_t n = 0; n < first % kLap; ++n) stream.next();
      fill_row(stream, static_cast<std::int64_t>(r), out);
    }
  }

 private:
  // Laps are numbered as the steps of samples of `laps_each` steps are.
  StepNumbers laps(std::uint64_t sample) const {
    const std::int64_t laps_each = options_.length / static_cast<std::int64_t>(kLap) + 2;  // and one that the last target may look into
    return step_numbers(sample, context_.streams, laps_each);
  }

  void fill_row(ReberStream& stream, std::int64_t r, const SampleRows& out) const {
    ReberSymbol symbol = stream.next();
    for (std::int64_t t = 0; t < options_.length; ++t) {
      const std::int64_t row = t * out.rows + r;
      write_reber_input(symbol, row, out);
      if (options_.targets == kLegal) write_legal(stream.ways(), row, out);
      symbol = stream.next();
      if (options_.targets == kNext) out.classes[row] = symbol;
    }
  }

  TaskContext context_;
  ContinualReberOptions options_;
};

}  // namespace

TaskEntry continual_reber_task() {
  return {
      .name = "continual_reber",
      .description =
          "embedded Reber strings one after the other, in long sequences or endless streams; which symbols may come next, at every step; "
          "generated (Gers 2000)",
      .step_targets = true,
      .make_options = make_options<ContinualReberOptions>,
      .make = [](const TaskContext& context, const Options& options) -> std::shared_ptr<const BatchSource> {
        refuse_path(context, "continual_reber");
        require_step_targets(context, "continual_reber");
        return std::make_shared<ContinualReberSource>(context, options_as<ContinualReberOptions>(options));
      }};
}

}  // namespace vp
