// The user's own sequences from a tidy CSV file (csv_sequences.h). They are split into training, validation and test sets at random, by the
// seed and the position of a sequence in order of first appearance.
#include <algorithm>
#include <vector>

#include "experiments/csv_sequences.h"
#include "experiments/files.h"
#include "experiments/split.h"
#include "experiments/task_support.h"

namespace vp {
namespace {

struct CsvTaskOptions : OptionsOf<CsvTaskOptions> {
  SequenceColumns columns;
  SplitShares shares;

  void visit_fields(FieldVisitor& visitor) override {
    visitor.field({.key = "task.sequence_column", .description = "column that names the sequence of a row"}, columns.sequence);
    visitor.field({.key = "task.step_column", .description = "column with the step, a whole number"}, columns.step);
    visitor.field({.key = "task.target_column", .description = "column with the target; every other column is an input"}, columns.target);
    visitor.field({.key = "task.target_kind",
                   .description = "class numbers from 0, yes/no as 1 and 0, or values",
                   .choices = {kClassTarget, kBinaryTarget, kValueTarget}},
                  columns.target_kind);
    shares.visit_fields(visitor);
  }
};

class CsvSource : public BatchSource {
 public:
  CsvSource(std::shared_ptr<const SequenceData> data, const TaskContext& context, const CsvTaskOptions& options)
      : data_(std::move(data)),
        members_(draw_split(static_cast<std::uint64_t>(data_->count), options.shares, context.seed, context.path, "sequences")) {}

  SequenceShape shape() const override { return data_->shape; }
  std::uint64_t size(Split split) const override { return members_.size(split); }

  void fill(Split split, std::span<const std::uint64_t> samples, const SampleRows& out) const override {
    for (std::size_t r = 0; r < samples.size(); ++r) {
      const auto sequence = static_cast<std::int64_t>(members_.at("csv", split, samples[r]));
      const auto row = static_cast<std::int64_t>(r);
      const std::int64_t targets = data_->shape.target_every_step ? data_->shape.steps : 1;
      copy_row(data_->inputs, sequence, data_->shape.steps, data_->shape.inputs, row, out.rows, out.inputs);
      copy_row(data_->targets.classes, sequence, targets, 1, row, out.rows, out.classes);
      copy_row(data_->targets.values, sequence, targets, 1, row, out.rows, out.values);
    }
  }

 private:
  // from (n, steps, width), its sequence; to (steps, rows, width), its row. Nothing if the data hold no such array.
  template <class T>
  static void copy_row(const std::vector<T>& from, std::int64_t sequence, std::int64_t steps, std::int64_t width, std::int64_t row,
                       std::int64_t rows, T* to) {
    if (from.empty()) return;
    for (std::int64_t t = 0; t < steps; ++t)
      std::copy_n(from.data() + (sequence * steps + t) * width, width, to + (t * rows + row) * width);
  }

  std::shared_ptr<const SequenceData> data_;
  SplitMembers members_;  // sequences, in order of first appearance
};

void check_options(const TaskContext& context, const CsvTaskOptions& options) {
  if (context.path.empty()) throw usage_error("task.path: the task csv needs a file; set task.path to the CSV file to read");
  const SequenceColumns& columns = options.columns;
  if (columns.sequence == columns.step || columns.sequence == columns.target || columns.step == columns.target)
    throw usage_error("task.sequence_column, task.step_column and task.target_column: expected three different columns; name each once");
  options.shares.check();
}

std::shared_ptr<const BatchSource> make_csv(const TaskContext& context, const CsvTaskOptions& options) {
  check_options(context, options);
  static ReadOnce<SequenceData> cache;  // the data do not depend on the seed, the split does
  const SequenceColumns& columns = options.columns;
  const std::string key = fmt::format("{}\n{}\n{}\n{}\n{}\n{}", context.path, columns.sequence, columns.step, columns.target,
                                      columns.target_kind, context.target_every_step);
  auto data =
      cache.get(key, [&] { return read_sequences(parse_csv(read_file(context.path), context.path), columns, context.target_every_step); });
  return std::make_shared<CsvSource>(std::move(data), context, options);
}

}  // namespace

TaskEntry csv_task() {
  return {.name = "csv",
          .description = "your own sequences from task.path, a CSV file with columns sequence, step, target and any inputs",
          .step_targets = true,
          .make_options = [] { return std::unique_ptr<Options>(std::make_unique<CsvTaskOptions>()); },
          .make = [](const TaskContext& context,
                     const Options& options) { return make_csv(context, dynamic_cast<const CsvTaskOptions&>(options)); }};
}

}  // namespace vp
