// How good the outputs are on a split, beyond the loss: what metrics.csv holds. Of tasks with one target per sample.
//
//   classes        accuracy; recall of each class; with two classes f1 and auc of class 1; brier, calibration_error
//   yes or no      accuracy (all labels right); recall of yes (1) and no (0); f1, auc; brier, calibration_error. Several labels: recall (of
//                  yes), f1 and auc of each, class = its number
//   values         mse
//
// f1 = 2 TP / (2 TP + FP + FN). auc: the chance that a yes has the larger output than a no, ties half (Mann & Whitney 1947). brier: mean
// over samples of the squared distance between probabilities and truth (Brier 1950). calibration_error: mean over samples of
// |confidence - accuracy| in ten equal bins of confidence (Guo et al. 2017), confidence that of the answer given. What has no sample to
// speak of is absent. Thread-safety: keep() may be called by several threads for rows that do not overlap; the rest by one.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "kernels/memory/aligned_buffer.h"
#include "models/spec/batch_source.h"
#include "models/spec/report.h"

namespace vp {

class OutputRecord {
 public:
  OutputRecord() = default;
  // one_against_all: the probability of a class is the sigmoid of its output, not the softmax.
  OutputRecord(const SequenceShape& shape, std::int64_t most_samples, bool one_against_all = false);
  bool empty() const { return outputs_.empty(); }

  // Outputs (rows, C) and targets, classes (rows) or values (rows, C), of samples first .. first+rows-1.
  template <class T>
  void keep(std::int64_t first, std::int64_t rows, const T* outputs, const std::int32_t* classes, const T* values);

  // Rows of samples 0 .. samples-1, in a fixed order.
  std::vector<MetricRow> metrics(std::int64_t samples, std::int64_t update, Split split) const;

 private:
  SequenceShape shape_;
  bool one_against_all_ = false;
  AlignedBuffer<double> outputs_, values_;  // (samples, C)
  AlignedBuffer<std::int32_t> classes_;     // (samples)
};

// Area under the receiver operating characteristic; absent without a yes or without a no. NaN if a score is NaN.
Number area_under_curve(std::span<const double> scores, std::span<const std::uint8_t> is_yes);

}  // namespace vp
