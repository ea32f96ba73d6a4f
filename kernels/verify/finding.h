// What a check finds: its worst error as a multiple of what is allowed, and what is wrong if that is too much. The one comparer of all
// checks that `vpoint verify` and `vpoint profile` make. Thread-safety: pure functions.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace vp {

struct Finding {
  double worst = 0;           // largest error over what is allowed: above 1 is wrong; infinite where the two cannot be compared
  std::int64_t compared = 0;  // numbers
  std::string fault;          // the first that is wrong; empty: none

  // A check that compared nothing does not hold.
  bool holds() const { return fault.empty() && compared > 0 && worst <= 1; }
  // The worse of both; a fault of `other` is named with `where` before it.
  void add(const Finding& other, std::string_view where = "");
};

// Nothing was compared, for this reason.
Finding fault_finding(const std::string& fault);

// Every |actual - expected| over `tolerance`. NaN and infinities equal nothing. A tolerance of 0 allows equal values only.
Finding compare_within(std::string_view what, std::span<const float> actual, std::span<const double> expected, double tolerance);
Finding compare_within(std::string_view what, std::span<const double> actual, std::span<const double> expected, double tolerance);

// The same with tolerance = bound * 2^-23 * max|expected|.
Finding compare(std::string_view what, std::span<const float> actual, std::span<const double> expected, double bound);
Finding compare(std::string_view what, std::span<const double> actual, std::span<const double> expected, double bound);

// For results of infinite, NaN, denormal and huge inputs: NaN stands where `expected` is NaN and nowhere else, infinities have the right
// sign, and finite values keep bound * 2^-23 of the largest finite float in `expected`, or `bound` denormal units. What is too large for a
// float may be infinite (a float result) or keep bound * 2^-23 of itself (a double one, as a sum of squares).
Finding compare_special(std::string_view what, std::span<const double> actual, std::span<const double> expected, double bound);

std::string to_text(double x);                 // nine digits, for faults
double max_finite(std::span<const double> x);  // largest magnitude of those that a float can hold; 0 if there is none

// One independent check. It counts for one or more subjects, the rows of the table that `vpoint verify` prints.
struct Check {
  std::string topic;                  // e.g. "gradients"
  std::vector<std::string> subjects;  // e.g. "cell lstm", "loss softmax"
  std::string name;                   // of the case, for faults: enough to have it again
  std::function<Finding()> run;       // by any thread
  bool alone = false;                 // starts threads of its own: not while others run
};

// run(), with an exception as a fault.
Finding run_check(const Check& check);

}  // namespace vp
