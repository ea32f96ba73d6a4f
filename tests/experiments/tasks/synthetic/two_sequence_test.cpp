// The two-sequence problem: a class in the first steps, noise everywhere.
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

std::shared_ptr<const BatchSource> make_two_sequence(const std::string& length, const std::string& prefix, const std::string& variance) {
  return make_task("two_sequence", {.path = "", .seed = 5},
                   {{"task.length", length}, {"task.prefix", prefix}, {"task.noise_variance", variance}});
}

TEST(TwoSequence, DefaultsAreThoseOfThePaper) {
  const auto source = make_task("two_sequence", {.path = "", .seed = 5});
  EXPECT_EQ(source->shape().steps, 100);
  EXPECT_EQ(source->shape().inputs, 1);
  EXPECT_EQ(source->shape().outputs, 1);
  EXPECT_EQ(source->shape().target, TargetKind::kBinary);
  const auto spelt_out = make_two_sequence("100", "3", "0.2");
  EXPECT_TRUE(test::same(fill(*source, Split::kTrain, {0, 1}).inputs, fill(*spelt_out, Split::kTrain, {0, 1}).inputs));
}

TEST(TwoSequence, WithoutNoiseTheFirstStepsAreTheClassAndTheRestIsZero) {
  for (const std::int64_t prefix : {1, 3, 6}) {
    const Batch batch = fill(*make_two_sequence("7", std::to_string(prefix), "0"), Split::kTrain, first_samples(200));
    for (std::int64_t row = 0; row < batch.rows; ++row) {
      const double sign = 2 * batch.value(0, row, 0) - 1;
      EXPECT_TRUE(test::near(std::abs(sign), 1, 0));
      for (std::int64_t t = 0; t < 7; ++t) EXPECT_TRUE(test::near(batch.input(t, row, 0), t < prefix ? sign : 0, 0)) << t;
    }
  }
}

TEST(TwoSequence, NoiseHasTheVarianceAskedForAtEveryStep) {
  constexpr std::int64_t kRows = 20000;
  const Batch train = fill(*make_two_sequence("6", "2", "0.2"), Split::kTrain, first_samples(kRows));
  double ones = 0;
  for (std::int64_t row = 0; row < kRows; ++row) ones += train.value(0, row, 0) / double{kRows};
  EXPECT_TRUE(test::near(ones, 0.5, 0.015));
  for (std::int64_t t = 0; t < 6; ++t) {
    double mean = 0, square = 0, wrong = 0;
    for (std::int64_t row = 0; row < kRows; ++row) {
      const double sign = 2 * train.value(0, row, 0) - 1, noise = train.input(t, row, 0) - (t < 2 ? sign : 0);
      mean += noise / double{kRows};
      square += noise * noise / double{kRows};
      wrong += (train.input(t, row, 0) * sign < 0) / double{kRows};
    }
    // Tolerances of four standard errors or more. One informative step alone misleads with probability Phi(-1/sqrt(0.2)) = 0.0127.
    EXPECT_TRUE(test::near(mean, 0, 0.0127)) << t;
    EXPECT_TRUE(test::near(square, 0.2, 0.008)) << t;
    EXPECT_TRUE(test::near(wrong, t < 2 ? 0.0127 : 0.5, t < 2 ? 0.0032 : 0.015)) << t;
  }
}

TEST(TwoSequence, APrefixThatLeavesNoNoiseIsRefused) {
  for (const auto* prefix : {"7", "8"})
    EXPECT_TRUE(test::has(test::user_error(ExitCode::kUsage, [&] { make_two_sequence("7", prefix, "0.2"); }),
                          {"task.prefix", "below task.length = 7", prefix}));
}

}  // namespace
}  // namespace vp
