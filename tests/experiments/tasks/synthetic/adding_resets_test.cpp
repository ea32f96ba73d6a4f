// Adding with resets: sums are taken again from values and markers.
#include <gtest/gtest.h>

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

// The sum after each step, which starts from `sum`.
std::vector<double> sums_of(const Batch& batch, std::int64_t row, double sum = 0) {
  std::vector<double> sums;
  for (std::int64_t t = 0; t < batch.shape.steps; ++t) {
    const float marker = batch.input(t, row, 1);
    EXPECT_TRUE(near(marker, marker > 0.5f ? 1 : marker < -0.5f ? -1 : 0, 0));
    EXPECT_LE(std::abs(batch.input(t, row, 0)), 1.0f);
    if (marker > 0.5f) sum += batch.input(t, row, 0);
    if (marker < -0.5f) sum = 0;
    sums.push_back(sum);
  }
  return sums;
}

TEST(AddingResets, TargetsAreTheSumsSinceTheLastReset) {
  for (const bool every_step : {false, true}) {
    const Batch batch = fill(*make_task("adding_resets", {.path = "", .seed = 1, .target_every_step = every_step}, {{"task.length", "60"}}),
                             Split::kTrain, first_samples(200));
    EXPECT_EQ(batch.shape.inputs, 2);
    EXPECT_EQ(batch.shape.target_every_step, every_step);
    for (std::int64_t row = 0; row < batch.rows; ++row) {
      const auto sums = sums_of(batch, row);
      for (std::int64_t t = 0; t < (every_step ? 60 : 1); ++t)
        EXPECT_TRUE(near(batch.value(t, row, 0), every_step ? sums[static_cast<std::size_t>(t)] : sums.back(), 1e-6));
    }
  }
}

TEST(AddingResets, StreamsCarryTheSumFromWindowToWindow) {
  const Batch batch =
      fill(*make_task("adding_resets", {.path = "", .seed = 2, .streams = 2}, {{"task.length", "7"}}), Split::kTrain, first_samples(200));
  double sums[2] = {0, 0};
  int resets = 0;
  for (std::int64_t row = 0; row < 200; ++row) {
    const auto window = sums_of(batch, row, sums[row % 2]);
    for (std::int64_t t = 0; t < 7; ++t) {
      EXPECT_TRUE(near(batch.value(t, row, 0), window[static_cast<std::size_t>(t)], 1e-6)) << row << " " << t;
      resets += batch.input(t, row, 1) < 0;
    }
    sums[row % 2] = window.back();
  }
  EXPECT_TRUE(near(resets, 70, 33));  // 5 % of 1,400, four standard deviations
}

TEST(AddingResets, SharesAndBaselineAreThoseStated) {
  constexpr std::int64_t kRows = 4000;
  const Batch batch =
      fill(*make_task("adding_resets", {.path = "", .seed = 3}, {{"task.length", "40"}}), Split::kTrain, first_samples(kRows));
  double adds = 0, resets = 0, square = 0;
  for (std::int64_t row = 0; row < kRows; ++row) {
    square += static_cast<double>(batch.value(0, row, 0)) * static_cast<double>(batch.value(0, row, 0)) / kRows;
    for (std::int64_t t = 0; t < 40; ++t) {
      adds += (batch.input(t, row, 1) > 0) / (40.0 * kRows);
      resets += (batch.input(t, row, 1) < 0) / (40.0 * kRows);
    }
  }
  EXPECT_TRUE(near(adds, 0.3, 0.005));
  EXPECT_TRUE(near(resets, 0.05, 0.0022));
  EXPECT_TRUE(near(square, 0.3 * (1 - std::pow(0.95, 40)) / 0.15, 0.25));  // 1.74; four standard errors, the sums have long tails
}

TEST(AddingResets, SharesAboveOneAreRefused) {
  EXPECT_TRUE(test::has(test::user_error(ExitCode::kUsage,
                                         [] {
                                           make_task("adding_resets", {}, {{"task.add_share", "0.8"}, {"task.reset_share", "0.3"}});
                                         }),
                        {"task.add_share", "task.reset_share", "at most 1"}));
}

}  // namespace
}  // namespace vp
