// Parity, at the end and at every step.
#include <gtest/gtest.h>

#include "tests/compare.h"
#include "tests/experiments/io/user_error.h"
#include "tests/experiments/tasks/task_batch.h"

namespace vp {
namespace {

using test::Batch;
using test::fill;
using test::first_samples;
using test::make_task;

Batch parity_batch(std::int64_t length, bool every_step, std::uint64_t rows) {
  const auto source =
      make_task("parity", {.path = "", .seed = 4, .target_every_step = every_step}, {{"task.length", std::to_string(length)}});
  EXPECT_EQ(source->shape().steps, length);
  EXPECT_EQ(source->shape().inputs, 1);
  EXPECT_EQ(source->shape().outputs, 1);
  EXPECT_EQ(source->shape().target, TargetKind::kBinary);
  return fill(*source, Split::kTrain, first_samples(rows));
}

TEST(Parity, TargetsAreTheParityOfTheOnesSoFar) {
  for (const std::int64_t length : {1, 2, 5, 33})
    for (const bool every_step : {false, true}) {
      const Batch batch = parity_batch(length, every_step, 300);
      for (std::int64_t row = 0; row < batch.rows; ++row) {
        int ones = 0;
        for (std::int64_t t = 0; t < length; ++t) {
          const float x = batch.input(t, row, 0);
          EXPECT_TRUE(test::near(x * x, 1, 0));
          ones += x > 0;
          const bool asked = every_step || t == length - 1;
          if (!asked) continue;
          EXPECT_TRUE(test::near(batch.value(every_step ? t : 0, row, 0), ones % 2, 0)) << t;
        }
      }
    }
}

TEST(Parity, BothFormsShowTheSameSequences) {
  const Batch at_end = parity_batch(7, false, 50), every = parity_batch(7, true, 50);
  EXPECT_TRUE(test::same(at_end.inputs, every.inputs));
}

TEST(Parity, OnesAndAnswersComeHalfOfTheTimeAtEveryStep) {
  constexpr std::int64_t kRows = 8000;
  const Batch batch = parity_batch(6, true, kRows);
  for (std::int64_t t = 0; t < 6; ++t) {
    double ones = 0, odd = 0;
    for (std::int64_t row = 0; row < kRows; ++row) {
      ones += (batch.input(t, row, 0) > 0) / double{kRows};
      odd += batch.value(t, row, 0) / double{kRows};
    }
    EXPECT_TRUE(test::near(ones, 0.5, 0.025));  // four standard errors
    EXPECT_TRUE(test::near(odd, 0.5, 0.025));
  }
}

}  // namespace
}  // namespace vp
