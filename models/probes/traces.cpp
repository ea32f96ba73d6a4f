#include <algorithm>

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

}  // namespace vp
