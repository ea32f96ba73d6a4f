// A feed-forward net (model.kind = "mlp" or "cnn"): a sample goes in whole, its time steps one behind the other, and through the layers of
// a plan. See model.h and shard.h.
#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "models/feed_forward_layer.h"
#include "models/model.h"
#include "models/shard.h"

namespace vp {

// What run.backend = "auto" stands for.
std::string feed_forward_engine(const RunSpec& spec);

template <class T>
class FeedForwardModel final : public Model<T> {
 public:
  FeedForwardModel(const RunSpec& spec, const SequenceShape& shape, std::int64_t rows)
      : FeedForwardModel(spec, shape, rows, make_plan(spec, shape)) {}

  std::int64_t pack_items() const override { return static_cast<std::int64_t>(layers_.size()); }
  void pack(std::int64_t item) override { layers_[item]->pack(this->parameters()); }
  std::unique_ptr<ModelShard<T>> make_shard(std::int64_t rows) const override;
  std::int64_t layer_count() const override { return static_cast<std::int64_t>(layers_.size()) - 1; }  // without the output layer
  std::int64_t layer_steps() const override { return 1; }
  bool has_time() const override { return false; }
  bool has_cell_state() const override { return false; }

  const FeedForwardWeights<T>& layer(std::int64_t l) const { return *layers_[l]; }
  std::int64_t turned_channels() const { return turned_channels_; }  // FeedForwardPlan
  std::uint64_t seed() const { return seed_; }

 private:
  FeedForwardModel(const RunSpec& spec, const SequenceShape& shape, std::int64_t rows, FeedForwardPlan plan);

  std::vector<std::unique_ptr<FeedForwardWeights<T>>> layers_;
  std::int64_t turned_channels_;
  std::uint64_t seed_;
};

template <class T>
class FeedForwardShard final : public ModelShard<T> {
 public:
  FeedForwardShard(const FeedForwardModel<T>& model, std::int64_t rows);

  void forward(PhaseClock& clock) override;
  void backward(PhaseClock& clock) override;
  const FeedForwardLayer<T>& layer(std::int64_t l) const override { return *layers_[l]; }
  void measure_activations(bool on) override;
  void keep_hidden_gradients() override;

 private:
  using ModelShard<T>::rows_, ModelShard<T>::input_, ModelShard<T>::logits_, ModelShard<T>::dlogits_, ModelShard<T>::gradient_;

  std::set<std::string> implementation_names() const override;
  std::int64_t own_bytes() const override;
  const T* layer_input(std::size_t l) const;

  const FeedForwardModel<T>& model_;
  std::vector<std::unique_ptr<FeedForwardLayer<T>>> layers_;
  AlignedBuffer<T> flat_;                 // (B, T*I): the input, where it has several steps
  AlignedBuffer<T> turned_;               // (B, C*Y*X): what the readout of a cnn sees
  AlignedBuffer<T> signals_[2];           // (B, widest)
  AlignedBuffer<T> dz_;                   // (B, widest)
  AlignedBuffer<std::int32_t> exponent_;  // (B)
};

}  // namespace vp
