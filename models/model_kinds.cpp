#include "models/model_kinds.h"

#include <algorithm>
#include <array>
#include <type_traits>

#include "models/feed_forward/model.h"
#include "models/recurrent/sequence_layout.h"
#include "models/recurrent/sequence_model.h"

namespace vp {
namespace {

template <class Kind, class T>
std::unique_ptr<Model<T>> make(const RunSpec& spec, const SequenceShape& shape, std::int64_t rows) {
  return std::make_unique<Kind>(spec, shape, rows);
}

ParameterLayout layout_of_sequence(const RunSpec& spec, const SequenceShape& shape) {
  return sequence_layout(spec.model, spec.cell_options.get(), shape);
}

ParameterLayout layout_of_plan(const RunSpec& spec, const SequenceShape& shape) { return make_plan(spec, shape).layout; }

const std::array<ModelKind, 3> kKinds = {{
    {"sequence", "recurrent layers over time and a linear readout", make_options<NoOptions>, layout_of_sequence, sequence_engine,
     make<SequenceModel<float>, float>, make<SequenceModel<double>, double>},
    {"mlp", "dense layers; a sample's inputs of all steps come in at once", make_options<MlpOptions>, layout_of_plan, feed_forward_engine,
     make<FeedForwardModel<float>, float>, make<FeedForwardModel<double>, double>},
    {"cnn", "convolutions with pooling over images, and a dense readout", make_options<CnnOptions>, layout_of_plan, feed_forward_engine,
     make<FeedForwardModel<float>, float>, make<FeedForwardModel<double>, double>},
}};

const ModelKind& kind_of(const RunSpec& spec) { return *find_model_kind(spec.model.kind); }

}  // namespace

std::span<const ModelKind> model_kinds() { return kKinds; }

const ModelKind* find_model_kind(std::string_view name) {
  const auto it = std::ranges::find(kKinds, name, &ModelKind::name);
  return it == kKinds.end() ? nullptr : &*it;
}

bool has_core_key(std::string_view kind, std::string_view key) {
  const auto starts = [key](std::string_view prefix) { return key.starts_with(prefix); };
  if (kind == "sequence") return !starts("init.hidden.");
  if (starts("model.")) {
    const bool sizes = key == "model.layers" || key == "model.hidden";
    return key == "model.kind" || key == "model.activation" || key == "model.output" || (kind == "mlp" && sizes);
  }
  for (const std::string_view of_time : {"init.recurrent.", "init.bias.", "init.embedding.", "train.checkpoint_every_steps",
                                         "train.recurrence", "probe.timesteps", "probe.loss_at", "probe.spectra", "probe.trace"})
    if (starts(of_time)) return false;
  return true;
}

std::string engine_name(const RunSpec& spec) { return engine_of(spec, kind_of(spec).default_engine); }

ParameterLayout make_layout(const RunSpec& spec, const SequenceShape& shape) { return kind_of(spec).make_layout(spec, shape); }

template <class T>
std::unique_ptr<Model<T>> make_model(const RunSpec& spec, const SequenceShape& shape, std::int64_t rows) {
  if constexpr (std::is_same_v<T, float>)
    return kind_of(spec).make_float(spec, shape, rows);
  else
    return kind_of(spec).make_double(spec, shape, rows);
}
template std::unique_ptr<Model<float>> make_model(const RunSpec&, const SequenceShape&, std::int64_t);
template std::unique_ptr<Model<double>> make_model(const RunSpec&, const SequenceShape&, std::int64_t);

}  // namespace vp
