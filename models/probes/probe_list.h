// The probes there are. Thread-safety: the list is constant.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "models/probes/probe.h"

namespace vp {

std::span<const ProbeEntry> probes();
// Options of all probes at their defaults, in the order of the list: RunSpec::probe_options.
std::vector<OptionsHandle> probe_options();
// Those a run asks for.
template <class T>
std::vector<std::unique_ptr<Probe<T>>> make_probes(const RunSpec& spec, const Model<T>& model);

}  // namespace vp
