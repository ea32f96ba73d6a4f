// The tasks that look back on random numbers: echo and running_sum. Targets are taken again from the inputs.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "tests/compare.h"
#include "tests/experiments/io/user_error.h"
#include "tests/experiments/tasks/task_batch.h"

namespace vp {
namespace {

using test::Batch;
using test::fill;
using test::first_samples;
using test::make_task;
using test::near;
using test::OptionTexts;

const TaskContext kEveryStep = {.path = "", .seed = 3, .target_every_step = true};

Batch batch_of(const char* task, const OptionTexts& texts, std::uint64_t rows, const TaskContext& context = kEveryStep) {
  return fill(*make_task(task, context, texts), Split::kTrain, first_samples(rows));
}

TEST(Echo, TargetIsTheInputOfDelayStepsBefore) {
  for (const std::int64_t delay : {0, 1, 4, 11, 40})
    for (const bool bits : {false, true}) {
      const Batch batch =
          batch_of("echo", {{"task.length", "12"}, {"task.delay", std::to_string(delay)}, {"task.inputs", bits ? "bits" : "values"}}, 50);
      EXPECT_EQ(batch.shape.target, bits ? TargetKind::kBinary : TargetKind::kValues);
      for (std::int64_t row = 0; row < batch.rows; ++row)
        for (std::int64_t t = 0; t < 12; ++t) {
          const double past = t < delay ? 0 : batch.input(t - delay, row, 0);
          EXPECT_TRUE(near(batch.value(t, row, 0), bits ? past > 0 : past, 0)) << "delay " << delay << " step " << t;
        }
    }
}

TEST(Echo, StreamsReachBackOverManyWindows) {
  const TaskContext streams = {.path = "", .seed = 3, .streams = 2};
  const Batch batch = batch_of("echo", {{"task.length", "4"}, {"task.delay", "9"}}, 20, streams);  // ten windows of two streams
  const auto input = [&](std::int64_t stream, std::int64_t n) { return n < 0 ? 0 : batch.input(n % 4, n / 4 * 2 + stream, 0); };
  for (std::int64_t stream = 0; stream < 2; ++stream)
    for (std::int64_t n = 0; n < 40; ++n)
      EXPECT_TRUE(near(batch.value(n % 4, n / 4 * 2 + stream, 0), input(stream, n - 9), 0)) << stream << " " << n;
}

// Cut out of a stream, the first `delay` targets cannot be told from the inputs, and are as random as they are.
TEST(Echo, InTheMiddleTargetsReachBackBeforeTheStart) {
  constexpr std::int64_t kRows = 4000;
  const Batch batch = batch_of("echo", {{"task.length", "12"}, {"task.delay", "5"}, {"task.start", "middle"}}, kRows);
  for (std::int64_t t = 0; t < 12; ++t) {
    double square = 0, product = 0;
    for (std::int64_t row = 0; row < kRows; ++row) {
      EXPECT_TRUE(t < 5 || near(batch.value(t, row, 0), batch.input(t - 5, row, 0), 0));
      square += batch.value(t, row, 0) * batch.value(t, row, 0) / double{kRows};
      product += batch.value(t, row, 0) * batch.input(t, row, 0) / double{kRows};
    }
    EXPECT_TRUE(near(square, 1.0 / 3, 0.02)) << t;  // four standard errors
    EXPECT_TRUE(near(product, 0, 0.022)) << t;
  }
}

TEST(RunningSum, TargetIsTheScaledSumOfTheLastInputs) {
  for (const std::int64_t span : {0, 1, 4, 12, 50})
    for (const char* inputs : {"values", "bits"}) {
      const Batch batch =
          batch_of("running_sum", {{"task.length", "12"}, {"task.span", std::to_string(span)}, {"task.inputs", inputs}}, 50);
      const std::int64_t n = span == 0 ? 12 : span;
      for (std::int64_t row = 0; row < batch.rows; ++row)
        for (std::int64_t t = 0; t < 12; ++t) {
          double sum = 0;
          for (std::int64_t s = std::max<std::int64_t>(0, t - n + 1); s <= t; ++s) sum += batch.input(s, row, 0);
          EXPECT_TRUE(near(batch.value(t, row, 0), sum / std::sqrt(static_cast<double>(n)), 1e-6)) << "span " << span << " step " << t;
        }
    }
}

TEST(RunningSum, ErrorsOfAnsweringZeroAreThoseStated) {
  constexpr std::int64_t kRows = 4000;
  const auto mean_square = [](const Batch& batch) {
    double sum = 0;
    for (const float value : batch.values)
      sum += static_cast<double>(value) * static_cast<double>(value) / static_cast<double>(batch.values.size());
    return sum;
  };
  EXPECT_TRUE(near(mean_square(batch_of("running_sum", {{"task.length", "10"}}, kRows)), 11.0 / 60, 0.012));
  EXPECT_TRUE(near(mean_square(batch_of("running_sum", {{"task.length", "10"}, {"task.inputs", "bits"}}, kRows)), 0.55, 0.035));
  const OptionTexts cut = {{"task.length", "10"}, {"task.span", "20"}, {"task.start", "middle"}};
  EXPECT_TRUE(near(mean_square(batch_of("running_sum", cut, kRows)), 1.0 / 3, 0.02));
  // What is left when all that the window shows is known: v / (N k) sum_{j=1}^{k} (N - j) for k = 10 < N = 20.
  Batch unknown = batch_of("running_sum", cut, kRows);
  for (std::int64_t row = 0; row < kRows; ++row) {
    double known = 0;
    for (std::int64_t t = 0; t < 10; ++t) {
      known += unknown.input(t, row, 0) / std::sqrt(20.0);
      unknown.values[static_cast<std::size_t>(t * kRows + row)] -= static_cast<float>(known);
    }
  }
  EXPECT_TRUE(near(mean_square(unknown), 145.0 / 600, 0.015));
}

TEST(RunningSum, BitsHaveAnAccuracyThatTellsNeighbouringSumsApart) {
  EXPECT_TRUE(near(make_task("running_sum", kEveryStep, {{"task.span", "16"}, {"task.inputs", "bits"}})->shape().correct_within, 0.25, 0));
  EXPECT_TRUE(near(make_task("running_sum", kEveryStep)->shape().correct_within, 0, 0));
}

TEST(Running, AStreamHasNoMiddleToStartIn) {
  for (const char* task : {"echo", "running_sum"})
    EXPECT_TRUE(test::has(test::user_error(ExitCode::kUsage,
                                           [&] {
                                             make_task(task, {.path = "", .streams = 2}, {{"task.start", "middle"}});
                                           }),
                          {"task.start", task, "remove"}));
}

}  // namespace
}  // namespace vp
