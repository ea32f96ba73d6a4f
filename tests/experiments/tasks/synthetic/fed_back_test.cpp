// Tasks of nets that live on their own outputs: wave (one_to_many) and reverse (sequence_to_sequence).
#include <gtest/gtest.h>

#include <cmath>

#include "tests/compare.h"
#include "tests/experiments/io/user_error.h"
#include "tests/experiments/tasks/task_batch.h"

namespace vp {
namespace {

using test::make_task;

struct Filled {
  std::vector<float> inputs, values;
  std::vector<std::int32_t> classes;
};

Filled fill_samples(const BatchSource& source, Split split, const std::vector<std::uint64_t>& samples) {
  const SequenceShape shape = source.shape();
  const auto rows = static_cast<std::int64_t>(samples.size());
  Filled f{std::vector<float>(input_steps(shape) * rows * shape.inputs, -99.0f), std::vector<float>(target_steps(shape) * rows, -99.0f),
           std::vector<std::int32_t>(target_steps(shape) * rows, -99)};
  source.fill(split, samples, {.rows = rows, .inputs = f.inputs.data(), .classes = f.classes.data(), .values = f.values.data()});
  return f;
}

TEST(Wave, IsTheSineThatItsInputAsksFor) {
  const auto source = make_task("wave", {}, {{"task.length", "9"}});
  const SequenceShape shape = source->shape();
  EXPECT_EQ(input_steps(shape), 1);
  EXPECT_EQ(target_steps(shape), 9);
  const Filled f = fill_samples(*source, Split::kTrain, {0, 5, 1234567});
  for (std::int64_t r = 0; r < 3; ++r) {
    const double u = f.inputs[3 * r], phase = std::atan2(f.inputs[3 * r + 1], f.inputs[3 * r + 2]), frequency = 0.06 + 0.02 * u;
    EXPECT_TRUE(test::near(f.values[r], f.inputs[3 * r + 1], 0));  // at t = 0 the sine of the phase
    for (std::int64_t t = 0; t < 9; ++t)
      EXPECT_TRUE(test::near(f.values[t * 3 + r], std::sin(2 * 3.14159265358979 * frequency * static_cast<double>(t) + phase), 1e-5));
  }
  EXPECT_NE(f.inputs[0], f.inputs[3]);
}

TEST(Reverse, SaysTheSymbolsLastFirst) {
  const auto source = make_task("reverse", {}, {{"task.length", "4"}, {"task.alphabet", "6"}});
  const SequenceShape shape = source->shape();
  EXPECT_EQ(shape.steps, 8);
  EXPECT_EQ(input_steps(shape), 4);
  EXPECT_EQ(target_steps(shape), 4);
  const Filled f = fill_samples(*source, Split::kValidation, {3, 8});
  for (std::int64_t r = 0; r < 2; ++r)
    for (std::int64_t t = 0; t < 4; ++t)
      for (std::int64_t k = 0; k < 6; ++k) EXPECT_EQ(f.inputs[(t * 2 + r) * 6 + k], f.classes[(3 - t) * 2 + r] == k ? 1.0f : 0.0f);
}

TEST(FedBackTasks, SamplesDependOnSeedSplitAndIndexAlone) {
  for (const char* task : {"wave", "reverse"}) {
    const auto source = make_task(task, {.path = "", .seed = 5}), other = make_task(task, {.path = "", .seed = 6});
    const std::vector<float> inputs = fill_samples(*source, Split::kTrain, {7}).inputs;
    EXPECT_EQ(fill_samples(*make_task(task, {.path = "", .seed = 5}), Split::kTrain, {7}).inputs, inputs) << task;
    EXPECT_NE(fill_samples(*other, Split::kTrain, {7}).inputs, inputs) << task;
    EXPECT_NE(fill_samples(*source, Split::kTest, {7}).inputs, inputs) << task;
    EXPECT_EQ(source->size(Split::kTrain), 0u);
    EXPECT_THROW(fill_samples(*source, Split::kValidation, {1000}), std::out_of_range);
    EXPECT_TRUE(test::has(test::user_error(ExitCode::kUsage, [&] { make_task(task, {.path = "x.csv"}); }), {"task.path", task}));
  }
  EXPECT_TRUE(test::has(test::user_error(ExitCode::kUsage,
                                         [&] {
                                           make_task("wave", {}, {{"task.slowest", "0.2"}, {"task.fastest", "0.1"}});
                                         }),
                        {"task.slowest", "task.fastest"}));
}

}  // namespace
}  // namespace vp
