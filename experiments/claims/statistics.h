// 95 % intervals of what claims compare: medians, and ratios and differences of two small samples (one mean: models/base/statistics.h).
// Pure functions.
#pragma once

#include <optional>
#include <span>

#include "models/base/statistics.h"

namespace vp {

// REQUIRES: x is not empty.
double median(std::span<const double> x);

// Between two order statistics, for any distribution (Hettmansperger & Sheather 1986), coverage at least `confidence`; nullopt where the
// sample is too small for it: below 6 values for 95 %, below 7 for 97.5 %.
std::optional<Interval> median_interval(std::span<const double> x, double confidence);

// Of mean(a) - mean(b): Student t on the differences of pairs (a[i], b[i]), or Welch. nullopt with fewer than two values in either.
std::optional<Interval> difference_interval(std::span<const double> a, std::span<const double> b, bool paired);

// Of mean(a) / mean(b): Fieller 1954, with the covariance of pairs or with independent variances (degrees of freedom by Satterthwaite at
// the estimate). nullopt as above, and where the interval of mean(b) reaches zero: the ratio is then unbounded.
std::optional<Interval> ratio_interval(std::span<const double> a, std::span<const double> b, bool paired);

// Conservative, for medians: a and b each within its 97.5 % interval, so both at 95 % (Bonferroni). The ratio is absent where b may be
// zero.
std::optional<Interval> median_difference_interval(std::span<const double> a, std::span<const double> b);
std::optional<Interval> median_ratio_interval(std::span<const double> a, std::span<const double> b);

}  // namespace vp
