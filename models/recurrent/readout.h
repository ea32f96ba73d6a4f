// The linear readout of one shard: logits = h W^T + b for the steps that have a target, and the way back.
//
// Works on chunks of steps like the layers below it (layer_weights.h), so that its sums over time have one order. Thread-safety: belongs to
// one shard slot.
#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <string>

#include "kernels/backend/backend.h"
#include "models/recurrent/layer_weights.h"

namespace vp {

// Shared by all shards: pack() once per update.
template <class T>
struct ReadoutWeights {
  ReadoutWeights(Backend<T>& backend, const ParameterLayout& layout, std::int64_t rows, std::int64_t chunk_steps);
  void pack(const T* parameters);

  Tensor weight, bias;
  const T* bias_values = nullptr;  // (C), in the flat array
  std::unique_ptr<PackedWeights<T>> forward, backward;
};

template <class T>
class Readout {
 public:
  // steps: that have a target, 1 or T.
  // chunk_steps: steps of a product, at most; 0: as many as the layers take.
  Readout(Backend<T>& backend, const ReadoutWeights<T>& weights, std::int64_t steps, std::int64_t rows, std::int64_t chunk_steps = 0);

  // h (steps, B, H), logits (steps, B, C), both of steps first .. first+steps-1, first a multiple of the chunk.
  void forward(std::int64_t first, std::int64_t steps, const T* h, T* logits);
  // Adds to the flat `gradients`; dh (steps, B, H) is overwritten.
  void backward(std::int64_t first, std::int64_t steps, const T* h, const T* dlogits, T* gradients, T* dh) {
    add_gradients(first, steps, h, dlogits, gradients);
    signal(first, steps, dlogits, dh);
  }
  // Its two halves.
  void add_gradients(std::int64_t first, std::int64_t steps, const T* h, const T* dlogits, T* gradients);
  void signal(std::int64_t first, std::int64_t steps, const T* dlogits, T* dh);
  std::set<std::string> implementations() const;

 private:
  struct ChunkProducts {
    std::unique_ptr<Product<T>> forward, backward, weight;
  };
  ChunkProducts make_chunk(Backend<T>& backend, std::int64_t steps);
  ChunkProducts& chunk_of(std::int64_t first) { return first + chunk_steps_ <= steps_ ? full_ : rest_; }

  const ReadoutWeights<T>& weights_;
  const PointwiseKernels<T>& kernels_;
  std::int64_t steps_, rows_, hidden_, outputs_, chunk_steps_;
  ChunkProducts full_, rest_;
};

}  // namespace vp
