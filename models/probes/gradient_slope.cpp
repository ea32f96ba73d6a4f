// gradient_slope of runs.csv: how fast the gradient changes with the lag.
#include <algorithm>
#include <cmath>

#include "models/base/statistics.h"
#include "models/model/scaled_rows.h"
#include "models/probes/norms.h"

namespace vp {
namespace {

// log2 |dL/dh_t| of every probed sample by its lag: element k is of k steps before its last.
template <class T>
std::vector<std::vector<double>> lagged_log2_norms(const Pass<T>& pass, std::int64_t layer) {
  std::vector<std::vector<double>> norms;
  for (const auto& shard : pass.shards) {
    const Layer<T>& l = shard->layer(layer);
    for (std::int64_t b = 0; b < l.rows() && static_cast<std::int64_t>(norms.size()) < pass.samples; ++b) {
      norms.emplace_back();
      for (std::int64_t t = shard->length(b) - 1; t >= 0; --t)
        norms.back().push_back(log2_norm(l.sum_squares_dh(t)[b], l.norm_exponent(t)[b]));
    }
  }
  return norms;
}

// Norms over the lag, the longest first.
struct LagNorms {
  std::vector<double> lag, log10_norm, weight;
};

LagNorms of_one_sample(std::span<const double> log2_norms) {
  LagNorms out;
  for (std::size_t lag = log2_norms.size(); lag-- > 0;) {
    out.lag.push_back(static_cast<double>(lag)), out.weight.push_back(1);
    out.log10_norm.push_back(kLog10Of2 * log2_norms[lag]);
  }
  return out;
}

// Over all samples, each by its lag. Where some end, the norm goes on from where it was as that of the others does.
LagNorms of_all_samples(const std::vector<std::vector<double>>& by_sample) {
  std::size_t lags = 0;
  for (const auto& own : by_sample) lags = std::max(lags, own.size());
  std::vector<double> norms, log2_norms(lags), weight(lags);
  const auto norm_at = [&](std::size_t lag, std::size_t reached) {  // of the samples that have the lag `reached`
    norms.clear();
    for (const auto& own : by_sample)
      if (reached < own.size()) norms.push_back(own[lag]);
    return combine_log2(norms);
  };
  double shift = 0;
  for (std::size_t lag = 0; lag < lags; ++lag) {
    log2_norms[lag] = norm_at(lag, lag);
    weight[lag] = static_cast<double>(norms.size()) / static_cast<double>(by_sample.size());
    if (lag > 0 && weight[lag] < weight[lag - 1]) shift += norm_at(lag - 1, lag - 1) - norm_at(lag - 1, lag);
    log2_norms[lag] += shift;
  }
  LagNorms out = of_one_sample(log2_norms);
  out.weight.assign(weight.rbegin(), weight.rend());
  return out;
}

// Least squares over the finite points; counts the others.
Number finite_slope(const LagNorms& norms, std::int64_t& left_out) {
  LagNorms finite;
  for (std::size_t i = 0; i < norms.lag.size(); ++i) {
    if (!std::isfinite(norms.log10_norm[i])) continue;
    finite.lag.push_back(norms.lag[i]), finite.log10_norm.push_back(norms.log10_norm[i]), finite.weight.push_back(norms.weight[i]);
  }
  left_out = static_cast<std::int64_t>(norms.lag.size() - finite.lag.size());
  return least_squares_slope(finite.lag, finite.log10_norm, finite.weight);
}

}  // namespace

template <class T>
GradientSlope probe_gradient_slope(const Pass<T>& pass) {
  const std::vector<std::vector<double>> by_sample = lagged_log2_norms(pass, pass.model.layer_count() - 1);
  const LagNorms batch = of_all_samples(by_sample);
  GradientSlope result;
  std::int64_t left_out = 0, ignored = 0;
  result.slope = finite_slope(batch, left_out);
  const std::int64_t steps = std::ssize(batch.lag);
  if (left_out > 0) result.note = "gradient_slope over " + std::to_string(steps - left_out) + " of " + std::to_string(steps) + " steps";
  std::vector<double> slopes;
  for (const auto& sample : by_sample)
    if (const Number slope = finite_slope(of_one_sample(sample), ignored)) slopes.push_back(*slope);
  if (const auto interval = central_range(slopes)) result.low = interval->low, result.high = interval->high;
  return result;
}
template GradientSlope probe_gradient_slope(const Pass<float>&);
template GradientSlope probe_gradient_slope(const Pass<double>&);

namespace {

template <class T>
class Slope final : public Probe<T> {
 public:
  bool is_due(const Schedule& now) const override { return now.is_first() || now.is_last(); }
  std::int64_t most_row_bytes(const Schedule&, const Pass<T>&) const override { return 0; }
  void look(const Pass<T>& pass, const Schedule& now, RunReport& report) override {
    const GradientSlope slope = probe_gradient_slope(pass);
    RunSummary& summary = report.summary;
    if (now.is_first()) {
      summary.gradient_slope = slope.slope, summary.gradient_slope_low = slope.low, summary.gradient_slope_high = slope.high;
      append_note(summary.note, slope.note);
    }
    if (now.is_last()) summary.gradient_slope_final = slope.slope;
  }
};

// Where every step has a loss of its own there is no lag, nor where states are heard from both ends.
template <class T>
std::unique_ptr<Probe<T>> make(const RunSpec& spec, const Options&, const Model<T>& model) {
  const bool has_lag = target_steps(model.shape()) == 1 || spec.probe.loss_at == "last";
  return model.has_time() && has_lag && !spec.model.bidirectional ? std::make_unique<Slope<T>>() : nullptr;
}

}  // namespace

ProbeEntry gradient_slope_probe() {
  return {"gradient_slope", "slope of log10_dh over the lag, before the first and after the last update (runs.csv)",
          make_options<NoOptions>, make<float>, make<double>};
}

}  // namespace vp
