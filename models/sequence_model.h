// A recurrent model with a linear readout, at the last step or at every step, in two halves:
// SequenceModel holds what all shards share (parameters, packed weights), SequenceShard what one shard of the batch needs (states, signals,
// its own gradient). Thread-safety: a SequenceModel is read only between two pack(); a SequenceShard is used by one thread at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "kernels/backend.h"
#include "kernels/views.h"
#include "models/batch_source.h"
#include "models/cell.h"
#include "models/parameters.h"
#include "models/readout.h"
#include "models/recurrent_layer.h"
#include "models/spec.h"

namespace vp {

// The engine of a run: run.backend, or what "auto" stands for (default_engine.h).
std::string engine_name(const RunSpec& spec);

template <class T>
class SequenceModel {
 public:
  // `rows`: of a full shard; weights are laid out for it. Draws the initial parameters from seed; pack() is the caller's.
  SequenceModel(const RunSpec& spec, const SequenceShape& shape, std::int64_t rows);

  // After the parameters have changed: items 0 .. pack_items()-1 are independent and may run in parallel.
  std::int64_t pack_items() const { return static_cast<std::int64_t>(layers_.size()) + 1; }
  void pack(std::int64_t item);
  void pack_all();

  const SequenceShape& shape() const { return shape_; }
  const ParameterLayout& layout() const { return layout_; }
  T* parameters() { return parameters_.data(); }
  const T* parameters() const { return parameters_.data(); }
  Backend<T>& backend() const { return *backend_; }
  const Cell<T>& cell() const { return *cell_; }
  const LayerWeights<T>& layer(std::int64_t l) const { return *layers_[l]; }
  std::int64_t layer_count() const { return static_cast<std::int64_t>(layers_.size()); }
  const ReadoutWeights<T>& readout() const { return *readout_; }
  // Steps a shard of `rows` rows holds at a time: all, or train.checkpoint_every_steps rounded up to whole chunks.
  std::int64_t segment_steps(std::int64_t rows) const;

 private:
  SequenceShape shape_;
  ParameterLayout layout_;
  std::unique_ptr<Backend<T>> backend_;
  std::unique_ptr<Cell<T>> cell_;
  AlignedBuffer<T> parameters_;
  std::vector<std::unique_ptr<LayerWeights<T>>> layers_;
  std::unique_ptr<ReadoutWeights<T>> readout_;
  std::int64_t checkpoint_every_steps_;
};

// Sums over the rows of a shard.
struct ShardScore {
  double loss = 0;     // sum of row losses (mean over the steps where there is a target at each)
  double correct = 0;  // rows (shares of steps) that count as correct
};

enum class LossAt : std::uint8_t { kTask, kLastStep };

template <class T>
class SequenceShard {
 public:
  SequenceShard(const SequenceModel<T>& model, std::int64_t rows);

  std::int64_t rows() const { return rows_; }
  // Fills input and target of samples.size() <= rows() rows; the rows behind repeat the last sample, and score() leaves them out.
  void fill(const BatchSource& source, Split split, std::span<const std::uint64_t> samples, PhaseClock& clock);
  // Instead of fill(): the caller has put all rows into input() and classes() or values().
  void mark_filled(PhaseClock& clock);
  void forward(PhaseClock& clock);
  // Loss and hits of the filled rows; leaves dL/dlogits for a batch of `batch_rows` rows behind.
  ShardScore score(std::int64_t batch_rows, LossAt at, PhaseClock& clock);
  // After forward() and score(): overwrites gradient() with the parameter gradients of this shard.
  void backward(PhaseClock& clock);

  T* gradient() { return gradient_.data(); }
  const T* gradient() const { return gradient_.data(); }
  RecurrentLayer<T>& layer(std::int64_t l) { return *layers_[l]; }
  const RecurrentLayer<T>& layer(std::int64_t l) const { return *layers_[l]; }
  void measure_activations(bool on);
  std::span<T> input() { return input_.span(); }
  std::span<const T> logits() const { return logits_.span(); }
  std::span<std::int32_t> classes() { return classes_.span(); }
  std::span<T> values() { return values_.span(); }
  PhaseSeconds& seconds() { return seconds_; }
  const PhaseSeconds& seconds() const { return seconds_; }
  std::vector<std::string> implementations() const;  // of its products, sorted, without repeats
  void keep_hidden_gradients();
  std::int64_t bytes() const;  // of its arrays

 private:
  Segment segment(std::int64_t index) const;
  const T* layer_input(std::int64_t l, Segment segment) const;
  // The part of a segment that has targets, as positions in logits_; its states begin with target_states().
  Segment targets_of(Segment segment) const;
  void forward_again(Segment segment, PhaseClock& clock);
  void backward(Segment segment, PhaseClock& clock);
  void loss_rows(T scale);
  double correct_share(std::int64_t row) const;
  bool is_correct(std::int64_t logit_row) const;

  const SequenceModel<T>& model_;
  std::int64_t rows_, filled_ = 0, targets_;  // targets_: steps that have a target, 1 or T
  std::vector<std::unique_ptr<RecurrentLayer<T>>> layers_;
  Readout<T> readout_;
  std::int64_t segment_steps_, segments_, held_ = 0;  // held_: the segment whose states are in place
  AlignedBuffer<T> input_;                            // (T, B, I)
  AlignedBuffer<float> staging_;                      // (T, B, I) and values, where T is not float
  AlignedBuffer<std::int32_t> classes_;               // (targets, B)
  AlignedBuffer<T> values_;                           // (targets, B, C)
  AlignedBuffer<T> logits_, dlogits_;                 // (targets, B, C)
  AlignedBuffer<double> row_loss_;                    // (targets, B)
  AlignedBuffer<T> dh_;                               // (targets of a segment, B, H)
  AlignedBuffer<T> gradient_;                         // flat
  PhaseSeconds seconds_{};
};

}  // namespace vp
