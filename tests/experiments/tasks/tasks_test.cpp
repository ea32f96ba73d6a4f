// The list of tasks, and the tasks whose samples are generated.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <stdexcept>

#include "tests/compare.h"
#include "tests/experiments/io/user_error.h"
#include "tests/experiments/tasks/task_batch.h"

namespace vp {
namespace {

using test::Batch;
using test::fill;
using test::first_samples;
using test::has;
using test::make_task;
using test::marked_steps;
using test::same;
using test::symbol_at;

// Every generated task in every form that it has.
struct Generated {
  const char* name;
  bool every_step;
  std::int64_t streams = 0;
  bool has_few = false;  // so few different samples that the sets share some
  TaskContext context(std::uint64_t seed = 0) const {
    return {.path = "", .seed = seed, .target_every_step = every_step && streams == 0, .streams = streams};
  }
};
constexpr Generated kGenerated[] = {{"adding", false},
                                    {"adding_resets", false},
                                    {"adding_resets", true},
                                    {"adding_resets", true, 3},
                                    {"continual_reber", true},
                                    {"continual_reber", true, 3},
                                    {"copy", true},
                                    {"echo", true},
                                    {"echo", true, 3},
                                    {"embedded_reber", false, 0, true},
                                    {"embedded_reber", true, 0, true},
                                    {"multiplication", false},
                                    {"negation", false},
                                    {"parentheses", false},
                                    {"parentheses", true},
                                    {"parity", false, 0, true},
                                    {"parity", true, 0, true},
                                    {"reber", true, 0, true},
                                    {"running_sum", true},
                                    {"running_sum", true, 3},
                                    {"sine", true},
                                    {"sine", true, 3},
                                    {"spirals", false},
                                    {"temporal_order", false},
                                    {"two_sequence", false}};

constexpr std::string_view kRead[] = {"csv", "csv_rows", "fashion_mnist", "sentiment"};  // from files

TEST(Tasks, AreFoundByTheirUniqueNames) {
  std::set<std::string_view> names;
  for (const TaskEntry& task : tasks()) {
    EXPECT_TRUE(names.insert(task.name).second) << task.name;
    EXPECT_EQ(find_task(task.name), &task);
    EXPECT_FALSE(task.description.empty());
  }
  EXPECT_GE(names.size(), 4u);
  EXPECT_EQ(find_task("addin"), nullptr);
}

TEST(Tasks, GeneratedOnesAreAllTestedHere) {
  std::set<std::pair<std::string, bool>> tested;
  for (const Generated& task : kGenerated) tested.insert({task.name, task.every_step});
  for (const TaskEntry& task : tasks()) {
    if (std::ranges::count(kRead, task.name) > 0) continue;
    if (task.name == "wave" || task.name == "reverse") continue;  // experiments/tasks/synthetic/fed_back_test.cpp
    const std::string name(task.name);
    EXPECT_EQ(tested.contains({name, true}), task.step_targets) << name;
    EXPECT_TRUE(tested.contains({name, true}) || tested.contains({name, false})) << name;
  }
}

TEST(Tasks, GeneratedOnesRefuseAPathAndTargetsThatTheyDoNotHave) {
  for (const Generated& task : kGenerated) {
    TaskContext context = task.context();
    context.path = "x.csv";
    EXPECT_TRUE(has(test::user_error(ExitCode::kUsage, [&] { make_task(task.name, context); }), {"task.path", task.name, "remove"}));
    if (find_task(task.name)->step_targets) continue;
    EXPECT_TRUE(has(test::user_error(ExitCode::kUsage, [&] { make_task(task.name, {.path = "", .target_every_step = true}); }),
                    {"model.form", task.name, "many_to_one", "every step: adding_resets, continual_reber, copy, csv, echo, "}));
  }
  EXPECT_TRUE(has(test::user_error(ExitCode::kUsage, [&] { make_task("copy", {}); }), {"model.form", "copy", "many_to_many"}));
}

TEST(Tasks, GeneratedStreamsAreSaidToBeStreams) {
  for (const Generated& task : kGenerated) EXPECT_EQ(make_task(task.name, task.context())->shape().streams, task.streams) << task.name;
}

// One window of 2T steps is two windows of T steps: whatever the length of the windows, a stream goes on where it ended.
TEST(Tasks, StreamsGoOnFromWindowToWindow) {
  for (const Generated& task : kGenerated) {
    if (task.streams == 0) continue;
    const auto batch = [&](const char* length, const std::vector<std::uint64_t>& samples) {
      test::OptionTexts texts = {{"task.length", length}};
      if (task.name == std::string_view("running_sum")) texts["task.span"] = "9";  // by default it is task.length
      return fill(*make_task(task.name, task.context(4), texts), Split::kTrain, samples);
    };
    const auto expect_same_step = [&](const Batch& a, std::int64_t t, std::int64_t row, const Batch& b, std::int64_t u,
                                      std::int64_t other) {
      for (std::int64_t i = 0; i < a.shape.inputs; ++i) EXPECT_TRUE(test::near(a.input(t, row, i), b.input(u, other, i), 0)) << task.name;
      for (std::int64_t c = 0; c < a.shape.outputs; ++c) EXPECT_TRUE(test::near(a.value(t, row, c), b.value(u, other, c), 0)) << task.name;
    };
    for (const std::uint64_t window : {0, 1, 7, 1234}) {
      const Batch twice = batch("26", {3 * window + 2}), once = batch("13", {3 * (2 * window) + 2, 3 * (2 * window + 1) + 2});
      for (std::int64_t t = 0; t < 26; ++t) expect_same_step(twice, t, 0, once, t % 13, t / 13);
    }
  }
}

TEST(Tasks, SetsNeverShareASample) {
  constexpr Split kSplits[] = {Split::kTrain, Split::kValidation, Split::kTest};
  for (const Generated& task : kGenerated) {
    if (task.has_few) continue;
    const auto source = make_task(task.name, task.context(9));
    std::set<std::vector<float>> seen;
    for (const Split split : kSplits) {
      const Batch batch = fill(*source, split, first_samples(40));
      for (std::int64_t row = 0; row < batch.rows; ++row) EXPECT_TRUE(seen.insert(batch.sample(row)).second) << task.name << " " << row;
    }
  }
}

// Token ids lie in the vocabulary, lengths between 1 and T, and behind the end there is padding.
TEST(Tasks, SequencesWithLengthsOfTheirOwnArePadded) {
  for (const Generated& task : kGenerated) {
    const Batch batch = fill(*make_task(task.name, task.context(2)), Split::kTrain, first_samples(200));
    if (!batch.shape.variable_length) continue;
    std::set<std::int64_t> lengths;
    for (std::int64_t row = 0; row < batch.rows; ++row) {
      lengths.insert(batch.length(row));
      for (std::int64_t t = 0; t < batch.shape.steps; ++t) {
        const bool is_padding = t >= batch.length(row);
        if (batch.shape.vocabulary > 0) {
          EXPECT_EQ(batch.token(t, row) == 0, is_padding);
          EXPECT_LT(batch.token(t, row), batch.shape.vocabulary);
          EXPECT_GE(batch.token(t, row), 0);
        } else {
          for (std::int64_t i = 0; is_padding && i < batch.shape.inputs; ++i) EXPECT_TRUE(test::near(batch.input(t, row, i), 0, 0));
        }
        if (!is_padding || !batch.shape.target_every_step) continue;
        for (std::int64_t c = 0; c < batch.shape.outputs; ++c) EXPECT_TRUE(test::near(batch.value(t, row, c), 0, 0));
      }
    }
    EXPECT_GE(*lengths.begin(), 1) << task.name;
    EXPECT_LE(*lengths.rbegin(), batch.shape.steps) << task.name;
    EXPECT_GE(lengths.size(), 5u) << task.name;
  }
}

TEST(Tasks, GeneratedTargetsStandWhereTheFormNeedsThem) {
  for (const Generated& task : kGenerated)
    EXPECT_EQ(make_task(task.name, task.context())->shape().target_every_step, task.every_step) << task.name;
}

TEST(Tasks, ASampleDependsOnSeedSplitAndIndexAlone) {
  for (const Generated& task : kGenerated) {
    const auto source = make_task(task.name, task.context(5)), again = make_task(task.name, task.context(5));
    const std::uint64_t far = std::uint64_t{1} << 40;  // the training set is endless
    const Batch batch = fill(*source, Split::kTrain, {7, 0, far});
    EXPECT_TRUE(same(batch.sample(0), fill(*again, Split::kTrain, {7}).sample(0))) << task.name;
    EXPECT_TRUE(same(batch.sample(2), fill(*again, Split::kTrain, {1, far}).sample(1))) << task.name;
    EXPECT_FALSE(same(batch.sample(0), batch.sample(1))) << task.name;
    EXPECT_FALSE(same(batch.sample(0), fill(*make_task(task.name, task.context(6)), Split::kTrain, {7}).sample(0))) << task.name;
    EXPECT_FALSE(same(batch.sample(0), fill(*source, Split::kValidation, {7}).sample(0))) << task.name;
    EXPECT_FALSE(same(fill(*source, Split::kTest, {7}).sample(0), fill(*source, Split::kValidation, {7}).sample(0))) << task.name;
  }
}

// Results on disk depend on these numbers: they must never change.
TEST(Tasks, SamplesOfReleasedTasksAreThoseOfTheirFirstRelease) {
  const auto targets = [](const Generated& task, const test::OptionTexts& texts) {
    const Batch batch = fill(*make_task(task.name, task.context(1), texts), Split::kTrain, first_samples(4));
    return batch.values.empty() ? std::vector<float>(batch.classes.begin(), batch.classes.end()) : batch.values;
  };
  for (const auto& [form, expected] :
       {std::pair{"hochreiter1997", std::vector<float>{0.503370404f, 0.607658565f, 0.737510443f, 0.452371925f}},
        std::pair{"le2015", std::vector<float>{0.437929004f, 1.26052618f, 0.317895949f, 1.56932449f}}})
    EXPECT_TRUE(same(targets({"adding", false}, {{"task.form", form}}), expected)) << form;
  EXPECT_TRUE(same(targets({"temporal_order", false}, {}), {1, 1, 0, 0}));
}

TEST(Tasks, SamplesOfTheTasksWithStreamsLengthsAndTokensAreThoseOfTheirFirstRelease) {
  struct Golden {
    Generated task;
    double fingerprint;  // of training sample 5 of seed 1: its numbers, each times 1 to 97 in turn, added up
  };
  const Golden goldens[] = {
      {{"adding_resets", false}, 2245.77}, {{"adding_resets", true, 3}, 262.432},
      {{"continual_reber", true}, 12486},  {{"continual_reber", true, 3}, 12433},
      {{"echo", true}, -48.6754},          {{"echo", true, 3}, 225.455},
      {{"embedded_reber", false}, 240},    {{"embedded_reber", true}, 845},
      {{"negation", false}, 1230},         {{"reber", true}, 228},
      {{"running_sum", true}, -6.31592},   {{"running_sum", true, 3}, 1228.44},
      {{"sine", true}, 427.075},           {{"sine", true, 3}, 625.656},
      {{"spirals", false}, 2.66487},
  };
  for (const auto& [task, expected] : goldens) {
    double fingerprint = 0, factor = 0;
    for (const float number : fill(*make_task(task.name, task.context(1)), Split::kTrain, {5}).sample(0)) {
      factor = factor < 97 ? factor + 1 : 1;
      fingerprint += factor * static_cast<double>(number);
    }
    EXPECT_TRUE(test::near(fingerprint, expected, 0.01))
        << task.name << " " << task.every_step << " " << task.streams << ": " << ::testing::PrintToString(fingerprint);
  }
}

TEST(Tasks, GeneratedSetsHaveTheSizesAskedFor) {
  for (const Generated& task : kGenerated) {
    const auto whole = [&](std::uint64_t n) { return task.streams == 0 ? n : (n + 2) / 3 * 3; };  // windows for every one of three streams
    const auto standard = make_task(task.name, task.context());
    EXPECT_EQ(standard->size(Split::kTrain), 0u);
    EXPECT_EQ(standard->size(Split::kValidation), whole(1000));
    EXPECT_EQ(standard->size(Split::kTest), whole(2560));
    const auto small = make_task(task.name, task.context(), {{"task.validation_samples", "3"}, {"task.test_samples", "4"}});
    EXPECT_EQ(small->size(Split::kValidation), 3u);
    EXPECT_EQ(small->size(Split::kTest), whole(4));
    EXPECT_THROW(fill(*small, Split::kValidation, {3}), std::out_of_range);
  }
}

double marked_sum(const Batch& batch, std::int64_t row) {
  double sum = 0;
  for (const auto t : marked_steps(batch, row)) sum += batch.input(t, row, 0);
  return sum;
}

TEST(Adding, ShapeIsThatOfTheTask) {
  const auto shape = make_task("adding", {}, {{"task.length", "150"}})->shape();
  EXPECT_EQ(shape.steps, 150);
  EXPECT_EQ(shape.inputs, 2);
  EXPECT_EQ(shape.outputs, 1);
  EXPECT_EQ(shape.target, TargetKind::kValues);
  EXPECT_FALSE(shape.target_every_step);
  EXPECT_TRUE(test::near(shape.correct_within, 0.04, 0));
}

TEST(Adding, HochreiterTargetsAreWhatTheMarksSay) {
  for (const auto* length : {"4", "5", "19", "100"}) {
    const Batch batch = fill(*make_task("adding", {.path = "", .seed = 1}, {{"task.length", length}}), Split::kTrain, first_samples(500));
    const std::int64_t steps = batch.shape.steps;
    for (std::int64_t row = 0; row < batch.rows; ++row) {
      const auto marked = marked_steps(batch, row);
      ASSERT_EQ(marked.size(), 2u) << "length " << length << " row " << row;
      EXPECT_LT(marked[0], 10);
      EXPECT_LT(marked[1], steps / 2);  // at least T/2 steps follow the second mark
      for (std::int64_t t = 0; t < steps; ++t) {
        const bool is_marked = t == marked[0] || t == marked[1];
        EXPECT_TRUE(test::near(batch.input(t, row, 1), is_marked ? 1 : t == 0 || t == steps - 1 ? -1 : 0, 0));
        EXPECT_LE(std::abs(batch.input(t, row, 0)), 1.0f);
      }
      if (marked[0] == 0) {  // the paper's rare case
        EXPECT_TRUE(test::near(batch.input(0, row, 0), 0, 0));
      }
      EXPECT_TRUE(test::near(batch.values[static_cast<std::size_t>(row)], 0.5 + marked_sum(batch, row) / 4, 1e-6));
    }
  }
}

TEST(Adding, HochreiterMarksAndValuesAreDistributedAsInThePaper) {
  constexpr std::int64_t kRows = 20000;
  const Batch batch = fill(*make_task("adding", {.path = "", .seed = 2}), Split::kTrain, first_samples(kRows));
  std::vector<double> share(100);
  double mean = 0, square = 0;
  for (std::int64_t row = 0; row < kRows; ++row) {
    for (const auto t : marked_steps(batch, row)) share[static_cast<std::size_t>(t)] += 1.0 / kRows;
    for (std::int64_t t = 50; t < 60; ++t) {
      mean += batch.input(t, row, 0) / (10.0 * kRows);
      square += batch.input(t, row, 0) * batch.input(t, row, 0) / (10.0 * kRows);
    }
  }
  // One of ten, else one of the 49 still unmarked among the first 50; tolerances of four to five standard errors.
  for (std::size_t t = 0; t < 10; ++t) EXPECT_TRUE(test::near(share[t], 0.1 + 0.9 / 49, 0.011)) << t;
  for (std::size_t t = 10; t < 50; ++t) EXPECT_TRUE(test::near(share[t], 1.0 / 49, 0.005)) << t;
  for (std::size_t t = 50; t < 100; ++t) EXPECT_TRUE(test::near(share[t], 0, 0)) << t;
  EXPECT_TRUE(test::near(mean, 0, 0.006));
  EXPECT_TRUE(test::near(square, 1.0 / 3, 0.004));
}

TEST(Adding, LeHasOneMarkInEachHalfAndTheSumAsTarget) {
  constexpr std::int64_t kRows = 20000;
  for (const auto* length : {"4", "9", "20"}) {
    const auto source = make_task("adding", {.path = "", .seed = 3}, {{"task.length", length}, {"task.form", "le2015"}});
    const Batch batch = fill(*source, Split::kTest, first_samples(2000));
    for (std::int64_t row = 0; row < batch.rows; ++row) {
      const auto marked = marked_steps(batch, row);
      ASSERT_EQ(marked.size(), 2u);
      EXPECT_LT(marked[0], batch.shape.steps / 2);
      EXPECT_GE(marked[1], batch.shape.steps / 2);
      for (std::int64_t t = 0; t < batch.shape.steps; ++t) {
        EXPECT_TRUE(test::near(batch.input(t, row, 1), t == marked[0] || t == marked[1] ? 1 : 0, 0));
        EXPECT_TRUE(test::near(batch.input(t, row, 0), 0.5, 0.5));
      }
      EXPECT_TRUE(test::near(batch.values[static_cast<std::size_t>(row)], marked_sum(batch, row), 1e-6));
    }
  }
  // The mean squared error of always answering the mean is 1/6: the variance of the sum of two uniform numbers.
  const Batch batch = fill(*make_task("adding", {}, {{"task.form", "le2015"}}), Split::kTrain, first_samples(kRows));
  double variance = 0;
  for (const float value : batch.values) variance += (value - 1) * (value - 1) / double{kRows};
  EXPECT_TRUE(test::near(variance, 1.0 / 6, 0.006));
}

TEST(TemporalOrder, ClassIsTheOrderOfTheTwoSignals) {
  for (const std::int64_t length : {10, 17, 50, 199}) {
    const auto source = make_task("temporal_order", {.path = "", .seed = 4}, {{"task.length", std::to_string(length)}});
    EXPECT_EQ(source->shape().outputs, 4);
    EXPECT_EQ(source->shape().target, TargetKind::kClasses);
    const Batch batch = fill(*source, Split::kTrain, first_samples(400));
    std::set<std::int64_t> first_steps, second_steps;
    for (std::int64_t row = 0; row < batch.rows; ++row) {
      std::vector<std::int64_t> signals, steps;
      for (std::int64_t t = 0; t < length; ++t) {
        const auto symbol = symbol_at(batch, t, row);
        ASSERT_GE(symbol, 0) << "length " << length << " row " << row << " step " << t;
        if (symbol >= 2) continue;
        signals.push_back(symbol);
        steps.push_back(t);
      }
      ASSERT_EQ(signals.size(), 2u);
      first_steps.insert(steps[0]);
      second_steps.insert(steps[1]);
      EXPECT_EQ(batch.classes[static_cast<std::size_t>(row)], signals[0] + 2 * signals[1]);
    }
    const std::int64_t tenth = length / 10;  // [0.1 L, 0.2 L) and [0.5 L, 0.6 L), all of them and no other
    EXPECT_EQ(*first_steps.begin(), tenth);
    EXPECT_EQ(*first_steps.rbegin(), 2 * tenth - 1);
    EXPECT_EQ(*second_steps.begin(), length / 2);
    EXPECT_EQ(*second_steps.rbegin(), length / 2 + tenth - 1);
  }
}

TEST(TemporalOrder, ClassesAndDistractorsAreEquallyFrequent) {
  constexpr std::int64_t kRows = 8000;
  const Batch batch = fill(*make_task("temporal_order", {.path = "", .seed = 4}), Split::kTrain, first_samples(kRows));
  std::vector<double> classes(4), symbols(6);
  for (std::int64_t row = 0; row < kRows; ++row) {
    classes.at(static_cast<std::size_t>(batch.classes[static_cast<std::size_t>(row)])) += 1.0 / kRows;
    symbols.at(static_cast<std::size_t>(symbol_at(batch, 40, row))) += 1.0 / kRows;
  }
  for (const double share : classes) EXPECT_TRUE(test::near(share, 0.25, 0.02));  // four standard errors
  for (std::size_t s = 0; s < 6; ++s) EXPECT_TRUE(test::near(symbols[s], s < 2 ? 0 : 0.25, 0.02)) << s;
}

}  // namespace
}  // namespace vp
