#include "experiments/tasks/split.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <random>
#include <set>

#include "tests/experiments/io/user_error.h"

namespace vp {
namespace {

constexpr std::array kSplits = {Split::kTrain, Split::kValidation, Split::kTest};

SplitPlan plan_of(double validation, double test, std::uint64_t seed = 0) {
  return {.shares = {.validation = validation, .test = test}, .seed = seed, .file = "d.csv"};
}

// Every sample is in one set; returns the set by sample.
std::vector<Split> sets_of(const SplitMembers& members, std::size_t n) {
  std::map<std::uint64_t, Split> sets;
  for (const Split split : kSplits)
    for (const std::uint64_t sample : members.of(split)) EXPECT_TRUE(sets.emplace(sample, split).second) << sample;
  EXPECT_EQ(sets.size(), n);
  std::vector<Split> by_sample;
  for (const auto& [sample, split] : sets) by_sample.push_back(split);
  return by_sample;
}

TEST(DrawGroups, KeepsGroupsWholeAndSharesOfTheGroups) {
  std::mt19937 random(1);
  for (int trial = 0; trial < 50; ++trial) {
    const std::int32_t count = 10 + static_cast<std::int32_t>(random() % 30);
    std::vector<std::int32_t> groups;
    for (std::int32_t g = 0; g < count; ++g) groups.insert(groups.end(), 1 + random() % 5, g);
    std::ranges::shuffle(groups, random);
    const auto sets = sets_of(draw_groups(plan_of(0.2, 0.3, random()), groups), groups.size());
    std::map<std::int32_t, std::set<Split>> of_group;
    for (std::size_t i = 0; i < groups.size(); ++i) of_group[groups[i]].insert(sets[i]);
    std::map<Split, std::int64_t> sizes;
    for (const auto& [group, of] : of_group) {
      EXPECT_EQ(of.size(), 1u);
      ++sizes[*of.begin()];
    }
    EXPECT_EQ(sizes[Split::kValidation], std::llround(0.2 * count));
    EXPECT_EQ(sizes[Split::kTest], std::llround(0.3 * count));
  }
}

TEST(DrawGroups, DependsOnTheSeed) {
  std::vector<std::int32_t> groups(40);
  for (std::size_t i = 0; i < groups.size(); ++i) groups[i] = static_cast<std::int32_t>(i / 2);
  EXPECT_EQ(draw_groups(plan_of(0.3, 0.1, 1), groups).of(Split::kTest), draw_groups(plan_of(0.3, 0.1, 1), groups).of(Split::kTest));
  EXPECT_NE(draw_groups(plan_of(0.3, 0.1, 1), groups).of(Split::kTest), draw_groups(plan_of(0.3, 0.1, 2), groups).of(Split::kTest));
  const std::vector<std::int32_t> one(5, 0);
  EXPECT_TRUE(test::has(test::user_error(ExitCode::kUsage, [&] { draw_groups(plan_of(0.5, 0.1), one); }), {"of 1 groups", "none is left"}));
}

// The sizes of draw_split(), and of each class its share but for less than one sample.
TEST(DrawStratified, SizesAndSharesAreExactButForRounding) {
  std::mt19937 random(2);
  for (int trial = 0; trial < 200; ++trial) {
    const std::size_t n = 5 + random() % 300, count = 1 + random() % 12;
    std::vector<std::int32_t> classes(n);
    for (std::int32_t& c : classes) c = static_cast<std::int32_t>(std::min(random() % count, random() % count));
    const double validation = static_cast<double>(random() % 40) / 100, test = static_cast<double>(random() % 40) / 100;
    const SplitPlan plan = plan_of(validation, test, random());
    const SplitMembers members = draw_stratified(plan, classes, "rows"), plain = draw_split(plan, n, "rows");
    for (const Split split : kSplits) EXPECT_EQ(members.size(split), plain.size(split));
    const auto sets = sets_of(members, n);
    std::map<std::int32_t, std::map<Split, double>> found;
    std::map<std::int32_t, double> of_class;
    for (std::size_t i = 0; i < n; ++i) ++found[classes[i]][sets[i]], ++of_class[classes[i]];
    for (const auto& [c, size] : of_class) {
      const double share = size / static_cast<double>(n);
      EXPECT_LT(std::abs(found[c][Split::kValidation] - share * static_cast<double>(plain.size(Split::kValidation))), 1);
      EXPECT_LT(std::abs(found[c][Split::kTest] - share * static_cast<double>(plain.size(Split::kTest))), 2);
    }
  }
}

// Which samples of a class are drawn is random: over many seeds each is drawn as often as any other.
TEST(DrawStratified, EverySampleOfAClassIsAsLikely) {
  const std::vector<std::int32_t> classes = {0, 1, 0, 1, 0, 0, 1, 0, 1, 0};
  std::vector<int> drawn(classes.size(), 0);
  constexpr int kSeeds = 4000;
  for (int seed = 0; seed < kSeeds; ++seed) {
    const SplitMembers members = draw_stratified(plan_of(0.5, 0, static_cast<std::uint64_t>(seed)), classes, "rows");
    for (const std::uint64_t sample : members.of(Split::kValidation)) ++drawn[sample];
  }
  for (const int count : drawn) EXPECT_LT(std::abs(count - kSeeds / 2), 160);  // five standard deviations
}

TEST(EmptySets, AreSaidWhereTheyHaveAShare) {
  const auto notes = [](double validation, double test, std::uint64_t n) {
    const SplitPlan plan = plan_of(validation, test);
    return empty_set_notes(plan, draw_split(plan, n, "rows"), "rows");
  };
  EXPECT_EQ(notes(0.1, 0, 4),
            (std::vector<std::string>{"the validation set is empty: task.validation_share = 0.1 of the rows rounds to none"}));
  EXPECT_EQ(notes(0.2, 0.1, 4).size(), 1u);
  EXPECT_TRUE(notes(0.1, 0.1, 5).empty());
  EXPECT_TRUE(notes(0, 0, 5).empty());
}

}  // namespace
}  // namespace vp
