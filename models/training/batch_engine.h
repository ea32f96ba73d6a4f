// One model and the shards that work on it in parallel: a training batch forward and backward, evaluation of a split, one update.
//
// One parallel item is one shard over all its time steps, or, where weights are many and rows are few, the shards of one thread layer by
// layer, which then makes gradients of weights, a piece for all shards at a time, as far down as all of them have come. Shard gradients are
// added pairwise in a tree over the shard index, scalars likewise in double, so every number is the same for any number of threads.
// Thread-safety: one thread calls; the pool's threads do the work.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "models/base/parallel.h"
#include "models/model/shard.h"
#include "models/optimizers/optimizers.h"
#include "models/probes/probes.h"
#include "models/spec/batch_source.h"
#include "models/training/metrics.h"
#include "models/training/orthogonal_recurrence.h"

namespace vp {

struct Score {
  Number loss, accuracy;  // means over the samples of a split; absent where there is none
};

template <class T>
class BatchEngine {
 public:
  BatchEngine(const RunSpec& spec, const BatchSource& source, ThreadPool& pool) : BatchEngine(spec, source.shape(), &source, pool) {}
  // Without samples of its own: for run_given(). evaluate() then has nothing to say, and run() is not to be called.
  BatchEngine(const RunSpec& spec, const SequenceShape& shape, ThreadPool& pool) : BatchEngine(spec, shape, nullptr, pool) {}

  void pack();  // after every change of the parameters

  // For the probes of the next run().
  void measure_activations(bool on);
  void measure_slopes(bool on);
  void keep_traces(std::int64_t samples);  // of the leading rows of the batch
  // Forward and backward of training batch `update`: samples update*B .. of the training order. Returns the mean loss; gradient() is the
  // batch gradient.
  double run(std::int64_t update, LossAt at);
  // run() and update() in one: a parameter changes as soon as its gradient is there, while that is in the near cache, and no shard needs
  // the parameter any more. Bits are the same, but gradient() is not left behind, and parameters have changed even where the loss or a
  // gradient is not finite.
  double run_and_update(std::int64_t update, Optimizer<T>& optimizer);
  bool can_run_and_update() const { return makes_pieces_ && orthogonal_ == nullptr; }
  // run() for train.batch rows that `fill` puts into each shard (inputs, targets, initial states); first_row: of the shard in the batch.
  using FillShard = std::function<void(ModelShard<T>& shard, std::int64_t first_row)>;
  double run_given(const FillShard& fill);
  // Backward once more for another loss, on the states of the last run().
  double run_backward(LossAt at);
  std::span<const T> gradient() const { return {gradients_[0], static_cast<std::size_t>(model_->layout().size)}; }
  double gradient_norm() const { return gradient_norm_; }
  std::int64_t lost_in_scaling() const;  // of the last backward: see Layer

  // gradient *= scale and every element held within [-limit, limit]; true if the limit changed any.
  bool clip_values(double limit);
  void update(Optimizer<T>& optimizer, double gradient_scale);

  Score evaluate(Split split);  // leaves no run() behind
  bool has_metrics() const { return !record_.empty(); }
  // Of the split that was evaluated last.
  std::vector<MetricRow> metrics(Split split, std::int64_t update) const {
    return record_.metrics(static_cast<std::int64_t>(size(split)), update, split);
  }

  // What the model answers to the split's samples, in their order; evaluates it once more.
  std::vector<PredictionRow> predict(Split split);

  Pass<T> pass(std::int64_t samples) const { return {*model_, shards_, samples, gradient()}; }
  Model<T>& model() { return *model_; }
  const Model<T>& model() const { return *model_; }
  std::span<const std::unique_ptr<ModelShard<T>>> shards() const { return shards_; }
  PhaseSeconds phase_seconds() const;
  PhaseSeconds& own_seconds() { return seconds_; }  // of work done by the calling thread

 private:
  BatchEngine(const RunSpec& spec, const SequenceShape& shape, const BatchSource* source, ThreadPool& pool);
  std::uint64_t size(Split split) const { return source_ == nullptr ? 0 : source_->size(split); }
  void fill(ModelShard<T>& shard, std::size_t s, std::int64_t update, PhaseClock& clock);
  // A range of the parameters that is summed and measured as one item.
  struct Range {
    GradientPiece piece;
    std::int64_t first_block;  // whose squares are summed
  };
  void list_ranges();
  void reduce(const Range& range, const T* sum);
  // What a thread makes ranges with.
  struct Maker {
    ModelShard<T>* own;
    AlignedBuffer<T> sums;  // of a piece, over all shards and over those of subtrees
  };
  void make_ranges(Maker& maker);
  void make_range(Maker& maker, const Range& range, PhaseClock& clock);
  void sum_piece(ModelShard<T>& own, const GradientPiece& piece, std::int64_t first, std::int64_t count, T* sum, T* spare);
  void add_piece(ModelShard<T>& own, const GradientPiece& piece, std::int64_t shard, bool add, T* sum);
  using ShardTask = std::function<void(ModelShard<T>& shard, std::int64_t s, PhaseClock& clock)>;
  double run_batch(std::int64_t update, LossAt at, Optimizer<T>* at_once);
  double run_shards(const ShardTask* samples, LossAt at, Optimizer<T>* at_once);
  double finish_backward();
  void evaluate_chunks(Split split, std::int64_t worker, std::int64_t workers, std::uint64_t chunks, std::uint64_t size);
  void evaluate_streams(Split split, std::int64_t shard, std::uint64_t windows);
  void evaluate_chunk(Split split, ModelShard<T>& shard, std::span<std::uint64_t> indices, std::uint64_t first, std::uint64_t chunk);
  std::uint64_t sample_at(std::uint64_t position) const;
  void for_each_block(const std::function<void(std::int64_t, std::int64_t, std::int64_t)>& task);

  const BatchSource* source_;  // or nullptr
  ThreadPool& pool_;
  bool ftz_;
  std::uint64_t seed_, train_samples_;
  std::int64_t batch_, shard_rows_;
  std::unique_ptr<Model<T>> model_;
  std::unique_ptr<OrthogonalRecurrence<T>> orthogonal_;  // train.recurrence, or nullptr: free
  std::vector<std::unique_ptr<ModelShard<T>>> shards_;   // of shard_rows_ rows each, the last may have fewer
  std::vector<ModelShard<T>*> shard_pointers_;           // the same
  std::vector<T*> gradients_;                            // of the shards
  std::vector<Range> ranges_;
  std::vector<Maker> makers_;                // one for each thread, no more than shards; none where no pieces are made
  std::atomic<std::size_t> next_range_ = 0;  // that no thread makes yet
  bool makes_pieces_ = false;                // Model::gradient_pieces is not empty
  Optimizer<T>* at_once_ = nullptr;          // that changes parameters in the backward pass under way; nullptr: gradients are kept
  std::vector<std::uint64_t> samples_;       // of the batch, then of the chunks under evaluation
  std::vector<double> shard_loss_, block_squares_, chunk_loss_, chunk_correct_;
  std::vector<std::uint8_t> block_clipped_;
  OutputRecord record_;                                        // of the split under evaluation
  std::vector<std::vector<PredictionRow>> chunk_predictions_;  // empty but in predict()
  double gradient_norm_ = 0;
  PhaseSeconds seconds_{};
};

}  // namespace vp
