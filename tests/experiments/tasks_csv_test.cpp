// The user's own sequences.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <stdexcept>

#include "tests/compare.h"
#include "tests/experiments/task_batch.h"
#include "tests/experiments/temp_dir.h"
#include "tests/experiments/user_error.h"

namespace vp {
namespace {

using test::fill;
using test::has;
using test::OptionTexts;
using test::same;
using test::TempDir;

const std::string kHeader = "sequence,step,x,y,target\n";
const OptionTexts kAllToTrain = {{"task.validation_share", "0"}, {"task.test_share", "0"}};

OptionTexts all_to_train(const std::string& kind) {
  OptionTexts texts = kAllToTrain;
  texts["task.target_kind"] = kind;
  return texts;
}

class CsvTask : public ::testing::Test {
 protected:
  // Every call writes a file of its own: a path is read once per process.
  std::shared_ptr<const BatchSource> make(std::string_view bytes, const OptionTexts& texts = {}, TaskContext context = {}) {
    context.path = directory_.write("d" + std::to_string(++files_) + ".csv", bytes).string();
    return test::make_task("csv", context, texts);
  }
  std::string message(std::string_view bytes, const OptionTexts& texts = {}, const TaskContext& context = {},
                      ExitCode code = ExitCode::kInputOutput) {
    return test::user_error(code, [&] { make(bytes, texts, context); });
  }
  std::string row_message(const std::string& row) { return message(kHeader + "a,0,1,2,1\n" + row + "\n"); }

  TempDir directory_;
  int files_ = 0;
};

// n sequences of two steps; x is the number of the sequence.
std::string many(int n) {
  std::string bytes = kHeader;
  for (int s = 0; s < n; ++s)
    for (int t = 0; t < 2; ++t)
      bytes += "s" + std::to_string(s) + "," + std::to_string(t) + "," + std::to_string(s) + ",0," + std::to_string(s % 3) + "\n";
  return bytes;
}

TEST_F(CsvTask, RowsInAnyOrderGiveSequencesInOrderOfAppearance) {
  // Steps 5 to 7 and 0 to 2; the target of the last step counts, others may be empty.
  const auto source = make(kHeader + "b,7,5,6,2\na,1,0.3,0.4,\nb,5,1,2,\na,2,0.5,0.6,1\nb,6,3,4,0\na,0,0.1,0.2,\n", kAllToTrain);
  const auto shape = source->shape();
  EXPECT_EQ(shape.steps, 3);
  EXPECT_EQ(shape.inputs, 2);
  EXPECT_EQ(shape.outputs, 3);
  EXPECT_EQ(shape.target, TargetKind::kClasses);
  EXPECT_FALSE(shape.target_every_step);
  EXPECT_EQ(source->size(Split::kTrain), 2u);
  const auto batch = fill(*source, Split::kTrain, {1, 0});
  EXPECT_TRUE(same(batch.sample(0), (std::vector<float>{0.1f, 0.2f, 0.3f, 0.4f, 0.5f, 0.6f, 1})));
  EXPECT_TRUE(same(batch.sample(1), (std::vector<float>{1, 2, 3, 4, 5, 6, 2})));
  EXPECT_THROW(fill(*source, Split::kTrain, {2}), std::out_of_range);
}

TEST_F(CsvTask, ByteOrderMarkCrlfQuotesAndPandasWholeNumbersAreUnderstood) {
  const auto source = make(
      "\xef\xbb\xbf"
      "\"sequence\",step,\"x\",target\r\n\"a,1\",0.0,\"0.5\",\r\n\"a,1\",1.0,2e-1,3.0\r\n",
      kAllToTrain);
  EXPECT_EQ(source->shape().outputs, 4);
  EXPECT_TRUE(same(fill(*source, Split::kTrain, {0}).sample(0), (std::vector<float>{0.5f, 0.2f, 3})));
}

TEST_F(CsvTask, ColumnsMayHaveOtherNames) {
  OptionTexts texts = kAllToTrain;
  texts.insert({{"task.sequence_column", "id"}, {"task.step_column", "t"}, {"task.target_column", "label"}});
  const auto source = make("label,x,id,t\n1,7,a,0\n0,8,b,0\n", texts);
  EXPECT_TRUE(same(fill(*source, Split::kTrain, {0, 1}).sample(1), (std::vector<float>{8, 0})));
}

TEST_F(CsvTask, TargetsMayBeYesNoOrValues) {
  const auto binary = make(kHeader + "a,0,1,2,1\nb,0,3,4,0.0\n", all_to_train("binary"));
  EXPECT_EQ(binary->shape().target, TargetKind::kBinary);
  EXPECT_EQ(binary->shape().outputs, 1);
  EXPECT_TRUE(same(fill(*binary, Split::kTrain, {0, 1}).values, (std::vector<float>{1, 0})));
  const auto values = make(kHeader + "a,0,1,2,-2.5\nb,0,3,4,1e-3\n", all_to_train("values"));
  EXPECT_EQ(values->shape().target, TargetKind::kValues);
  EXPECT_TRUE(same(fill(*values, Split::kTrain, {1, 0}).values, (std::vector<float>{1e-3f, -2.5f})));
}

TEST_F(CsvTask, TargetsAtEveryStepComeStepByStep) {
  const std::string bytes = kHeader + "a,0,1,2,1\na,1,3,4,2\nb,0,5,6,3\nb,1,7,8,0\n";
  const TaskContext every_step{.path = "", .seed = 0, .target_every_step = true};
  const auto classes = make(bytes, kAllToTrain, every_step);
  EXPECT_TRUE(classes->shape().target_every_step);
  EXPECT_EQ(classes->shape().outputs, 4);
  EXPECT_EQ(fill(*classes, Split::kTrain, {0, 1}).classes, (std::vector<std::int32_t>{1, 3, 2, 0}));  // (T, rows)
  EXPECT_TRUE(same(fill(*make(bytes, all_to_train("values"), every_step), Split::kTrain, {1, 0}).values, (std::vector<float>{3, 1, 0, 2})));
  EXPECT_TRUE(has(message(kHeader + "a,0,1,2,\na,1,3,4,2\n", kAllToTrain, every_step), {":2: target: an empty field", "many_to_many"}));
}

TEST_F(CsvTask, TheSplitIsExactDisjointCompleteAndBySeed) {
  const auto members = [&](const BatchSource& source, Split split) {
    std::vector<int> found;
    for (std::uint64_t i = 0; i < source.size(split); ++i) found.push_back(static_cast<int>(fill(source, split, {i}).input(0, 0, 0)));
    return found;
  };
  const OptionTexts shares = {{"task.validation_share", "0.25"}, {"task.test_share", "0.12"}};
  const auto source = make(many(50), shares, {.path = "", .seed = 1});
  EXPECT_EQ(source->size(Split::kValidation), 13u);  // 12.5 and 6 of 50
  EXPECT_EQ(source->size(Split::kTest), 6u);
  EXPECT_EQ(source->size(Split::kTrain), 31u);
  std::set<int> all;
  for (const Split split : {Split::kTrain, Split::kValidation, Split::kTest})
    for (const int sequence : members(*source, split)) EXPECT_TRUE(all.insert(sequence).second) << sequence;
  EXPECT_EQ(all.size(), 50u);
  const auto again = make(many(50), shares, {.path = "", .seed = 1}), other = make(many(50), shares, {.path = "", .seed = 2});
  EXPECT_EQ(members(*source, Split::kTest), members(*again, Split::kTest));
  EXPECT_NE(members(*source, Split::kTest), members(*other, Split::kTest));
}

TEST_F(CsvTask, OptionsThatCannotBeAreRefused) {
  const auto usage = [&](const OptionTexts& texts) { return message(many(3), texts, {}, ExitCode::kUsage); };
  EXPECT_TRUE(has(test::user_error(ExitCode::kUsage, [] { test::make_task("csv", {}); }), {"task.path", "set task.path"}));
  EXPECT_TRUE(has(usage({{"task.validation_share", "0.5"}, {"task.test_share", "0.5"}}), {"less than 1, got 1"}));
  EXPECT_TRUE(
      has(usage({{"task.validation_share", "0.5"}, {"task.test_share", "0.4"}}), {"3 sequences", "none is left to train on", "lower"}));
  EXPECT_TRUE(has(usage({{"task.step_column", "sequence"}}), {"three different columns"}));
}

TEST_F(CsvTask, MissingColumnsAndRowsAreNamed) {
  EXPECT_TRUE(has(message("sequenc,step,x,target\na,0,1,1\n"), {"no column \"sequence\"", "\"sequenc\"", "task.sequence_column"}));
  EXPECT_TRUE(has(message("sequence,step,target\na,0,1\n"), {"no input column", "add at least one"}));
  EXPECT_TRUE(has(message(kHeader), {".csv: there are no rows", "add some"}));
  EXPECT_TRUE(has(message(""), {"empty"}));
  EXPECT_TRUE(has(test::user_error(ExitCode::kInputOutput, [&] { test::make_task("csv", {.path = (directory_ / "none.csv").string()}); }),
                  {"none.csv", "No such file"}));
}

TEST_F(CsvTask, EveryMalformedFieldIsReportedWithFileLineAndReason) {
  EXPECT_TRUE(has(row_message("a,1,one,2,1"), {".csv:3: x: \"one\" is not a finite number"}));
  EXPECT_TRUE(has(row_message("a,1,1,nan,1"), {".csv:3: y: \"nan\" is not a finite number"}));
  EXPECT_TRUE(has(row_message("a,1,inf,2,1"), {".csv:3: x: \"inf\" is not a finite number"}));
  EXPECT_TRUE(has(row_message("a,1,1e39,2,1"), {".csv:3: x: \"1e39\"", "single precision"}));
  EXPECT_TRUE(has(row_message("a,1,,2,1"), {".csv:3: x: an empty field is not a finite number"}));
  EXPECT_TRUE(has(row_message(",1,1,2,1"), {".csv:3: sequence: an empty field names no sequence"}));
  EXPECT_TRUE(has(row_message("a,1.5,1,2,1"), {".csv:3: step: \"1.5\" is not a whole number"}));
  EXPECT_TRUE(has(row_message("a,,1,2,1"), {".csv:3: step: an empty field is not a whole number"}));
  EXPECT_TRUE(has(row_message("a,1,1,2,0.5"), {".csv:3: target: \"0.5\" is not a class"}));
  EXPECT_TRUE(has(row_message("a,1,1,2,-1"), {".csv:3: target: \"-1\" is not a class"}));
  EXPECT_TRUE(has(row_message("a,1,1,2,cat"), {".csv:3: target: \"cat\" is not a class"}));
  EXPECT_TRUE(has(row_message("a,1,1,2,65536"), {".csv:3: target: \"65536\"", "at most 65535"}));
  EXPECT_TRUE(has(row_message("a,0,3,4,1"), {".csv:3: step 0 of sequence \"a\" stands already on line 2"}));
  EXPECT_TRUE(has(row_message("a,1,1,2"), {".csv:3: the row has 4 fields, the header 5"}));
  EXPECT_TRUE(has(row_message("a,1,\"1,2,1"), {".csv:3: ", "never closed"}));
  EXPECT_TRUE(has(message(kHeader + "a,0,1,2,2\n", all_to_train("binary")), {":2: target: \"2\" is not 0 or 1"}));
  EXPECT_TRUE(has(message(kHeader + "a,0,1,2,nan\n", all_to_train("values")), {":2: target: \"nan\" is not a finite number"}));
}

TEST_F(CsvTask, AllProblemsComeAtOnceTwentyInFull) {
  std::string bytes = kHeader + "a,0,x,2,1\na,1,1,2,1\na,2,y,2,1\n";
  EXPECT_TRUE(has(message(bytes), {".csv:2:", ".csv:4:", "Mend these rows"}));
  for (int t = 3; t < 33; ++t) bytes += "a," + std::to_string(t) + ",z,2,1\n";
  const auto text = message(bytes);
  EXPECT_TRUE(has(text, {"... and 12 more (32 in all)"}));
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 21);
}

TEST_F(CsvTask, SequencesMustBeCompleteAndEquallyLong) {
  EXPECT_TRUE(
      has(message(kHeader + "a,0,1,2,1\na,2,1,2,1\nb,0,1,2,1\nb,5,1,2,1\n"),
          {".csv:3: sequence \"a\": step 1 is missing before this row's step 2", ".csv:5: sequence \"b\": steps 1 to 4 are missing"}));
  EXPECT_TRUE(has(message(kHeader + "a,0,1,2,1\na,1,1,2,1\nb,3,1,2,1\n"),
                  {".csv:4: sequence \"b\" has 1 steps, but sequence \"a\" of line 2 has 2", "equally long"}));
  EXPECT_TRUE(has(message(kHeader + "a,0,1,2,1\na,1,1,2,\n"), {".csv:3: target: an empty field at the last step"}));
  EXPECT_TRUE(has(message(kHeader + "a,0,1,2,0\nb,0,1,2,0\n"), {"target: every class is 0"}));
  EXPECT_TRUE(has(message(kHeader + "a,-9223372036854775808,1,2,1\na,9223372036854775807,1,2,1\n"), {"are missing"}));
}

TEST_F(CsvTask, SequencesMayStartAtDifferentSteps) {
  EXPECT_EQ(make(kHeader + "a,-1,1,2,1\na,0,1,2,1\nb,2015,1,2,1\nb,2016,1,2,1\n", kAllToTrain)->shape().steps, 2);
}

TEST_F(CsvTask, TheFileIsReadOnceForAllSeeds) {
  const auto path = directory_.write("once.csv", many(5)).string();
  test::make_task("csv", {.path = path, .seed = 1});
  std::filesystem::remove(path);
  EXPECT_EQ(test::make_task("csv", {.path = path, .seed = 2}, kAllToTrain)->size(Split::kTrain), 5u);
}

TEST_F(CsvTask, OneFileMayBeReadInSeveralWays) {
  const auto path = directory_.write("ways.csv", many(5)).string();
  EXPECT_FALSE(test::make_task("csv", {.path = path})->shape().target_every_step);
  EXPECT_TRUE(test::make_task("csv", {.path = path, .seed = 0, .target_every_step = true})->shape().target_every_step);
  EXPECT_EQ(test::make_task("csv", {.path = path}, all_to_train("values"))->shape().target, TargetKind::kValues);
  EXPECT_EQ(test::make_task("csv", {.path = path}, {{"task.target_column", "x"}})->shape().outputs, 5);
}

}  // namespace
}  // namespace vp
