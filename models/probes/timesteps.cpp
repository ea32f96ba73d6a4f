// timesteps.csv: norms of dL/dh_t and dL/dc_t, and what the units do, at every step.
#include <cmath>

#include "models/base/statistics.h"
#include "models/probes/norms.h"

namespace vp {
namespace {

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
template void probe_timesteps(const Pass<float>&, std::int64_t, std::vector<TimestepRow>&);
template void probe_timesteps(const Pass<double>&, std::int64_t, std::vector<TimestepRow>&);

namespace {

template <class T>
class Timesteps final : public Probe<T> {
 public:
  explicit Timesteps(const ProbeSpec& spec) : spec_(spec) {}
  ProbeNeeds needs() const override { return {.activations = true}; }
  bool is_due(const Schedule& now) const override { return now.is_due(spec_.every) || now.is_due(spec_.timesteps_every); }
  std::int64_t most_row_bytes(const Schedule& run, const Pass<T>& pass) const override {
    const std::int64_t rows = pass.model.layer_count() * pass.model.layer_steps();
    return (run.times(spec_.every) + run.times(spec_.timesteps_every)) * rows * static_cast<std::int64_t>(sizeof(TimestepRow));
  }
  void look(const Pass<T>& pass, const Schedule& now, RunReport& report) override { probe_timesteps(pass, now.update(), report.timesteps); }

 private:
  const ProbeSpec& spec_;
};

template <class T>
std::unique_ptr<Probe<T>> make(const RunSpec& spec, const Options&, const Model<T>& model) {
  return spec.probe.timesteps && model.has_time() ? std::make_unique<Timesteps<T>>(spec.probe) : nullptr;
}

}  // namespace

ProbeEntry timesteps_probe() {
  return {"timesteps", "norms of dL/dh_t and dL/dc_t, and activations, at every step (timesteps.csv)", make_options<NoOptions>, make<float>,
          make<double>};
}

}  // namespace vp
