// How a finite set of the user's samples is divided into training, validation and test set. Thread-safety: pure functions.
#pragma once

#include <array>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "experiments/csv.h"
#include "experiments/task_support.h"

namespace vp {

struct SplitShares {
  double validation = 0.1, test = 0.1;

  void visit_fields(FieldVisitor& visitor) {
    visitor.field({.key = "task.validation_share", .description = "share of the samples to validate on", .minimum = 0, .maximum = 1},
                  validation);
    visitor.field({.key = "task.test_share", .description = "share of the samples to test on", .minimum = 0, .maximum = 1}, test);
  }
  // UserError(kUsage) if they leave nothing to train on.
  void check() const {
    if (validation + test >= 1)
      throw usage_error(
          fmt::format("task.validation_share + task.test_share: expected less than 1, got {}; something must be left to train on",
                      format_number(validation + test)));
  }
};

// The numbers of the samples in each split, in order.
class SplitMembers {
 public:
  void add(Split split, std::uint64_t sample) { members_[static_cast<std::size_t>(split)].push_back(sample); }
  std::uint64_t size(Split split) const { return of(split).size(); }
  const std::vector<std::uint64_t>& of(Split split) const { return members_[static_cast<std::size_t>(split)]; }
  // For fill(): sample i of a split.
  std::uint64_t at(std::string_view task, Split split, std::uint64_t i) const {
    if (i >= size(split)) throw std::out_of_range(fmt::format("[{}] sample: expected below {}, got {}", task, size(split), i));
    return of(split)[static_cast<std::size_t>(i)];
  }

 private:
  std::array<std::vector<std::uint64_t>, 3> members_;
};

// n samples at random, by the seed and their positions alone; the shares are exact but for rounding. UserError(kUsage), with the file and
// what its samples are called, if nothing is left to train on.
inline SplitMembers draw_split(std::uint64_t n, const SplitShares& shares, std::uint64_t seed, const std::string& file,
                               std::string_view samples) {
  const auto part = [&](double share) { return static_cast<std::uint64_t>(std::llround(share * static_cast<double>(n))); };
  const std::uint64_t validation = part(shares.validation), test = part(shares.test);
  if (validation + test >= n)
    throw usage_error(
        fmt::format("{}: of {} {} {} are for validation and {} for testing, none is left to train on; lower task.validation_share or "
                    "task.test_share",
                    file, n, samples, validation, test));
  SplitMembers members;
  for (std::uint64_t sample = 0; sample < n; ++sample) {
    const std::uint64_t rank = permuted(sample, n, seed, RandomUse::kSplit, 0);
    members.add(rank < validation ? Split::kValidation : rank < validation + test ? Split::kTest : Split::kTrain, sample);
  }
  return members;
}

}  // namespace vp
