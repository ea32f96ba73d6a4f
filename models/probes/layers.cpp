// layers.csv: what the units of each layer do, and the norms of its gradients, over all steps.
#include <algorithm>
#include <cmath>

#include "models/probes/norms.h"

namespace vp {
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

template <class T>
double log10_weight_gradient(const Pass<T>& pass, std::int64_t layer) {
  double sum = 0;
  for (const Tensor* tensor : pass.model.layout().tensors()) {
    if (tensor->layer != layer) continue;
    for (const T g : pass.gradient.subspan(tensor->offset, tensor->size())) sum += static_cast<double>(g) * static_cast<double>(g);
  }
  return 0.5 * std::log10(sum);
}

}  // namespace

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
template void probe_layers(const Pass<float>&, std::int64_t, std::vector<LayerRow>&);
template void probe_layers(const Pass<double>&, std::int64_t, std::vector<LayerRow>&);

namespace {

template <class T>
class Layers final : public Probe<T> {
 public:
  explicit Layers(std::int64_t every) : every_(every) {}
  ProbeNeeds needs() const override { return {.activations = true}; }
  bool is_due(const Schedule& now) const override { return now.is_due(every_); }
  std::int64_t most_row_bytes(const Schedule& run, const Pass<T>& pass) const override {
    return run.times(every_) * pass.model.layer_count() * static_cast<std::int64_t>(sizeof(LayerRow));
  }
  void look(const Pass<T>& pass, const Schedule& now, RunReport& report) override { probe_layers(pass, now.update(), report.layers); }

 private:
  const std::int64_t every_;
};

template <class T>
std::unique_ptr<Probe<T>> make(const RunSpec& spec, const Options&, const Model<T>&) {
  return spec.probe.layers ? std::make_unique<Layers<T>>(spec.probe.every) : nullptr;
}

}  // namespace

ProbeEntry layers_probe() {
  return {"layers", "activations and gradient norms of every layer (layers.csv)", make_options<NoOptions>, make<float>, make<double>};
}

}  // namespace vp
