#include "models/training/gradient_reducer.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <functional>
#include <iterator>
#include <utility>

#include "kernels/pointwise/block_squares.h"
#include "models/base/reduction.h"

namespace vp {
namespace {

constexpr std::int64_t kBlock = 4096;         // parameters whose squares make one sum
constexpr std::int64_t kRange = 16 * kBlock;  // that are summed over the shards and measured as one item
constexpr std::int64_t kItemsPerThread = 8;   // of an update

}  // namespace

template <class T>
GradientReducer<T>::GradientReducer(Model<T>& model, std::span<ModelShard<T>* const> shards, ThreadPool& pool, bool ftz)
    : model_(model), shards_(shards), pool_(pool), ftz_(ftz) {
  for (ModelShard<T>* shard : shards_) gradients_.push_back(shard->gradient());
  block_clipped_.resize(static_cast<std::size_t>((model_.layout().size + kBlock - 1) / kBlock));
  list_ranges();
}

template <class T>
void GradientReducer<T>::list_ranges() {
  std::vector<GradientPiece> pieces = model_.gradient_pieces();
  const bool makes_pieces = !pieces.empty();
  std::vector<std::int64_t> rows;
  for (const ModelShard<T>* shard : shards_) rows.push_back(shard->rows());
  for (ModelShard<T>* shard : shards_) shard->prepare_pieces(rows);
  for (std::int64_t begin = 0; !makes_pieces && begin < model_.layout().size; begin += kRange)
    pieces.push_back({.begin = begin, .end = std::min(model_.layout().size, begin + kRange)});
  std::int64_t blocks = 0, largest = 0;
  for (const GradientPiece& piece : pieces) {
    ranges_.push_back({piece, blocks});
    blocks += (piece.size() + kBlock - 1) / kBlock;
    largest = std::max(largest, piece.size());
  }
  block_squares_.resize(static_cast<std::size_t>(blocks));
  // In the order in which a backward pass comes by.
  std::ranges::stable_sort(ranges_, std::greater(), [](const Range& range) { return range.piece.layer; });
  if (!makes_pieces) return;
  const std::size_t threads = std::min(shards_.size(), static_cast<std::size_t>(pool_.threads()));
  const int sums = std::max(1, static_cast<int>(std::bit_width(shards_.size() - 1)));  // that are under way at a time, at the most
  for (std::size_t i = 0; i < threads; ++i) scratch_.push_back({shards_[i * shards_.size() / threads], AlignedBuffer<T>(sums * largest)});
}

template <class T>
void GradientReducer<T>::begin(Optimizer<T>* optimizer) {
  next_range_ = 0;
  at_once_ = optimizer;
}

// Adds the shard gradients, block by block, unless that is done, and sums the squares.
template <class T>
void GradientReducer<T>::measure(const Range& range, const T* sum) {
  const GradientPiece& piece = range.piece;
  if (piece.units == 0)
    for (std::int64_t at = piece.begin; at < piece.end; at += kBlock) pairwise_add<T>(gradients_, at, std::min(piece.end, at + kBlock));
  sum_squares_of_blocks(sum, piece.size(), kBlock, block_squares_.data() + range.first_block);
}

// sum = or += the gradient of a shard. Where parameters change at once, each shard's product has its share of them to fetch.
template <class T>
void GradientReducer<T>::add_piece(ModelShard<T>& own, const GradientPiece& piece, std::int64_t shard, bool add, T* sum) {
  const std::int64_t shards = std::ssize(shards_), begin = piece.size() * shard / shards, end = piece.size() * (shard + 1) / shards;
  std::span<const T> changes;
  if (at_once_) changes = {model_.parameters() + piece.begin + begin, static_cast<std::size_t>(end - begin)};
  own.add_piece(piece, *shards_[static_cast<std::size_t>(shard)], add, changes, sum);
}

// sum = the gradient of `piece` over shards [first, first + count), in the order of pairwise_add, made with what `own` has. spare: room for
// the sums of subtrees.
template <class T>
void GradientReducer<T>::sum_piece(ModelShard<T>& own, const GradientPiece& piece, std::int64_t first, std::int64_t count, T* sum,
                                   T* spare) {
  if (count == 1) return add_piece(own, piece, first, false, sum);
  std::int64_t half = 1;
  while (half * 2 < count) half *= 2;
  sum_piece(own, piece, first, half, sum, spare);
  if (count - half == 1) return add_piece(own, piece, first + half, true, sum);
  sum_piece(own, piece, first + half, count - half, spare, spare + piece.size());
  add_range<T>(sum, spare, 0, piece.size());
}

template <class T>
void GradientReducer<T>::make_range(Scratch& scratch, const Range& range, PhaseClock& clock) {
  const GradientPiece& piece = range.piece;
  T *sum = gradients_[0] + piece.begin, *spare = scratch.sums.data();
  if (piece.units > 0) {
    if (at_once_) sum = std::exchange(spare, spare + piece.size());  // gone after its update: it stays in the near cache
    sum_piece(*scratch.own, piece, 0, std::ssize(shards_), sum, spare);
  }
  clock.lap(Phase::kProduct);
  measure(range, sum);
  clock.lap(Phase::kReduction);
  if (at_once_ == nullptr) return;
  at_once_->apply(piece.begin, {sum, static_cast<std::size_t>(piece.size())}, T{1}, model_.parameters());
  clock.lap(Phase::kOptimizer);
}

// A thread that is done with its own shards so helps with the layers that the others have behind them, instead of waiting: threads are
// never equally fast.
template <class T>
void GradientReducer<T>::make_ready(std::int64_t scratch) {
  Scratch& own = scratch_[static_cast<std::size_t>(scratch)];
  PhaseClock clock(own.own->seconds());
  for (std::size_t r = next_range_; r < ranges_.size();) {
    const Range& range = ranges_[r];
    if (!std::ranges::all_of(shards_, [&](const ModelShard<T>* shard) { return shard->has_signals(range.piece.layer); })) return;
    if (!next_range_.compare_exchange_weak(r, r + 1)) continue;
    make_range(own, range, clock);
    r = next_range_;
  }
}

template <class T>
void GradientReducer<T>::finish(PhaseSeconds& seconds) {
  const auto make_rest = [this](std::int64_t scratch) { make_ready(scratch); };
  if (makes_pieces() && next_range_ < ranges_.size()) pool_.for_each(scratches(), std::cref(make_rest), ftz_);
  PhaseClock clock(seconds);
  const auto measure_range = [this](std::int64_t r) { measure(ranges_[r], gradients_[0] + ranges_[r].piece.begin); };
  if (!makes_pieces()) pool_.for_each(std::ssize(ranges_), std::cref(measure_range), ftz_);
  norm_ = std::sqrt(pairwise_sum(block_squares_));
  clock.lap(Phase::kReduction);
}

// Calls task(block, begin, end) for every block of the parameters; a thread takes neighbouring ones, so that it reads and writes long runs.
template <class T>
void GradientReducer<T>::for_each_block(const std::function<void(std::int64_t, std::int64_t, std::int64_t)>& task) {
  const std::int64_t blocks = std::ssize(block_clipped_);
  const std::int64_t items = std::min(blocks, kItemsPerThread * pool_.threads());
  const auto run_item = [&](std::int64_t item) {
    for (std::int64_t block = item * blocks / items; block < (item + 1) * blocks / items; ++block)
      task(block, block * kBlock, std::min(model_.layout().size, (block + 1) * kBlock));
  };
  pool_.for_each(items, std::cref(run_item), ftz_);
}

template <class T>
bool GradientReducer<T>::clip_values(double limit) {
  const T bound = static_cast<T>(limit);
  for_each_block([this, bound](std::int64_t block, std::int64_t begin, std::int64_t end) {
    bool clipped = false;
    for (std::int64_t i = begin; i < end; ++i) {
      T& g = gradients_[0][i];
      clipped |= g > bound || g < -bound;
      g = std::clamp(g, -bound, bound);
    }
    block_clipped_[block] = clipped;
  });
  return std::ranges::any_of(block_clipped_, [](std::uint8_t c) { return c != 0; });
}

template <class T>
void GradientReducer<T>::update(Optimizer<T>& optimizer, double scale) {
  const auto apply = [&](std::int64_t, std::int64_t begin, std::int64_t end) {
    optimizer.apply(begin, gradient().subspan(begin, end - begin), static_cast<T>(scale), model_.parameters());
  };
  for_each_block(std::cref(apply));
}

template class GradientReducer<float>;
template class GradientReducer<double>;

}  // namespace vp
