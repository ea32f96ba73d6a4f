#include "models/probes.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "models/scaled_rows.h"
#include "models/statistics.h"

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

enum class Signal { kHidden, kCell };

// log2 |dL/dh_t| (or dL/dc_t) of every probed sample, in batch order.
template <class T>
void sample_log2_norms(const Pass<T>& pass, std::int64_t layer, std::int64_t t, Signal signal, std::vector<double>& out) {
  out.clear();
  for (const auto& shard : pass.shards) {
    const Layer<T>& l = shard->layer(layer);
    const double* squares = signal == Signal::kHidden ? l.sum_squares_dh(t) : l.sum_squares_dc(t);
    for (std::int64_t b = 0; b < l.rows() && static_cast<std::int64_t>(out.size()) < pass.samples; ++b)
      out.push_back(log2_norm(squares[b], l.norm_exponent(t)[b]));
  }
}

// log2 |dL/dh_t| of every probed sample `lag` steps before its last; -inf for samples that are not so long.
template <class T>
void lagged_log2_norms(const Pass<T>& pass, std::int64_t layer, std::int64_t lag, std::vector<double>& out) {
  out.clear();
  for (const auto& shard : pass.shards) {
    const Layer<T>& l = shard->layer(layer);
    for (std::int64_t b = 0; b < l.rows() && static_cast<std::int64_t>(out.size()) < pass.samples; ++b) {
      const std::int64_t t = shard->length(b) - 1 - lag;
      out.push_back(t < 0 ? log2_norm(0, 0) : log2_norm(l.sum_squares_dh(t)[b], l.norm_exponent(t)[b]));
    }
  }
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
}  // namespace

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

// Least squares over the finite points; counts the others.
Number finite_slope(std::span<const double> lag, std::span<const double> values, std::int64_t& left_out) {
  std::vector<double> x, y;
  for (std::size_t i = 0; i < values.size(); ++i)
    if (std::isfinite(values[i])) x.push_back(lag[i]), y.push_back(values[i]);
  left_out = static_cast<std::int64_t>(values.size() - y.size());
  return least_squares_slope(x, y);
}

}  // namespace

template <class T>
double typical_log10_dh(const Pass<T>& pass, std::int64_t layer, std::int64_t t) {
  std::vector<double> norms;
  sample_log2_norms(pass, layer, t, Signal::kHidden, norms);
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
      sample_log2_norms(pass, layer, t, Signal::kHidden, norms);
      row.log10_dh = kLog10Of2 * combine_log2(norms);
      drop_ended(pass, t, norms);
      if (!norms.empty()) row.log10_dh_typical = kLog10Of2 * mean(norms);
      if (pass.model.has_cell_state()) {
        sample_log2_norms(pass, layer, t, Signal::kCell, norms);
        row.log10_dc = kLog10Of2 * combine_log2(norms);
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
      sample_log2_norms(pass, layer, t, Signal::kHidden, norms);
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
  const std::int64_t steps = pass.model.layer_steps(), top = pass.model.layer_count() - 1;
  std::vector<double> lag(steps), batch(steps), norms;
  std::vector<std::vector<double>> by_sample(pass.samples, std::vector<double>(steps));
  for (std::int64_t t = 0; t < steps; ++t) {
    lag[t] = static_cast<double>(steps - 1 - t);
    lagged_log2_norms(pass, top, steps - 1 - t, norms);
    batch[t] = kLog10Of2 * combine_log2(norms);
    for (std::int64_t b = 0; b < pass.samples; ++b) by_sample[b][t] = kLog10Of2 * norms[b];
  }
  GradientSlope result;
  std::int64_t left_out = 0, ignored = 0;
  result.slope = finite_slope(lag, batch, left_out);
  if (left_out > 0) result.note = "gradient_slope over " + std::to_string(steps - left_out) + " of " + std::to_string(steps) + " steps";
  std::vector<double> slopes;
  for (const auto& sample : by_sample)
    if (const Number slope = finite_slope(lag, sample, ignored)) slopes.push_back(*slope);
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
