// The user's own sequences from a tidy CSV file (csv_sequences.h). They are split into training, validation and test sets at random, by the
// seed and the position of a sequence in order of first appearance, or as data_options.h says.
#include "experiments/tasks/files/csv_sequences.h"
#include "experiments/tasks/task_support.h"

namespace vp {
namespace {

struct CsvTaskOptions : OptionsOf<CsvTaskOptions> {
  SequenceColumns columns;
  DataOptions data;

  void visit_fields(FieldVisitor& visitor) override {
    visitor.field({.key = "task.sequence_column", .description = "column that names the sequence of a row"}, columns.sequence);
    visitor.field({.key = "task.step_column", .description = "column with the step, a whole number"}, columns.step);
    visitor.field({.key = "task.target_column", .description = "column with the target"}, columns.target);
    visit_target_kind(visitor, columns.target_kind);
    data.visit_fields(visitor);
  }
};

template <class T>
class CsvSource : public OwnDataSource<T> {
 public:
  CsvSource(std::shared_ptr<const SequenceData<T>> data, const TaskContext& context, const DataOptions& options)
      : OwnDataSource<T>(data->samples, options, options.split_plan(context.seed, context.path), "sequences"), data_(std::move(data)) {}

  SequenceShape shape() const override { return data_->shape; }

  void fill(Split split, std::span<const std::uint64_t> samples, const SampleRows& out) const override {
    for (std::size_t r = 0; r < samples.size(); ++r)
      fill_row(this->members().at("csv", split, samples[r]), static_cast<std::int64_t>(r), out);
  }

 private:
  void fill_row(std::uint64_t sequence, std::int64_t r, const SampleRows& out) const {
    const SequenceShape& shape = data_->shape;
    const Targets<T>& targets = data_->samples.targets;
    const std::int64_t first = data_->starts[sequence], length = data_->starts[sequence + 1] - first;
    const std::int64_t target = data_->samples.target_starts[sequence], count = data_->samples.target_starts[sequence + 1] - target;
    const std::int64_t target_steps = shape.target_every_step ? shape.steps : 1;
    if (shape.variable_length) out.lengths[r] = static_cast<std::int32_t>(length);
    write_inputs(
        out, [&](auto* to) { copy_row(data_->inputs.data() + first * shape.inputs, length, shape.steps, shape.inputs, r, out.rows, to); });
    write_values(out, [&](auto* to) { copy_row(targets.values.data() + target, count, target_steps, 1, r, out.rows, to); });
    if (out.classes != nullptr) copy_row(targets.classes.data() + target, count, target_steps, 1, r, out.rows, out.classes);
  }

  // from (length, width); to (steps, rows, width), its row: zeros behind the end.
  template <class From, class To>
  static void copy_row(const From* from, std::int64_t length, std::int64_t steps, std::int64_t width, std::int64_t row, std::int64_t rows,
                       To* to) {
    for (std::int64_t t = 0; t < steps; ++t)
      for (std::int64_t i = 0; i < width; ++i) to[(t * rows + row) * width + i] = t < length ? static_cast<To>(from[t * width + i]) : To{0};
  }

  std::shared_ptr<const SequenceData<T>> data_;
};

void check_options(const TaskContext& context, const CsvTaskOptions& options) {
  const SequenceColumns& columns = options.columns;
  options.data.check(context.path, "csv", columns.target_kind);
  if (columns.sequence == columns.step || columns.sequence == columns.target || columns.step == columns.target)
    throw usage_error("task.sequence_column, task.step_column and task.target_column: expected three different columns; name each once");
  if (context.streams > 0)
    throw usage_error(
        "model.form: stateful needs endless streams, the task csv has sequences that end; take model.form = \"many_to_one\" or "
        "\"many_to_many\"");
  if (options.data.stratified && context.target_every_step)
    throw usage_error("task.stratified: a sequence with a target at every step is of no one class; remove task.stratified");
}

template <class T>
std::shared_ptr<const BatchSource> make_csv(const TaskContext& context, const CsvTaskOptions& options) {
  static ReadOnce<SequenceData<T>> cache;  // the data do not depend on the seed, the split does
  const SequenceColumns& columns = options.columns;
  const std::string key = fmt::format("{}\n{}\n{}\n{}\n{}\n{}", options.data.reading_key(context.path), columns.sequence, columns.step,
                                      columns.target, columns.target_kind, context.target_every_step);
  auto data = cache.get(key, [&] { return read_sequences<T>(context.path, columns, options.data, context.target_every_step); });
  return std::make_shared<CsvSource<T>>(std::move(data), context, options.data);
}

std::shared_ptr<const BatchSource> make_source(const TaskContext& context, const CsvTaskOptions& options) {
  check_options(context, options);
  return context.in_double ? make_csv<double>(context, options) : make_csv<float>(context, options);
}

}  // namespace

TaskEntry csv_task() {
  return {
      .name = "csv",
      .description = "your own sequences, of any lengths, from task.path, a CSV file with columns sequence, step, target and any inputs",
      .step_targets = true,
      .make_options = make_options<CsvTaskOptions>,
      .make = [](const TaskContext& context, const Options& options) { return make_source(context, options_as<CsvTaskOptions>(options)); }};
}

}  // namespace vp
