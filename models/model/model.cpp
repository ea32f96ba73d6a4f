#include "models/model/model.h"

#include <utility>

#include "models/model/shard.h"

namespace vp {

template <class T>
Model<T>::Model(const RunSpec& spec, const SequenceShape& shape, ParameterLayout layout, std::unique_ptr<Backend<T>> backend)
    : shape_(shape),
      layout_(std::move(layout)),
      backend_(std::move(backend)),
      parameters_(layout_.size),
      relu_outputs_(spec.model.output == "relu"),
      one_against_all_(spec.model.output == "sigmoid" && shape.target == TargetKind::kClasses) {
  initialize_parameters(layout_, spec.model, spec.init, static_cast<std::uint64_t>(spec.train.seed), parameters_.data());
}

std::string engine_of(const RunSpec& spec, std::string (*default_engine)(const RunSpec&)) {
  if (spec.engine.backend != "auto") return spec.engine.backend;
  return spec.engine.precision == "f64" ? "reference" : default_engine(spec);
}

template <class T>
void Model<T>::forward(std::span<ModelShard<T>* const> shards, PhaseClock& clock) const {
  for (ModelShard<T>* shard : shards) shard->forward(clock);
}

template <class T>
void Model<T>::backward_signals(std::span<ModelShard<T>* const> shards, PhaseClock& clock) const {
  for (ModelShard<T>* shard : shards) shard->backward_signals(clock);
}

template class Model<float>;
template class Model<double>;

}  // namespace vp
