#include "models/model_kinds.h"

#include <algorithm>
#include <array>
#include <stdexcept>
#include <type_traits>

#include "models/feed_forward/model.h"
#include "models/recurrent/forms.h"
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

bool sequence_has(std::string_view key) { return !key.starts_with("init.hidden."); }

// What is of recurrent nets alone, but for model.*.
bool is_of_time(std::string_view key) {
  constexpr std::string_view kOfTime[] = {"init.recurrent.",  "init.bias.",      "init.embedding.", "train.checkpoint_every_steps",
                                          "train.recurrence", "probe.timesteps", "probe.loss_at",   "probe.spectra",
                                          "probe.trace"};
  return std::ranges::any_of(kOfTime, [key](std::string_view start) { return key.starts_with(start); });
}

bool cnn_has(std::string_view key) {
  if (key.starts_with("model.")) return key == "model.kind" || key == "model.activation" || key == "model.output";
  return !is_of_time(key);
}

bool mlp_has(std::string_view key) { return cnn_has(key) || key == "model.layers" || key == "model.hidden"; }

// A net that sees a sample whole.
std::string feed_forward_misfit(const RunSpec& spec, const BatchSource& source) {
  const SequenceShape shape = source.shape();
  const std::string kind = "model.kind = \"" + spec.model.kind + "\": ";
  if (shape.target_every_step) return kind + "the task has a target at every step; take model.kind = \"sequence\"";
  if (shape.vocabulary > 0) return kind + "the task gives words; take model.kind = \"sequence\"";
  if (shape.variable_length) return kind + "samples have lengths of their own; take model.kind = \"sequence\"";
  try {
    make_plan(spec, shape);
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "";
}

const std::array<ModelKind, 3> kKinds = {{
    {.name = "sequence",
     .description = "recurrent layers over time and a linear readout",
     .has_time = true,
     .takes_images = false,
     .has_core_key = sequence_has,
     .misfit = check_form,
     .make_options = make_options<NoOptions>,
     .make_layout = layout_of_sequence,
     .default_engine = sequence_engine,
     .make_float = make<SequenceModel<float>, float>,
     .make_double = make<SequenceModel<double>, double>},
    {.name = "mlp",
     .description = "dense layers; a sample's inputs of all steps come in at once",
     .has_time = false,
     .takes_images = false,
     .has_core_key = mlp_has,
     .misfit = feed_forward_misfit,
     .make_options = make_options<MlpOptions>,
     .make_layout = layout_of_plan,
     .default_engine = feed_forward_engine,
     .make_float = make<FeedForwardModel<float>, float>,
     .make_double = make<FeedForwardModel<double>, double>},
    {.name = "cnn",
     .description = "convolutions with pooling over images, and a dense readout",
     .has_time = false,
     .takes_images = true,
     .has_core_key = cnn_has,
     .misfit = feed_forward_misfit,
     .make_options = make_options<CnnOptions>,
     .make_layout = layout_of_plan,
     .default_engine = feed_forward_engine,
     .make_float = make<FeedForwardModel<float>, float>,
     .make_double = make<FeedForwardModel<double>, double>},
}};

const ModelKind& kind_of(const RunSpec& spec) { return *find_model_kind(spec.model.kind); }

}  // namespace

std::span<const ModelKind> model_kinds() { return kKinds; }

const ModelKind* find_model_kind(std::string_view name) {
  const auto it = std::ranges::find(kKinds, name, &ModelKind::name);
  return it == kKinds.end() ? nullptr : &*it;
}

bool has_core_key(std::string_view kind, std::string_view key) {
  const ModelKind* found = find_model_kind(kind);
  return found != nullptr && found->has_core_key(key);
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
