// One model and the shards that work on it in parallel: a training batch forward and backward, evaluation of a split, one update.
//
// One parallel item is one shard over all its time steps, or, where weights are many and rows are few, the shards of one thread layer by
// layer, which then make gradients of weights, as far down as all shards have come (gradient_reducer.h). Losses are added pairwise in
// double, so every number is the same for any number of threads. Thread-safety: one thread calls; the pool's threads do the work.
#pragma once

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
#include "models/training/evaluator.h"
#include "models/training/gradient_reducer.h"
#include "models/training/orthogonal_recurrence.h"
#include "models/training/sample_order.h"

namespace vp {

template <class T>
class BatchEngine {
 public:
  BatchEngine(const RunSpec& spec, const BatchSource& source, ThreadPool& pool) : BatchEngine(spec, source.shape(), &source, pool) {}
  // Without samples of its own: for run_given(). The evaluator then has nothing to say, and run() is not to be called.
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
  bool can_run_and_update() const { return reducer_.makes_pieces() && orthogonal_ == nullptr; }
  // run() for train.batch rows that `fill` puts into each shard (inputs, targets, initial states); first_row: of the shard in the batch.
  using FillShard = std::function<void(ModelShard<T>& shard, std::int64_t first_row)>;
  double run_given(const FillShard& fill);
  // Backward once more for another loss, on the states of the last run().
  double run_backward(LossAt at);
  std::span<const T> gradient() const { return reducer_.gradient(); }
  double gradient_norm() const { return reducer_.norm(); }
  std::int64_t lost_in_scaling() const;  // of the last backward: see Layer

  // Every element of the gradient is held within [-limit, limit]; true if that changed any.
  bool clip_values(double limit) { return reducer_.clip_values(limit); }
  void update(Optimizer<T>& optimizer, double gradient_scale);

  Evaluator<T>& evaluator() { return evaluator_; }  // leaves no run() behind
  const Evaluator<T>& evaluator() const { return evaluator_; }

  Pass<T> pass(std::int64_t samples) const { return {*model_, shards_, samples, gradient()}; }
  Model<T>& model() { return *model_; }
  const Model<T>& model() const { return *model_; }
  std::span<const std::unique_ptr<ModelShard<T>>> shards() const { return shards_; }
  PhaseSeconds phase_seconds() const;
  PhaseSeconds& own_seconds() { return seconds_; }  // of work done by the calling thread

 private:
  BatchEngine(const RunSpec& spec, const SequenceShape& shape, const BatchSource* source, ThreadPool& pool);
  void fill(ModelShard<T>& shard, std::size_t s, std::int64_t update, PhaseClock& clock);
  using ShardTask = std::function<void(ModelShard<T>& shard, std::int64_t s, PhaseClock& clock)>;
  double run_batch(std::int64_t update, LossAt at, Optimizer<T>* at_once);
  double run_shards(const ShardTask* samples, LossAt at, Optimizer<T>* at_once);

  const BatchSource* source_;  // or nullptr
  ThreadPool& pool_;
  bool ftz_;
  std::int64_t batch_, shard_rows_;
  std::unique_ptr<Model<T>> model_;
  std::unique_ptr<OrthogonalRecurrence<T>> orthogonal_;  // train.recurrence, or nullptr: free
  std::vector<std::unique_ptr<ModelShard<T>>> shards_;   // of shard_rows_ rows each, the last may have fewer
  std::vector<ModelShard<T>*> shard_pointers_;           // the same
  SampleOrder order_;
  GradientReducer<T> reducer_;
  Evaluator<T> evaluator_;
  std::vector<std::uint64_t> samples_;  // of the batch
  std::vector<double> shard_loss_;
  PhaseSeconds seconds_{};
};

}  // namespace vp
