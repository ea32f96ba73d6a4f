// From the gradients of the shards to that of the batch: their sum, its norm, its elements clipped.
//
// Shard gradients are added pairwise in a tree over the shard index, squares in double over blocks of parameters, so every number is the
// same for any number of threads. Where a model makes gradients in pieces (Model::gradient_pieces), a piece is made for all shards at a
// time as soon as all of them have its signals, and its parameters may change at once. Thread-safety: make_ready() from several threads,
// each with a scratch of its own; the rest from one, which the pool's threads help.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "kernels/memory/aligned_buffer.h"
#include "models/base/parallel.h"
#include "models/model/model.h"
#include "models/model/shard.h"
#include "models/optimizers/optimizers.h"
#include "models/spec/phase_clock.h"

namespace vp {

template <class T>
class GradientReducer {
 public:
  // ftz: whether the pool's threads flush denormals. model and shards: outlive this.
  GradientReducer(Model<T>& model, std::span<ModelShard<T>* const> shards, ThreadPool& pool, bool ftz);

  bool makes_pieces() const { return !scratch_.empty(); }
  std::int64_t scratches() const { return static_cast<std::int64_t>(scratch_.size()); }  // threads that can make pieces side by side

  // Before a backward pass. optimizer: changes each parameter as soon as its gradient is there and no shard needs the parameter any more,
  // and gradient() is not left behind (pieces alone); nullptr: gradients are kept.
  void begin(Optimizer<T>* optimizer);
  // Makes pieces until none is left, or a shard has no signals yet for the next one.
  void make_ready(std::int64_t scratch);
  // After all shards: the rest, and the norm. seconds: of the calling thread.
  void finish(PhaseSeconds& seconds);

  std::span<const T> gradient() const { return {gradients_[0], static_cast<std::size_t>(model_.layout().size)}; }
  double norm() const { return norm_; }  // before clipping
  // Every element held within [-limit, limit]; true if that changed any.
  bool clip_values(double limit);
  // w -= ... by the optimiser, of the gradient times `scale`.
  void update(Optimizer<T>& optimizer, double scale);

 private:
  // A range of the parameters that is summed and measured as one item.
  struct Range {
    GradientPiece piece;
    std::int64_t first_block;  // whose squares are summed
  };
  // What a thread makes pieces with.
  struct Scratch {
    ModelShard<T>* own;
    AlignedBuffer<T> sums;  // of a piece, over all shards and over those of subtrees
  };

  void list_ranges();
  void measure(const Range& range, const T* sum);
  void make_range(Scratch& scratch, const Range& range, PhaseClock& clock);
  void sum_piece(ModelShard<T>& own, const GradientPiece& piece, std::int64_t first, std::int64_t count, T* sum, T* spare);
  void add_piece(ModelShard<T>& own, const GradientPiece& piece, std::int64_t shard, bool add, T* sum);
  void for_each_block(const std::function<void(std::int64_t, std::int64_t, std::int64_t)>& task);

  Model<T>& model_;
  std::span<ModelShard<T>* const> shards_;
  ThreadPool& pool_;
  bool ftz_;
  std::vector<T*> gradients_;  // of the shards; the first becomes the sum
  std::vector<Range> ranges_;
  std::vector<Scratch> scratch_;             // one for each thread, no more than shards; none where no pieces are made
  std::atomic<std::size_t> next_range_ = 0;  // that no thread makes yet
  Optimizer<T>* at_once_ = nullptr;          // of the backward pass under way
  std::vector<double> block_squares_;
  std::vector<std::uint8_t> block_clipped_;
  double norm_ = 0;
};

}  // namespace vp
