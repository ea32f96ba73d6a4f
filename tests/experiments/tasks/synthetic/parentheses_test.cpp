// Counting parentheses: the counts are taken again from the inputs, on a line of text.
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

struct Counting {
  std::int64_t length, kinds, depth, distractors;
  test::OptionTexts texts() const {
    return {{"task.length", std::to_string(length)},
            {"task.kinds", std::to_string(kinds)},
            {"task.depth", std::to_string(depth)},
            {"task.distractors", std::to_string(distractors)}};
  }
};
constexpr Counting kCountings[] = {{50, 3, 5, 1}, {40, 1, 1, 0}, {1, 2, 3, 4}, {60, 2, 2, 10}};

Batch parentheses(const Counting& counting, bool every_step, std::uint64_t rows) {
  const auto source = make_task("parentheses", {.path = "", .seed = 7, .target_every_step = every_step}, counting.texts());
  EXPECT_EQ(source->shape().steps, counting.length);
  EXPECT_EQ(source->shape().inputs, 2 * counting.kinds + counting.distractors);
  EXPECT_EQ(source->shape().outputs, counting.kinds * (counting.depth + 1));
  EXPECT_EQ(source->shape().target, TargetKind::kValues);
  EXPECT_TRUE(test::near(source->shape().correct_within, 0.5, 0));
  return fill(*source, Split::kTrain, first_samples(rows));
}

// The count of a kind after every step, from the symbols alone.
std::vector<std::int64_t> counts_of(const Batch& batch, std::int64_t row, std::int64_t kind, std::int64_t depth) {
  std::vector<std::int64_t> counts;
  std::int64_t open = 0;
  for (std::int64_t t = 0; t < batch.shape.steps; ++t) {
    const std::int64_t symbol = test::symbol_at(batch, t, row);
    EXPECT_GE(symbol, 0);
    if (symbol == 2 * kind && open < depth) ++open;
    if (symbol == 2 * kind + 1 && open > 0) --open;
    counts.push_back(open);
  }
  return counts;
}

TEST(Parentheses, TargetsAreTheCountsOneHot) {
  for (const Counting& counting : kCountings)
    for (const bool every_step : {false, true}) {
      const Batch batch = parentheses(counting, every_step, 200);
      for (std::int64_t row = 0; row < batch.rows; ++row)
        for (std::int64_t kind = 0; kind < counting.kinds; ++kind) {
          const auto counts = counts_of(batch, row, kind, counting.depth);
          for (std::int64_t target = 0; target < (every_step ? counting.length : 1); ++target) {
            const std::int64_t expected = every_step ? counts[static_cast<std::size_t>(target)] : counts.back();
            for (std::int64_t n = 0; n <= counting.depth; ++n)
              EXPECT_TRUE(test::near(batch.value(target, row, kind * (counting.depth + 1) + n), n == expected ? 1 : 0, 0));
          }
        }
    }
}

TEST(Parentheses, SymbolsAreEquallyFrequentAndCountsReachBothEnds) {
  constexpr std::int64_t kRows = 7000;
  const Batch batch = parentheses(kCountings[0], true, kRows);
  std::vector<double> symbols(7), counts(6);
  for (std::int64_t row = 0; row < kRows; ++row) {
    symbols.at(static_cast<std::size_t>(test::symbol_at(batch, 49, row))) += 1.0 / kRows;
    for (std::size_t n = 0; n < 6; ++n) counts[n] += batch.value(49, row, static_cast<std::int64_t>(n)) / double{kRows};
  }
  for (const double share : symbols) EXPECT_TRUE(test::near(share, 1.0 / 7, 0.018));  // four standard errors
  for (const double share : counts) EXPECT_GT(share, 0.1);  // a walk between two walls spreads evenly: 1/6 in the end
}

}  // namespace
}  // namespace vp
