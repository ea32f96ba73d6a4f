// Mean, standard deviation and saturated share of activations, summed up part by part. Pure functions.
#pragma once

#include <cmath>

namespace vp {

// A unit counts as saturated where its non-linearity's slope is below this share of the largest slope it can have.
inline constexpr double kSaturatedSlope = 0.05;

struct Moments {
  double count = 0, sum = 0, squares = 0 /* of the distances from the mean */, saturated = 0;
  double log10_slope = 0;  // sum of log10 of the non-linearity's slope, where it was measured

  double mean() const { return sum / count; }
  double std() const { return std::sqrt(squares / count); }
  void add(const Moments& other) {  // Chan et al. 1979: no difference of large numbers
    if (other.count == 0) return;
    const double delta = count == 0 ? 0 : other.mean() - mean(), n = count + other.count;
    squares += other.squares + delta * delta * count * other.count / n;
    sum += other.sum;
    saturated += other.saturated;
    log10_slope += other.log10_slope;
    count = n;
  }
};

}  // namespace vp
