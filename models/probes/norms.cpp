#include "models/probes/norms.h"

#include <algorithm>
#include <limits>

#include "models/base/statistics.h"
#include "models/model/scaled_rows.h"

namespace vp {

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
template void sample_log2_norms(const Pass<float>&, std::int64_t, std::int64_t, StateKind, std::vector<double>&);
template void sample_log2_norms(const Pass<double>&, std::int64_t, std::int64_t, StateKind, std::vector<double>&);

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

template <class T>
double typical_log10_dh(const Pass<T>& pass, std::int64_t layer, std::int64_t t) {
  std::vector<double> norms;
  sample_log2_norms(pass, layer, t, StateKind::kHidden, norms);
  return kLog10Of2 * mean(norms);
}
template double typical_log10_dh(const Pass<float>&, std::int64_t, std::int64_t);
template double typical_log10_dh(const Pass<double>&, std::int64_t, std::int64_t);

}  // namespace vp
