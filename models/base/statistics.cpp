#include "models/base/statistics.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace vp {
namespace {

// Continued fraction of the incomplete beta function (modified Lentz; Press et al., Numerical Recipes, 6.4), for x < (a+1)/(a+b+2).
double beta_fraction(double a, double b, double x) {
  constexpr double kTiny = 1e-300;
  double c = 1, d = 1 / (1 - (a + b) * x / (a + 1)), result = d;
  for (int m = 1; m < 10000; ++m) {
    const double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
    d = 1 / (1 + even * d + kTiny), c = 1 + even / c;
    result *= c * d;
    const double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1 / (1 + odd * d + kTiny), c = 1 + odd / c;
    result *= c * d;
    if (std::abs(c * d - 1) < 1e-15) break;
  }
  return result;
}

// Regularised incomplete beta function I_x(a, b).
double incomplete_beta(double a, double b, double x) {
  const double front = std::exp(std::lgamma(a + b) - std::lgamma(a) - std::lgamma(b) + a * std::log(x) + b * std::log1p(-x));
  return x < (a + 1) / (a + b + 2) ? front * beta_fraction(a, b, x) / a : 1 - front * beta_fraction(b, a, 1 - x) / b;
}

// P(|t| > x) with n degrees of freedom.
double two_sided_tail(double x, double n) { return incomplete_beta(n / 2, 0.5, n / (n + x * x)); }

}  // namespace

double student_t_975(double degrees) {
  if (degrees > 1e5) return 1.959963984540054 + 2.3723 / degrees;  // (z^3 + z) / 4n: the next term is below 1e-9
  double low = 1.9, high = 12.8;
  for (int i = 0; i < 60; ++i) {
    const double middle = (low + high) / 2;
    (two_sided_tail(middle, degrees) > 0.05 ? low : high) = middle;
  }
  return (low + high) / 2;
}

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
