// What is measured on a finished forward and backward pass. To add a probe: one file with a class that derives from Probe and
// `ProbeEntry <name>_probe()`, and its name in probe_list.cpp. Its rows go to a table of models/spec/report.h.
//
// Thread-safety: probes only read the pass, and belong to one run.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "models/model/model.h"
#include "models/model/shard.h"
#include "models/spec/fields.h"
#include "models/spec/report.h"
#include "models/spec/schedule.h"
#include "models/spec/spec.h"

namespace vp {

// A forward pass with measured activations and its backward pass, of one batch: shard s holds the rows behind those of shard s-1.
template <class T>
struct Pass {
  const Model<T>& model;
  std::span<const std::unique_ptr<ModelShard<T>>> shards;
  std::int64_t samples;         // leading rows that are looked at
  std::span<const T> gradient;  // of the whole batch, flat, before clipping
};

// What a pass must leave behind for a probe that looks at it.
struct ProbeNeeds {
  bool activations = false, slopes = false;
  std::int64_t traces = 0;  // leading rows of the batch
};

template <class T>
class Probe {
 public:
  virtual ~Probe() = default;
  virtual ProbeNeeds needs() const { return {}; }
  virtual bool is_due(const Schedule& now) const = 0;
  // Bytes of the rows that a run gives, at the most.
  virtual std::int64_t most_row_bytes(const Schedule& run, const Pass<T>& pass) const = 0;
  virtual void look(const Pass<T>& pass, const Schedule& now, RunReport& report) = 0;
};

struct ProbeEntry {
  std::string_view name;
  std::string_view description;
  std::unique_ptr<Options> (*make_options)();  // keys that only this probe has
  // nullptr where the run does not ask for it, or the model has nothing to look at. `options`: as make_options() makes them.
  std::unique_ptr<Probe<float>> (*make_float)(const RunSpec& spec, const Options& options, const Model<float>& model);
  std::unique_ptr<Probe<double>> (*make_double)(const RunSpec& spec, const Options& options, const Model<double>& model);
};

}  // namespace vp
