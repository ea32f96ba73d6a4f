// What predictions.csv says against what it stands for: the samples as the source gives them, and the accuracy and loss of the run.
#include "models/training/predictions.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <string>
#include <tuple>

#include "models/model/answers.h"
#include "models/optimizers/optimizers.h"
#include "models/training/metrics.h"
#include "models/training/trainer.h"
#include "models/verify/model_cases.h"
#include "models/verify/random_source.h"
#include "models/verify/same_bits.h"
#include "tests/compare.h"

namespace vp::test {
namespace {

constexpr std::uint64_t kSamples = 50;  // of each split; not a whole number of shards

RunReport predictions_of(RunSpec spec, const BatchSource& source) {
  ThreadPool pool(2);
  Unwatched watch;
  spec.train.save_predictions = true;
  return train(spec, source, pool, watch);
}

// The targets of one sample, step by step, as source.fill() gives them to a shard of one row.
std::vector<std::vector<double>> targets_of(const BatchSource& source, Split split, std::uint64_t sample) {
  const SequenceShape shape = source.shape();
  const std::int64_t targets = target_steps(shape), width = shape.target == TargetKind::kClasses ? 1 : shape.outputs;
  std::vector<float> inputs(static_cast<std::size_t>(shape.steps * shape.inputs)), values(static_cast<std::size_t>(targets * width));
  std::vector<std::int32_t> tokens(static_cast<std::size_t>(shape.steps)), classes(static_cast<std::size_t>(targets));
  auto length = static_cast<std::int32_t>(shape.steps);
  SampleRows out{.rows = 1, .inputs = inputs.data(), .tokens = tokens.data(), .lengths = &length, .classes = classes.data()};
  out.values = values.data();
  source.fill(split, std::span(&sample, 1), out);
  std::vector<std::vector<double>> steps;
  for (std::int64_t s = 0; s < std::min<std::int64_t>(targets, length); ++s) {
    steps.emplace_back();
    for (std::int64_t j = 0; j < width; ++j)
      steps.back().push_back(shape.target == TargetKind::kClasses ? classes[static_cast<std::size_t>(s)]
                                                                  : double{values[static_cast<std::size_t>(s * width + j)]});
  }
  return steps;
}

bool is_right(const SequenceShape& shape, const PredictionRow& row) {
  if (shape.target == TargetKind::kValues) return std::abs(row.prediction.value() - row.target) < shape.correct_within;
  return row.prediction.value() == row.target;
}

double loss_of(const SequenceShape& shape, const PredictionRow& row) {
  if (shape.target == TargetKind::kValues) return (*row.prediction - row.target) * (*row.prediction - row.target);
  return -std::log(row.prediction == row.target ? *row.probability : 1 - *row.probability);
}

// Reads the rows of a split in order, sample by sample and step by step, and adds up what they say.
class Reader {
 public:
  Reader(const BatchSource& source, const RunReport& report, Split split) : source_(source), split_(split) {
    for (const PredictionRow& row : report.predictions)
      if (row.split == split) rows_.push_back(row);
  }

  void read() {
    for (std::uint64_t sample = 0; sample < kSamples; ++sample) read_sample(sample);
    EXPECT_EQ(next_, rows_.size());
  }
  double accuracy() const { return right_ / kSamples; }
  double loss() const { return loss_ / kSamples; }  // of yes or no, and of values
  // Of classes: mean distance of confidence and accuracy in ten bins (metrics.h).
  double calibration_error() const {
    double sum = 0;
    for (int bin = 0; bin < 10; ++bin) {
      double gap = 0;
      for (const PredictionRow& row : rows_)
        if (std::min(9, static_cast<int>(*row.probability * 10)) == bin) gap += *row.probability - (row.prediction == row.target ? 1 : 0);
      sum += std::abs(gap);
    }
    return sum / static_cast<double>(rows_.size());
  }

 private:
  void read_sample(std::uint64_t sample) {
    const SequenceShape shape = source_.shape();
    const bool has_steps = shape.target_every_step || shape.source_steps > 0;
    const auto targets = targets_of(source_, split_, sample);
    double right = 0, loss = 0;
    for (std::size_t s = 0; s < targets.size(); ++s) {
      bool all = true;
      for (std::size_t j = 0; j < targets[s].size(); ++j) {
        ASSERT_LT(next_, rows_.size());
        const PredictionRow& row = rows_[next_++];
        EXPECT_EQ(row.sample, std::to_string(sample));
        const std::int64_t t = shape.steps - target_steps(shape) + static_cast<std::int64_t>(s);
        EXPECT_EQ(row.t, has_steps ? std::optional(t) : std::nullopt);
        EXPECT_EQ(row.output, shape.target == TargetKind::kClasses ? std::nullopt : std::optional(static_cast<std::int64_t>(j)));
        EXPECT_EQ(row.target, targets[s][j]);
        EXPECT_EQ(row.probability.has_value(), shape.target != TargetKind::kValues);
        EXPECT_TRUE(!row.probability || (*row.probability > 0 && *row.probability <= 1));
        all = all && is_right(shape, row);
        loss += loss_of(shape, row) / static_cast<double>(targets[s].size());
      }
      right += all;
    }
    right_ += right / static_cast<double>(targets.size()), loss_ += loss / static_cast<double>(targets.size());
  }

  const BatchSource& source_;
  Split split_;
  std::vector<PredictionRow> rows_;
  std::size_t next_ = 0;
  double right_ = 0, loss_ = 0;
};

void expect_agreement(const RunSpec& spec, const BatchSource& source, const std::string& name) {
  SCOPED_TRACE(name);
  const RunReport report = predictions_of(spec, source);
  ASSERT_EQ(report.summary.outcome, Outcome::kCompleted);
  const RunSummary& s = report.summary;
  for (const auto& [split, accuracy, loss] :
       {std::tuple(Split::kValidation, s.validation_accuracy, s.validation_loss), std::tuple(Split::kTest, s.test_accuracy, s.test_loss)}) {
    Reader reader(source, report, split);
    reader.read();
    EXPECT_TRUE(near(reader.accuracy(), accuracy.value(), 1e-14));
    const bool is_class = source.shape().target == TargetKind::kClasses;
    EXPECT_TRUE(near(is_class ? *loss : reader.loss(), *loss, 1e-9 * *loss));
    for (const MetricRow& row : report.metrics)
      if (is_class && row.split == split && row.update == spec.train.updates && row.metric == "calibration_error") {
        EXPECT_TRUE(near(reader.calibration_error(), *row.value, 1e-12));
      }
  }
}

// A spec whose rows come out in shards of 8, the last of 5, and whose weights have moved.
RunSpec spec_for(const ModelCase& c, const char* precision) {
  RunSpec spec = spec_of(c, 6);
  spec.train.batch = 25, spec.train.shard_rows = 8, spec.train.updates = 3, spec.train.learning_rate = 0.01;
  spec.optimizer_options = OptionsHandle(find_optimizer(spec.train.optimizer)->make_options());
  spec.engine.precision = precision;
  spec.probe = {.timesteps = false, .layers = false};
  return spec;
}

SequenceShape shape_for(const ModelCase& c, const RunSpec& spec) {
  SequenceShape shape = shape_of(c, 3, 4);
  if (shape.target == TargetKind::kValues) shape.correct_within = 1;
  if (shape.streams > 0) shape.streams = spec.train.batch;
  return shape;
}

TEST(Predictions, AgreeWithAccuracyAndLossInEveryForm) {
  int cases = 0;
  for (ModelCase c : form_cases())
    for (const TargetKind target : {TargetKind::kClasses, TargetKind::kBinary, TargetKind::kValues}) {
      if (c.cell != "gru" || c.layers != 1 || c.steps == 7) continue;
      c.target = target;
      const RunSpec spec = spec_for(c, cases % 2 == 0 ? "f32" : "f64");
      const SequenceShape shape = shape_for(c, spec);
      expect_agreement(spec, RandomSource(shape, kSamples, shape.streams > 0 ? 0 : 101), name_of(c));
      ++cases;
    }
  EXPECT_GT(cases, 30);
}

TEST(Predictions, AgreeWithAccuracyAndLossForEveryKindCellAndOutput) {
  for (const std::string kind : {"mlp", "cnn"})
    for (const TargetKind target : {TargetKind::kClasses, TargetKind::kBinary, TargetKind::kValues}) {
      const SequenceShape shape{.steps = 8,
                                .inputs = 14,
                                .outputs = 3,
                                .target = target,
                                .correct_within = target == TargetKind::kValues ? 1.0 : 0.0,
                                .image_channels = 2,
                                .image_height = 8,
                                .image_width = 7};
      expect_agreement(small_feed_forward(kind), RandomSource(shape, kSamples, 101), kind);
    }
  for (const std::string output : {"sigmoid", "relu"})
    for (const std::string cell : {"rnn", "lstm", "mgu"}) {
      RunSpec spec = small_training(cell);
      spec.model.output = output;
      expect_agreement(spec, RandomSource({.steps = 5, .inputs = 3, .outputs = 4}, kSamples, 101), cell + " " + output);
    }
}

// Of weights that are zero every output is 0: the first class, no, and the value 0.
TEST(Predictions, OfAnUninformedNet) {
  RunSpec spec = small_training("rnn");
  spec.init.scheme = "zeros", spec.train.updates = 0;
  const auto first = [&](TargetKind target, const std::string& output) {
    spec.model.output = output;
    return predictions_of(spec, RandomSource({.steps = 3, .inputs = 2, .outputs = 4, .target = target}, kSamples, 101)).predictions.front();
  };
  const PredictionRow softmax = first(TargetKind::kClasses, "task"), sigmoid = first(TargetKind::kClasses, "sigmoid");
  EXPECT_EQ(softmax.prediction, 0.0);
  EXPECT_EQ(softmax.probability, 0.25);
  EXPECT_EQ(sigmoid.prediction, 0.0);
  EXPECT_EQ(sigmoid.probability, 0.5);
  const PredictionRow yes_or_no = first(TargetKind::kBinary, "task"), value = first(TargetKind::kValues, "task");
  EXPECT_EQ(yes_or_no.prediction, 0.0);
  EXPECT_EQ(yes_or_no.probability, 0.5);
  EXPECT_EQ(value.prediction, 0.0);
  EXPECT_FALSE(value.probability.has_value());
}

TEST(Predictions, SavingThemChangesNothingElse) {
  const RandomSource source({.steps = 5, .inputs = 3, .outputs = 4}, kSamples, 101);
  ThreadPool pool(2);
  Unwatched watch;
  const RunReport plain = train(small_training("lstm"), source, pool, watch);
  RunReport saved = predictions_of(small_training("lstm"), source);
  EXPECT_TRUE(plain.predictions.empty());
  EXPECT_EQ(saved.predictions.size(), 2 * kSamples);
  EXPECT_NE(bits_of(saved), bits_of(plain));
  saved.predictions.clear();
  EXPECT_EQ(bits_of(saved), bits_of(plain));
}

TEST(Predictions, OfADivergedRunAreEmpty) {
  RunSpec spec = small_training("rnn", "sgd");
  spec.train.clip_norm.reset();
  spec.train.learning_rate = 1e30;
  const RandomSource source({.steps = 5, .inputs = 3, .outputs = 4, .target = TargetKind::kValues}, kSamples, 101);
  const RunReport report = predictions_of(spec, source);
  ASSERT_EQ(report.summary.outcome, Outcome::kDiverged);
  ASSERT_EQ(report.predictions.size(), 2 * kSamples * 4);
  EXPECT_EQ(report.predictions[5].sample, "1");
  EXPECT_EQ(report.predictions[5].target, targets_of(source, Split::kValidation, 1)[0][1]);
  for (const PredictionRow& row : report.predictions) EXPECT_FALSE(row.prediction || row.probability);
}

TEST(Predictions, SplitsWithoutSamplesHaveNone) {
  const RandomSource source({.steps = 3, .inputs = 2, .outputs = 2}, 0, 101);
  EXPECT_TRUE(predictions_of(small_training("rnn"), source).predictions.empty());
}

TEST(Predictions, TooManyRowsAreRefusedBeforeTheRun) {
  RunSpec spec = small_training("rnn");
  spec.model.form = "many_to_many";
  const SequenceShape shape{.steps = 1000, .inputs = 2, .outputs = 5, .target = TargetKind::kBinary, .target_every_step = true};
  EXPECT_EQ(check_run(spec, RandomSource(shape, 1001)), "");
  spec.train.save_predictions = true;
  EXPECT_EQ(check_run(spec, RandomSource(shape, 1000)), "");  // 2 splits x 1,000 x 1,000 x 5 rows
  const std::string message = check_run(spec, RandomSource(shape, 1001));
  for (const char* part : {"train.save_predictions", "10000000", "fewer samples"})
    EXPECT_NE(message.find(part), std::string::npos) << message;
}

// The source of a test whose validation sample 3 has an input that is not a number; every sample is of class 0.
class BrokenSample final : public BatchSource {
 public:
  SequenceShape shape() const override { return {.steps = 1, .inputs = 1, .outputs = 3}; }
  std::uint64_t size(Split) const override { return kSamples; }
  void fill(Split split, std::span<const std::uint64_t> samples, const SampleRows& out) const override {
    for (std::size_t r = 0; r < samples.size(); ++r) {
      const bool broken = split == Split::kValidation && samples[r] == 3;
      out.inputs[r] = broken ? std::numeric_limits<float>::quiet_NaN() : 1.0f;
      out.classes[r] = 0;
    }
  }
};

TEST(Predictions, AnOutputThatIsNoNumberAnswersNothingAndIsWrong) {
  for (const char* kind : {"mlp", "sequence"}) {
    RunSpec spec = std::string(kind) == "mlp" ? small_feed_forward("mlp") : small_training("rnn");
    spec.init.scheme = "zeros", spec.train.updates = 0;
    const RunReport report = predictions_of(spec, BrokenSample());
    EXPECT_TRUE(std::isnan(report.predictions[3].prediction.value())) << kind;
    EXPECT_FALSE(report.predictions[3].probability.has_value()) << kind;
    EXPECT_EQ(report.predictions[4].prediction, 0.0) << kind;
    EXPECT_TRUE(near(report.summary.validation_accuracy.value(), 1 - 1.0 / kSamples, 1e-14)) << kind;
    EXPECT_EQ(report.summary.test_accuracy, 1.0) << kind;
    EXPECT_TRUE(near(report.metrics.front().value.value(), 1 - 1.0 / kSamples, 1e-14)) << kind;
  }
}

TEST(Answers, OfOutputsThatAreNotNumbers) {
  const double nan = std::numeric_limits<double>::quiet_NaN(), inf = std::numeric_limits<double>::infinity();
  const auto chosen = [](std::vector<double> outputs) { return chosen_class(std::span<const double>(outputs)); };
  EXPECT_EQ(chosen({1, 3, 3}), 1);
  EXPECT_EQ(chosen({-inf, 3, inf}), 2);
  EXPECT_EQ(chosen({1, nan, 3}), std::nullopt);
  EXPECT_EQ(chosen({nan, 1, 3}), std::nullopt);
  EXPECT_EQ(chosen_yes(0.0), false);
  EXPECT_EQ(chosen_yes(1e-300), true);
  EXPECT_EQ(chosen_yes(nan), std::nullopt);
}

TEST(Metrics, OfLabelsCountAnOutputThatIsNoNumberAsWrong) {
  OutputRecord record({.steps = 1, .inputs = 1, .outputs = 1, .target = TargetKind::kBinary}, 4);
  const double nan = std::numeric_limits<double>::quiet_NaN(), outputs[] = {1, -1, nan, nan}, truth[] = {1, 0, 1, 0};
  record.keep<double>(0, 4, outputs, nullptr, truth);
  for (const MetricRow& row : record.metrics(4, 0, Split::kTest))
    EXPECT_TRUE((row.metric != "accuracy" && row.metric != "recall") || row.value == 0.5) << row.metric << row.label;
}

// Where a sample has a target at every step of its decoder, there is no one answer to measure.
TEST(Metrics, AreOfTasksWithOneTargetPerSample) {
  EXPECT_TRUE(OutputRecord({.steps = 6, .inputs = 1, .outputs = 2, .source_steps = 3}, 1).empty());
  EXPECT_FALSE(OutputRecord({.steps = 6, .inputs = 1, .outputs = 2, .source_steps = 5}, 1).empty());
}

}  // namespace
}  // namespace vp::test
