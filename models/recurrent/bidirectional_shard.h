// The shard of a bidirectional model: every layer reads from both ends, and both outputs go up side by side. One readout at the end takes
// the last state of each direction, as PyTorch's h_n: that of the reverse one has read the sequence down to its first step.
#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "models/recurrent/bidirectional_layer.h"
#include "models/recurrent/sequence_model.h"

namespace vp {

template <class T>
class BidirectionalShard final : public ModelShard<T> {
 public:
  BidirectionalShard(const SequenceModel<T>& model, std::int64_t rows);

  void forward(PhaseClock& clock) override;
  void backward(PhaseClock& clock) override;
  BidirectionalLayer<T>& layer(std::int64_t l) { return *layers_[l]; }
  const BidirectionalLayer<T>& layer(std::int64_t l) const override { return *layers_[l]; }
  void measure_activations(bool on) override;
  void keep_hidden_gradients() override;
  void start_from(std::int64_t l, std::int64_t direction, const T* h0, const T* c0) override {
    layer(l).direction(direction == 1).start_from(h0, c0);
  }
  std::int64_t initial_gradients(std::int64_t l, std::int64_t direction, T* dh0, T* dc0) override {
    return layer(l).direction(direction == 1).initial_gradients(dh0, dc0);
  }

 private:
  using ModelShard<T>::rows_, ModelShard<T>::targets_, ModelShard<T>::input_, ModelShard<T>::tokens_, ModelShard<T>::lengths_,
      ModelShard<T>::logits_, ModelShard<T>::dlogits_, ModelShard<T>::gradient_;

  std::set<std::string> implementation_names() const override;
  const T* layer_input(std::int64_t l) const { return l == 0 ? first_input_ : layers_[l - 1]->outputs(); }

  const SequenceModel<T>& model_;
  std::vector<std::unique_ptr<BidirectionalLayer<T>>> layers_;
  Readout<T> readout_;
  InputVectors<T> vectors_;
  const T* first_input_ = nullptr;         // (T, B, I) of the first layer
  AlignedBuffer<T> last_h_;                // (B, 2H), or empty: a target at every step
  AlignedBuffer<std::int32_t> last_step_;  // (B), or empty
  AlignedBuffer<T> dh_;                    // (targets, B, 2H)
};

}  // namespace vp
