// The families of models one can choose (model.kind). To add one: its files, and a line in model_kinds.cpp.
// Thread-safety: the list is constant.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "models/model/model.h"

namespace vp {

struct ModelKind {
  std::string_view name;
  std::string_view description;
  bool has_time;                               // layers are recurrent: cells, states, steps
  bool takes_images;                           // and nothing else
  bool (*has_core_key)(std::string_view key);  // see has_core_key() below
  // Empty if nets of this kind can learn from the source; else what does not fit, and what would.
  std::string (*misfit)(const RunSpec& spec, const BatchSource& source);
  std::unique_ptr<Options> (*make_options)();  // keys that only this kind has
  ParameterLayout (*make_layout)(const RunSpec& spec, const SequenceShape& shape);
  std::string (*default_engine)(const RunSpec& spec);  // for run.backend = "auto" in f32
  std::unique_ptr<Model<float>> (*make_float)(const RunSpec& spec, const SequenceShape& shape, std::int64_t rows);
  std::unique_ptr<Model<double>> (*make_double)(const RunSpec& spec, const SequenceShape& shape, std::int64_t rows);
};

std::span<const ModelKind> model_kinds();
// Whether a core key (task.*, model.*, init.*, ...) means something to models of this kind.
bool has_core_key(std::string_view kind, std::string_view key);
const ModelKind* find_model_kind(std::string_view name);  // nullptr if there is none

// The engine of a run: run.backend, or what "auto" stands for (kernels/default_backend.h).
std::string engine_name(const RunSpec& spec);

// `rows`: of a full shard; weights are laid out for it. pack() is the caller's.
template <class T>
std::unique_ptr<Model<T>> make_model(const RunSpec& spec, const SequenceShape& shape, std::int64_t rows);

// Where the parameters of the model stand.
ParameterLayout make_layout(const RunSpec& spec, const SequenceShape& shape);

}  // namespace vp
