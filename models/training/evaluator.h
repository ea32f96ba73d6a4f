// Loss, accuracy, metrics and predictions of a split, on the shards that training uses.
//
// A split is cut into chunks of a shard's rows; full shards take turns over them, and a chunk's score does not depend on the shard that did
// it. Scores are added pairwise in double, so every number is the same for any number of threads.
// Thread-safety: one thread calls; the pool's threads do the work.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "models/base/parallel.h"
#include "models/model/model.h"
#include "models/model/shard.h"
#include "models/spec/batch_source.h"
#include "models/training/metrics.h"

namespace vp {

struct Score {
  Number loss, accuracy;  // means over the samples of a split; absent where there is none
};

template <class T>
class Evaluator {
 public:
  // source: nullptr where there are no samples, and evaluate() has nothing to say. shards: of shard_rows rows each, the last may have
  // fewer, together a batch. ftz: whether the pool's threads flush denormals. All outlive this.
  Evaluator(const BatchSource* source, const Model<T>& model, std::span<ModelShard<T>* const> shards, ThreadPool& pool, bool ftz);

  Score evaluate(Split split);  // the shards forget what they did before
  bool has_metrics() const { return !record_.empty(); }
  // Of the split that was evaluated last.
  std::vector<MetricRow> metrics(Split split, std::int64_t update) const {
    return record_.metrics(static_cast<std::int64_t>(size(split)), update, split);
  }
  // What the model answers to the split's samples, in their order; evaluates it once more.
  std::vector<PredictionRow> predict(Split split);

 private:
  std::uint64_t size(Split split) const { return source_ == nullptr ? 0 : source_->size(split); }
  void evaluate_chunks(Split split, std::int64_t worker, std::int64_t workers, std::uint64_t chunks);
  void evaluate_streams(Split split, std::int64_t shard, std::uint64_t windows);
  void evaluate_chunk(Split split, ModelShard<T>& shard, std::span<std::uint64_t> samples, std::uint64_t first, std::uint64_t chunk);

  const BatchSource* source_;
  const Model<T>& model_;
  std::span<ModelShard<T>* const> shards_;
  ThreadPool& pool_;
  bool ftz_;
  std::int64_t batch_ = 0, shard_rows_;
  std::vector<std::uint64_t> samples_;  // of the chunks under evaluation, in each shard's rows
  std::vector<double> chunk_loss_, chunk_correct_;
  OutputRecord record_;                                        // of the split under evaluation
  std::vector<std::vector<PredictionRow>> chunk_predictions_;  // empty but in predict()
};

}  // namespace vp
