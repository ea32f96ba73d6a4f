// The user's own images and feature vectors, one sample a row.
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <set>
#include <stdexcept>

#include "tests/compare.h"
#include "tests/experiments/io/temp_dir.h"
#include "tests/experiments/io/user_error.h"
#include "tests/experiments/tasks/task_batch.h"

namespace vp {
namespace {

using test::Batch;
using test::fill;
using test::first_samples;
using test::has;
using test::near;
using test::OptionTexts;
using test::same;
using test::same_doubles;

const OptionTexts kAllToTrain = {{"task.validation_share", "0"}, {"task.test_share", "0"}};

OptionTexts all_to_train(OptionTexts more) {
  more.insert(kAllToTrain.begin(), kAllToTrain.end());
  return more;
}

class CsvRows : public ::testing::Test {
 protected:
  // Every call writes a file of its own: a path is read once per process.
  std::shared_ptr<const BatchSource> make(std::string_view bytes, const OptionTexts& texts = {}, TaskContext context = {}) {
    context.path = directory_.write("r" + std::to_string(++files_) + ".csv", bytes).string();
    return test::make_task("csv_rows", context, texts);
  }
  std::string message(std::string_view bytes, const OptionTexts& texts = kAllToTrain, ExitCode code = ExitCode::kInputOutput) {
    return test::user_error(code, [&] { make(bytes, texts); });
  }

  test::TempDir directory_;
  int files_ = 0;
};

TEST_F(CsvRows, ALabelAndFeaturesInAnyColumn) {
  const auto source = make("a,label,b\n1,2,3\r\n\n4,0.0,-5e-1\n", kAllToTrain);  // labels 0 and 2: classes 0 and 1
  EXPECT_EQ(source->shape().steps, 1);
  EXPECT_EQ(source->shape().inputs, 2);
  EXPECT_EQ(source->shape().outputs, 2);
  EXPECT_EQ(source->shape().target, TargetKind::kClasses);
  EXPECT_EQ(source->size(Split::kTrain), 2u);
  const Batch batch = fill(*source, Split::kTrain, {1, 0});
  EXPECT_TRUE(same(batch.sample(0), {4, -0.5f, 0}));
  EXPECT_TRUE(same(batch.sample(1), {1, 3, 1}));
  EXPECT_THROW(fill(*source, Split::kTrain, {2}), std::out_of_range);
}

TEST_F(CsvRows, OtherLabelsAndKindsOfTargets) {
  const auto binary = make("x,y\n1,1\n2,0\n", all_to_train({{"task.label_column", "y"}, {"task.target_kind", "binary"}}));
  EXPECT_EQ(binary->shape().target, TargetKind::kBinary);
  EXPECT_TRUE(same(fill(*binary, Split::kTrain, {0, 1}).values, {1, 0}));
  const auto values = make("x,y\n1,-7.5\n2,3\n", all_to_train({{"task.label_column", "x"}, {"task.target_kind", "values"}}));
  EXPECT_TRUE(same(fill(*values, Split::kTrain, {1}).sample(0), {3, 2}));
}

TEST_F(CsvRows, FeaturesMayBeSpreadOverSteps) {
  const std::string bytes = "label,a,b,c,d,e,f\n1,1,2,3,4,5,6\n0,7,8,9,10,11,12\n";
  const auto source = make(bytes, all_to_train({{"task.steps", "3"}}));
  EXPECT_EQ(source->shape().steps, 3);
  EXPECT_EQ(source->shape().inputs, 2);
  EXPECT_TRUE(same(fill(*source, Split::kTrain, {0, 1}).inputs, {1, 2, 7, 8, 3, 4, 9, 10, 5, 6, 11, 12}));  // (T, rows, I)
  EXPECT_TRUE(has(message(bytes, all_to_train({{"task.steps", "4"}}), ExitCode::kUsage), {"task.steps", "6 features", "divisor"}));
}

TEST_F(CsvRows, StepsAreTheRowsOfAnImage) {
  const std::string bytes = "label,a,b,c,d,e,f,g,h\n1,1,2,3,4,5,6,7,8\n0,7,8,9,10,11,12,13,14\n";
  EXPECT_EQ(make(bytes, kAllToTrain)->shape().image_channels, 0) << "one step is no image";
  const SequenceShape grey = make(bytes, all_to_train({{"task.steps", "2"}}))->shape();
  EXPECT_EQ(grey.image_channels, 1);
  EXPECT_EQ(grey.image_height, 2);
  EXPECT_EQ(grey.image_width, 4);
  const SequenceShape colour = make(bytes, all_to_train({{"task.steps", "2"}, {"task.channels", "2"}}))->shape();
  EXPECT_EQ(colour.image_channels, 2);
  EXPECT_EQ(colour.image_height, 2);
  EXPECT_EQ(colour.image_width, 2);
  EXPECT_TRUE(has(message(bytes, all_to_train({{"task.steps", "2"}, {"task.channels", "3"}}), ExitCode::kUsage),
                  {"task.channels", "4 features", "divisor"}));
}

TEST_F(CsvRows, ScalingIsByTheTrainingSet) {
  const std::string bytes = "label,a,b\n1,0,-255\n0,51,5\n1,102,5\n0,51,5\n";
  const Batch range = fill(*make(bytes, all_to_train({{"task.scaling", "range"}})), Split::kTrain, {0, 2});
  EXPECT_TRUE(same(range.inputs, {0, -1, 0.4f, 5.0f / 255}));
  const Batch standard =
      fill(*make("label,a,b\n1,2,7\n0,4,7\n1,6,7\n0,4,7\n", all_to_train({{"task.scaling", "standard"}})), Split::kTrain, first_samples(4));
  const float edge = static_cast<float>(std::sqrt(2.0));  // mean 4, variance 2; the constant column is 0
  const std::vector<float> expected = {-edge, 0, 0, 0, edge, 0, 0, 0};
  for (std::size_t i = 0; i < expected.size(); ++i) EXPECT_TRUE(near(standard.inputs[i], expected[i], 1e-6)) << i;
  // What is not in the training set does not count: 40 rows of 1 and one of 1000 that some seed leaves out.
  std::string many = "label,a\n";
  for (int i = 0; i < 41; ++i) many += std::to_string(i % 2) + (i == 17 ? ",1000\n" : ",1\n");
  std::set<float> largest;
  for (std::uint64_t seed = 0; seed < 12; ++seed) {
    const auto source = make(many, {{"task.scaling", "range"}}, {.path = "", .seed = seed});
    const Batch train = fill(*source, Split::kTrain, first_samples(source->size(Split::kTrain)));
    largest.insert(*std::max_element(train.inputs.begin(), train.inputs.end()));
  }
  EXPECT_EQ(largest, std::set<float>{1});
}

TEST_F(CsvRows, TheSplitIsExactDisjointCompleteAndBySeed) {
  std::string bytes = "label,number\n";
  for (int i = 0; i < 50; ++i) bytes += std::to_string(i % 3) + "," + std::to_string(i) + "\n";
  const auto source = make(bytes, {{"task.validation_share", "0.25"}, {"task.test_share", "0.12"}}, {.path = "", .seed = 1});
  const auto other = make(bytes, {{"task.validation_share", "0.25"}, {"task.test_share", "0.12"}}, {.path = "", .seed = 2});
  EXPECT_EQ(source->size(Split::kValidation), 13u);
  EXPECT_EQ(source->size(Split::kTest), 6u);
  std::set<float> seen;
  for (const Split split : {Split::kTrain, Split::kValidation, Split::kTest})
    for (const float number : fill(*source, split, first_samples(source->size(split))).inputs) EXPECT_TRUE(seen.insert(number).second);
  EXPECT_EQ(seen.size(), 50u);
  EXPECT_FALSE(same(fill(*source, Split::kTest, first_samples(6)).inputs, fill(*other, Split::kTest, first_samples(6)).inputs));
  EXPECT_TRUE(
      has(message("label,a\n1,1\n0,1\n", {{"task.test_share", "0.8"}}, ExitCode::kUsage), {"of 2 rows", "none is left to train on"}));
}

TEST_F(CsvRows, LabelsFromOneAreAsManyClasses) {
  std::string bytes = "label,a\n";
  for (int i = 0; i < 52; ++i) bytes += std::to_string(1 + i % 26) + ",1\n";
  const auto source = make(bytes, kAllToTrain);
  EXPECT_EQ(source->shape().outputs, 26);
  EXPECT_EQ(source->class_names()[25], "26");
  EXPECT_EQ(fill(*source, Split::kTrain, {0, 25}).classes, (std::vector<std::int32_t>{0, 25}));
}

TEST_F(CsvRows, AStratifiedSplitHasEachClassInItsShare) {
  std::string bytes = "label,number\n";
  std::map<std::string, std::int64_t> sizes;
  for (int i = 0; i < 200; ++i) {
    const std::string label = i % 20 == 0 ? "rare" : i % 3 == 0 ? "some" : "most";
    ++sizes[label];
    bytes += label + "," + std::to_string(i) + "\n";
  }
  for (std::uint64_t seed = 0; seed < 5; ++seed) {
    const auto source = make(bytes, {{"task.stratified", "true"}, {"task.validation_share", "0.2"}}, {.path = "", .seed = seed});
    EXPECT_EQ(source->size(Split::kValidation), 40u);
    EXPECT_EQ(source->size(Split::kTest), 20u);
    for (std::size_t c = 0; c < 3; ++c) {
      const auto size = static_cast<double>(sizes.at(source->class_names()[c]));
      EXPECT_TRUE(near(static_cast<double>(source->class_counts(Split::kValidation)[c]), 0.2 * size, 0.999)) << c;
      EXPECT_TRUE(near(static_cast<double>(source->class_counts(Split::kTest)[c]), 0.1 * size, 0.999)) << c;
    }
    std::set<float> seen;
    for (const Split split : {Split::kTrain, Split::kValidation, Split::kTest})
      for (const float number : fill(*source, split, first_samples(source->size(split))).inputs) EXPECT_TRUE(seen.insert(number).second);
    EXPECT_EQ(seen.size(), 200u);
  }
  EXPECT_TRUE(has(message("label,a\n1,1\n2,1\n", {{"task.stratified", "true"}, {"task.target_kind", "values"}}, ExitCode::kUsage),
                  {"task.stratified", "has no classes"}));
}

TEST_F(CsvRows, SamplesAreNamedByTheirRowOrAnId) {
  const auto test_set = directory_.write("t.csv", "label,a,key\n1,9,t1\n0,8,t2\n").string();
  const std::string bytes = "label,a,key\n1,1,x\n0,2,y\n1,3,z\n";
  const OptionTexts own = {{"task.validation_share", "0"}, {"task.test_path", test_set}, {"task.ignore", "key"}};
  const auto by_row = make(bytes, own);
  EXPECT_EQ(by_row->sample_id(Split::kTrain, 2), "2");
  EXPECT_EQ(by_row->sample_id(Split::kTest, 1), "1") << "of its own file";
  OptionTexts by_key = own;
  by_key.erase("task.ignore");
  by_key["task.id_column"] = "key";
  const auto named = make(bytes, by_key);
  EXPECT_EQ(named->shape().inputs, 1);
  EXPECT_EQ(named->sample_id(Split::kTrain, 2), "z");
  EXPECT_EQ(named->sample_id(Split::kTest, 1), "t2");
  EXPECT_TRUE(has(message("label,a,key\n1,1,x\n0,2,x\n", {{"task.id_column", "key"}}), {":3: key: \"x\" stands already on line 2"}));
}

TEST_F(CsvRows, InDoublePrecisionNothingIsRoundedToSingle) {
  const std::string bytes = "label,a,b\n16777217,0.1,3\n0.7,0.2,1e300\n0.7,0.6,5\n";
  const auto inputs_of = [&](const std::string& scaling, std::vector<double>& values) {
    OptionTexts texts = all_to_train({{"task.scaling", scaling}, {"task.target_kind", "values"}});
    const auto source = make(bytes, texts, {.path = "", .seed = 0, .in_double = true});
    std::vector<double> inputs(6, -99);
    values.assign(3, -99);
    source->fill(Split::kTrain, first_samples(3), {.rows = 3, .inputs_f64 = inputs.data(), .values_f64 = values.data()});
    return inputs;
  };
  std::vector<double> values;
  EXPECT_TRUE(same_doubles(inputs_of("none", values), {0.1, 3, 0.2, 1e300, 0.6, 5}));
  EXPECT_TRUE(same_doubles(values, {16777217, 0.7, 0.7}));
  EXPECT_TRUE(near(inputs_of("range", values)[0], 0.1 / 1e300, 0));
  const double mean = 0.3, deviation = std::sqrt((0.2 * 0.2 + 0.1 * 0.1 + 0.3 * 0.3) / 3);
  EXPECT_TRUE(near(inputs_of("standard", values)[0], (0.1 - mean) / deviation, 1e-14));
}

TEST_F(CsvRows, BadFilesAreRefusedWithTheirLines) {
  EXPECT_TRUE(has(message("label,a,b\n1,2,x\n-1,2,3\n1.5,2,3\n1,,3\n1,nan,1e40\n70000,1,1\n,1,1\n"),
                  {":2: b: \"x\" is not a finite number", ":4: label: \"1.5\" is not a class", ":5: a: an empty field", ":6: a: \"nan\"",
                   ":6: b: \"1e40\"", ":8: label: an empty field is not a label", "Mend these rows"}));
  EXPECT_TRUE(has(message("label,a\n1,2\n1\n1,2,3\n"), {":3: the row has 1 fields, the header 2", ":4: the row has 3 fields"}));
  EXPECT_TRUE(has(message("digit,a\n1,2\n"), {"there is no column \"label\"", "\"digit\"", "task.label_column"}));
  EXPECT_TRUE(has(message("label,a,a\n1,2,3\n"), {":1: column \"a\" stands twice"}));
  EXPECT_TRUE(has(message("label\n1\n"), {"no input column"}));
  EXPECT_TRUE(has(message("label,a\n"), {"no rows"}));
  EXPECT_TRUE(has(message(""), {"empty"}));
  EXPECT_TRUE(has(message("label,a\n0,1\n0,2\n"), {"label: every label is \"0\""}));
  EXPECT_TRUE(has(message("label,a\n\"1,2\n"), {":2:", "never closed"}));
  EXPECT_TRUE(has(message(std::string("\xff\xfel\0a\0", 6)), {"UTF-16"}));
  EXPECT_TRUE(has(test::user_error(ExitCode::kUsage, [] { test::make_task("csv_rows", {}); }), {"task.path", "csv_rows"}));
}

}  // namespace
}  // namespace vp
