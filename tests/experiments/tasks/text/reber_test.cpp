// Reber strings: read by a grammar written down a second time, as text.
#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>

#include "tests/compare.h"
#include "tests/experiments/io/user_error.h"
#include "tests/experiments/tasks/task_batch.h"

namespace vp {
namespace {

using test::Batch;
using test::fill;
using test::first_samples;
using test::make_task;
using test::near;

constexpr char kLetters[] = "BTPSXVE";
const TaskContext kEveryStep = {.path = "", .seed = 5, .target_every_step = true};

// What may follow a prefix of a plain string, by Reber's graph; nullopt-like "?" if the prefix is no prefix of any.
std::string plain_ways(const std::string& prefix) {
  // node: {symbol: next node}
  const std::map<char, std::map<char, char>> graph = {{'0', {{'B', '1'}}},
                                                      {'1', {{'T', '2'}, {'P', '3'}}},
                                                      {'2', {{'S', '2'}, {'X', '4'}}},
                                                      {'3', {{'T', '3'}, {'V', '5'}}},
                                                      {'4', {{'X', '3'}, {'S', '6'}}},
                                                      {'5', {{'P', '4'}, {'V', '6'}}},
                                                      {'6', {{'E', '7'}}},
                                                      {'7', {}}};
  char node = '0';
  for (const char symbol : prefix) {
    const auto& ways = graph.at(node);
    if (!ways.contains(symbol)) return "?";
    node = ways.at(symbol);
  }
  std::string ways;
  for (const auto& [symbol, to] : graph.at(node)) ways += symbol;
  return ways;
}

std::string embedded_ways(const std::string& prefix) {
  if (prefix.empty()) return "B";
  if (prefix == "B") return "PT";
  if (prefix[0] != 'B' || (prefix[1] != 'T' && prefix[1] != 'P')) return "?";
  const std::string inner = prefix.substr(2);
  const auto end = inner.find('E');
  if (end == std::string::npos) return plain_ways(inner);
  if (!plain_ways(inner.substr(0, end + 1)).empty()) return "?";
  const std::string rest = inner.substr(end + 1), choice(1, prefix[1]);
  return rest.empty() ? choice : rest == choice ? "E" : rest == choice + "E" ? "" : "?";
}

std::string shown(const Batch& batch, std::int64_t row) {
  std::string text;
  for (std::int64_t t = 0; t < batch.length(row); ++t) text += kLetters[test::symbol_at(batch, t, row)];
  return text;
}

// The yes targets of a step, as letters in the order of the alphabet.
std::string legal(const Batch& batch, std::int64_t t, std::int64_t row) {
  std::set<char> letters;
  for (std::int64_t c = 0; c < 7; ++c) {
    if (batch.value(t, row, c) > 0.5f) letters.insert(kLetters[c]);
    EXPECT_TRUE(near(batch.value(t, row, c), batch.value(t, row, c) > 0.5f ? 1 : 0, 0));
  }
  return {letters.begin(), letters.end()};
}

TEST(Reber, StringsAreOfTheGrammarAndTargetsAllThatMayFollow) {
  for (const bool embedded : {false, true})
    for (const char* longest : {"9", "14", "30"}) {
      const Batch batch = fill(*make_task(embedded ? "embedded_reber" : "reber", kEveryStep, {{"task.max_length", longest}}), Split::kTrain,
                               first_samples(300));
      EXPECT_EQ(batch.shape.steps, std::stoi(longest) - 1);
      for (std::int64_t row = 0; row < batch.rows; ++row) {
        const std::string text = shown(batch, row);
        const auto ways = [&](std::size_t n) { return embedded ? embedded_ways(text.substr(0, n)) : plain_ways(text.substr(0, n)); };
        for (std::size_t t = 0; t < text.size(); ++t) {
          EXPECT_NE(ways(t + 1), "?") << text;
          EXPECT_EQ(legal(batch, static_cast<std::int64_t>(t), row), ways(t + 1)) << text << " after " << t;
        }
        EXPECT_EQ(ways(text.size()), "E") << text;
      }
    }
}

TEST(Reber, NextTargetsAreTheFollowingSymbols) {
  for (const char* task : {"reber", "embedded_reber"}) {
    const Batch batch = fill(*make_task(task, kEveryStep, {{"task.targets", "next"}}), Split::kTrain, first_samples(300));
    const Batch same = fill(*make_task(task, kEveryStep), Split::kTrain, first_samples(300));
    EXPECT_TRUE(test::same(batch.inputs, same.inputs));
    for (std::int64_t row = 0; row < batch.rows; ++row)
      for (std::int64_t t = 0; t < batch.shape.steps; ++t) {
        const std::int64_t last = batch.length(row) - 1;
        EXPECT_EQ(batch.label(t, row), t < last ? test::symbol_at(batch, t + 1, row) : t == last ? 6 : 0);
      }
  }
}

TEST(Reber, ChoicesAreEven) {
  constexpr std::int64_t kRows = 4000;
  const Batch batch = fill(*make_task("reber", kEveryStep), Split::kTrain, first_samples(kRows));
  double first = 0, looped = 0, shortest = 0;
  for (std::int64_t row = 0; row < kRows; ++row) {
    const std::string text = shown(batch, row);
    first += (text[1] == 'T') / double{kRows};
    looped += (text[1] == 'T' && text[2] == 'S') / double{kRows};
    shortest += (text.size() == 4) / double{kRows};
  }
  EXPECT_TRUE(near(first, 0.5, 0.032));  // four standard errors
  EXPECT_TRUE(near(looped, 0.25, 0.028));
  EXPECT_TRUE(near(shortest, 0.25, 0.028));
}

TEST(EmbeddedReber, AtTheEndItAsksForTheSecondSymbolAgain) {
  const Batch batch = fill(*make_task("embedded_reber", {.path = "", .seed = 5}), Split::kTrain, first_samples(1000));
  EXPECT_EQ(batch.shape.outputs, 1);
  EXPECT_EQ(batch.shape.target, TargetKind::kBinary);
  double yes = 0;
  for (std::int64_t row = 0; row < batch.rows; ++row) {
    const std::string text = shown(batch, row);
    EXPECT_EQ(text.back(), 'E');
    EXPECT_EQ(embedded_ways(text), std::string(1, text[1])) << text;
    EXPECT_TRUE(near(batch.value(0, row, 0), text[1] == 'T' ? 1 : 0, 0));
    yes += batch.value(0, row, 0) / 1000.0;
  }
  EXPECT_TRUE(near(yes, 0.5, 0.064));
  EXPECT_TRUE(test::has(test::user_error(ExitCode::kUsage,
                                         [] {
                                           make_task("embedded_reber", {}, {{"task.targets", "next"}});
                                         }),
                        {"task.targets", "many_to_many"}));
}

// Whole strings one after the other; `text` may break off within the last.
void expect_continual(const std::string& text, const std::vector<std::string>& targets) {
  std::string current;
  for (std::size_t n = 0; n < text.size(); ++n) {
    current += text[n];
    const std::string ways = embedded_ways(current);
    ASSERT_NE(ways, "?") << current;
    EXPECT_EQ(targets[n], ways.empty() ? "B" : ways) << current;
    if (ways.empty()) current.clear();
  }
}

TEST(ContinualReber, StringsFollowEachOtherOverLapsAndWindows) {
  for (const std::int64_t streams : {0, 2}) {
    const TaskContext context = {.path = "", .seed = 6, .target_every_step = streams == 0, .streams = streams};
    const std::int64_t steps = streams == 0 ? 2500 : 35;  // laps have 1,000 symbols
    const Batch batch = fill(*make_task("continual_reber", context, {{"task.length", std::to_string(steps)}}), Split::kTrain,
                             first_samples(streams == 0 ? 2 : 160));
    for (std::int64_t stream = 0; stream < 2; ++stream) {
      std::string text;
      std::vector<std::string> targets;
      for (std::int64_t row = stream; row < batch.rows; row += 2) {
        text += shown(batch, row);
        for (std::int64_t t = 0; t < steps; ++t) targets.push_back(legal(batch, t, row));
      }
      expect_continual(text, targets);
    }
  }
}

TEST(ContinualReber, NextTargetsAreTheFollowingSymbols) {
  const Batch batch =
      fill(*make_task("continual_reber", {.path = "", .seed = 6, .streams = 1}, {{"task.targets", "next"}, {"task.length", "300"}}),
           Split::kTrain, first_samples(10));
  for (std::int64_t n = 0; n + 1 < 3000; ++n)
    EXPECT_EQ(batch.label(n % 300, n / 300), test::symbol_at(batch, (n + 1) % 300, (n + 1) / 300)) << n;
}

}  // namespace
}  // namespace vp
