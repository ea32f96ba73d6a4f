// traces.csv: gates and states of single units at every step.
#include <algorithm>
#include <utility>

#include "models/probes/probes.h"

namespace vp {
namespace {

// The rows of one layer and sample: by step, then quantity, then unit.
template <class T>
void trace_sample(const Layer<T>& layer, std::int64_t shard_row, std::int64_t steps, std::int64_t units, TraceRow row,
                  std::vector<TraceRow>& rows) {
  const auto names = layer.trace_names();
  for (row.t = 0; row.t < steps; ++row.t)
    for (std::size_t name = 0; name < names.size(); ++name) {
      const T* values = layer.trace(name, row.t, shard_row);
      row.quantity = names[name];
      for (row.unit = 0; row.unit < units; ++row.unit) {
        row.value = static_cast<double>(values[row.unit]);
        rows.push_back(row);
      }
    }
}

}  // namespace

template <class T>
void probe_traces(const Pass<T>& pass, std::int64_t update, std::int64_t samples, std::int64_t units, std::vector<TraceRow>& rows) {
  for (std::int64_t l = 0; l < pass.model.layer_count(); ++l) {
    std::int64_t sample = 0;
    for (const auto& shard : pass.shards) {
      const Layer<T>& layer = shard->layer(l);
      const std::int64_t shown = units == 0 ? layer.hidden() : std::min(units, layer.hidden());
      for (std::int64_t b = 0; b < layer.rows() && sample < samples; ++b, ++sample)
        trace_sample(layer, b, std::min(layer.steps(), shard->length(b)), shown, {.update = update, .layer = l, .sample = sample}, rows);
    }
  }
}

template void probe_traces(const Pass<float>&, std::int64_t, std::int64_t, std::int64_t, std::vector<TraceRow>&);
template void probe_traces(const Pass<double>&, std::int64_t, std::int64_t, std::int64_t, std::vector<TraceRow>&);

namespace {

template <class T>
class Traces final : public Probe<T> {
 public:
  Traces(const ProbeSpec& spec, std::int64_t batch) : spec_(spec), batch_(batch) {}
  ProbeNeeds needs() const override { return {.traces = spec_.traces}; }
  bool is_due(const Schedule& now) const override { return now.is_due(spec_.every); }
  std::int64_t most_row_bytes(const Schedule& run, const Pass<T>& pass) const override {
    std::int64_t rows = 0;
    for (std::int64_t l = 0; l < pass.model.layer_count(); ++l) {
      const Layer<T>& layer = std::as_const(*pass.shards[0]).layer(l);
      const std::int64_t units = spec_.trace_units > 0 ? std::min(spec_.trace_units, layer.hidden()) : layer.hidden();
      rows += std::min(spec_.traces, batch_) * layer.steps() * units * std::ssize(layer.trace_names());
    }
    return run.times(spec_.every) * rows * static_cast<std::int64_t>(sizeof(TraceRow));
  }
  void look(const Pass<T>& pass, const Schedule& now, RunReport& report) override {
    probe_traces(pass, now.update(), spec_.traces, spec_.trace_units, report.traces);
  }

 private:
  const ProbeSpec& spec_;
  const std::int64_t batch_;
};

template <class T>
std::unique_ptr<Probe<T>> make(const RunSpec& spec, const Options&, const Model<T>&) {
  return spec.probe.traces > 0 ? std::make_unique<Traces<T>>(spec.probe, spec.train.batch) : nullptr;
}

}  // namespace

ProbeEntry traces_probe() {
  return {"traces", "gates and states of single units at every step (traces.csv)", make_options<NoOptions>, make<float>, make<double>};
}

}  // namespace vp
