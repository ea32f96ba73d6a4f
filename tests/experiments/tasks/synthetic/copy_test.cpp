// The copy problem: what is shown, and what is to be repeated.
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

std::shared_ptr<const BatchSource> make_copy(std::int64_t symbols, std::int64_t alphabet, std::int64_t delay) {
  return make_task(
      "copy", {.path = "", .seed = 3, .target_every_step = true},
      {{"task.symbols", std::to_string(symbols)}, {"task.alphabet", std::to_string(alphabet)}, {"task.delay", std::to_string(delay)}});
}

TEST(Copy, DefaultsAreTheSymbolsOfThePaperAndTwentySteps) {
  const SequenceShape shape = make_task("copy", {.path = "", .target_every_step = true})->shape();
  EXPECT_EQ(shape.steps, 40);
  EXPECT_EQ(shape.inputs, 10);
  EXPECT_EQ(shape.outputs, 9);
  EXPECT_EQ(shape.target, TargetKind::kClasses);
}

TEST(Copy, TargetsAreBlankUntilTheMarkerThenTheSymbolsAgain) {
  struct Case {
    std::int64_t symbols, alphabet, delay;
  };
  for (const auto& [symbols, alphabet, delay] : {Case{10, 8, 20}, Case{1, 2, 1}, Case{3, 5, 1}, Case{2, 9, 7}}) {
    const auto source = make_copy(symbols, alphabet, delay);
    ASSERT_EQ(source->shape().steps, delay + 2 * symbols);
    ASSERT_EQ(source->shape().inputs, alphabet + 2);
    ASSERT_EQ(source->shape().outputs, alphabet + 1);
    const Batch batch = fill(*source, Split::kTrain, first_samples(300));
    for (std::int64_t row = 0; row < batch.rows; ++row) {
      std::vector<std::int64_t> shown, markers;
      for (std::int64_t t = 0; t < batch.shape.steps; ++t) {
        const std::int64_t symbol = test::symbol_at(batch, t, row);
        ASSERT_GE(symbol, 0) << t;
        if (symbol < alphabet) shown.push_back(symbol);
        if (symbol == alphabet + 1) markers.push_back(t);
        EXPECT_EQ(symbol < alphabet, t < symbols) << t;  // shown first, and never again
      }
      ASSERT_EQ(markers.size(), 1u);
      EXPECT_EQ(markers[0], symbols + delay - 1);
      for (std::int64_t t = 0; t < batch.shape.steps; ++t) {
        const std::int64_t place = t - markers[0] - 1;
        EXPECT_EQ(batch.label(t, row), place < 0 ? alphabet : shown.at(static_cast<std::size_t>(place))) << t;
      }
    }
  }
}

TEST(Copy, SymbolsAreEquallyFrequentAtEveryPlace) {
  constexpr std::int64_t kRows = 8000;
  const Batch batch = fill(*make_copy(3, 4, 2), Split::kTrain, first_samples(kRows));
  for (std::int64_t t = 0; t < 3; ++t) {
    std::vector<double> share(4);
    for (std::int64_t row = 0; row < kRows; ++row) share.at(static_cast<std::size_t>(test::symbol_at(batch, t, row))) += 1.0 / kRows;
    for (const double s : share) EXPECT_TRUE(test::near(s, 0.25, 0.02));  // four standard errors
  }
}

}  // namespace
}  // namespace vp
