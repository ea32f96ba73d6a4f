// The measures of an evaluation on random answers against their definitions, written out here a second time.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "models/base/random.h"
#include "models/training/metrics.h"
#include "tests/compare.h"

namespace vp::test {
namespace {

constexpr std::int64_t kSamples = 3000;
constexpr double kExact = 1e-12;

double sigmoid(double z) { return 1 / (1 + std::exp(-z)); }

struct Answers {
  std::int64_t outputs;
  std::vector<double> logits;         // (samples, outputs)
  std::vector<std::int32_t> classes;  // (samples)
  std::vector<double> values;         // (samples, outputs): 0 or 1
};

// Logits of every size, a tenth of them rounded so that there are ties; true answers more often than not where the logit is large.
Answers draw(std::int64_t outputs, bool classes) {
  RandomStream random(5, RandomUse::kTest, static_cast<std::uint64_t>(outputs));
  Answers a{.outputs = outputs, .logits = {}, .classes = {}, .values = {}};
  for (std::int64_t s = 0; s < kSamples; ++s) {
    for (std::int64_t c = 0; c < outputs; ++c) {
      const double z = 3 * random.normal();
      a.logits.push_back(random.below(10) == 0 ? std::round(z) : z);
      a.values.push_back(random.uniform() < sigmoid(0.5 * z) ? 1 : 0);
    }
    a.classes.push_back(static_cast<std::int32_t>(random.below(static_cast<std::uint64_t>(outputs))));
  }
  if (!classes) a.classes.clear();
  return a;
}

// Samples come in chunks, as evaluations hand them over.
std::vector<MetricRow> measured(const Answers& a, bool one_against_all = false) {
  const bool classes = !a.classes.empty();
  OutputRecord record({.steps = 1, .inputs = 1, .outputs = a.outputs, .target = classes ? TargetKind::kClasses : TargetKind::kBinary},
                      kSamples, one_against_all);
  for (std::int64_t first = 0; first < kSamples; first += 700) {
    const std::int64_t rows = std::min<std::int64_t>(700, kSamples - first);
    record.keep<double>(first, rows, a.logits.data() + first * a.outputs, classes ? a.classes.data() + first : nullptr,
                        classes ? nullptr : a.values.data() + first * a.outputs);
  }
  return record.metrics(kSamples, 0, Split::kTest);
}

void expect(const std::vector<MetricRow>& rows, const std::string& metric, const std::string& label, double value) {
  for (const MetricRow& row : rows)
    if (row.metric == metric && row.label == label) {
      ASSERT_TRUE(row.value.has_value()) << metric;
      EXPECT_TRUE(near(*row.value, value, kExact)) << metric << ' ' << label;
      return;
    }
  ADD_FAILURE() << "no " << metric << ' ' << label;
}

struct Judged {
  double confidence;
  bool right;
};

// Guo et al. 2017: the share of the samples in each of ten bins [0, 1/10), [1/10, 2/10), ..., [9/10, 1] times the distance between the
// bin's mean confidence and its accuracy.
double calibration_error(const std::vector<Judged>& all) {
  double error = 0;
  for (int bin = 0; bin < 10; ++bin) {
    double confidence = 0, right = 0, count = 0;
    for (const Judged& j : all) {
      const bool inside = j.confidence * 10 >= bin && (j.confidence * 10 < bin + 1 || bin == 9);
      if (inside) confidence += j.confidence, right += j.right, count += 1;
    }
    if (count > 0) error += count / static_cast<double>(all.size()) * std::abs(confidence / count - right / count);
  }
  return error;
}

// Of all pairs of a yes and a no, the share in which the yes has the larger score; ties count half.
double pairs_won(const std::vector<double>& scores, const std::vector<bool>& yes) {
  double won = 0, pairs = 0;
  for (std::size_t i = 0; i < scores.size(); ++i)
    for (std::size_t j = 0; yes[i] && j < scores.size(); ++j) {
      if (yes[j]) continue;
      pairs += 1;
      won += scores[i] > scores[j] ? 1 : scores[i] == scores[j] ? 0.5 : 0;
    }
  return won / pairs;
}

struct Counts {
  double true_yes = 0, false_yes = 0, true_no = 0, false_no = 0;
  void add(bool truth, bool answer) { (truth ? (answer ? true_yes : false_no) : (answer ? false_yes : true_no)) += 1; }
  double precision() const { return true_yes / (true_yes + false_yes); }
  double recall() const { return true_yes / (true_yes + false_no); }
  double recall_of_no() const { return true_no / (true_no + false_yes); }
  double f1() const { return 2 * precision() * recall() / (precision() + recall()); }
};

void expect_classes(std::int64_t classes, bool one_against_all) {
  const Answers a = draw(classes, true);
  const auto rows = measured(a, one_against_all);
  std::vector<Counts> counts(static_cast<std::size_t>(classes));
  std::vector<Judged> judged;
  std::vector<double> scores;
  std::vector<bool> yes;
  double right = 0, brier = 0;
  for (std::int64_t s = 0; s < kSamples; ++s) {
    const double* z = a.logits.data() + s * classes;
    double sum = 0;
    for (std::int64_t c = 0; c < classes; ++c) sum += std::exp(z[c]);
    std::int64_t answer = 0;
    for (std::int64_t c = 0; c < classes; ++c) {
      const double p = one_against_all ? sigmoid(z[c]) : std::exp(z[c]) / sum;
      brier += (p - (a.classes[s] == c)) * (p - (a.classes[s] == c));
      if (z[c] > z[answer]) answer = c;
    }
    for (std::int64_t c = 0; c < classes; ++c) counts[c].add(a.classes[s] == c, answer == c);
    judged.push_back({one_against_all ? sigmoid(z[answer]) : std::exp(z[answer]) / sum, answer == a.classes[s]});
    right += answer == a.classes[s];
    scores.push_back(z[classes - 1] - z[0]), yes.push_back(a.classes[s] == classes - 1);
  }
  expect(rows, "accuracy", "", right / kSamples);
  expect(rows, "brier", "", brier / kSamples);
  expect(rows, "calibration_error", "", calibration_error(judged));
  for (std::int64_t c = 0; c < classes; ++c) expect(rows, "recall", std::to_string(c), counts[c].recall());
  if (classes != 2) return;
  expect(rows, "f1", "", counts[1].f1());
  expect(rows, "auc", "", pairs_won(scores, yes));
}

TEST(MetricsByDefinition, Classes) {
  for (const std::int64_t classes : {2, 3, 11})
    for (const bool one_against_all : {false, true}) expect_classes(classes, one_against_all);
}

TEST(MetricsByDefinition, YesAndNo) {
  for (const std::int64_t labels : {1, 3}) {
    const Answers a = draw(labels, false);
    const auto rows = measured(a);
    std::vector<Judged> judged;
    double right = 0, brier = 0;
    for (std::int64_t s = 0; s < kSamples; ++s) {
      bool all = true;
      for (std::int64_t j = 0; j < labels; ++j) {
        const double p = sigmoid(a.logits[s * labels + j]), truth = a.values[s * labels + j];
        const bool answer = p > 0.5;
        all = all && answer == (truth == 1);
        brier += (p - truth) * (p - truth);
        judged.push_back({answer ? p : 1 - p, answer == (truth == 1)});
      }
      right += all;
    }
    expect(rows, "accuracy", "", right / kSamples);
    expect(rows, "brier", "", brier / static_cast<double>(kSamples * labels));
    expect(rows, "calibration_error", "", calibration_error(judged));
    for (std::int64_t j = 0; j < labels; ++j) {
      Counts counts;
      std::vector<double> scores;
      std::vector<bool> yes;
      for (std::int64_t s = 0; s < kSamples; ++s) {
        scores.push_back(a.logits[s * labels + j]), yes.push_back(a.values[s * labels + j] == 1);
        counts.add(yes.back(), scores.back() > 0);
      }
      const std::string label = labels == 1 ? "" : std::to_string(j);
      expect(rows, "f1", label, counts.f1());
      expect(rows, "auc", label, pairs_won(scores, yes));
      expect(rows, "recall", labels == 1 ? "1" : label, counts.recall());
      if (labels == 1) expect(rows, "recall", "0", counts.recall_of_no());
    }
  }
}

// An answer that is certain falls into the last bin, one of .1 into the second.
TEST(MetricsByDefinition, EdgesOfBins) {
  OutputRecord record({.steps = 1, .inputs = 1, .outputs = 1, .target = TargetKind::kBinary}, 3);
  const double certain[] = {1000, 1000, 2}, truth[] = {1, 0, 1};
  record.keep<double>(0, 3, certain, nullptr, truth);
  const double p = sigmoid(2);  // .88: a bin of its own
  expect(record.metrics(3, 0, Split::kTest), "calibration_error", "", (std::abs(2.0 - 1) + std::abs(p - 1)) / 3);
}

TEST(MetricsByDefinition, ANanAnswerIsNotCalibrated) {
  OutputRecord record({.steps = 1, .inputs = 1, .outputs = 2}, 2);
  const double logits[] = {1, 0, NAN, 0};
  const std::int32_t classes[] = {0, 1};
  record.keep<double>(0, 2, logits, classes, nullptr);
  for (const MetricRow& row : record.metrics(2, 0, Split::kTest)) {
    if (row.metric == "calibration_error" || row.metric == "brier" || row.metric == "auc") {
      EXPECT_TRUE(std::isnan(*row.value)) << row.metric;
    }
  }
}

TEST(MetricsByDefinition, MeanSquareOverAllValues) {
  OutputRecord record({.steps = 1, .inputs = 1, .outputs = 2, .target = TargetKind::kValues}, 3);
  const double outputs[] = {1, 2, 3, 4, 5, 6}, truth[] = {1, 1, 3, 2, 2, 6};
  record.keep<double>(0, 2, outputs, nullptr, truth);
  record.keep<double>(2, 1, outputs + 4, nullptr, truth + 4);
  expect(record.metrics(3, 0, Split::kTest), "mse", "", (1.0 + 4 + 9) / 6);
}

}  // namespace
}  // namespace vp::test
