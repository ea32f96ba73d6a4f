#include "models/base/statistics.h"

#include <algorithm>
#include <boost/math/distributions/students_t.hpp>
#include <cmath>
#include <cstddef>

namespace vp {

double student_t_975(double degrees) { return quantile(boost::math::students_t(degrees), 0.975); }

double mean(std::span<const double> values) {
  double sum = 0;
  for (const double v : values) sum += v;
  return sum / static_cast<double>(values.size());
}

std::optional<Interval> mean_interval(std::span<const double> values) {
  if (values.size() < 2) return std::nullopt;
  const double m = mean(values), n = static_cast<double>(values.size());
  double squares = 0;
  for (const double v : values) squares += (v - m) * (v - m);
  const double half = student_t_975(n - 1) * std::sqrt(squares / (n - 1) / n);
  return Interval{m - half, m + half};
}

std::optional<Interval> central_range(std::span<double> values) {
  if (values.size() < 2) return std::nullopt;
  std::ranges::sort(values);
  const auto quantile = [&](double q) {
    const double position = q * static_cast<double>(values.size() - 1);
    const auto below = std::min(static_cast<std::size_t>(position), values.size() - 2);
    return std::lerp(values[below], values[below + 1], position - static_cast<double>(below));
  };
  return Interval{quantile(0.025), quantile(0.975)};
}

std::optional<double> least_squares_slope(std::span<const double> x, std::span<const double> y, std::span<const double> weights) {
  if (x.size() < 2) return std::nullopt;
  const auto weight = [&](std::size_t i) { return weights.empty() ? 1.0 : weights[i]; };
  double n = 0, mx = 0, my = 0, xx = 0, xy = 0;
  for (std::size_t i = 0; i < x.size(); ++i) n += weight(i), mx += weight(i) * x[i], my += weight(i) * y[i];
  mx /= n, my /= n;
  for (std::size_t i = 0; i < x.size(); ++i) {
    xx += weight(i) * (x[i] - mx) * (x[i] - mx);
    xy += weight(i) * (x[i] - mx) * (y[i] - my);
  }
  if (xx == 0) return std::nullopt;
  return xy / xx;
}

}  // namespace vp
