// The few statistics that results need. Pure functions.
#pragma once

#include <optional>
#include <span>

namespace vp {

// t for which Student's distribution with `degrees` degrees of freedom (>= 1) has probability 0.975 below it: 12.706, 4.303, ..., 1.960.
double student_t_975(double degrees);

struct Interval {
  double low, high;
};

// 95 % interval of the mean by Student's t; absent for fewer than two values.
std::optional<Interval> mean_interval(std::span<const double> values);

// Central 95 % of the values: their 2.5 % and 97.5 % quantiles, linear between order statistics. Absent for fewer than two values; sorts
// them.
std::optional<Interval> central_range(std::span<double> values);

double mean(std::span<const double> values);  // of at least one value

// Slope of the least-squares line through (x, y), each point with its weight (none: all 1); absent for fewer than two different x.
std::optional<double> least_squares_slope(std::span<const double> x, std::span<const double> y, std::span<const double> weights = {});

}  // namespace vp
