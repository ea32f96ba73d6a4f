// Rated sentences, on files made up here.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "experiments/tasks/text/words.h"
#include "tests/compare.h"
#include "tests/experiments/io/gzip.h"
#include "tests/experiments/io/temp_dir.h"
#include "tests/experiments/io/user_error.h"
#include "tests/experiments/tasks/task_batch.h"

namespace vp {
namespace {

using test::Batch;
using test::fill;
using test::has;
using test::near;
using test::OptionTexts;

const std::string kHeader = "id,rating,text\n";

TEST(SplitWords, LowerCasePunctuationAndApostrophes) {
  using List = std::vector<std::string>;
  EXPECT_EQ(split_words("It's GOOD, isn't it?!"), (List{"it's", "good", ",", "isn't", "it", "?", "!"}));
  EXPECT_EQ(split_words(" 'quoted' dvd-2500\tb/w "), (List{"'", "quoted", "'", "dvd", "-", "2500", "b", "/", "w"}));
  EXPECT_EQ(split_words("caf\xc3\xa9 \xe2\x82\xac"), (List{"caf\xc3\xa9", "\xe2\x82\xac"}));
  EXPECT_EQ(split_words(std::string("a\0b\x01\x7f", 5)), (List{"a", "b"}));
  EXPECT_TRUE(split_words(" \t\n").empty());
}

TEST(VocabularyTest, MostFrequentFirstThenByBytes) {
  const Vocabulary vocabulary({{"b", 3}, {"a", 3}, {"often", 9}, {"rare", 1}}, 2);
  EXPECT_EQ(vocabulary.size(), 5);  // padding, unknown, often, a, b
  EXPECT_EQ(vocabulary.id("often"), 2);
  EXPECT_EQ(vocabulary.id("a"), 3);
  EXPECT_EQ(vocabulary.id("b"), 4);
  EXPECT_EQ(vocabulary.id("rare"), Vocabulary::kUnknown);
  EXPECT_EQ(vocabulary.id("never"), Vocabulary::kUnknown);
}

class Sentiment : public ::testing::Test {
 protected:
  // Every call writes a file of its own: a path is read once per process.
  std::shared_ptr<const BatchSource> make(std::string_view bytes, const OptionTexts& texts = {}, TaskContext context = {}) {
    context.path = directory_.write("s" + std::to_string(++files_) + ".csv", bytes).string();
    return test::make_task("sentiment", context, texts);
  }
  std::string message(std::string_view bytes, const OptionTexts& texts = {}, ExitCode code = ExitCode::kInputOutput) {
    return test::user_error(code, [&] { make(bytes, texts); });
  }

  test::TempDir directory_;
  int files_ = 0;
};

const OptionTexts kAllToTrain = {{"task.validation_share", "0"}, {"task.test_share", "0"}, {"task.min_count", "1"}};

OptionTexts all_to_train(OptionTexts more) {
  more.insert(kAllToTrain.begin(), kAllToTrain.end());
  return more;
}

// Reviews of three sentences each, half of them positive. The number of the review is a word of its own, n<number>.
std::string many(int reviews) {
  std::string bytes = kHeader;
  for (int r = 0; r < reviews; ++r)
    for (int s = 0; s < 3; ++s) {
      const std::string number = std::to_string(r);
      bytes += number + "_" + std::to_string(s + 1) + "," + ((r + s) % 2 == 0 ? "1.5" : "-2") + ",n" + number + " it was so\n";
    }
  return bytes;
}

TEST_F(Sentiment, WordsBecomeTokensAndRatingsAnswers) {
  const auto source =
      make(kHeader + "1_1,2.5,Good good!\n1_2,-0.1,\"bad, not good\"\n2_1,0,nothing at all\n", all_to_train({{"task.max_length", "3"}}));
  const auto shape = source->shape();
  EXPECT_EQ(shape.steps, 3);
  EXPECT_EQ(shape.inputs, 1);
  EXPECT_EQ(shape.target, TargetKind::kBinary);
  EXPECT_TRUE(shape.variable_length);
  EXPECT_EQ(shape.vocabulary, 7);              // padding, unknown, good (2 shown), "!", ",", bad, not: the third good is cut off
  ASSERT_EQ(source->size(Split::kTrain), 2u);  // the neutral one is left out
  const Batch batch = fill(*source, Split::kTrain, {0, 1});
  EXPECT_EQ(batch.tokens, (std::vector<std::int32_t>{2, 5, 2, 4, 3, 6}));  // (T, rows)
  EXPECT_EQ(batch.lengths, (std::vector<std::int32_t>{3, 3}));
  EXPECT_TRUE(test::same(batch.values, {1, 0}));
  EXPECT_THROW(fill(*source, Split::kTrain, {2}), std::out_of_range);
}

TEST_F(Sentiment, ShortSentencesArePaddedAndRareWordsUnknown) {
  OptionTexts texts = all_to_train({{"task.max_length", "5"}});
  texts["task.min_count"] = "2";
  const Batch batch = fill(*make(kHeader + "1_1,1,a b a\n2_1,-1,c a\n", texts), Split::kTrain, {0, 1});
  EXPECT_EQ(batch.shape.vocabulary, 3);
  EXPECT_EQ(batch.tokens, (std::vector<std::int32_t>{2, 1, 1, 2, 2, 0, 0, 0, 0, 0}));
  EXPECT_EQ(batch.lengths, (std::vector<std::int32_t>{3, 2}));
}

TEST_F(Sentiment, EveryOrderHoldsTheSameWords) {
  const std::string bytes = kHeader + "1_1,1,a b c d e f g h\n2_1,-1,h h a\n";
  const Batch plain = fill(*make(bytes, kAllToTrain), Split::kTrain, {0, 1}),
              shuffled = fill(*make(bytes, all_to_train({{"task.order", "shuffled"}})), Split::kTrain, {0, 1}),
              bag = fill(*make(bytes, all_to_train({{"task.order", "bag"}})), Split::kTrain, {0, 1});
  EXPECT_NE(plain.tokens, shuffled.tokens);
  EXPECT_EQ(bag.shape.steps, 1);
  EXPECT_EQ(bag.shape.inputs, plain.shape.vocabulary);
  for (std::int64_t row = 0; row < 2; ++row)
    for (std::int32_t word = 0; word < plain.shape.vocabulary; ++word) {
      int in_plain = 0, in_shuffled = 0;
      for (std::int64_t t = 0; t < plain.length(row); ++t) {
        in_plain += plain.token(t, row) == word;
        in_shuffled += shuffled.token(t, row) == word;
      }
      EXPECT_EQ(in_plain, in_shuffled);
      EXPECT_TRUE(near(bag.input(0, row, word), in_plain, 0));
    }
}

TEST_F(Sentiment, AReviewStaysInOneSetWhateverTheSeedAndTheOrderOfRows) {
  const auto path = directory_.write("many.csv", many(200)).string();
  std::set<std::string> seen;
  std::uint64_t total = 0;
  for (const Split split : {Split::kTrain, Split::kValidation, Split::kTest}) {
    // Bags show which review it is: its word is a column of its own, of which the training set knows only its own reviews.
    const auto source = test::make_task("sentiment", {.path = path, .seed = 1}),
               other = test::make_task("sentiment", {.path = path, .seed = 2});
    EXPECT_EQ(source->size(split), other->size(split));
    EXPECT_EQ(source->size(split) % 3, 0u) << "a review was torn apart";
    total += source->size(split);
    std::vector<std::uint64_t> all(source->size(split));
    for (std::uint64_t i = 0; i < all.size(); ++i) all[i] = i;
    EXPECT_EQ(fill(*source, split, all).tokens, fill(*other, split, all).tokens);
  }
  EXPECT_EQ(total, 600u);
  const auto source = test::make_task("sentiment", {.path = path});
  EXPECT_TRUE(near(static_cast<double>(source->size(Split::kValidation)), 60, 51));  // four standard deviations
  EXPECT_TRUE(near(static_cast<double>(source->size(Split::kTest)), 120, 68));
}

TEST_F(Sentiment, TheVocabularyIsThatOfTheTrainingSet) {
  const auto source = make(many(200), {{"task.min_count", "3"}});
  const auto reviews = static_cast<std::int64_t>(source->size(Split::kTrain) / 3);
  EXPECT_EQ(source->shape().vocabulary, 2 + 3 + reviews);  // it, was, so, and n<number> of each review to train on
  for (const Split split : {Split::kTrain, Split::kTest}) {
    const Batch batch = fill(*source, split, {0, 1, 2});
    for (std::int64_t row = 0; row < 3; ++row) {
      EXPECT_EQ(batch.token(0, row) == Vocabulary::kUnknown, split == Split::kTest);
      EXPECT_GE(batch.token(1, row), 2);
    }
  }
}

TEST_F(Sentiment, MalformedRowsAreListed) {
  const std::string text =
      message(kHeader + "1_1,1,good\n1_1,-1,bad\n,1,good\n_3,1,good\n3_1,much,good\n4_1,nan,good\n5_1,1,\n6_1,1,\" \"\n");
  EXPECT_TRUE(has(text, {":3: id \"1_1\" stands already on line 2", ":4: id: an empty field names no review",
                         ":5: id: \"_3\" names no review", ":6: rating: \"much\" is not a finite number", ":7: rating: \"nan\"",
                         ":8: text: an empty field holds no word", ":9: text: \" \" holds no word", "scripts/data/sentiment.py"}));
  EXPECT_TRUE(has(message("id,rating\n1_1,1\n"), {"there is no column \"text\""}));
  EXPECT_TRUE(has(message(kHeader), {"no rows"}));
  EXPECT_TRUE(has(message(""), {"empty"}));
  EXPECT_TRUE(has(message(kHeader + "1_1,1,good,more\n"), {":2:", "4 fields"}));
  EXPECT_TRUE(has(message(kHeader + "1_1,1,\"open\n"), {":2:", "never closed"}));
}

TEST_F(Sentiment, SetsWithoutBothAnswersAreRefused) {
  EXPECT_TRUE(has(
      message(kHeader + "1_1,1,a\n2_1,-1,b\n2_2,-1,c\n", {{"task.test_share", "0.99"}, {"task.validation_share", "0"}}, ExitCode::kUsage),
      {"to train on 0 are positive and 0 negative"}));
  EXPECT_TRUE(has(message(kHeader + "1_1,0,so\n", kAllToTrain, ExitCode::kUsage), {"to train on 0 are positive and 0 negative"}));
  EXPECT_TRUE(has(message(kHeader + "1_1,1,a\n1_2,-1,b\n", {{"task.test_share", "0.01"}, {"task.validation_share", "0"}}, ExitCode::kUsage),
                  {"to test on 0 are positive"}));
  EXPECT_TRUE(has(message(many(9), {{"task.validation_share", "0.5"}, {"task.test_share", "0.5"}}, ExitCode::kUsage), {"less than 1"}));
}

TEST_F(Sentiment, RatingsOnAnotherScaleAreNamed) {
  EXPECT_TRUE(has(message(kHeader + "1_1,1,good\n2_1,0,bad\n3_1,1,good\n", kAllToTrain, ExitCode::kUsage),
                  {"rating: the sign decides", "2 are positive, 1 are 0 and left out", "write -1 there"}));
  EXPECT_TRUE(has(message(kHeader + "1_1,1,bad\n2_1,5,good\n", kAllToTrain, ExitCode::kUsage),
                  {"2 are positive, 0 are 0", "subtract the middle of the scale"}));
  EXPECT_TRUE(has(message(kHeader + "1_1,\"0,5\",good\n"), {":2: rating: \"0,5\" is not a finite number: it is written with a comma"}));
}

TEST_F(Sentiment, SemicolonsTabsAndGzipAreRead) {
  const std::string bytes = kHeader + "1_1,1,good\n2_1,-1,bad\n";
  std::string semicolons = bytes;
  std::ranges::replace(semicolons, ',', ';');
  for (const std::string& other : {semicolons, test::gzip(bytes)}) EXPECT_EQ(make(other, kAllToTrain)->size(Split::kTrain), 2u);
}

TEST_F(Sentiment, AMissingFileIsNamed) {
  EXPECT_TRUE(
      has(test::user_error(ExitCode::kInputOutput, [&] { test::make_task("sentiment", {.path = (directory_ / "none.csv").string()}); }),
          {"none.csv"}));
  EXPECT_TRUE(
      has(test::user_error(ExitCode::kUsage, [&] { make(many(30), {}, {.path = "", .target_every_step = true}); }), {"model.form"}));
}

}  // namespace
}  // namespace vp
