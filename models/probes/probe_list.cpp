#include "models/probes/probe_list.h"

#include <type_traits>
#include <utility>

namespace vp {

// The list. Each stands in its own file as `ProbeEntry <name>_probe()`.
#define VP_PROBES(each) each(layers) each(timesteps) each(spectra) each(traces) each(gradient_slope)

#define VP_DECLARE(name) ProbeEntry name##_probe();
VP_PROBES(VP_DECLARE)
#undef VP_DECLARE

std::span<const ProbeEntry> probes() {
#define VP_ENTRY(name) name##_probe(),
  static const ProbeEntry kProbes[] = {VP_PROBES(VP_ENTRY)};
#undef VP_ENTRY
  return kProbes;
}

std::vector<OptionsHandle> probe_options() {
  std::vector<OptionsHandle> options;
  for (const ProbeEntry& entry : probes()) options.emplace_back(entry.make_options());
  return options;
}

template <class T>
std::vector<std::unique_ptr<Probe<T>>> make_probes(const RunSpec& spec, const Model<T>& model) {
  const std::vector<OptionsHandle> defaults = probe_options();
  const std::vector<OptionsHandle>& options = spec.probe_options.empty() ? defaults : spec.probe_options;
  std::vector<std::unique_ptr<Probe<T>>> made;
  for (std::size_t i = 0; i < options.size(); ++i) {
    std::unique_ptr<Probe<T>> probe;
    if constexpr (std::is_same_v<T, float>)
      probe = probes()[i].make_float(spec, options[i].get(), model);
    else
      probe = probes()[i].make_double(spec, options[i].get(), model);
    if (probe != nullptr) made.push_back(std::move(probe));
  }
  return made;
}
template std::vector<std::unique_ptr<Probe<float>>> make_probes(const RunSpec&, const Model<float>&);
template std::vector<std::unique_ptr<Probe<double>>> make_probes(const RunSpec&, const Model<double>&);

}  // namespace vp
