#include "experiments/claims/statistics.h"

#include <algorithm>
#include <boost/math/distributions/binomial.hpp>
#include <cmath>
#include <vector>

namespace vp {
namespace {

constexpr double kBonferroni = 0.975;  // confidence of each of two intervals that are to hold together at 95 %

double squared(double x) { return x * x; }

// Of the means of two samples.
struct Moments {
  double var_a, var_b, cov;  // of mean(a), of mean(b), between them
  double df;                 // at ratio r: of mean(a) - r mean(b)
};

double satterthwaite(double var_a, double n_a, double var_b, double n_b) {
  const double total = var_a + var_b;
  if (total == 0) return n_a + n_b - 2;
  return squared(total) / (squared(var_a) / (n_a - 1) + squared(var_b) / (n_b - 1));
}

double covariance(std::span<const double> a, std::span<const double> b) {
  const double mean_a = mean(a), mean_b = mean(b);
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += (a[i] - mean_a) * (b[i] - mean_b);
  return sum / static_cast<double>(a.size() - 1);
}

Moments moments(std::span<const double> a, std::span<const double> b, bool paired, double ratio) {
  const double n_a = static_cast<double>(a.size()), n_b = static_cast<double>(b.size());
  const double var_a = covariance(a, a) / n_a, var_b = covariance(b, b) / n_b;
  if (paired) return {var_a, var_b, covariance(a, b) / n_a, n_a - 1};
  return {var_a, var_b, 0, satterthwaite(var_a, n_a, squared(ratio) * var_b, n_b)};
}

}  // namespace

double median(std::span<const double> x) {
  std::vector<double> sorted(x.begin(), x.end());
  std::sort(sorted.begin(), sorted.end());
  const std::size_t n = sorted.size();
  return n % 2 == 1 ? sorted[n / 2] : sorted[n / 2 - 1] + (sorted[n / 2] - sorted[n / 2 - 1]) / 2;
}

// The k-th smallest and k-th largest value: the median lies outside with probability 2 P(Binomial(n, 1/2) < k), so take the largest k that
// allows.
std::optional<Interval> median_interval(std::span<const double> x, double confidence) {
  std::vector<double> sorted(x.begin(), x.end());
  std::sort(sorted.begin(), sorted.end());
  const boost::math::binomial ranks(static_cast<double>(x.size()), 0.5);
  std::size_t k = 0;
  while (k < sorted.size() && 2 * cdf(ranks, static_cast<double>(k)) <= 1 - confidence) ++k;
  if (k == 0) return std::nullopt;
  return Interval{sorted[k - 1], sorted[sorted.size() - k]};
}

std::optional<Interval> difference_interval(std::span<const double> a, std::span<const double> b, bool paired) {
  if (a.size() < 2 || b.size() < 2) return std::nullopt;
  if (paired) {
    std::vector<double> differences;
    for (std::size_t i = 0; i < a.size(); ++i) differences.push_back(a[i] - b[i]);
    return mean_interval(differences);
  }
  const Moments m = moments(a, b, false, 1);
  const double difference = mean(a) - mean(b), half = student_t_975(m.df) * std::sqrt(m.var_a + m.var_b);
  return Interval{difference - half, difference + half};
}

// All r with (mean_a - r mean_b)^2 <= t^2 (var_a - 2 r cov + r^2 var_b): between the roots of A r^2 - 2 B r + C, bounded if A > 0.
std::optional<Interval> ratio_interval(std::span<const double> a, std::span<const double> b, bool paired) {
  if (a.size() < 2 || b.size() < 2) return std::nullopt;
  const double mean_a = mean(a), mean_b = mean(b);
  if (mean_b == 0) return std::nullopt;
  const Moments m = moments(a, b, paired, mean_a / mean_b);
  const double t2 = squared(student_t_975(m.df));
  const double A = squared(mean_b) - t2 * m.var_b, B = mean_a * mean_b - t2 * m.cov, C = squared(mean_a) - t2 * m.var_a;
  if (!(A > 0)) return std::nullopt;
  const double root = std::sqrt(std::max(0.0, squared(B) - A * C));
  return Interval{(B - root) / A, (B + root) / A};
}

std::optional<Interval> median_difference_interval(std::span<const double> a, std::span<const double> b) {
  const auto in_a = median_interval(a, kBonferroni), in_b = median_interval(b, kBonferroni);
  if (!in_a || !in_b) return std::nullopt;
  return Interval{in_a->low - in_b->high, in_a->high - in_b->low};
}

std::optional<Interval> median_ratio_interval(std::span<const double> a, std::span<const double> b) {
  const auto in_a = median_interval(a, kBonferroni), in_b = median_interval(b, kBonferroni);
  if (!in_a || !in_b || (in_b->low <= 0 && in_b->high >= 0)) return std::nullopt;
  const auto [low, high] = std::minmax({in_a->low / in_b->low, in_a->low / in_b->high, in_a->high / in_b->low, in_a->high / in_b->high});
  return Interval{low, high};
}

}  // namespace vp
