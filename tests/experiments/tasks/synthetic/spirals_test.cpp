// Two spirals: angle and radius of every point are taken again.
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

TEST(Spirals, PointsLieOnTheSpiralOfTheirClass) {
  for (const double turns : {1.75, 3.0}) {
    const Batch batch = fill(*make_task("spirals", {.path = "", .seed = 1}, {{"task.noise", "0"}, {"task.turns", std::to_string(turns)}}),
                             Split::kTrain, first_samples(1000));
    EXPECT_EQ(batch.shape.steps, 1);
    EXPECT_EQ(batch.shape.inputs, 2);
    EXPECT_EQ(batch.shape.target, TargetKind::kBinary);
    for (std::int64_t row = 0; row < batch.rows; ++row) {
      const double x = batch.input(0, row, 0), y = batch.input(0, row, 1);
      const double u = (1 - std::hypot(x, y)) * 104 / 96, sign = batch.value(0, row, 0) > 0.5f ? 1 : -1;
      EXPECT_TRUE(near(u, 0.5, 0.5 + 1e-6));
      const double turned = std::atan2(sign * x, sign * y) - 2 * std::numbers::pi * turns * u;
      EXPECT_TRUE(near(std::remainder(turned, 2 * std::numbers::pi), 0, 1e-4)) << x << " " << y;
    }
  }
}

TEST(Spirals, NoiseIsAsWideAsAskedFor) {
  constexpr std::int64_t kRows = 4000;
  const Batch clean = fill(*make_task("spirals", {}, {{"task.noise", "0"}}), Split::kTrain, first_samples(kRows)),
              noisy = fill(*make_task("spirals", {}, {{"task.noise", "0.1"}}), Split::kTrain, first_samples(kRows));
  double square = 0, yes = 0;
  for (std::size_t i = 0; i < clean.inputs.size(); ++i) square += std::pow(noisy.inputs[i] - clean.inputs[i], 2) / (2.0 * kRows);
  for (const float value : clean.values) yes += value / double{kRows};
  EXPECT_TRUE(near(square, 0.01, 0.0007));  // four standard errors
  EXPECT_TRUE(near(yes, 0.5, 0.032));
}

TEST(Spirals, TheSameMayBeAskedForAsClasses) {
  const Batch binary = fill(*make_task("spirals", {}), Split::kTest, first_samples(50)),
              classes = fill(*make_task("spirals", {}, {{"task.target_kind", "classes"}}), Split::kTest, first_samples(50));
  EXPECT_EQ(classes.shape.outputs, 2);
  EXPECT_TRUE(test::same(binary.inputs, classes.inputs));
  for (std::size_t r = 0; r < 50; ++r) EXPECT_TRUE(near(binary.values[r], classes.classes[r], 0));
}

}  // namespace
}  // namespace vp
