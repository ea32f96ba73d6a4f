// The cosine from the sine.
#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "tests/compare.h"
#include "tests/experiments/tasks/task_batch.h"

namespace vp {
namespace {

using test::Batch;
using test::fill;
using test::first_samples;
using test::make_task;
using test::near;

TEST(Sine, DefaultsAreMofanPys) {
  const auto shape = make_task("sine", {.path = "", .streams = 50})->shape();
  EXPECT_EQ(shape.steps, 20);
  EXPECT_EQ(shape.inputs, 1);
  EXPECT_EQ(shape.outputs, 1);
  EXPECT_EQ(shape.target, TargetKind::kValues);
  EXPECT_TRUE(shape.target_every_step);
  EXPECT_EQ(shape.streams, 50);
}

// What a step adds to the angle, from the sines and cosines alone.
double angle_step(const Batch& batch, std::int64_t t, std::int64_t row) {
  const double before = std::atan2(batch.input(t, row, 0), batch.value(t, row, 0));
  return std::remainder(std::atan2(batch.input(t + 1, row, 0), batch.value(t + 1, row, 0)) - before, 2 * std::numbers::pi);
}

TEST(Sine, EveryStepTurnsTheAngleOn) {
  for (const std::int64_t streams : {0, 3}) {
    const Batch batch =
        fill(*make_task("sine", {.path = "", .seed = 1, .target_every_step = true, .streams = streams}), Split::kTrain, first_samples(30));
    for (std::int64_t row = 0; row < batch.rows; ++row)
      for (std::int64_t t = 0; t < 19; ++t) {
        const float x = batch.input(t, row, 0), y = batch.value(t, row, 0);
        EXPECT_TRUE(near(x * x + y * y, 1, 1e-6));
        EXPECT_TRUE(near(angle_step(batch, t, row), 0.1 / std::numbers::pi, 1e-6));
      }
  }
}

TEST(Sine, PhasesAreEvenAndFrequenciesAsWideAsAskedFor) {
  constexpr std::int64_t kRows = 4000;
  const Batch batch = fill(*make_task("sine", {.path = "", .seed = 2, .target_every_step = true},
                                      {{"task.step", "0.5"}, {"task.frequency_spread", "0.4"}, {"task.length", "3"}}),
                           Split::kTrain, first_samples(kRows));
  double least = 1, most = 0, mean_sine = 0, mean_cosine = 0, squared = 0;
  for (std::int64_t row = 0; row < kRows; ++row) {
    const double step = angle_step(batch, 0, row);
    EXPECT_TRUE(near(step, angle_step(batch, 1, row), 1e-5));
    least = std::min(least, step);
    most = std::max(most, step);
    mean_sine += batch.input(0, row, 0) / double{kRows};
    mean_cosine += batch.value(0, row, 0) / double{kRows};
    squared += batch.value(0, row, 0) * batch.value(0, row, 0) / double{kRows};
  }
  EXPECT_TRUE(near(least, 0.3, 0.002));
  EXPECT_TRUE(near(most, 0.7, 0.002));
  EXPECT_TRUE(near(mean_sine, 0, 0.045));  // four standard errors
  EXPECT_TRUE(near(mean_cosine, 0, 0.045));
  EXPECT_TRUE(near(squared, 0.5, 0.023));  // the error of always answering 0
}

}  // namespace
}  // namespace vp
