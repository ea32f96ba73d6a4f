// The multiplication problem: marks as in the adding problem, another range and another target.
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

Batch products(std::int64_t length, std::uint64_t rows) {
  const auto source = make_task("multiplication", {.path = "", .seed = 6}, {{"task.length", std::to_string(length)}});
  EXPECT_EQ(source->shape().steps, length);
  EXPECT_EQ(source->shape().inputs, 2);
  EXPECT_EQ(source->shape().outputs, 1);
  EXPECT_EQ(source->shape().target, TargetKind::kValues);
  EXPECT_TRUE(test::near(source->shape().correct_within, 0.04, 0));
  return fill(*source, Split::kTrain, first_samples(rows));
}

TEST(Multiplication, TargetsAreTheProductOfTheMarkedValues) {
  for (const std::int64_t length : {4, 5, 19, 100}) {
    const Batch batch = products(length, 500);
    int first_marked = 0;
    for (std::int64_t row = 0; row < batch.rows; ++row) {
      const auto marked = test::marked_steps(batch, row);
      ASSERT_EQ(marked.size(), 2u);
      EXPECT_LT(marked[0], 10);
      EXPECT_LT(marked[1], length / 2);
      double product = 1;
      for (std::int64_t t = 0; t < length; ++t) {
        const bool is_marked = t == marked[0] || t == marked[1];
        EXPECT_TRUE(test::near(batch.input(t, row, 1), is_marked ? 1 : t == 0 || t == length - 1 ? -1 : 0, 0));
        EXPECT_TRUE(test::near(batch.input(t, row, 0), 0.5, 0.5));
        if (is_marked) product *= batch.input(t, row, 0);
      }
      EXPECT_TRUE(test::near(batch.value(0, row, 0), product, 1e-6));
      if (marked[0] == 0) {  // the paper's rare case
        EXPECT_TRUE(test::near(batch.input(0, row, 0), 1, 0));
        ++first_marked;
      }
    }
    EXPECT_GT(first_marked, 0);
  }
}

TEST(Multiplication, AlwaysAnsweringTheMeanErrsByTheVarianceStatedInItsFile) {
  constexpr std::int64_t kRows = 20000;
  const Batch batch = products(100, kRows);
  double mean = 0, square = 0, first_marked = 0;
  for (std::int64_t row = 0; row < kRows; ++row) {
    const double target = batch.value(0, row, 0);
    mean += target / double{kRows};
    square += target * target / double{kRows};
    first_marked += (test::marked_steps(batch, row)[0] == 0) / double{kRows};
  }
  // P(first step marked) = 1/10 + 9/10 1/49 = p; the product is U with p, else U U': mean p/2 + (1-p)/4, square p/3 + (1-p)/9.
  const double p = 0.1 + 0.9 / 49, expected_mean = p / 2 + (1 - p) / 4, expected_square = p / 3 + (1 - p) / 9;
  EXPECT_TRUE(test::near(first_marked, p, 0.01));
  EXPECT_TRUE(test::near(mean, expected_mean, 0.0065));
  EXPECT_TRUE(test::near(square - mean * mean, expected_square - expected_mean * expected_mean, 0.002));
}

}  // namespace
}  // namespace vp
