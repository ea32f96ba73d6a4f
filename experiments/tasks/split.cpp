#include "experiments/tasks/split.h"

#include <algorithm>
#include <cmath>

namespace vp {
namespace {

struct SetSizes {
  std::uint64_t validation = 0, test = 0;
};

SetSizes set_sizes(const SplitPlan& plan, std::uint64_t n, std::string_view samples) {
  const auto part = [&](double share) { return static_cast<std::uint64_t>(std::llround(share * static_cast<double>(n))); };
  const SetSizes sizes{.validation = part(plan.shares.validation), .test = part(plan.shares.test)};
  if (sizes.validation + sizes.test >= n)
    throw usage_error(
        fmt::format("{}: of {} {} {} are for validation and {} for testing, none is left to train on; lower task.validation_share or "
                    "task.test_share",
                    plan.file, n, samples, sizes.validation, sizes.test));
  return sizes;
}

Split split_at(std::uint64_t rank, const SetSizes& sizes) {
  return rank < sizes.validation ? Split::kValidation : rank < sizes.validation + sizes.test ? Split::kTest : Split::kTrain;
}

// total * size / (sum of sizes) for each, rounded so that they add up to total: down, and up where most was lost (the first of equals).
std::vector<std::uint64_t> apportion(std::uint64_t total, const std::vector<std::uint64_t>& sizes) {
  std::uint64_t sum = 0, given = 0;
  for (const std::uint64_t size : sizes) sum += size;
  std::vector<std::uint64_t> parts, order;
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    parts.push_back(total * sizes[i] / sum);
    order.push_back(i);
    given += parts.back();
  }
  std::ranges::stable_sort(order, std::ranges::greater{}, [&](std::uint64_t i) { return total * sizes[i] % sum; });
  for (std::size_t i = 0; i < total - given; ++i) ++parts[order[i]];
  return parts;
}

}  // namespace

SplitMembers draw_split(const SplitPlan& plan, std::uint64_t n, std::string_view samples) {
  const SetSizes sizes = set_sizes(plan, n, samples);
  SplitMembers members;
  for (std::uint64_t sample = 0; sample < n; ++sample)
    members.add(split_at(permuted(sample, n, plan.seed, RandomUse::kSplit, 0), sizes), sample);
  return members;
}

SplitMembers draw_groups(const SplitPlan& plan, std::span<const std::int32_t> groups) {
  const auto count = static_cast<std::uint64_t>(groups.empty() ? 0 : 1 + *std::ranges::max_element(groups));
  const SetSizes sizes = set_sizes(plan, count, "groups");
  SplitMembers members;
  for (std::size_t sample = 0; sample < groups.size(); ++sample)
    members.add(split_at(permuted(static_cast<std::uint64_t>(groups[sample]), count, plan.seed, RandomUse::kSplit, 0), sizes), sample);
  return members;
}

SplitMembers draw_stratified(const SplitPlan& plan, std::span<const std::int32_t> classes, std::string_view samples) {
  const SetSizes sizes = set_sizes(plan, classes.size(), samples);
  std::vector<std::uint64_t> left(static_cast<std::size_t>(1 + *std::ranges::max_element(classes)), 0);
  for (const std::int32_t c : classes) ++left[static_cast<std::size_t>(c)];
  const std::vector<std::uint64_t> of_class = left, validation = apportion(sizes.validation, left);
  for (std::size_t c = 0; c < left.size(); ++c) left[c] -= validation[c];
  const std::vector<std::uint64_t> test = apportion(sizes.test, left);
  SplitMembers members;
  std::vector<std::uint64_t> seen(left.size(), 0);
  for (std::size_t sample = 0; sample < classes.size(); ++sample) {
    const auto c = static_cast<std::size_t>(classes[sample]);
    const std::uint64_t rank = permuted(seen[c]++, of_class[c], plan.seed, RandomUse::kSplit, 1 + c);
    members.add(split_at(rank, {.validation = validation[c], .test = test[c]}), sample);
  }
  return members;
}

std::vector<std::string> empty_set_notes(const SplitPlan& plan, const SplitMembers& members, std::string_view samples) {
  std::vector<std::string> notes;
  const auto look = [&](Split split, double share, std::string_view name) {
    if (share > 0 && members.size(split) == 0)
      notes.push_back(
          fmt::format("the {0} set is empty: task.{0}_share = {1} of the {2} rounds to none", name, format_number(share), samples));
  };
  look(Split::kValidation, plan.shares.validation, "validation");
  look(Split::kTest, plan.shares.test, "test");
  return notes;
}

}  // namespace vp
