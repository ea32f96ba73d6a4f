#include "models/probes/probes.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "models/base/statistics.h"
#include "models/model/scaled_rows.h"

namespace vp {
namespace {

const double kLog10Of2 = std::log10(2.0);

// log2 of the norm over many rows, each known by log2 of its own: summed relative to the largest, so that nothing over- or underflows.
double combine_log2(std::span<const double> log2_norms) {
  double largest = -std::numeric_limits<double>::infinity();
  for (const double v : log2_norms) {
    if (std::isnan(v)) return v;
    largest = std::max(largest, v);
  }
  if (std::isinf(largest)) return largest;
  double sum = 0;
  for (const double v : log2_norms) sum += std::exp2(2 * (v - largest));
  return largest + 0.5 * std::log2(sum);
}

// log2 |dL/dh_t| (or dL/dc_t) of every probed sample, in batch order.
template <class T>
void sample_log2_norms(const Pass<T>& pass, std::int64_t layer, std::int64_t t, StateKind state, std::vector<double>& out) {
  out.clear();
  for (const auto& shard : pass.shards) {
    const Layer<T>& l = shard->layer(layer);
    const double* squares = state == StateKind::kHidden ? l.sum_squares_dh(t) : l.sum_squares_dc(t);
    for (std::int64_t b = 0; b < l.rows() && static_cast<std::int64_t>(out.size()) < pass.samples; ++b)
      out.push_back(log2_norm(squares[b], l.norm_exponent(t)[b]));
  }
}

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

// Leaves the samples that have a step t; `norms` holds one for each.
template <class T>
void drop_ended(const Pass<T>& pass, std::int64_t t, std::vector<double>& norms) {
  if (!pass.model.shape().variable_length) return;
  std::size_t sample = 0, left = 0;
  for (const auto& shard : pass.shards)
    for (std::int64_t b = 0; b < shard->rows() && sample < norms.size(); ++b, ++sample)
      if (t < shard->length(b)) norms[left++] = norms[sample];
  norms.resize(left);
}

// log10_dh of timesteps.csv, of the norms of the samples that have the step; absent if none has.
Number batch_log10_norm(std::span<const double> log2_norms, std::int64_t samples) {
  if (log2_norms.empty()) return std::nullopt;
  const double share = static_cast<double>(samples) / static_cast<double>(log2_norms.size());
  return kLog10Of2 * (combine_log2(log2_norms) + 0.5 * std::log2(share));
}
}  // namespace

template <class T>
double log10_norm(const Pass<T>& pass, std::int64_t layer, std::int64_t t, StateKind state) {
  std::vector<double> norms;
  sample_log2_norms(pass, layer, t, state, norms);
  return kLog10Of2 * combine_log2(norms);
}
template double log10_norm(const Pass<float>&, std::int64_t, std::int64_t, StateKind);
template double log10_norm(const Pass<double>&, std::int64_t, std::int64_t, StateKind);

template <class T>
Moments step_moments(const Pass<T>& pass, std::int64_t layer, std::int64_t t) {
  Moments all;
  std::int64_t seen = 0;
  for (const auto& shard : pass.shards) {
    const Layer<T>& l = shard->layer(layer);
    for (std::int64_t b = 0; b < l.rows() && seen < pass.samples; ++b, ++seen) all.add(l.activations(t, b));
  }
  return all;
}

template Moments step_moments(const Pass<float>&, std::int64_t, std::int64_t);
template Moments step_moments(const Pass<double>&, std::int64_t, std::int64_t);

namespace {

Number dead_share(std::span<const std::uint8_t> alive) {
  if (alive.empty()) return std::nullopt;
  return static_cast<double>(std::ranges::count(alive, std::uint8_t{0})) / static_cast<double>(alive.size());
}

// Units whose slope is zero on every probed sample; absent where layers do not tell.
template <class T>
Number dead_units(const Pass<T>& pass, std::int64_t layer) {
  std::vector<std::uint8_t> alive;
  std::int64_t seen = 0;
  for (const auto& shard : pass.shards) {
    const Layer<T>& l = shard->layer(layer);
    for (std::int64_t b = 0; b < l.rows() && seen < pass.samples; ++b, ++seen) {
      const auto row = l.alive(b);
      alive.resize(row.size());
      for (std::size_t u = 0; u < row.size(); ++u) alive[u] |= row[u];
    }
  }
  return dead_share(alive);
}

template <class Row>
void set_activation(const Moments& m, Row& row) {
  if (m.count == 0) return;  // all samples have ended
  row.activation_mean = m.mean();
  row.activation_std = m.std();
  row.saturated = m.saturated / m.count;
}

template <class T>
double log10_weight_gradient(const Pass<T>& pass, std::int64_t layer) {
  double sum = 0;
  for (const Tensor* tensor : pass.model.layout().tensors()) {
    if (tensor->layer != layer) continue;
    for (const T g : pass.gradient.subspan(tensor->offset, tensor->size())) sum += static_cast<double>(g) * static_cast<double>(g);
  }
  return 0.5 * std::log10(sum);
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
double typical_log10_dh(const Pass<T>& pass, std::int64_t layer, std::int64_t t) {
  std::vector<double> norms;
  sample_log2_norms(pass, layer, t, StateKind::kHidden, norms);
  return kLog10Of2 * mean(norms);
}
template double typical_log10_dh(const Pass<float>&, std::int64_t, std::int64_t);
template double typical_log10_dh(const Pass<double>&, std::int64_t, std::int64_t);

template <class T>
void probe_timesteps(const Pass<T>& pass, std::int64_t update, std::vector<TimestepRow>& rows) {
  std::vector<double> norms;
  for (std::int64_t layer = 0; layer < pass.model.layer_count(); ++layer)
    for (std::int64_t t = 0; t < pass.model.layer_steps(); ++t) {
      TimestepRow row{.update = update, .layer = layer, .t = t};
      sample_log2_norms(pass, layer, t, StateKind::kHidden, norms);
      drop_ended(pass, t, norms);
      row.log10_dh = batch_log10_norm(norms, pass.samples);
      if (!norms.empty()) row.log10_dh_typical = kLog10Of2 * mean(norms);
      if (pass.model.has_cell_state()) {
        sample_log2_norms(pass, layer, t, StateKind::kCell, norms);
        drop_ended(pass, t, norms);
        row.log10_dc = batch_log10_norm(norms, pass.samples);
      }
      set_activation(step_moments(pass, layer, t), row);
      rows.push_back(std::move(row));
    }
}

template <class T>
void probe_layers(const Pass<T>& pass, std::int64_t update, std::vector<LayerRow>& rows) {
  const std::int64_t steps = pass.model.layer_steps();
  std::vector<double> norms, by_step(steps);
  for (std::int64_t layer = 0; layer < pass.model.layer_count(); ++layer) {
    LayerRow row{.update = update, .layer = layer};
    Moments all;
    for (std::int64_t t = 0; t < steps; ++t) {
      all.add(step_moments(pass, layer, t));
      sample_log2_norms(pass, layer, t, StateKind::kHidden, norms);
      by_step[t] = combine_log2(norms);
    }
    set_activation(all, row);
    row.log10_gradient = kLog10Of2 * combine_log2(by_step);
    row.log10_weight_gradient = log10_weight_gradient(pass, layer);
    row.dead_units = dead_units(pass, layer);
    rows.push_back(std::move(row));
  }
}

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

template void probe_timesteps(const Pass<float>&, std::int64_t, std::vector<TimestepRow>&);
template void probe_timesteps(const Pass<double>&, std::int64_t, std::vector<TimestepRow>&);
template void probe_layers(const Pass<float>&, std::int64_t, std::vector<LayerRow>&);
template void probe_layers(const Pass<double>&, std::int64_t, std::vector<LayerRow>&);
template GradientSlope probe_gradient_slope(const Pass<float>&);
template GradientSlope probe_gradient_slope(const Pass<double>&);

}  // namespace vp
