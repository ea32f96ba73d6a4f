// Images or any feature vectors from the user's own CSV file, one sample a row: a label column, and every other column a feature; such as
// MNIST in CSV form (label, 784 pixels from 0 to 255) or scikit-learn's digits (64 pixels from 0 to 16, and the digit). No file comes with
// it, so chance is the share of the most frequent label.
//
// A sample is one step with all features, or, with task.steps = S, S steps with the features in order, for an image its rows. A cnn sees
// these rows as an image, of task.channels numbers for each pixel, side by side. task.scaling: "none"; "range", divided by the largest
// absolute value of the training set, which takes pixels to [0, 1]; "standard", from each feature its mean over the training set, divided
// by its standard deviation there (by 1 where that is 0).
//
// The sets are drawn as those of the task csv: by the seed and the position of a row in the file, the shares exact but for rounding.
#include <algorithm>
#include <cmath>
#include <vector>

#include "experiments/csv_rows.h"
#include "experiments/files.h"
#include "experiments/split.h"
#include "experiments/task_support.h"

namespace vp {
namespace {

constexpr std::string_view kUnscaled = "none", kRange = "range", kStandard = "standard";

struct CsvRowsOptions : OptionsOf<CsvRowsOptions> {
  std::string label_column = "label", target_kind{kClassTarget}, scaling{kUnscaled};
  std::int64_t steps = 1, channels = 1;
  SplitShares shares;

  void visit_fields(FieldVisitor& visitor) override {
    visitor.field({.key = "task.label_column", .description = "column with the target; every other column is a feature"}, label_column);
    visitor.field({.key = "task.target_kind",
                   .description = "class numbers from 0, yes/no as 1 and 0, or values",
                   .choices = {kClassTarget, kBinaryTarget, kValueTarget}},
                  target_kind);
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
    shares.visit_fields(visitor);
  }
};

// What a feature x is shown as: (x - offset) / divisor.
struct Scale {
  float offset = 0, divisor = 1;
};

Scale range_of(const RowData& data, const std::vector<std::uint64_t>& rows) {
  float largest = 0;
  for (const std::uint64_t row : rows)
    for (std::int64_t i = 0; i < data.features; ++i)
      largest = std::max(largest, std::abs(data.inputs[static_cast<std::size_t>(static_cast<std::int64_t>(row) * data.features + i)]));
  return {.offset = 0, .divisor = largest > 0 ? largest : 1};
}

Scale standard_of(const RowData& data, const std::vector<std::uint64_t>& rows, std::int64_t feature) {
  const auto n = static_cast<double>(rows.size());
  const auto value = [&](std::uint64_t row) {
    return static_cast<double>(data.inputs[static_cast<std::size_t>(static_cast<std::int64_t>(row) * data.features + feature)]);
  };
  double mean = 0, variance = 0;
  for (const std::uint64_t row : rows) mean += value(row) / n;
  for (const std::uint64_t row : rows) variance += (value(row) - mean) * (value(row) - mean) / n;
  return {.offset = static_cast<float>(mean), .divisor = variance > 0 ? static_cast<float>(std::sqrt(variance)) : 1};
}

std::vector<Scale> scales_of(const RowData& data, const std::vector<std::uint64_t>& rows, const std::string& scaling) {
  std::vector<Scale> scales(static_cast<std::size_t>(data.features));
  if (scaling == kRange) std::ranges::fill(scales, range_of(data, rows));
  if (scaling == kStandard)
    for (std::int64_t i = 0; i < data.features; ++i) scales[static_cast<std::size_t>(i)] = standard_of(data, rows, i);
  return scales;
}

class CsvRowsSource : public BatchSource {
 public:
  CsvRowsSource(std::shared_ptr<const RowData> data, const TaskContext& context, const CsvRowsOptions& options)
      : data_(std::move(data)),
        members_(draw_split(static_cast<std::uint64_t>(data_->count), options.shares, context.seed, context.path, "rows")),
        scales_(scales_of(*data_, members_.of(Split::kTrain), options.scaling)),
        shape_{.steps = options.steps, .inputs = data_->features / options.steps} {
    data_->targets.describe(shape_, context.path, options.label_column);
    if (options.steps > 1 || options.channels > 1) {
      shape_.image_channels = options.channels, shape_.image_height = options.steps, shape_.image_width = shape_.inputs / options.channels;
    }
  }

  SequenceShape shape() const override { return shape_; }
  std::uint64_t size(Split split) const override { return members_.size(split); }

  void fill(Split split, std::span<const std::uint64_t> samples, const SampleRows& out) const override {
    for (std::size_t r = 0; r < samples.size(); ++r) {
      const auto sample = static_cast<std::size_t>(members_.at("csv_rows", split, samples[r]));
      fill_row(data_->inputs.data() + sample * scales_.size(), static_cast<std::int64_t>(r), out);
      if (shape_.target == TargetKind::kClasses)
        out.classes[r] = data_->targets.classes[sample];
      else
        out.values[r] = data_->targets.values[sample];
    }
  }

 private:
  // from (T, I), row r of the inputs (T, B, I).
  void fill_row(const float* from, std::int64_t r, const SampleRows& out) const {
    const Scale* scale = scales_.data();
    for (std::int64_t t = 0; t < shape_.steps; ++t)
      for (std::int64_t i = 0; i < shape_.inputs; ++i, ++from, ++scale)
        out.inputs[(t * out.rows + r) * shape_.inputs + i] = (*from - scale->offset) / scale->divisor;
  }

  std::shared_ptr<const RowData> data_;
  SplitMembers members_;
  std::vector<Scale> scales_;  // by feature
  SequenceShape shape_;
};

std::shared_ptr<const BatchSource> make_csv_rows(const TaskContext& context, const CsvRowsOptions& options) {
  if (context.path.empty()) throw usage_error("task.path: the task csv_rows needs a file; set task.path to the CSV file to read");
  refuse_step_targets(context, "csv_rows");
  options.shares.check();
  static ReadOnce<RowData> cache;  // the data do not depend on the seed, the split does
  const std::string key = fmt::format("{}\n{}\n{}", context.path, options.label_column, options.target_kind);
  auto data = cache.get(key, [&] { return read_rows(read_file(context.path), context.path, options.label_column, options.target_kind); });
  if (data->features % options.steps != 0)
    throw usage_error(fmt::format("task.steps: the {} features of {} cannot be spread evenly over {} steps; expected a divisor of {}",
                                  data->features, context.path, options.steps, data->features));
  if (const std::int64_t inputs = data->features / options.steps; inputs % options.channels != 0)
    throw usage_error(
        fmt::format("task.channels: the {} features of a step of {} are no whole number of pixels of {}; expected a divisor of {}", inputs,
                    context.path, options.channels, inputs));
  return std::make_shared<CsvRowsSource>(std::move(data), context, options);
}

}  // namespace

TaskEntry csv_rows_task() {
  return {
      .name = "csv_rows",
      .description =
          "your own images or feature vectors from task.path, a CSV file with one sample a row: a column label and any features, such as "
          "MNIST or digits as CSV",
      .step_targets = false,
      .make_options = [] { return std::unique_ptr<Options>(std::make_unique<CsvRowsOptions>()); },
      .make = [](const TaskContext& context,
                 const Options& options) { return make_csv_rows(context, dynamic_cast<const CsvRowsOptions&>(options)); }};
}

}  // namespace vp
