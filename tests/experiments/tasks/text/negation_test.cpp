// Sentences where word order decides: read by rules of the test's own, and mirrored.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>

#include "experiments/tasks/text/negation_grammar.h"
#include "tests/compare.h"
#include "tests/experiments/tasks/task_batch.h"

namespace vp {
namespace {

using test::Batch;
using test::fill;
using test::first_samples;
using test::make_task;
using test::near;
using Words = std::vector<std::string>;

const std::set<std::string> kGood = {"good",   "great",     "pleasant", "brilliant", "lovely",
                                     "clever", "excellent", "charming", "fresh",     "fine"};
const std::set<std::string> kBad = {"bad", "awful", "poor", "boring", "terrible", "dull", "dreadful", "weak", "ugly", "stale"};

Words words_of(const Batch& batch, std::int64_t row) {
  Words words;
  for (std::int64_t t = 0; t < batch.length(row); ++t)
    words.push_back(negation_vocabulary()[static_cast<std::size_t>(batch.token(t, row))]);
  return words;
}

std::string text_of(const Words& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : " ") + word;
  return text;
}

// Whether the judgement at place i is denied, from the words next to it.
bool is_denied(const Words& words, std::size_t i) {
  const auto before = [&](std::size_t n, const char* word) { return i >= n && words[i - n] == word; };
  const bool after_a_not = before(1, "not") || before(1, "never") || (before(1, "but") && before(2, "anything"));
  const bool could_have = before(1, "been") && before(2, "have") && before(3, "could");
  const bool rather_than = before(1, "than") && before(2, "rather");
  return after_a_not || could_have || rather_than;
}

// The judgements of a sentence, in order.
std::vector<std::size_t> judgements(const Words& words) {
  std::vector<std::size_t> places;
  for (std::size_t i = 0; i < words.size(); ++i)
    if (kGood.contains(words[i]) || kBad.contains(words[i])) places.push_back(i);
  return places;
}

// Whether a sentence is praise, from its text alone.
bool reads_as_praise(const Words& words) {
  const auto places = judgements(words);
  EXPECT_EQ(places.size(), 2u) << text_of(words);
  // "nobody found ... bad, we all found it good": only the first is denied.
  const bool nobody = std::ranges::find(words, "nobody") != words.end();
  const std::size_t meant = nobody ? places[1] : is_denied(words, places[0]) ? places[1] : places[0];
  EXPECT_TRUE(nobody || is_denied(words, places[0]) != is_denied(words, places[1])) << text_of(words);
  return kGood.contains(words[meant]);
}

Batch sentences(const test::OptionTexts& texts, std::uint64_t rows) {
  return fill(*make_task("negation", {.path = "", .seed = 1}, texts), Split::kTrain, first_samples(rows));
}

TEST(Negation, LabelsAreWhatTheSentencesSay) {
  for (const char* longest : {"12", "24", "40"}) {
    const Batch batch = sentences({{"task.max_length", longest}}, 1000);
    EXPECT_EQ(batch.shape.steps, std::stoi(longest));
    EXPECT_EQ(batch.shape.vocabulary, static_cast<std::int64_t>(negation_vocabulary().size()));
    for (std::int64_t row = 0; row < batch.rows; ++row) {
      const Words words = words_of(batch, row);
      EXPECT_TRUE(near(batch.value(0, row, 0), reads_as_praise(words) ? 1 : 0, 0)) << text_of(words);
      EXPECT_GE(words.size(), 7u) << text_of(words);
    }
  }
}

// Exchanging the two judgements turns the answer round and leaves the words: no bag of words tells the two apart.
TEST(Negation, TheMirroredSentenceHasTheSameWordsAndTheOtherAnswer) {
  const Batch batch = sentences({}, 500);
  for (std::int64_t row = 0; row < batch.rows; ++row) {
    Words words = words_of(batch, row);
    const bool praise = reads_as_praise(words);
    const auto places = judgements(words);
    std::swap(words[places[0]], words[places[1]]);
    EXPECT_NE(reads_as_praise(words), praise) << text_of(words);
    EXPECT_NE(kGood.contains(words[places[0]]), kGood.contains(words[places[1]])) << "one of each: " << text_of(words);
  }
}

// Not the words, their number or the kind of the first judgement: nothing but the order goes with the answer.
TEST(Negation, NoWordGoesWithTheAnswer) {
  constexpr std::int64_t kRows = 20000;
  const Batch batch = fill(*make_task("negation", {.path = "", .seed = 2}, {{"task.order", "bag"}}), Split::kTrain, first_samples(kRows));
  double praise = 0;
  for (const float value : batch.values) praise += value / double{kRows};
  EXPECT_TRUE(near(praise, 0.5, 0.0142));  // four standard errors
  for (std::int64_t word = 1; word < batch.shape.inputs; ++word) {
    double holders = 0, praising = 0;
    for (std::int64_t row = 0; row < kRows; ++row) {
      if (batch.input(0, row, word) < 0.5f) continue;
      ++holders;
      praising += batch.value(0, row, 0);
    }
    ASSERT_GT(holders, 0) << negation_vocabulary()[static_cast<std::size_t>(word)];
    EXPECT_TRUE(near(praising / holders, 0.5, 2.2 / std::sqrt(holders))) << negation_vocabulary()[static_cast<std::size_t>(word)];
  }
}

TEST(Negation, EveryOrderHoldsTheSameWordsAndAnswers) {
  const Batch plain = sentences({}, 300), shuffled = sentences({{"task.order", "shuffled"}}, 300),
              bag = sentences({{"task.order", "bag"}}, 300);
  EXPECT_EQ(bag.shape.steps, 1);
  EXPECT_EQ(bag.shape.inputs, plain.shape.vocabulary);
  EXPECT_FALSE(bag.shape.variable_length);
  EXPECT_TRUE(test::same(plain.values, shuffled.values));
  EXPECT_TRUE(test::same(plain.values, bag.values));
  int moved = 0;
  for (std::int64_t row = 0; row < 300; ++row) {
    Words a = words_of(plain, row), b = words_of(shuffled, row);
    moved += a != b;
    std::map<std::string, int> counts;
    for (const std::string& word : a) ++counts[word];
    for (std::int64_t word = 0; word < bag.shape.inputs; ++word)
      EXPECT_TRUE(near(bag.input(0, row, word), counts[negation_vocabulary()[static_cast<std::size_t>(word)]], 0));
    std::ranges::sort(a);
    std::ranges::sort(b);
    EXPECT_EQ(a, b);
  }
  EXPECT_GE(moved, 299);
}

TEST(Negation, ShufflingPutsEveryWordAnywhereAlike) {
  constexpr std::int64_t kRows = 6000;
  const Batch batch = sentences({{"task.order", "shuffled"}, {"task.max_length", "12"}}, kRows);
  double first = 0, rows = 0;
  for (std::int64_t row = 0; row < kRows; ++row) {
    const Words words = words_of(batch, row);
    first += (kGood.contains(words[0]) || kBad.contains(words[0])) - 2.0 / static_cast<double>(words.size());
    rows += 1;
  }
  EXPECT_TRUE(near(first / rows, 0, 0.022));  // four standard errors
}

}  // namespace
}  // namespace vp
