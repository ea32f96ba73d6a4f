#include "models/model_kinds.h"

#include <algorithm>
#include <array>
#include <type_traits>

#include "models/sequence_model.h"

namespace vp {
namespace {

std::unique_ptr<Options> no_options() { return std::make_unique<NoOptions>(); }

template <class Kind, class T>
std::unique_ptr<Model<T>> make(const RunSpec& spec, const SequenceShape& shape, std::int64_t rows) {
  return std::make_unique<Kind>(spec, shape, rows);
}

ParameterLayout layout_of_sequence(const RunSpec& spec, const SequenceShape& shape) {
  return sequence_layout(spec.model, spec.cell_options.get(), shape);
}

const std::array<ModelKind, 1> kKinds = {{
    {"sequence", "recurrent layers over time and a linear readout", no_options, layout_of_sequence, sequence_engine,
     make<SequenceModel<float>, float>, make<SequenceModel<double>, double>},
}};

const ModelKind& kind_of(const RunSpec& spec) { return *find_model_kind(spec.model.kind); }

}  // namespace

std::span<const ModelKind> model_kinds() { return kKinds; }

const ModelKind* find_model_kind(std::string_view name) {
  const auto it = std::ranges::find(kKinds, name, &ModelKind::name);
  return it == kKinds.end() ? nullptr : &*it;
}

std::string engine_name(const RunSpec& spec) {
  if (spec.engine.backend != "auto") return spec.engine.backend;
  return spec.engine.precision == "f64" ? "reference" : kind_of(spec).default_engine(spec);
}

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
