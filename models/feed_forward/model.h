// A feed-forward net (model.kind = "mlp" or "cnn"): a sample goes in whole, its time steps one behind the other, and through the layers of
// a plan. See model.h and shard.h.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "models/feed_forward/layer.h"
#include "models/model/model.h"
#include "models/model/shard.h"

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
  void forward(std::span<ModelShard<T>* const> shards, PhaseClock& clock) const override;
  void backward_signals(std::span<ModelShard<T>* const> shards, PhaseClock& clock) const override;
  bool layer_by_layer() const override { return turned_channels_ == 0; }  // images are larger than the weights they meet
  std::vector<GradientPiece> gradient_pieces() const override;
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

// The products that make the weight gradients of dense layers, by the rows of the shard they are made of.
template <class T>
class WeightProducts {
 public:
  void prepare(Backend<T>& backend, std::int64_t units, std::int64_t inputs, std::int64_t rows, Scratch<T>& scratch);
  // For dweight (units, inputs) = or += dz (rows, units)^T x (rows, inputs).
  Product<T>& product(std::int64_t units, std::int64_t inputs, std::int64_t rows, bool add);
  std::set<std::string> implementations() const;

 private:
  struct Pair {
    std::unique_ptr<Product<T>> set, add;
  };
  std::map<std::array<std::int64_t, 3>, Pair> products_;  // by units, inputs, rows
};

template <class T>
class FeedForwardShard final : public ModelShard<T> {
 public:
  FeedForwardShard(const FeedForwardModel<T>& model, std::int64_t rows);

  void forward(PhaseClock& clock) override;
  // Layers in order, and in reverse order. leaves: the next layer is this thread's next work, and its weights may be fetched.
  void forward(std::int64_t layer, bool leaves, PhaseClock& clock);
  void backward(PhaseClock& clock) override;
  void backward_signals(std::int64_t layer, bool leaves, PhaseClock& clock);
  void backward_signals(PhaseClock& clock) override;
  void prepare_pieces(std::span<const std::int64_t> rows) override;
  void add_piece(const GradientPiece& piece, const ModelShard<T>& shard, bool add, std::span<const T> changes, T* sum) override;
  const FeedForwardLayer<T>& layer(std::int64_t l) const override { return *layers_[l]; }
  void measure_activations(bool on) override;
  void keep_hidden_gradients() override;

 private:
  using ModelShard<T>::rows_, ModelShard<T>::input_, ModelShard<T>::logits_, ModelShard<T>::dlogits_, ModelShard<T>::gradient_;

  std::set<std::string> implementation_names() const override;
  const T* layer_input(std::int64_t l) const;

  const FeedForwardModel<T>& model_;
  Scratch<T> scratch_;
  std::vector<std::unique_ptr<FeedForwardLayer<T>>> layers_;
  std::vector<GradientPiece> pieces_;  // Model::gradient_pieces
  WeightProducts<T> products_;
  AlignedBuffer<T> flat_;                 // (B, T*I): the input, where it has several steps
  AlignedBuffer<T> turned_;               // (B, C*Y*X): what the readout of a cnn sees
  AlignedBuffer<T> signals_[2];           // (B, widest)
  T* above_ = nullptr;                    // dL/d(output of the layer that is next in backward_signals())
  AlignedBuffer<T> dz_;                   // (B, widest)
  AlignedBuffer<std::int32_t> exponent_;  // (B)
};

}  // namespace vp
