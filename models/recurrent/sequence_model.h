// A recurrent model with a linear readout (model.h), in any of the forms of recurrence (forms.h), and the shard of those whose steps follow
// from their inputs: many_to_one, many_to_many, stateful. The others have shards of their own: bidirectional_shard.h, decoder_shard.h.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "kernels/backend/backend.h"
#include "kernels/memory/aligned_buffer.h"
#include "models/cells/cell.h"
#include "models/model/model.h"
#include "models/model/shard.h"
#include "models/parameters/parameters.h"
#include "models/recurrent/embedding.h"
#include "models/recurrent/forms.h"
#include "models/recurrent/readout.h"
#include "models/recurrent/recurrent_layer.h"
#include "models/spec/batch_source.h"
#include "models/spec/spec.h"

namespace vp {

// What run.backend = "auto" stands for.
std::string sequence_engine(const RunSpec& spec);

template <class T>
class SequenceModel final : public Model<T> {
 public:
  using Weights = std::vector<std::unique_ptr<LayerWeights<T>>>;

  // `rows`: of a full shard; weights are laid out for it. Draws the initial parameters from seed; pack() is the caller's.
  SequenceModel(const RunSpec& spec, const SequenceShape& shape, std::int64_t rows);

  std::int64_t pack_items() const override;
  void pack(std::int64_t item) override;
  std::unique_ptr<ModelShard<T>> make_shard(std::int64_t rows) const override;
  std::int64_t layer_count() const override { return static_cast<std::int64_t>(layers_.size()); }
  std::int64_t layer_steps() const override { return this->shape().steps; }
  bool has_cell_state() const override { return cell_->has_cell_state(); }

  const Cell<T>& cell() const { return *cell_; }
  const LayerWeights<T>& layer(std::int64_t l) const { return *layers_[l]; }
  const Weights& layers() const { return layers_; }    // of the encoder, where there is a decoder
  const Weights& reverse() const { return reverse_; }  // bidirectional only
  const Weights& decoder() const { return decoder_; }  // sequence_to_sequence only
  const ReadoutWeights<T>& readout() const { return *readout_; }
  Form form() const { return form_; }
  bool teacher_forcing() const { return teacher_forcing_; }
  std::int64_t reset_every() const { return reset_every_; }
  // Steps a shard of `rows` rows holds at a time: all, or train.checkpoint_every_steps rounded up to whole chunks.
  std::int64_t segment_steps(std::int64_t rows) const;
  InputVectors<T> make_input_vectors(std::int64_t rows) const;

 private:
  void add_layers(Weights& weights, const ModelSpec& model, Part part, std::int64_t rows, bool first_needs_input_gradient);

  const Form form_;
  const bool teacher_forcing_;
  const std::int64_t reset_every_, embedding_;  // embedding_: its width, or 0
  std::unique_ptr<Cell<T>> cell_;
  Weights layers_, reverse_, decoder_;
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
  void start_from(std::int64_t l, std::int64_t, const T* h0, const T* c0) override { layer(l).start_from(h0, c0); }
  std::int64_t initial_gradients(std::int64_t l, std::int64_t, T* dh0, T* dc0) override { return layer(l).initial_gradients(dh0, dc0); }
  void keep_top_states() override { layers_.back()->keep_hidden_states(); }

 private:
  using ModelShard<T>::rows_, ModelShard<T>::targets_, ModelShard<T>::input_, ModelShard<T>::tokens_, ModelShard<T>::lengths_,
      ModelShard<T>::logits_, ModelShard<T>::dlogits_, ModelShard<T>::gradient_;

  std::set<std::string> implementation_names() const override;
  void begin(Split split, std::uint64_t first_sample) override;
  void keep_final_states();
  Segment segment(std::int64_t index) const;
  const T* layer_input(std::int64_t l, Segment segment) const;
  // The part of a segment that has targets, as positions in logits_; its states begin with target_states().
  Segment targets_of(Segment segment) const;
  void gather_last_states(Segment segment);
  void forward_again(Segment segment, PhaseClock& clock);
  SignalView<T> readout_backward(Segment segment);
  void backward(Segment segment, PhaseClock& clock);

  const SequenceModel<T>& model_;
  std::vector<std::unique_ptr<RecurrentLayer<T>>> layers_;
  Readout<T> readout_;
  InputVectors<T> vectors_;
  const T* first_input_ = nullptr;                    // (T, B, I) of the first layer
  const bool gathers_;                                // one target, and rows that end at steps of their own
  std::int64_t segment_steps_, segments_, held_ = 0;  // held_: the segment whose states are in place
  AlignedBuffer<T> dh_;                               // (targets of a segment, B, H)
  AlignedBuffer<T> last_h_;                           // (B, H): h at each row's last step, or empty
  AlignedBuffer<std::int32_t> last_step_;             // (B): that step, or empty
  // Streams: where the window before ended, of training and of evaluation; layers by layers, h and, where there is one, c, (B, H) each.
  std::array<AlignedBuffer<T>, 2> ends_;
  std::size_t stream_set_ = 0;  // of ends_, that the samples at hand go on
};

}  // namespace vp
