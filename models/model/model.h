// What training, probes, inspection and checkpoints need of a model, whatever its kind, in two halves: Model holds what all shards share
// (parameters, packed weights), ModelShard (shard.h) what one shard of the batch needs (states, signals, its own gradient).
//
// To add a kind: one that derives from both, and a line in model_kinds.cpp. Thread-safety: a Model is read only between two pack().
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "kernels/backend/backend.h"
#include "kernels/memory/aligned_buffer.h"
#include "models/parameters/parameters.h"
#include "models/spec/batch_source.h"
#include "models/spec/phase_clock.h"
#include "models/spec/spec.h"

namespace vp {

template <class T>
class ModelShard;

template <class T>
class Model {
 public:
  virtual ~Model() = default;
  Model(const Model&) = delete;
  Model& operator=(const Model&) = delete;

  // After the parameters have changed: items 0 .. pack_items()-1 are independent and may run in parallel.
  virtual std::int64_t pack_items() const = 0;
  virtual void pack(std::int64_t item) = 0;
  void pack_all() {
    for (std::int64_t item = 0; item < pack_items(); ++item) pack(item);
  }
  // The model outlives it.
  virtual std::unique_ptr<ModelShard<T>> make_shard(std::int64_t rows) const = 0;

  // Shards that one thread works on, forward, and, once their losses are known, ModelShard::backward_signals(): one after the other, or
  // layer by layer, so that weights come into the near cache once. Bits are the same.
  virtual void forward(std::span<ModelShard<T>* const> shards, PhaseClock& clock) const;
  virtual void backward_signals(std::span<ModelShard<T>* const> shards, PhaseClock& clock) const;
  virtual bool layer_by_layer() const { return false; }

  // All parameters in order; empty: every shard makes the gradients of all of them.
  virtual std::vector<GradientPiece> gradient_pieces() const { return {}; }

  // Layers as the probes see them: time steps of each (1 where there is no time), and whether they have a c beside h.
  virtual std::int64_t layer_count() const = 0;
  virtual std::int64_t layer_steps() const = 0;
  virtual bool has_time() const { return true; }
  virtual bool has_cell_state() const = 0;

  const SequenceShape& shape() const { return shape_; }
  const ParameterLayout& layout() const { return layout_; }
  T* parameters() { return parameters_.data(); }
  const T* parameters() const { return parameters_.data(); }
  Backend<T>& backend() const { return *backend_; }
  bool relu_outputs() const { return relu_outputs_; }  // model.output = "relu"
  // model.output = "sigmoid" where targets are classes: a yes or no for each of them.
  bool one_against_all() const { return one_against_all_; }

 protected:
  // Draws the initial parameters from train.seed.
  Model(const RunSpec& spec, const SequenceShape& shape, ParameterLayout layout, std::unique_ptr<Backend<T>> backend);

 private:
  SequenceShape shape_;
  ParameterLayout layout_;
  std::unique_ptr<Backend<T>> backend_;
  AlignedBuffer<T> parameters_;  // flat
  bool relu_outputs_, one_against_all_;
};

// The engine of a run: run.backend; where that is "auto", "reference" in f64, else what its kind of model says.
std::string engine_of(const RunSpec& spec, std::string (*default_engine)(const RunSpec&));

}  // namespace vp
