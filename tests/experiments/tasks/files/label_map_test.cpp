#include "experiments/tasks/files/label_map.h"

#include <gtest/gtest.h>

#include "tests/experiments/io/user_error.h"

namespace vp {
namespace {

using test::has;

Labels labels_of(const TextList& texts) {
  Labels labels;
  int line = 1;
  for (const std::string& text : texts) labels.add(text, [&] { return "d.csv:" + std::to_string(++line); });
  return labels;
}

// The classes of `texts`, one after the other, and their names.
std::pair<std::vector<std::int32_t>, TextList> classes_of(const TextList& texts, const TextList& fixed = {}) {
  Labels labels = labels_of(texts);
  Problems problems("d.csv");
  const LabelMap map = labels.map(fixed, "d.csv", "label", problems);
  problems.throw_if_any("Mend.");
  std::vector<std::int32_t> classes;
  for (const std::string& text : texts) classes.push_back(map.class_of.at(static_cast<std::size_t>(labels.add(text, [] { return ""; }))));
  return {classes, map.names};
}

std::string message(const TextList& texts, const TextList& fixed = {}, ExitCode code = ExitCode::kInputOutput) {
  return test::user_error(code, [&] { classes_of(texts, fixed); });
}

using Classes = std::vector<std::int32_t>;

TEST(LabelMap, WholeNumbersAreOrderedByValue) {
  EXPECT_EQ(classes_of({"10", "9", "-1", "10"}), std::pair(Classes{2, 1, 0, 2}, TextList{"-1", "9", "10"}));
  EXPECT_EQ(classes_of({"1", "2", "3", "4"}).second.size(), 4u) << "labels from 1 make no class 0";
  EXPECT_EQ(classes_of({"60000", "7"}), std::pair(Classes{1, 0}, TextList{"7", "60000"}));
  EXPECT_EQ(classes_of({"9223372036854775807", "-9223372036854775808"}).first, (Classes{1, 0}));
}

TEST(LabelMap, SpellingsOfAWholeNumberAreOneClass) {
  EXPECT_EQ(classes_of({"3.0", "+3", "3", "03", "3e0", "-0", "0"}), std::pair(Classes{1, 1, 1, 1, 1, 0, 0}, TextList{"0", "3"}));
}

TEST(LabelMap, TextsAreOrderedByTheirBytes) {
  EXPECT_EQ(classes_of({"b", "a", "\xc3\xa4", "B", "b"}), std::pair(Classes{2, 1, 3, 0, 2}, TextList{"B", "a", "b", "\xc3\xa4"}));
  EXPECT_EQ(classes_of({"A", "10", "9"}), std::pair(Classes{2, 0, 1}, TextList{"10", "9", "A"})) << "one text makes texts of all";
  EXPECT_EQ(classes_of({"nan", "none"}).second, (TextList{"nan", "none"})) << "without a number beside them these are words";
}

TEST(LabelMap, AmongNumbersAllMustBeWhole) {
  EXPECT_TRUE(has(message({"1", "0.5", "2"}), {"d.csv:3: label: \"0.5\" is not a class: expected a whole number", "\"values\""}));
  for (const char* bad : {"nan", "inf", "NA", "None", "0,5", "1e999", "?"})
    EXPECT_TRUE(
        has(message({"1", "2", bad}), {std::string("d.csv:4: label: \"") + bad + "\"", "the other labels are numbers", "task.classes"}));
  EXPECT_TRUE(has(message({"1", ""}), {"d.csv:3: label: an empty field is not a label"}));
}

TEST(LabelMap, AListFixesClassesAndOrder) {
  EXPECT_EQ(classes_of({"a", "b"}, {"b", "c", "a"}), std::pair(Classes{2, 0}, TextList{"b", "c", "a"}));
  EXPECT_EQ(classes_of({"2.0", "1"}, {"2", "1"}), std::pair(Classes{0, 1}, TextList{"2", "1"}));
  EXPECT_EQ(classes_of({"none", "1"}, {"1", "none"}).first, (Classes{1, 0})) << "the list says what is a label";
  EXPECT_TRUE(has(message({"a", "z", "b"}, {"a", "b"}), {"d.csv:3: label: \"z\" is not among task.classes: \"a\", \"b\""}));
  EXPECT_TRUE(has(message({"a"}, {"a"}, ExitCode::kUsage), {"task.classes", "2 to 65536", "got 1"}));
  EXPECT_TRUE(has(message({"a"}, {"a", "b", "a"}, ExitCode::kUsage), {"task.classes: \"a\" stands there twice"}));
  EXPECT_TRUE(has(message({"1"}, {"1", "2", "1.0"}, ExitCode::kUsage), {"\"1.0\" stands there twice"}));
}

TEST(LabelMap, OneLabelOrTooManyAreRefused) {
  EXPECT_TRUE(has(message({"7", "7.0"}), {"d.csv: label: every label is \"7\"", "nothing to tell apart"}));
  TextList many;
  for (int i = 0; i <= 65536; ++i) many.push_back("v" + std::to_string(i));
  EXPECT_TRUE(has(message(many), {"65537 different labels are too many", "65536", "task.target_kind"}));
  many.pop_back();
  EXPECT_EQ(classes_of(many).second.size(), 65536u);
}

TEST(LabelMap, LabelsThatNoResultFileCanHoldAreRefused) {
  EXPECT_TRUE(has(message({"a", "b\nc"}), {"d.csv:3:", "\\x0a", "control characters"}));
  EXPECT_TRUE(has(message({"a", "caf\xe9"}), {"d.csv:3:", "not UTF-8"}));
}

TEST(PlainText, IsUtf8WithoutControlCharacters) {
  for (const char* good : {"", "a b", "caf\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\xed\x9f\xbf"})
    EXPECT_TRUE(is_plain_text(good)) << good;
  for (const char* bad :
       {"\t", "\x7f", "caf\xe9", "\xc0\x80", "\xe0\x80\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xe2\x82"})
    EXPECT_FALSE(is_plain_text(bad)) << bad;
}

TEST(ClassNotes, SayWhichClassesAreNotTrainedOrNotTested) {
  const TextList names = {"a", "b", "c", "d", "e", "f"};
  const std::vector<std::string> notes = class_notes(names, {{{4, 3, 0, 0, 0, 0}, {1, 0, 1, 0, 2, 0}, {1, 0, 0, 1, 2, 0}}});
  EXPECT_EQ(notes,
            (std::vector<std::string>{"a class occurs in no set: \"f\"", "a class occurs in the training set only: \"b\"",
                                      "a class occurs in the validation set only: \"c\"", "a class occurs in the test set only: \"d\"",
                                      "a class occurs in validation and test set, but not in the training set: \"e\""}));
}

TEST(ClassNotes, AreSilentWhereNothingIsMissing) {
  const TextList names = {"a", "b"};
  EXPECT_TRUE(class_notes(names, {{{1, 1}, {1, 1}, {1, 1}}}).empty());
  EXPECT_TRUE(class_notes(names, {{{1, 1}, {1, 0}, {0, 1}}}).empty()) << "each is trained on, and looked at somewhere";
  EXPECT_TRUE(class_notes(names, {{{1, 1}, {0, 0}, {0, 0}}}).empty()) << "there is no other set";
  EXPECT_EQ(class_notes(names, {{{1, 1}, {1, 0}, {0, 0}}}).size(), 1u);
}

}  // namespace
}  // namespace vp
