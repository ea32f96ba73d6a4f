#include "models/recurrent/readout.h"

#include <algorithm>

namespace vp {

template <class T>
ReadoutWeights<T>::ReadoutWeights(Backend<T>& backend, const ParameterLayout& layout, std::int64_t rows, std::int64_t chunk_steps)
    : weight(layout.find("readout.weight")), bias(layout.find("readout.bias")) {
  const std::int64_t m = rows * chunk_steps, outputs = weight.rows, hidden = weight.cols;
  forward = backend.make_weights({.m = m, .n = outputs, .k = hidden, .transpose_b = true, .bias = true});
  backward = backend.make_weights({.m = m, .n = hidden, .k = outputs});
}

template <class T>
void ReadoutWeights<T>::pack(const T* parameters) {
  forward->pack(parameters + weight.offset);
  backward->pack(parameters + weight.offset);
  bias_values = parameters + bias.offset;
}

template <class T>
Readout<T>::Readout(Backend<T>& backend, const ReadoutWeights<T>& weights, std::int64_t steps, std::int64_t rows, std::int64_t chunk_steps)
    : weights_(weights),
      kernels_(backend.pointwise()),
      steps_(steps),
      rows_(rows),
      hidden_(weights.weight.cols),
      outputs_(weights.weight.rows),
      chunk_steps_(std::min(steps, chunk_steps > 0 ? chunk_steps : steps_per_chunk(rows))) {
  full_ = make_chunk(backend, chunk_steps_);
  if (steps_ % chunk_steps_ != 0) rest_ = make_chunk(backend, steps_ % chunk_steps_);
}

template <class T>
typename Readout<T>::ChunkProducts Readout<T>::make_chunk(Backend<T>& backend, std::int64_t steps) {
  const std::int64_t m = steps * rows_;
  ChunkProducts chunk;
  chunk.forward = backend.make_product({.m = m, .n = outputs_, .k = hidden_, .transpose_b = true, .bias = true}, weights_.forward.get());
  chunk.backward = backend.make_product({.m = m, .n = hidden_, .k = outputs_}, weights_.backward.get());
  chunk.weight = backend.make_product({.m = outputs_, .n = hidden_, .k = m, .transpose_a = true, .accumulate = true}, nullptr);
  return chunk;
}

template <class T>
void Readout<T>::forward(std::int64_t first, std::int64_t steps, const T* h, T* logits) {
  for (std::int64_t s = 0; s < steps; s += chunk_steps_)
    chunk_of(first + s).forward->run(h + s * rows_ * hidden_, nullptr, weights_.bias_values, logits + s * rows_ * outputs_);
}

template <class T>
void Readout<T>::add_gradients(std::int64_t first, std::int64_t steps, const T* h, const T* dlogits, T* gradients) {
  for (std::int64_t s = (steps - 1) / chunk_steps_ * chunk_steps_; s >= 0; s -= chunk_steps_) {
    const T* d = dlogits + s * rows_ * outputs_;
    chunk_of(first + s).weight->run(d, h + s * rows_ * hidden_, nullptr, gradients + weights_.weight.offset);
    kernels_.add_column_sums(std::min(chunk_steps_, steps - s) * rows_, outputs_, d, gradients + weights_.bias.offset);
  }
}

template <class T>
void Readout<T>::signal(std::int64_t first, std::int64_t steps, const T* dlogits, T* dh) {
  for (std::int64_t s = 0; s < steps; s += chunk_steps_)
    chunk_of(first + s).backward->run(dlogits + s * rows_ * outputs_, nullptr, nullptr, dh + s * rows_ * hidden_);
}

template <class T>
std::set<std::string> Readout<T>::implementations() const {
  std::set<std::string> names;
  for (const ChunkProducts* chunk : {&full_, &rest_})
    for (const auto* product : {&chunk->forward, &chunk->backward, &chunk->weight})
      if (*product) names.insert((*product)->implementation());
  return names;
}

template struct ReadoutWeights<float>;
template struct ReadoutWeights<double>;
template class Readout<float>;
template class Readout<double>;

}  // namespace vp
