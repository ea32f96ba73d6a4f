#include "experiments/profile/compare.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <nlohmann/json.hpp>
#include <numeric>
#include <string_view>

#include "experiments/io/error.h"

namespace vp {
namespace {

constexpr std::size_t kExactUpTo = 20;
constexpr double kSignificant = 0.01;  // a run has dozens of rows: at 0.05 a few would differ by chance

struct Ranks {
  double sum_of_first = 0;  // ranks count from 1; equal values share their mean rank
  double ties = 0;          // sum of t^3 - t over groups of t equal values
};

Ranks ranks_of(std::span<const double> a, std::span<const double> b) {
  std::vector<std::pair<double, bool>> all;  // value, whether of a
  for (const double x : a) all.emplace_back(x, true);
  for (const double x : b) all.emplace_back(x, false);
  std::ranges::sort(all);
  Ranks ranks;
  for (std::size_t first = 0; first < all.size();) {
    std::size_t end = first;
    while (end < all.size() && all[end].first == all[first].first) ++end;
    const double rank = 0.5 * static_cast<double>(first + 1 + end), count = static_cast<double>(end - first);
    for (std::size_t i = first; i < end; ++i) ranks.sum_of_first += all[i].second ? rank : 0;
    ranks.ties += count * count * count - count;
    first = end;
  }
  return ranks;
}

// P(U <= u) without ties: ways[s] counts the subsets of n ranks out of n + m whose U is s (Mann & Whitney 1947), built up rank by rank.
double exact_lower_tail(std::size_t n, std::size_t m, double u) {
  std::vector<std::vector<double>> ways(n + 1, std::vector<double>(n * m + 1, 0.0));  // [values of a taken][their U]
  ways[0][0] = 1;
  for (std::size_t rank = 0; rank < n + m; ++rank)
    for (std::size_t taken = std::min(rank + 1, n); taken >= 1; --taken) {
      const std::size_t before = rank + 1 - taken;  // values of b below this one
      if (before > m) continue;
      for (std::size_t s = n * m + 1; s-- > before;) ways[taken][s] += ways[taken - 1][s - before];
    }
  const double all = std::accumulate(ways[n].begin(), ways[n].end(), 0.0);
  return std::accumulate(ways[n].begin(), ways[n].begin() + static_cast<std::ptrdiff_t>(u) + 1, 0.0) / all;
}

double normal_two_sided(double n, double m, double u, double ties) {
  const double all = n + m, variance = n * m / 12 * (all + 1 - ties / (all * (all - 1)));
  if (!(variance > 0)) return 1;  // every value is the same
  const double z = std::max(0.0, std::abs(u - n * m / 2) - 0.5) / std::sqrt(variance);
  return std::erfc(z / std::sqrt(2.0));
}

double seconds_per_unit(const std::string& unit) { return unit == "s" ? 1 : unit == "ms" ? 1e-3 : unit == "us" ? 1e-6 : 1e-9; }

std::string_view verdict(double ratio, const std::optional<double>& p) {
  if (!p || *p >= kSignificant) return "no difference shown";
  return ratio > 1 ? "slower" : "faster";
}

void append_missing(std::string& text, std::string_view what, const RowSamples& from, const RowSamples& other) {
  for (const auto& [name, samples] : from)
    if (!other.contains(name)) text += fmt::format("{}: {}\n", what, name);
}

}  // namespace

RowSamples read_samples(const std::string& json, const std::string& name) {
  RowSamples samples;
  try {
    const nlohmann::json document = nlohmann::json::parse(json);
    for (const auto& row : document.at("benchmarks")) {
      if (row.value("run_type", "iteration") != "iteration" || row.value("error_occurred", false) || row.contains("skipped")) continue;
      const std::string row_name = row.at("run_name");
      if (row_name.starts_with("machine/")) continue;
      samples[row_name].push_back(row.at("real_time").get<double>() * seconds_per_unit(row.at("time_unit")));
    }
  } catch (const nlohmann::json::exception& error) {
    throw io_error(fmt::format("{}: not a file that vpoint profile --benchmark_out wrote: {}", name, error.what()));
  }
  return samples;
}

std::optional<double> mann_whitney(std::span<const double> a, std::span<const double> b) {
  if (a.empty() || b.empty()) return std::nullopt;
  const Ranks ranks = ranks_of(a, b);
  const double n = static_cast<double>(a.size()), m = static_cast<double>(b.size()), u = ranks.sum_of_first - n * (n + 1) / 2;
  if (ranks.ties > 0 || std::max(a.size(), b.size()) > kExactUpTo) return normal_two_sided(n, m, u, ranks.ties);
  return std::min(1.0, 2 * exact_lower_tail(a.size(), b.size(), std::min(u, n * m - u)));
}

double median(std::vector<double> values) {
  std::ranges::sort(values);
  const std::size_t half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : 0.5 * (values[half - 1] + values[half]);
}

std::string comparison_table(const RowSamples& old_run, const RowSamples& new_run) {
  std::size_t width = 3;
  for (const auto& [name, samples] : new_run) width = std::max(width, name.size());
  std::string text =
      fmt::format("{:{}} {:>12} {:>12} {:>8} {:>8} {:>7}  {}\n", "row", width, "old us", "now us", "now/old", "p", "n", "verdict");
  for (const auto& [name, now] : new_run) {
    const auto old = old_run.find(name);
    if (old == old_run.end()) continue;
    const double before = median(old->second), after = median(now);
    const std::optional<double> p = mann_whitney(now, old->second);
    text += fmt::format("{:{}} {:>12.4g} {:>12.4g} {:>8.3f} {:>8.2g} {:>7}  {}\n", name, width, before * 1e6, after * 1e6, after / before,
                        p.value_or(1), fmt::format("{}, {}", old->second.size(), now.size()), verdict(after / before, p));
  }
  append_missing(text, "only in the old run", old_run, new_run);
  append_missing(text, "only in this run", new_run, old_run);
  return text;
}

}  // namespace vp
