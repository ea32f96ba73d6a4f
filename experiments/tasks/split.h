// How a finite set of the user's samples is divided into training, validation and test set. Thread-safety: pure functions.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "experiments/io/csv.h"
#include "experiments/tasks/task_support.h"

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

struct SplitPlan {
  SplitShares shares;
  std::uint64_t seed = 0;
  std::string file;  // that is divided, for messages
};

// n samples at random, by the seed and their positions alone; the shares are exact but for rounding. `samples` is what they are called.
// UserError(kUsage), naming the file, if nothing is left to train on.
SplitMembers draw_split(const SplitPlan& plan, std::uint64_t n, std::string_view samples);
// Groups at random, in the order of their numbers (0 .. , by sample); the shares are of the groups.
SplitMembers draw_groups(const SplitPlan& plan, std::span<const std::int32_t> groups);
// Of each class (0 .. , by sample) its share, rounded so that the sets have the sizes that draw_split() gives them.
SplitMembers draw_stratified(const SplitPlan& plan, std::span<const std::int32_t> classes, std::string_view samples);

// A sentence for each set that came out empty although it has a share.
std::vector<std::string> empty_set_notes(const SplitPlan& plan, const SplitMembers& members, std::string_view samples);

}  // namespace vp
