#include "models/training/metrics.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>
#include <optional>
#include <string>

#include "models/model/answers.h"

namespace vp {
namespace {

constexpr int kBins = 10;  // of calibration_error
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

// Answers of one kind counted against the truth.
struct Counts {
  double hits = 0, false_alarms = 0, misses = 0, rejections = 0;
  void add(bool truth, bool answer) { (truth ? (answer ? hits : misses) : (answer ? false_alarms : rejections)) += 1; }
  Number recall() const { return ratio(hits, hits + misses); }
  Number recall_of_no() const { return ratio(rejections, rejections + false_alarms); }
  Number f1() const { return ratio(2 * hits, 2 * hits + false_alarms + misses); }
  static Number ratio(double part, double whole) { return whole > 0 ? Number(part / whole) : std::nullopt; }
};

// Confidence against accuracy in equal bins.
class Calibration {
 public:
  void add(double confidence, bool right) {
    if (std::isnan(confidence)) broken_ = true;
    Bin& bin = bins_[static_cast<std::size_t>(std::clamp(std::isnan(confidence) ? 0 : static_cast<int>(confidence * kBins), 0, kBins - 1))];
    bin.confidence += confidence, bin.right += right, total_ += 1;
  }
  Number error() const {
    if (broken_) return kNaN;
    double sum = 0;
    for (const Bin& bin : bins_) sum += std::abs(bin.confidence - bin.right);
    return total_ > 0 ? Number(sum / total_) : std::nullopt;
  }

 private:
  struct Bin {
    double confidence = 0, right = 0;
  };
  std::array<Bin, kBins> bins_{};
  double total_ = 0;
  bool broken_ = false;
};

class Rows {
 public:
  Rows(std::int64_t update, Split split) : update_(update), split_(split) {}
  void add(const char* metric, Number value, const std::string& label = "") {
    rows_.push_back({update_, split_, metric, label, value, ""});
  }
  std::vector<MetricRow> take() { return std::move(rows_); }

 private:
  std::int64_t update_;
  Split split_;
  std::vector<MetricRow> rows_;
};

void measure_classes(std::int64_t samples, std::int64_t classes, const double* outputs, const std::int32_t* truth, bool one_against_all,
                     Rows& rows) {
  std::vector<Counts> counts(static_cast<std::size_t>(classes));
  Calibration calibration;
  std::vector<double> scores;
  std::vector<std::uint8_t> is_yes;
  double right = 0, brier = 0;
  for (std::int64_t s = 0; s < samples; ++s) {
    const std::span<const double> logits(outputs + s * classes, static_cast<std::size_t>(classes));
    const std::optional<std::int64_t> answer = chosen_class(logits);
    const std::vector<double> p = class_probabilities(logits, one_against_all);
    for (std::int64_t c = 0; c < classes; ++c) {
      counts[c].add(truth[s] == c, answer == c);
      const double gap = p[c] - (truth[s] == c ? 1 : 0);
      brier += gap * gap;
    }
    calibration.add(answer ? p[*answer] : kNaN, answer == truth[s]);
    right += answer == truth[s];
    if (classes == 2) scores.push_back(logits[1] - logits[0]), is_yes.push_back(truth[s] == 1);
  }
  rows.add("accuracy", right / static_cast<double>(samples));
  for (std::int64_t c = 0; c < classes; ++c) rows.add("recall", counts[c].recall(), std::to_string(c));
  if (classes == 2) rows.add("f1", counts[1].f1()), rows.add("auc", area_under_curve(scores, is_yes));
  rows.add("brier", brier / static_cast<double>(samples));
  rows.add("calibration_error", calibration.error());
}

void measure_labels(std::int64_t samples, std::int64_t labels, const double* outputs, const double* truth, Rows& rows) {
  std::vector<Counts> counts(static_cast<std::size_t>(labels));
  Calibration calibration;
  double right = 0, brier = 0;
  for (std::int64_t s = 0; s < samples; ++s) {
    bool all_right = true;
    for (std::int64_t j = 0; j < labels; ++j) {
      const double z = outputs[s * labels + j], t = truth[s * labels + j], p = sigmoid(z);
      const bool yes = t > 0.5, answer = chosen_yes(z).value_or(!yes);
      counts[j].add(yes, answer);
      all_right = all_right && yes == answer;
      brier += (p - t) * (p - t);
      calibration.add(std::isnan(p) ? p : std::max(p, 1 - p), yes == answer);
    }
    right += all_right;
  }
  rows.add("accuracy", right / static_cast<double>(samples));
  for (std::int64_t j = 0; j < labels; ++j) {
    std::vector<double> scores;
    std::vector<std::uint8_t> is_yes;
    for (std::int64_t s = 0; s < samples; ++s) scores.push_back(outputs[s * labels + j]), is_yes.push_back(truth[s * labels + j] > 0.5);
    const std::string label = labels > 1 ? std::to_string(j) : "";
    if (labels == 1) rows.add("recall", counts[j].recall_of_no(), "0");
    rows.add("recall", counts[j].recall(), labels > 1 ? label : "1");
    rows.add("f1", counts[j].f1(), label);
    rows.add("auc", area_under_curve(scores, is_yes), label);
  }
  rows.add("brier", brier / static_cast<double>(samples * labels));
  rows.add("calibration_error", calibration.error());
}

double mean_square(std::int64_t n, const double* outputs, const double* truth) {
  double sum = 0;
  for (std::int64_t i = 0; i < n; ++i) sum += (outputs[i] - truth[i]) * (outputs[i] - truth[i]);
  return sum / static_cast<double>(n);
}

}  // namespace

Number area_under_curve(std::span<const double> scores, std::span<const std::uint8_t> is_yes) {
  if (std::ranges::any_of(scores, [](double s) { return std::isnan(s); })) return kNaN;
  std::vector<std::size_t> order(scores.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::sort(order, {}, [&](std::size_t i) { return scores[i]; });
  double yes = 0, no = 0, won = 0;  // pairs in which the yes has the larger score; ties half
  for (std::size_t first = 0, end = 0; first < order.size(); first = end) {
    double tied_yes = 0, tied_no = 0;
    for (end = first; end < order.size() && scores[order[end]] == scores[order[first]]; ++end)
      (is_yes[order[end]] ? tied_yes : tied_no) += 1;
    won += tied_yes * (no + tied_no / 2);
    yes += tied_yes, no += tied_no;
  }
  return yes > 0 && no > 0 ? Number(won / (yes * no)) : std::nullopt;
}

OutputRecord::OutputRecord(const SequenceShape& shape, std::int64_t most_samples, bool one_against_all)
    : shape_(shape), one_against_all_(one_against_all) {
  if (shape.target_every_step || target_steps(shape) > 1) return;
  outputs_ = AlignedBuffer<double>(most_samples * shape.outputs);
  if (shape.target == TargetKind::kClasses)
    classes_ = AlignedBuffer<std::int32_t>(most_samples);
  else
    values_ = AlignedBuffer<double>(most_samples * shape.outputs);
}

template <class T>
void OutputRecord::keep(std::int64_t first, std::int64_t rows, const T* outputs, const std::int32_t* classes, const T* values) {
  const std::int64_t n = rows * shape_.outputs, at = first * shape_.outputs;
  for (std::int64_t i = 0; i < n; ++i) outputs_[at + i] = static_cast<double>(outputs[i]);
  if (!classes_.empty()) std::copy_n(classes, rows, classes_.data() + first);
  for (std::int64_t i = 0; !values_.empty() && i < n; ++i) values_[at + i] = static_cast<double>(values[i]);
}
template void OutputRecord::keep(std::int64_t, std::int64_t, const float*, const std::int32_t*, const float*);
template void OutputRecord::keep(std::int64_t, std::int64_t, const double*, const std::int32_t*, const double*);

std::vector<MetricRow> OutputRecord::metrics(std::int64_t samples, std::int64_t update, Split split) const {
  Rows rows(update, split);
  if (samples == 0 || empty()) return rows.take();
  if (shape_.target == TargetKind::kClasses)
    measure_classes(samples, shape_.outputs, outputs_.data(), classes_.data(), one_against_all_, rows);
  if (shape_.target == TargetKind::kBinary) measure_labels(samples, shape_.outputs, outputs_.data(), values_.data(), rows);
  if (shape_.target == TargetKind::kValues) rows.add("mse", mean_square(samples * shape_.outputs, outputs_.data(), values_.data()));
  return rows.take();
}

}  // namespace vp
