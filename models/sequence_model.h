// A recurrent model with a linear readout, at the last step or at every step (model.h, shard.h).
#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "kernels/backend.h"
#include "kernels/views.h"
#include "models/batch_source.h"
#include "models/cell.h"
#include "models/model.h"
#include "models/parameters.h"
#include "models/readout.h"
#include "models/recurrent_layer.h"
#include "models/shard.h"
#include "models/spec.h"

namespace vp {

// What run.backend = "auto" stands for.
std::string sequence_engine(const RunSpec& spec);

template <class T>
class SequenceModel final : public Model<T> {
 public:
  // `rows`: of a full shard; weights are laid out for it. Draws the initial parameters from seed; pack() is the caller's.
  SequenceModel(const RunSpec& spec, const SequenceShape& shape, std::int64_t rows);

  std::int64_t pack_items() const override { return layer_count() + 1; }
  void pack(std::int64_t item) override;
  std::unique_ptr<ModelShard<T>> make_shard(std::int64_t rows) const override;
  std::int64_t layer_count() const override { return static_cast<std::int64_t>(layers_.size()); }
  std::int64_t layer_steps() const override { return this->shape().steps; }
  bool has_cell_state() const override { return cell_->has_cell_state(); }

  const Cell<T>& cell() const { return *cell_; }
  const LayerWeights<T>& layer(std::int64_t l) const { return *layers_[l]; }
  const ReadoutWeights<T>& readout() const { return *readout_; }
  // Steps a shard of `rows` rows holds at a time: all, or train.checkpoint_every_steps rounded up to whole chunks.
  std::int64_t segment_steps(std::int64_t rows) const;

 private:
  std::unique_ptr<Cell<T>> cell_;
  std::vector<std::unique_ptr<LayerWeights<T>>> layers_;
  std::unique_ptr<ReadoutWeights<T>> readout_;
  std::int64_t checkpoint_every_steps_;
};

template <class T>
class SequenceShard final : public ModelShard<T> {
 public:
  SequenceShard(const SequenceModel<T>& model, std::int64_t rows);

  void forward(PhaseClock& clock) override;
  void backward(PhaseClock& clock) override;
  RecurrentLayer<T>& layer(std::int64_t l) { return *layers_[l]; }
  const RecurrentLayer<T>& layer(std::int64_t l) const override { return *layers_[l]; }
  void measure_activations(bool on) override;
  void measure_slopes(bool on) override;
  void keep_traces(std::int64_t rows) override;
  void keep_hidden_gradients() override;

 private:
  using ModelShard<T>::rows_, ModelShard<T>::targets_, ModelShard<T>::input_, ModelShard<T>::logits_, ModelShard<T>::dlogits_,
      ModelShard<T>::gradient_;

  std::set<std::string> implementation_names() const override;
  std::int64_t own_bytes() const override;
  Segment segment(std::int64_t index) const;
  const T* layer_input(std::int64_t l, Segment segment) const;
  // The part of a segment that has targets, as positions in logits_; its states begin with target_states().
  Segment targets_of(Segment segment) const;
  void forward_again(Segment segment, PhaseClock& clock);
  void backward(Segment segment, PhaseClock& clock);

  const SequenceModel<T>& model_;
  std::vector<std::unique_ptr<RecurrentLayer<T>>> layers_;
  Readout<T> readout_;
  std::int64_t segment_steps_, segments_, held_ = 0;  // held_: the segment whose states are in place
  AlignedBuffer<T> dh_;                               // (targets of a segment, B, H)
};

}  // namespace vp
