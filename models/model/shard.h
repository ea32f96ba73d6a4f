// One shard of a batch: inputs and targets, outputs and their loss, and the gradient; how a model gets from one to the other is up to its
// kind. Thread-safety: used by one thread at a time. A steady-state step allocates nothing.
#pragma once

#include <atomic>
#include <cstdint>
#include <limits>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "kernels/memory/aligned_buffer.h"
#include "models/model/layer.h"
#include "models/model/model.h"
#include "models/spec/batch_source.h"
#include "models/spec/phase_clock.h"

namespace vp {

// Sums over the rows of a shard.
struct ShardScore {
  double loss = 0;     // sum of row losses (mean over the row's own steps where there is a target at each)
  double correct = 0;  // rows (shares of steps) that count as correct
};

enum class LossAt : std::uint8_t { kTask, kLastStep };

template <class T>
class ModelShard {
 public:
  virtual ~ModelShard() = default;
  ModelShard(const ModelShard&) = delete;
  ModelShard& operator=(const ModelShard&) = delete;

  std::int64_t rows() const { return rows_; }
  void set_update(std::int64_t update) { update_ = update; }  // that the next training samples are for
  // Fills input and target of samples.size() <= rows() rows; the rows behind repeat the last sample, and score() leaves them out. What
  // stands behind a row's end is overwritten by zeros, here and in mark_filled(): nothing else need know of it.
  void fill(const BatchSource& source, Split split, std::span<const std::uint64_t> samples, PhaseClock& clock);
  // Instead of fill(): the caller has put all rows into input() and classes() or values().
  void mark_filled(PhaseClock& clock);
  virtual void forward(PhaseClock& clock) = 0;
  // Loss and hits of the filled rows; leaves dL/dlogits for a batch of `batch_rows` rows behind.
  ShardScore score(std::int64_t batch_rows, LossAt at, PhaseClock& clock);
  // After forward() and score(): overwrites gradient() with the parameter gradients of this shard.
  virtual void backward(PhaseClock& clock) = 0;
  // The same but for the pieces (Model::gradient_pieces) that are made by add_piece().
  virtual void backward_signals(PhaseClock& clock) { backward(clock); }
  // Whether backward_signals() is done with `layer` and those above it. Any thread may ask; forget_signals() came before the pass.
  void forget_signals() { signals_from_.store(std::numeric_limits<std::int64_t>::max(), std::memory_order_relaxed); }
  bool has_signals(std::int64_t layer) const { return signals_from_.load(std::memory_order_acquire) <= layer; }
  // sum (the elements of `piece`) = the gradient of `shard`, which has the signals of the piece's layer, or, if `add`, += it. Works with
  // what this shard owns, whose thread it is; `changes` (or none) are values that will be changed next, and may be fetched meanwhile.
  // prepare_pieces() came first, with the rows of all shards there are.
  virtual void prepare_pieces(std::span<const std::int64_t> /*rows*/) {}
  virtual void add_piece(const GradientPiece& /*piece*/, const ModelShard& /*shard*/, bool /*add*/, std::span<const T> /*changes*/,
                         T* /*sum*/) {}

  virtual const Layer<T>& layer(std::int64_t l) const = 0;
  virtual void measure_activations(bool on) = 0;
  virtual void measure_slopes(bool) {}                // of layers that have one at each step
  virtual void keep_traces(std::int64_t /*rows*/) {}  // of the leading rows, from the next forward() on
  virtual void keep_hidden_gradients() = 0;

  // Of recurrent nets, which may be given the states to start from; the others have none. `direction` 1: the reverse one of a
  // bidirectional layer. Before forward(): h0 and c0 (rows, H), or nullptr for zeros.
  virtual void start_from(std::int64_t /*layer*/, std::int64_t /*direction*/, const T* /*h0*/, const T* /*c0*/) {}
  // After backward(): dL/dh0 and, where there is a cell state, dL/dc0 (rows, H), at full scale; returns the elements that left the range of
  // T thereby.
  virtual std::int64_t initial_gradients(std::int64_t /*layer*/, std::int64_t /*direction*/, T* /*dh0*/, T* /*dc0*/) { return 0; }
  // The top layer's h_t are kept, from the next forward() on: Layer::kept_hidden_states().
  virtual void keep_top_states() {}
  std::vector<std::string> implementations() const;  // of its products, sorted, without repeats

  T* gradient() { return gradient_.data(); }
  const T* gradient() const { return gradient_.data(); }
  std::span<T> input() { return input_.span(); }
  std::span<const T> logits() const { return logits_.span(); }
  std::span<std::int32_t> classes() { return classes_.span(); }
  std::span<T> values() { return values_.span(); }
  std::span<std::int32_t> tokens() { return tokens_.span(); }
  std::span<std::int32_t> lengths() { return lengths_.span(); }
  std::int64_t length(std::int64_t row) const { return lengths_[row]; }  // steps of the row
  PhaseSeconds& seconds() { return seconds_; }
  const PhaseSeconds& seconds() const { return seconds_; }

 protected:
  ModelShard(const Model<T>& model, std::int64_t rows);
  virtual std::set<std::string> implementation_names() const = 0;
  std::int64_t update() const { return update_; }
  void signals_done(std::int64_t layer) { signals_from_.store(layer, std::memory_order_release); }  // and those of the layers above it
  // Indices of the samples of all rows; empty if they are not for training, or unknown.
  std::span<const std::uint64_t> training_samples() const { return samples_.span().first(training_ ? samples_.size() : 0); }

  // Before the states of new samples are computed; first_sample: of row 0.
  virtual void begin(Split, std::uint64_t /*first_sample*/) {}

  std::int64_t rows_, filled_ = 0, targets_;  // targets_: steps that have a target
  AlignedBuffer<T> input_;                    // (T, B, I), or empty: tokens
  AlignedBuffer<std::int32_t> tokens_;        // (T, B), or empty
  AlignedBuffer<std::int32_t> lengths_;       // (B): T where all rows have all steps
  AlignedBuffer<std::int32_t> classes_;       // (targets, B)
  AlignedBuffer<T> values_;                   // (targets, B, C)
  AlignedBuffer<T> logits_, dlogits_;         // (targets, B, C)
  AlignedBuffer<T> gradient_;                 // flat

 private:
  void clear_and_check();
  void cut_outputs();
  void classes_loss(T scale);
  void loss_rows(T scale);
  ShardScore score_own_steps(std::int64_t batch_rows, LossAt at, PhaseClock& clock);
  double correct_share(std::int64_t row) const;
  bool is_correct(std::int64_t logit_row) const;

  SequenceShape shape_;
  bool relu_outputs_, training_ = false;
  std::int64_t update_ = 0;
  // The lowest layer that has signals.
  std::atomic<std::int64_t> signals_from_ = std::numeric_limits<std::int64_t>::max();
  AlignedBuffer<std::uint64_t> samples_;  // (B)
  AlignedBuffer<float> staging_;          // (T, B, I) and values, where T is not float
  AlignedBuffer<double> row_loss_;        // (targets, B)
  AlignedBuffer<T> is_class_;             // (targets, B, C), or empty: 1 for the true class, where each is asked for on its own
  PhaseSeconds seconds_{};
};

}  // namespace vp
