// What the probes compute of a pass, for them and for inspection.
//
// Definitions (design of the suite): dL/dh_t is the total derivative of the loss with respect to the output of step t; log10_dh its
// Frobenius norm over the whole batch; log10_dh_typical the mean over samples of log10 of each sample's norm. Where samples have lengths of
// their own, all of step t is over the n_t samples that have it, and the norm is that of a batch in which all were as these are: theirs
// times sqrt(B / n_t). So a number does not fall because samples end. Thread-safety: pure functions of the pass.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "models/probes/probe.h"
#include "models/spec/report.h"

namespace vp {

enum class StateKind : std::uint8_t { kHidden, kCell };

// log10 of the Frobenius norm of dL/dh_t (dL/dc_t) over the probed samples as it stands: of those that have ended it is zero.
template <class T>
double log10_norm(const Pass<T>& pass, std::int64_t layer, std::int64_t t, StateKind state);

// Of h_t over the probed samples.
template <class T>
Moments step_moments(const Pass<T>& pass, std::int64_t layer, std::int64_t t);

// log10_dh_typical of timesteps.csv.
template <class T>
double typical_log10_dh(const Pass<T>& pass, std::int64_t layer, std::int64_t t);

template <class T>
void probe_timesteps(const Pass<T>& pass, std::int64_t update, std::vector<TimestepRow>& rows);
template <class T>
void probe_layers(const Pass<T>& pass, std::int64_t update, std::vector<LayerRow>& rows);

// Singular values of every H x H block of recurrent weights, in double (spectra.cpp), and of every step the mean over samples and
// units of log10 |f'|, f the unit's output non-linearity: where the weights are orthogonal, this is what the gradient loses at that step,
// which stands beside it.
template <class T>
void probe_spectra(const Pass<T>& pass, std::int64_t update, std::vector<SpectrumRow>& rows);
// Gates and states of the first `samples` rows of the batch and the first `units` units (0: all) of each layer, at every step.
template <class T>
void probe_traces(const Pass<T>& pass, std::int64_t update, std::int64_t samples, std::int64_t units, std::vector<TraceRow>& rows);

// Least-squares slope of log10_dh of the top layer over the lag T-1-t, T the steps of each sample; 95 % of the samples' own slopes lie
// between low and high. Steps whose norm is zero or not finite are left out and counted in the note. Where samples have lengths of their
// own, log10_dh changes from one lag to the next as it does over the samples that have both, and each lag counts as often as samples have
// it: samples that end leave no trace.
struct GradientSlope {
  Number slope, low, high;
  std::string note;
};
template <class T>
GradientSlope probe_gradient_slope(const Pass<T>& pass);

}  // namespace vp
