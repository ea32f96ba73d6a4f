// Images or any feature vectors from the user's own CSV file, one sample a row: a label column, and every other column a feature; such as
// MNIST in CSV form (label, 784 pixels from 0 to 255) or scikit-learn's digits (64 pixels from 0 to 16, and the digit). No file comes with
// it, so chance is the share of the most frequent label.
//
// A sample is one step with all features, or, with task.steps = S, S steps with the features in order, for an image its rows. A cnn sees
// these rows as an image, of task.channels numbers for each pixel, side by side. task.scaling: "none"; "range", divided by the largest
// absolute value of the training set, which takes pixels to [0, 1]; "standard", from each feature its mean over the training set, divided
// by its standard deviation there (by 1 where that is 0).
//
// The sets are drawn as those of the task csv: by the seed and the position of a row in the file, the shares exact but for rounding, or as
// data_options.h says.
#include <algorithm>
#include <cmath>
#include <vector>

#include "experiments/tasks/files/csv_rows.h"
#include "experiments/tasks/task_support.h"

namespace vp {
namespace {

constexpr std::string_view kUnscaled = "none", kRange = "range", kStandard = "standard";

struct CsvRowsOptions : OptionsOf<CsvRowsOptions> {
  RowColumns columns;
  std::string scaling{kUnscaled};
  std::int64_t steps = 1, channels = 1;
  DataOptions data;

  void visit_fields(FieldVisitor& visitor) override {
    visitor.field({.key = "task.label_column", .description = "column with the target"}, columns.label);
    visit_target_kind(visitor, columns.target_kind);
    visitor.field({.key = "task.scaling",
                   .description = "features as they are, divided by the largest, or each with mean 0 and deviation 1",
                   .choices = {kUnscaled, kRange, kStandard}},
                  scaling);
    visitor.field({.key = "task.steps", .description = "steps that the features are spread over evenly", .minimum = 1, .maximum = 1e6},
                  steps);
    visitor.field({.key = "task.channels",
                   .description = "features of a pixel, where a cnn sees the steps as the rows of an image",
                   .minimum = 1,
                   .maximum = 1024},
                  channels);
    data.visit_fields(visitor);
    visitor.field({.key = "task.id_column", .description = "column that names the samples in results; unset: the row, from 0"}, columns.id);
  }
};

// What a feature x is shown as: (x - offset) / divisor, in T.
template <class T>
struct Scale {
  T offset = 0, divisor = 1;
};

// The features of the samples that scales are made from.
template <class T>
struct TrainingRows {
  const RowData<T>& data;
  const std::vector<std::uint64_t>& rows;

  T value(std::uint64_t row, std::int64_t feature) const { return data.inputs[row * static_cast<std::uint64_t>(data.features) + feature]; }
};

template <class T>
Scale<T> range_of(const TrainingRows<T>& training) {
  T largest = 0;
  for (const std::uint64_t row : training.rows)
    for (std::int64_t i = 0; i < training.data.features; ++i) largest = std::max(largest, std::abs(training.value(row, i)));
  return {.offset = 0, .divisor = largest > 0 ? largest : 1};
}

template <class T>
Scale<T> standard_of(const TrainingRows<T>& training, std::int64_t feature) {
  const auto n = static_cast<double>(training.rows.size());
  const auto value = [&](std::uint64_t row) { return static_cast<double>(training.value(row, feature)); };
  double mean = 0, variance = 0;
  for (const std::uint64_t row : training.rows) mean += value(row) / n;
  for (const std::uint64_t row : training.rows) variance += (value(row) - mean) * (value(row) - mean) / n;
  return {.offset = static_cast<T>(mean), .divisor = variance > 0 ? static_cast<T>(std::sqrt(variance)) : 1};
}

template <class T>
std::vector<Scale<T>> scales_of(const TrainingRows<T>& training, const std::string& scaling) {
  std::vector<Scale<T>> scales(static_cast<std::size_t>(training.data.features));
  if (scaling == kRange) std::ranges::fill(scales, range_of(training));
  if (scaling == kStandard)
    for (std::int64_t i = 0; i < training.data.features; ++i) scales[static_cast<std::size_t>(i)] = standard_of(training, i);
  return scales;
}

template <class T>
class CsvRowsSource : public OwnDataSource<T> {
 public:
  CsvRowsSource(std::shared_ptr<const RowData<T>> data, const TaskContext& context, const CsvRowsOptions& options)
      : OwnDataSource<T>(data->samples, options.data, options.data.split_plan(context.seed, context.path), "rows"),
        data_(std::move(data)),
        scales_(scales_of<T>({*data_, this->members().of(Split::kTrain)}, options.scaling)),
        shape_{.steps = options.steps, .inputs = data_->features / options.steps} {
    data_->samples.targets.describe(shape_);
    if (options.steps > 1 || options.channels > 1) {
      shape_.image_channels = options.channels, shape_.image_height = options.steps, shape_.image_width = shape_.inputs / options.channels;
    }
  }

  SequenceShape shape() const override { return shape_; }

  void fill(Split split, std::span<const std::uint64_t> samples, const SampleRows& out) const override {
    const Targets<T>& targets = data_->samples.targets;
    for (std::size_t r = 0; r < samples.size(); ++r) {
      const auto sample = static_cast<std::size_t>(this->members().at("csv_rows", split, samples[r]));
      write_inputs(out,
                   [&](auto* to) { fill_row(data_->inputs.data() + sample * scales_.size(), static_cast<std::int64_t>(r), out.rows, to); });
      if (shape_.target == TargetKind::kClasses)
        out.classes[r] = targets.classes[sample];
      else
        write_values(out, [&]<class To>(To* to) { to[r] = static_cast<To>(targets.values[sample]); });
    }
  }

 private:
  // from (T, I), row r of the inputs (T, B, I).
  template <class To>
  void fill_row(const T* from, std::int64_t r, std::int64_t rows, To* to) const {
    const Scale<T>* scale = scales_.data();
    for (std::int64_t t = 0; t < shape_.steps; ++t)
      for (std::int64_t i = 0; i < shape_.inputs; ++i, ++from, ++scale)
        to[(t * rows + r) * shape_.inputs + i] = static_cast<To>((*from - scale->offset) / scale->divisor);
  }

  std::shared_ptr<const RowData<T>> data_;
  std::vector<Scale<T>> scales_;  // by feature
  SequenceShape shape_;
};

template <class T>
std::shared_ptr<const BatchSource> make_csv_rows(const TaskContext& context, const CsvRowsOptions& options) {
  static ReadOnce<RowData<T>> cache;  // the data do not depend on the seed, the split does
  const RowColumns& columns = options.columns;
  const std::string key =
      fmt::format("{}\n{}\n{}\n{}", options.data.reading_key(context.path), columns.label, columns.id, columns.target_kind);
  auto data = cache.get(key, [&] { return read_rows<T>(context.path, columns, options.data); });
  if (data->features % options.steps != 0)
    throw usage_error(fmt::format("task.steps: the {} features of {} cannot be spread evenly over {} steps; expected a divisor of {}",
                                  data->features, context.path, options.steps, data->features));
  if (const std::int64_t inputs = data->features / options.steps; inputs % options.channels != 0)
    throw usage_error(
        fmt::format("task.channels: the {} features of a step of {} are no whole number of pixels of {}; expected a divisor of {}", inputs,
                    context.path, options.channels, inputs));
  return std::make_shared<CsvRowsSource<T>>(std::move(data), context, options);
}

std::shared_ptr<const BatchSource> make_source(const TaskContext& context, const CsvRowsOptions& options) {
  refuse_step_targets(context, "csv_rows");
  options.data.check(context.path, "csv_rows", options.columns.target_kind);
  return context.in_double ? make_csv_rows<double>(context, options) : make_csv_rows<float>(context, options);
}

}  // namespace

TaskEntry csv_rows_task() {
  return {
      .name = "csv_rows",
      .description =
          "your own images or feature vectors from task.path, a CSV file with one sample a row: a column label and any features, such as "
          "MNIST or digits as CSV",
      .step_targets = false,
      .make_options = make_options<CsvRowsOptions>,
      .make = [](const TaskContext& context, const Options& options) { return make_source(context, options_as<CsvRowsOptions>(options)); }};
}

}  // namespace vp
