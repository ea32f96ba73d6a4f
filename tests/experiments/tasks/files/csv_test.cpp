// The user's own sequences.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <stdexcept>

#include "tests/compare.h"
#include "tests/experiments/io/gzip.h"
#include "tests/experiments/io/temp_dir.h"
#include "tests/experiments/io/user_error.h"
#include "tests/experiments/tasks/task_batch.h"

namespace vp {
namespace {

using test::fill;
using test::has;
using test::OptionTexts;
using test::same;
using test::same_doubles;
using test::TempDir;

const std::string kHeader = "sequence,step,x,y,target\n";
const OptionTexts kAllToTrain = {{"task.validation_share", "0"}, {"task.test_share", "0"}};

OptionTexts all_to_train(const std::string& kind) {
  OptionTexts texts = kAllToTrain;
  texts["task.target_kind"] = kind;
  return texts;
}

TextList names_of(const BatchSource& source) { return {source.class_names().begin(), source.class_names().end()}; }

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
  EXPECT_EQ(shape.outputs, 2) << "labels 1 and 2 are two classes";
  EXPECT_EQ(shape.target, TargetKind::kClasses);
  EXPECT_FALSE(shape.target_every_step);
  EXPECT_FALSE(shape.variable_length);
  EXPECT_EQ(source->size(Split::kTrain), 2u);
  const auto batch = fill(*source, Split::kTrain, {1, 0});
  EXPECT_TRUE(same(batch.sample(0), (std::vector<float>{0.1f, 0.2f, 0.3f, 0.4f, 0.5f, 0.6f, 0})));
  EXPECT_TRUE(same(batch.sample(1), (std::vector<float>{1, 2, 3, 4, 5, 6, 1})));
  EXPECT_THROW(fill(*source, Split::kTrain, {2}), std::out_of_range);
}

TEST_F(CsvTask, ByteOrderMarkCrlfQuotesAndPandasWholeNumbersAreUnderstood) {
  const auto source = make(
      "\xef\xbb\xbf"
      "\"sequence\",step,\"x\",target\r\n\"a,1\",0.0,\"0.5\",\r\n\"a,1\",1.0,2e-1,3.0\r\nb,0,1,\r\nb,1,1,0.0\r\n",
      kAllToTrain);
  EXPECT_EQ(names_of(*source), (TextList{"0", "3"}));
  EXPECT_TRUE(same(fill(*source, Split::kTrain, {0}).sample(0), (std::vector<float>{0.5f, 0.2f, 1})));
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
  EXPECT_TRUE(has(row_message("b,1,1,2,0.5"), {".csv:3: target: \"0.5\" is not a class"}));
  EXPECT_TRUE(has(row_message("b,1,1,2,nan"), {".csv:3: target: \"nan\" is not a class: the other labels are numbers"}));
  EXPECT_TRUE(has(row_message("a,0,3,4,1"), {".csv:3: step 0 of sequence \"a\" stands already on line 2"}));
  EXPECT_TRUE(has(row_message("a,1,1,2"), {".csv:3: the row has 4 fields, the header 5"}));
  EXPECT_TRUE(has(row_message("a,1,\"1,2,1"), {".csv:3: ", "never closed"}));
  EXPECT_TRUE(has(message(kHeader + "a,0,1,2,2\n", all_to_train("binary")), {":2: target: \"2\" is not 0 or 1"}));
  EXPECT_TRUE(
      has(message(kHeader + "a,0,1,2,yes\n", all_to_train("binary")), {"\"yes\" is not 0 or 1; labels of any kind", "\"classes\""}));
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

TEST_F(CsvTask, SequencesMustBeComplete) {
  EXPECT_TRUE(
      has(message(kHeader + "a,0,1,2,1\na,2,1,2,1\nb,0,1,2,1\nb,5,1,2,1\n"),
          {".csv:3: sequence \"a\": step 1 is missing before this row's step 2", ".csv:5: sequence \"b\": steps 1 to 4 are missing"}));
  EXPECT_TRUE(has(message(kHeader + "a,0,1,2,1\na,1,1,2,\n"), {".csv:3: target: an empty field at the last step"}));
  EXPECT_TRUE(has(message(kHeader + "a,0,1,2,0\nb,0,1,2,0\n"), {".csv: target: every label is \"0\"", "nothing to tell apart"}));
  EXPECT_TRUE(has(message(kHeader + "a,-9223372036854775808,1,2,1\na,9223372036854775807,1,2,1\n"), {"are missing"}));
}

TEST_F(CsvTask, SequencesMayStartAtDifferentSteps) {
  EXPECT_EQ(make(kHeader + "a,-1,1,2,1\na,0,1,2,1\nb,2015,1,2,1\nb,2016,1,2,0\n", kAllToTrain)->shape().steps, 2);
}

TEST_F(CsvTask, SequencesMayHaveLengthsOfTheirOwn) {
  const std::string bytes = kHeader + "a,0,1,2,\na,1,3,4,cat\nb,5,5,6,dog\nc,0,7,8,\nc,1,9,10,\nc,2,11,12,cat\n";
  const auto source = make(bytes, kAllToTrain);
  EXPECT_EQ(source->shape().steps, 3);
  EXPECT_TRUE(source->shape().variable_length);
  const auto batch = fill(*source, Split::kTrain, {0, 1, 2});
  EXPECT_EQ(batch.lengths, (std::vector<std::int32_t>{2, 1, 3}));
  EXPECT_TRUE(same(batch.inputs, {1, 2, 5, 6, 7, 8, 3, 4, 0, 0, 9, 10, 0, 0, 0, 0, 11, 12}));  // (T, rows, I), zeros behind the ends
  EXPECT_EQ(batch.classes, (std::vector<std::int32_t>{0, 1, 0}));
  EXPECT_EQ(names_of(*source), (TextList{"cat", "dog"}));
}

TEST_F(CsvTask, TargetsAtEveryStepEndWithTheirSequence) {
  const std::string bytes = kHeader + "a,0,1,2,3\na,1,3,4,4\nb,0,5,6,5\n";
  const TaskContext every_step{.path = "", .seed = 0, .target_every_step = true};
  const auto classes = fill(*make(bytes, kAllToTrain, every_step), Split::kTrain, {0, 1});
  EXPECT_EQ(classes.lengths, (std::vector<std::int32_t>{2, 1}));
  EXPECT_EQ(classes.classes, (std::vector<std::int32_t>{0, 2, 1, 0}));  // (T, rows)
  EXPECT_TRUE(same(fill(*make(bytes, all_to_train("values"), every_step), Split::kTrain, {1, 0}).values, {5, 3, 0, 4}));
}

TEST_F(CsvTask, OnlyLabelsThatAreAskedForAreClasses) {
  EXPECT_EQ(names_of(*make(kHeader + "a,0,1,2,none\na,1,1,2,1\nb,0,1,2,\nb,1,1,2,0\n", kAllToTrain)), (TextList{"0", "1"}));
}

TEST_F(CsvTask, InputsAreChosenByNameOrOthersIgnored) {
  const std::string bytes = "date,target,y,sequence,who,x,step\n2020-01-01,1,2,a,bob,1,0\n2020-01-02,0,4,b,eve,3,0\n";
  const auto inputs = [&](const OptionTexts& more) {
    OptionTexts texts = more;
    texts.insert(kAllToTrain.begin(), kAllToTrain.end());
    return fill(*make(bytes, texts), Split::kTrain, {0, 1}).inputs;
  };
  EXPECT_TRUE(same(inputs({{"task.inputs", "x,y"}}), {1, 2, 3, 4})) << "in the order of the list";
  EXPECT_TRUE(same(inputs({{"task.inputs", "x,step"}}), {1, 0, 3, 0})) << "the step too, where it is asked for";
  EXPECT_TRUE(same(inputs({{"task.ignore", "date,who"}}), {2, 1, 4, 3}));
  const auto refused = [&](const OptionTexts& texts, ExitCode code = ExitCode::kInputOutput) { return message(bytes, texts, {}, code); };
  EXPECT_TRUE(has(refused({}), {":2: date: \"2020-01-01\" is not a finite number, and no field of this column is",
                                "task.ignore = [\"date\"]", ":2: who: \"bob\"", "task.ignore = [\"who\"]"}));
  EXPECT_TRUE(has(refused({{"task.inputs", "x,Y"}}), {"no column \"Y\"", "\"y\"", "task.inputs"}));
  EXPECT_TRUE(has(refused({{"task.ignore", "whom"}}), {"no column \"whom\"; the file has \"who\"", "task.ignore"}));
  EXPECT_TRUE(has(refused({{"task.inputs", "x,target"}}, ExitCode::kUsage), {"task.inputs: \"target\" is a column with another meaning"}));
  EXPECT_TRUE(has(refused({{"task.ignore", "step"}}, ExitCode::kUsage), {"task.ignore: \"step\" is a column with another meaning"}));
  EXPECT_TRUE(has(refused({{"task.inputs", "x,x"}}, ExitCode::kUsage), {"task.inputs: \"x\" stands there twice"}));
  EXPECT_TRUE(has(refused({{"task.inputs", "x"}, {"task.ignore", "y"}}, ExitCode::kUsage), {"exclude each other"}));
  EXPECT_TRUE(has(refused({{"task.ignore", "date,who,x,y"}}), {"no input column", "\"sequence\", \"step\"", "\"target\""}));
}

TEST_F(CsvTask, ATextColumnIsOneFaultAndAFewTextsAreEach) {
  std::string bytes = "sequence,step,x,target\n";
  for (int t = 0; t < 30; ++t) bytes += "a," + std::to_string(t) + ",bob,1\n";
  EXPECT_TRUE(has(message(bytes), {":2: x: \"bob\" is not a finite number, and no field of this column is; a column that is no input"}));
  EXPECT_FALSE(has(message(bytes), {":3:"}));
  EXPECT_FALSE(has(message(bytes + "a,30,1,1\n"), {"no field of this column"}));
  EXPECT_TRUE(has(message(bytes + "a,30,1,1\n"), {":2: x: \"bob\"", ":3: x: \"bob\"", "(30 in all)"}));
}

TEST_F(CsvTask, FieldsMayBeSeparatedBySemicolonsOrTabs) {
  const std::string comma = "sequence,step,x,y,target\na,0,1.5,2,1\nb,0,3,4,0\n";
  const auto with = [&](char separator) {
    std::string bytes = comma;
    std::ranges::replace(bytes, ',', separator);
    return bytes;
  };
  const auto expected = fill(*make(comma, kAllToTrain), Split::kTrain, {0, 1}).inputs;
  for (const auto& [separator, name] : {std::pair(',', "comma"), std::pair(';', "semicolon"), std::pair('\t', "tab")}) {
    EXPECT_TRUE(same(fill(*make(with(separator), kAllToTrain), Split::kTrain, {0, 1}).inputs, expected)) << name;
    OptionTexts texts = kAllToTrain;
    texts["task.separator"] = name;
    EXPECT_TRUE(same(fill(*make(with(separator), texts), Split::kTrain, {0, 1}).inputs, expected)) << name;
    if (separator != ';') {
      EXPECT_TRUE(has(message(with(';'), texts), {"there is no column \"sequence\""})) << name;
    }
  }
  EXPECT_EQ(make("a;\"x,y,z,u,v,w\";sequence;step;target\n1;2;a;0;1\n1;2;b;0;0\n", kAllToTrain)->shape().inputs, 2)
      << "quoted commas do not count";
}

TEST_F(CsvTask, DecimalCommasAreNamed) {
  EXPECT_TRUE(has(message("sequence;step;x;target\na;0;0,25;1\nb;0;1,5;0\n"),
                  {":2: x: \"0,25\" is not a finite number: it is written with a comma", "0.25", "no field of this column"}));
  EXPECT_FALSE(has(message("sequence;step;x;target\na;0;0,25;1\nb;0;1,5;0\n"), {"task.ignore"})) << "it is no text column";
  EXPECT_TRUE(has(message("sequence,step,x,target\na,0,0,25,1\nb,0,1,5,0\n"), {":2: the row has 5 fields", "decimal commas"}));
}

TEST_F(CsvTask, GzipIsUnpackedWhateverItsName) {
  const std::string bytes = kHeader + "a,0,1,2,1\nb,0,3,4,0\n";
  for (const char* name : {"d.csv.gz", "packed.csv"}) {
    const auto path = directory_.write(name, test::gzip(bytes)).string();
    EXPECT_TRUE(same(fill(*test::make_task("csv", {.path = path}, kAllToTrain), Split::kTrain, {0, 1}).inputs, {1, 2, 3, 4})) << name;
  }
  const auto plain = directory_.write("plain.csv.gz", bytes).string();
  EXPECT_EQ(test::make_task("csv", {.path = plain}, kAllToTrain)->shape().inputs, 2) << "the content decides";
  EXPECT_TRUE(has(message(test::gzip(bytes).substr(0, 40)), {"truncated"}));
  EXPECT_TRUE(has(message(test::gzip(bytes) + "tail"), {"4 bytes behind its end"}));
}

TEST_F(CsvTask, ValidationAndTestSetsMayHaveFilesOfTheirOwn) {
  const auto validation = directory_.write("v.csv", "x,target,y,sequence,step\n10,dog,11,a,0\n").string();  // in another order
  const auto test_set = directory_.write("t.csv", kHeader + "q,0,20,21,cat\nq,1,22,23,emu\n").string();
  const std::string bytes = kHeader + "a,0,1,2,cat\nb,0,3,4,dog\n";
  const auto source = make(bytes, {{"task.validation_path", validation}, {"task.test_path", test_set}});
  EXPECT_EQ(source->size(Split::kTrain), 2u);
  EXPECT_EQ(source->size(Split::kValidation), 1u);
  EXPECT_EQ(source->size(Split::kTest), 1u);
  EXPECT_EQ(names_of(*source), (TextList{"cat", "dog", "emu"})) << "the labels of all files count";
  EXPECT_TRUE(same(fill(*source, Split::kValidation, {0}).sample(0), {1, 10, 11, 0, 0, 1}));
  EXPECT_TRUE(same(fill(*source, Split::kTest, {0}).sample(0), {2, 20, 21, 22, 23, 2}));
  EXPECT_EQ(source->sample_id(Split::kTest, 0), "q");
  EXPECT_EQ(source->notes(),
            (std::vector<std::string>{"a class occurs in the training set only: \"cat\"", "a class occurs in the test set only: \"emu\""}));
  const auto refused = [&](const std::string& other, const OptionTexts& more = {}, ExitCode code = ExitCode::kInputOutput) {
    OptionTexts texts = {{"task.test_path", directory_.write("o" + std::to_string(++files_) + ".csv", other).string()}};
    texts.insert(more.begin(), more.end());
    return message(bytes, texts, {}, code);
  };
  EXPECT_TRUE(has(refused("sequence,step,x,target\na,0,1,cat\n"), {"no column \"y\", which", "has as an input"}));
  EXPECT_TRUE(has(refused("sequence,step,x,y,z,target\na,0,1,2,3,cat\n"), {"the column \"z\" is none of", "task.inputs"}));
  EXPECT_TRUE(has(refused(kHeader + "a,0,bad,2,cat\n"), {"o6.csv:2: x: \"bad\""}));
  EXPECT_TRUE(has(refused(kHeader + "a,0,1,2,cat\n", {{"task.test_share", "0.2"}}, ExitCode::kUsage), {"task.test_share has no effect"}));
  EXPECT_TRUE(has(test::user_error(ExitCode::kUsage,
                                   [&] {
                                     test::make_task("csv", {.path = test_set}, {{"task.test_path", test_set}});
                                   }),
                  {"task.test_path", "is task.path as well"}));
}

TEST_F(CsvTask, AGroupIsInOneSet) {
  std::string bytes = "sequence,step,x,who,target\n";
  for (int s = 0; s < 60; ++s)
    bytes += "s" + std::to_string(s) + ",0," + std::to_string(s % 12) + ",p" + std::to_string(s % 12) + "," + std::to_string(s % 2) + "\n";
  const auto source = make(bytes, {{"task.group_column", "who"}, {"task.validation_share", "0.25"}, {"task.test_share", "0.25"}});
  EXPECT_EQ(source->shape().inputs, 1);
  std::map<float, std::set<Split>> sets;
  for (const Split split : {Split::kTrain, Split::kValidation, Split::kTest})
    for (std::uint64_t i = 0; i < source->size(split); ++i) sets[fill(*source, split, {i}).input(0, 0, 0)].insert(split);
  EXPECT_EQ(sets.size(), 12u);
  for (const auto& [who, of_group] : sets) EXPECT_EQ(of_group.size(), 1u) << who;
  EXPECT_EQ(source->size(Split::kValidation), 15u);  // 3 of 12 groups of 5
  EXPECT_EQ(source->size(Split::kTest), 15u);
  const OptionTexts by_who = {{"task.group_column", "who"}};
  EXPECT_TRUE(
      has(message("sequence,step,x,who,target\na,0,1,p,1\na,1,1,q,1\n", by_who), {":3: who: \"q\" is another group than \"p\" of line 2"}));
  EXPECT_TRUE(has(message("sequence,step,x,who,target\na,0,1,,1\n", by_who), {":2: who: an empty field names no group"}));
  EXPECT_TRUE(has(message(bytes, {{"task.group_column", "whom"}}), {"no column \"whom\"", "task.group_column"}));
  OptionTexts own = by_who;
  own["task.test_path"] = directory_.write("g.csv", "sequence,step,x,who,target\nz,0,1,p3,1\n").string();
  EXPECT_TRUE(has(message(bytes, own), {"g.csv:2: the group \"p3\" is in", "a group belongs in one set"}));
  EXPECT_TRUE(
      has(message(bytes, {{"task.group_column", "who"}, {"task.stratified", "true"}}, {}, ExitCode::kUsage), {"exclude each other"}));
}

TEST_F(CsvTask, EmptySetsAndClassesOfOneSetAreSaid) {
  const auto notes = make(kHeader + "a,0,1,2,1\nb,0,3,4,0\nc,0,1,2,1\n")->notes();
  EXPECT_EQ(notes, (std::vector<std::string>{"the validation set is empty: task.validation_share = 0.1 of the sequences rounds to none",
                                             "the test set is empty: task.test_share = 0.1 of the sequences rounds to none"}));
  EXPECT_TRUE(make(kHeader + "a,0,1,2,1\nb,0,3,4,0\nc,0,1,2,1\n", kAllToTrain)->notes().empty()) << "nothing was asked for";
  const auto validation = directory_.write("n.csv", kHeader + "a,0,1,2,1\n").string();
  OptionTexts texts = {{"task.target_kind", "binary"}, {"task.validation_path", validation}, {"task.test_share", "0"}};
  EXPECT_EQ(
      make(kHeader + "a,0,1,2,0\nb,0,3,4,0\n", texts)->notes(),
      (std::vector<std::string>{"a class occurs in the training set only: \"0\"", "a class occurs in the validation set only: \"1\""}));
}

TEST_F(CsvTask, ClassesAreCountedBySet) {
  const auto test_set = directory_.write("c.csv", kHeader + "a,0,1,2,b\n").string();
  const auto source = make(kHeader + "a,0,1,2,a\nb,0,3,4,b\nc,0,5,6,a\n", {{"task.validation_share", "0"}, {"task.test_path", test_set}});
  EXPECT_EQ(source->class_counts(Split::kTrain), (std::vector<std::int64_t>{2, 1}));
  EXPECT_EQ(source->class_counts(Split::kValidation), (std::vector<std::int64_t>{0, 0}));
  EXPECT_EQ(source->class_counts(Split::kTest), (std::vector<std::int64_t>{0, 1}));
  EXPECT_TRUE(make(many(5), all_to_train("values"))->class_counts(Split::kTrain).empty());
}

TEST_F(CsvTask, ClassesMayBeListed) {
  OptionTexts texts = kAllToTrain;
  texts["task.classes"] = "dog,cat,emu";
  const auto source = make(kHeader + "a,0,1,2,cat\nb,0,3,4,dog\n", texts);
  EXPECT_EQ(source->shape().outputs, 3);
  EXPECT_EQ(fill(*source, Split::kTrain, {0, 1}).classes, (std::vector<std::int32_t>{1, 0}));
  EXPECT_EQ(source->notes(), (std::vector<std::string>{"a class occurs in no set: \"emu\""}));
  EXPECT_TRUE(
      has(message(kHeader + "a,0,1,2,cow\n", texts), {".csv:2: target: \"cow\" is not among task.classes: \"dog\", \"cat\", \"emu\""}));
  texts["task.target_kind"] = "values";
  EXPECT_TRUE(has(message(kHeader + "a,0,1,2,1\n", texts, {}, ExitCode::kUsage), {"task.classes", "has no classes"}));
}

// What a source in double precision fills, without a rounding between the text and the number.
TEST_F(CsvTask, InDoublePrecisionNothingIsRoundedToSingle) {
  const std::string bytes = kHeader + "a,0,0.1,16777217,1e-300\na,1,1e300,3,-0.1\nb,0,0.3,1e-320,0.7\n";
  const auto source = make(bytes, all_to_train("values"), {.path = "", .seed = 0, .in_double = true});
  ASSERT_TRUE(source->in_double());
  std::vector<double> inputs(8, -99), values(2, -99);
  std::vector<std::int32_t> lengths(2, -99);
  source->fill(Split::kTrain, std::vector<std::uint64_t>{0, 1},
               {.rows = 2, .lengths = lengths.data(), .inputs_f64 = inputs.data(), .values_f64 = values.data()});
  EXPECT_TRUE(same_doubles(inputs, {0.1, 16777217, 0.3, 1e-320, 1e300, 3, 0, 0}));
  EXPECT_TRUE(same_doubles(values, {-0.1, 0.7}));
  EXPECT_EQ(lengths, (std::vector<std::int32_t>{2, 1}));
  EXPECT_FALSE(make(kHeader + "a,0,0.1,1,1\nb,0,0.1,1,0\n", kAllToTrain)->in_double());
  EXPECT_TRUE(has(message(bytes, all_to_train("values")), {":3: x: \"1e300\"", "single precision", "run.precision"}));
}

TEST_F(CsvTask, NumbersAreReadAsStrtodReadsThem) {
  const auto source =
      make("sequence,step,x,target\na,+0,+1.5,1\na,1, 5. ,1\na,2,.5,1\na,3,1e-400,1\na,4,-1E-50,1\nb,0,\" 7 \",0\n", kAllToTrain);
  EXPECT_TRUE(same(fill(*source, Split::kTrain, {0}).inputs, {1.5, 5, 0.5, 0, -0.0f}));
  EXPECT_TRUE(same(fill(*source, Split::kTrain, {1}).inputs, {7, 0, 0, 0, 0}));
}

TEST_F(CsvTask, OtherFormatsAndHabitsAreNamed) {
  EXPECT_TRUE(
      has(message(",sequence,step,x,target\n0,a,0,1,1\n"), {":1: column 1 has no name", "to_csv(index=False)", "row.names = FALSE"}));
  EXPECT_TRUE(has(message("sequence,step,x,target\n1,a,0,1,1\n2,a,1,1,1\n"), {":2: the row has 5 fields", "row.names = FALSE"}));
  EXPECT_TRUE(has(message("a,0,1,2\na,1,1,1\n"), {"no column \"sequence\""}));
  EXPECT_TRUE(has(message("1,0,1,1\n1,1,1,1\n"), {":1: column \"1\" stands twice"}));
  EXPECT_TRUE(has(message("1,0,2,3\n1,1,1,1\n"), {"the first line must name the columns, and it holds numbers"}));
  EXPECT_TRUE(has(message("sequence|step|x|target\na|0|1|1\n"), {"separated by , ; or a tab"}));
  EXPECT_TRUE(has(message("sep=;\nsequence;step;x;target\na;0;1;1\n"), {":1: this line is a note for Excel; remove it"}));
  EXPECT_TRUE(has(message("PK\x03\x04rest"), {"zip", ".xlsx"}));
  EXPECT_TRUE(has(message(std::string("s\0e\0q\0", 6)), {":1: a NUL byte", "UTF-16"}));
  EXPECT_TRUE(has(message("sequence,step,x,target\na,0,\"1,234\",1\n"), {"thousands"}));
  EXPECT_TRUE(has(message(kHeader + "a,0,1,2,1\n\n\n\n"), {"every label"})) << "blank lines at the end are nothing";
  EXPECT_TRUE(has(message(kHeader + "caf\xe9,0,1,2,1\n"), {":2: sequence:", "UTF-8"}));
  EXPECT_TRUE(has(test::user_error(ExitCode::kInputOutput, [&] { test::make_task("csv", {.path = directory_.path().string()}); }),
                  {"Is a directory", "give the path of a file"}));
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
