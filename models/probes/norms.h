// Norms of signals over the samples of a pass, in log2, so that nothing over- or underflows. For the probes alone.
// Thread-safety: pure functions.
#pragma once

#include <cmath>
#include <cstdint>
#include <span>
#include <vector>

#include "models/probes/probes.h"

namespace vp {

inline const double kLog10Of2 = std::log10(2.0);

// log2 of the norm over many rows, each known by log2 of its own: summed relative to the largest.
double combine_log2(std::span<const double> log2_norms);

// log2 |dL/dh_t| (or dL/dc_t) of every probed sample, in batch order.
template <class T>
void sample_log2_norms(const Pass<T>& pass, std::int64_t layer, std::int64_t t, StateKind state, std::vector<double>& out);

// Of a layer's (or step's) units: nothing is set where all samples have ended.
template <class Row>
void set_activation(const Moments& m, Row& row) {
  if (m.count == 0) return;
  row.activation_mean = m.mean();
  row.activation_std = m.std();
  row.saturated = m.saturated / m.count;
}

}  // namespace vp
