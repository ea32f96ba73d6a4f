#include "models/training/batch_engine.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <functional>
#include <iterator>
#include <utility>

#include "kernels/pointwise/block_squares.h"
#include "models/base/random.h"
#include "models/base/reduction.h"
#include "models/model_kinds.h"
#include "models/training/predictions.h"

namespace vp {
namespace {

constexpr std::int64_t kBlock = 4096;         // parameters whose squares make one sum
constexpr std::int64_t kRange = 16 * kBlock;  // that are summed over the shards and measured as one item
constexpr std::int64_t kItemsPerThread = 8;   // of an update

}  // namespace

template <class T>
BatchEngine<T>::BatchEngine(const RunSpec& spec, const SequenceShape& shape, const BatchSource* source, ThreadPool& pool)
    : source_(source),
      pool_(pool),
      ftz_(spec.engine.ftz),
      seed_(static_cast<std::uint64_t>(spec.train.seed)),
      train_samples_(size(Split::kTrain)),
      batch_(spec.train.batch),
      shard_rows_(std::min(spec.train.shard_rows, spec.train.batch)),
      model_(make_model<T>(spec, shape, shard_rows_)),
      samples_(static_cast<std::size_t>(batch_)) {
  for (std::int64_t first = 0; first < batch_; first += shard_rows_) {
    shards_.push_back(model_->make_shard(std::min(shard_rows_, batch_ - first)));
    shard_pointers_.push_back(shards_.back().get());
    gradients_.push_back(shards_.back()->gradient());
  }
  if (spec.train.recurrence == "orthogonal")
    orthogonal_ = std::make_unique<OrthogonalRecurrence<T>>(model_->layout(), model_->parameters());
  shard_loss_.resize(shards_.size());
  list_ranges();
  block_clipped_.resize(static_cast<std::size_t>((model_->layout().size + kBlock - 1) / kBlock));
  const std::uint64_t most = std::max(size(Split::kValidation), size(Split::kTest));
  chunk_loss_.resize(shape.streams > 0 ? most / static_cast<std::uint64_t>(batch_) * shards_.size()
                                       : most / static_cast<std::uint64_t>(shard_rows_) + 1);
  chunk_correct_.resize(chunk_loss_.size());
  record_ = OutputRecord(shape, static_cast<std::int64_t>(most), model_->one_against_all());
}

template <class T>
void BatchEngine<T>::list_ranges() {
  std::vector<GradientPiece> pieces = model_->gradient_pieces();
  makes_pieces_ = !pieces.empty();
  std::vector<std::int64_t> rows;
  for (const auto& shard : shards_) rows.push_back(shard->rows());
  for (const auto& shard : shards_) shard->prepare_pieces(rows);
  for (std::int64_t begin = 0; !makes_pieces_ && begin < model_->layout().size; begin += kRange)
    pieces.push_back({.begin = begin, .end = std::min(model_->layout().size, begin + kRange)});
  std::int64_t blocks = 0;
  for (const GradientPiece& piece : pieces) {
    ranges_.push_back({piece, blocks});
    blocks += (piece.size() + kBlock - 1) / kBlock;
  }
  block_squares_.resize(static_cast<std::size_t>(blocks));
  // In the order in which a backward pass comes by.
  std::ranges::stable_sort(ranges_, std::greater(), [](const Range& range) { return range.piece.layer; });
  if (!makes_pieces_) return;
  std::int64_t largest = 0;
  for (const GradientPiece& piece : pieces) largest = std::max(largest, piece.size());
  const std::size_t makers = std::min(shards_.size(), static_cast<std::size_t>(pool_.threads()));
  const int sums = std::max(1, static_cast<int>(std::bit_width(shards_.size() - 1)));  // that are under way at a time, at the most
  for (std::size_t m = 0; m < makers; ++m)
    makers_.push_back({shards_[m * shards_.size() / makers].get(), AlignedBuffer<T>(sums * largest)});
}

template <class T>
void BatchEngine<T>::pack() {
  PhaseClock clock(seconds_);
  pool_.for_each(model_->pack_items(), [this](std::int64_t item) { model_->pack(item); });
  clock.lap(Phase::kOptimizer);
}

template <class T>
std::uint64_t BatchEngine<T>::sample_at(std::uint64_t position) const {
  if (train_samples_ == 0) return position;  // endless
  return permuted(position % train_samples_, train_samples_, seed_, RandomUse::kOrder, position / train_samples_);
}

template <class T>
void BatchEngine<T>::fill(ModelShard<T>& shard, std::size_t s, std::int64_t update, PhaseClock& clock) {
  const auto indices = std::span(samples_).subspan(s * static_cast<std::size_t>(shard_rows_), static_cast<std::size_t>(shard.rows()));
  std::uint64_t position = static_cast<std::uint64_t>(update * batch_) + s * static_cast<std::uint64_t>(shard_rows_);
  for (std::uint64_t& index : indices) index = sample_at(position++);
  shard.set_update(update);
  shard.fill(*source_, Split::kTrain, indices, clock);
}

template <class T>
void BatchEngine<T>::measure_activations(bool on) {
  for (auto& shard : shards_) shard->measure_activations(on);
}

template <class T>
void BatchEngine<T>::measure_slopes(bool on) {
  for (auto& shard : shards_) shard->measure_slopes(on);
}

template <class T>
void BatchEngine<T>::keep_traces(std::int64_t samples) {
  for (auto& shard : shards_) {
    shard->keep_traces(std::min(samples, shard->rows()));
    samples -= std::min(samples, shard->rows());
  }
}

// Every shard gets its samples by `samples` and its states, unless they are there, then its loss and gradient.
template <class T>
double BatchEngine<T>::run_shards(const ShardTask* samples, LossAt at, Optimizer<T>* at_once) {
  const auto shards = static_cast<std::int64_t>(shards_.size());
  next_range_ = 0;
  at_once_ = at_once;
  for (auto& shard : shards_) shard->forget_signals();
  const bool by_layer = model_->layer_by_layer() && makes_pieces_;
  const std::int64_t groups = by_layer ? std::ssize(makers_) : shards;
  const auto run_group = [&](std::int64_t group) {
    const std::int64_t first = group * shards / groups, end = (group + 1) * shards / groups;
    const auto own = std::span<ModelShard<T>* const>(shard_pointers_).subspan(first, end - first);
    PhaseClock clock(own.front()->seconds());
    if (samples) {
      for (std::int64_t s = first; s < end; ++s) (*samples)(*shards_[s], s, clock);
      model_->forward(own, clock);
    }
    for (std::int64_t s = first; s < end; ++s) shard_loss_[s] = shards_[s]->score(batch_, at, clock).loss;
    model_->backward_signals(own, clock);
    if (by_layer) make_ranges(makers_[group]);
  };
  pool_.for_each(groups, std::cref(run_group), ftz_);
  return finish_backward();
}

template <class T>
double BatchEngine<T>::run_batch(std::int64_t update, LossAt at, Optimizer<T>* at_once) {
  const ShardTask from_source = [this, update](ModelShard<T>& shard, std::int64_t s, PhaseClock& clock) { fill(shard, s, update, clock); };
  return run_shards(&from_source, at, at_once);
}

template <class T>
double BatchEngine<T>::run(std::int64_t update, LossAt at) {
  return run_batch(update, at, nullptr);
}

template <class T>
double BatchEngine<T>::run_and_update(std::int64_t update, Optimizer<T>& optimizer) {
  return run_batch(update, LossAt::kTask, &optimizer);
}

template <class T>
double BatchEngine<T>::run_given(const FillShard& fill_shard) {
  const ShardTask given = [&](ModelShard<T>& shard, std::int64_t s, PhaseClock& clock) {
    fill_shard(shard, s * shard_rows_);
    shard.mark_filled(clock);
  };
  return run_shards(&given, LossAt::kTask, nullptr);
}

template <class T>
double BatchEngine<T>::run_backward(LossAt at) {
  return run_shards(nullptr, at, nullptr);
}

// Calls task(block, begin, end) for every block of the parameters; a thread takes neighbouring ones, so that it reads and writes long runs.
template <class T>
void BatchEngine<T>::for_each_block(const std::function<void(std::int64_t, std::int64_t, std::int64_t)>& task) {
  const auto blocks = static_cast<std::int64_t>(block_clipped_.size());
  const std::int64_t items = std::min(blocks, kItemsPerThread * pool_.threads());
  const auto run_item = [&](std::int64_t item) {
    for (std::int64_t block = item * blocks / items; block < (item + 1) * blocks / items; ++block)
      task(block, block * kBlock, std::min(model_->layout().size, (block + 1) * kBlock));
  };
  pool_.for_each(items, std::cref(run_item), ftz_);
}

// Adds the shard gradients, block by block, unless that is done, and measures the sum.
template <class T>
void BatchEngine<T>::reduce(const Range& range, const T* sum) {
  const GradientPiece& piece = range.piece;
  if (piece.units == 0)
    for (std::int64_t at = piece.begin; at < piece.end; at += kBlock) pairwise_add<T>(gradients_, at, std::min(piece.end, at + kBlock));
  sum_squares_of_blocks(sum, piece.size(), kBlock, block_squares_.data() + range.first_block);
}

// sum = or += the gradient of a shard. Where parameters change at once, each shard's product has its share of them to fetch.
template <class T>
void BatchEngine<T>::add_piece(ModelShard<T>& own, const GradientPiece& piece, std::int64_t shard, bool add, T* sum) {
  const std::int64_t shards = std::ssize(shards_), begin = piece.size() * shard / shards, end = piece.size() * (shard + 1) / shards;
  std::span<const T> changes;
  if (at_once_) changes = {model_->parameters() + piece.begin + begin, static_cast<std::size_t>(end - begin)};
  own.add_piece(piece, *shards_[shard], add, changes, sum);
}

// sum = the gradient of `piece` over shards [first, first + count), in the order of pairwise_add, made with what `own` has. spare: room for
// the sums of subtrees.
template <class T>
void BatchEngine<T>::sum_piece(ModelShard<T>& own, const GradientPiece& piece, std::int64_t first, std::int64_t count, T* sum, T* spare) {
  if (count == 1) return add_piece(own, piece, first, false, sum);
  std::int64_t half = 1;
  while (half * 2 < count) half *= 2;
  sum_piece(own, piece, first, half, sum, spare);
  if (count - half == 1) return add_piece(own, piece, first + half, true, sum);
  sum_piece(own, piece, first + half, count - half, spare, spare + piece.size());
  add_range<T>(sum, spare, 0, piece.size());
}

template <class T>
void BatchEngine<T>::make_range(Maker& maker, const Range& range, PhaseClock& clock) {
  const GradientPiece& piece = range.piece;
  T *sum = gradients_[0] + piece.begin, *spare = maker.sums.data();
  if (piece.units > 0) {
    if (at_once_) sum = std::exchange(spare, spare + piece.size());  // gone after its update: it stays in the near cache
    sum_piece(*maker.own, piece, 0, std::ssize(shards_), sum, spare);
  }
  clock.lap(Phase::kProduct);
  reduce(range, sum);
  clock.lap(Phase::kReduction);
  if (at_once_ == nullptr) return;
  at_once_->apply(piece.begin, {sum, static_cast<std::size_t>(piece.size())}, T{1}, model_->parameters());
  clock.lap(Phase::kOptimizer);
}

// Makes ranges until none is left, or a shard has no signals yet for the next one. A thread that is done with its own shards so helps with
// the layers that the others have behind them, instead of waiting: threads are never equally fast.
template <class T>
void BatchEngine<T>::make_ranges(Maker& maker) {
  PhaseClock clock(maker.own->seconds());
  for (std::size_t r = next_range_; r < ranges_.size();) {
    const Range& range = ranges_[r];
    if (!std::ranges::all_of(shards_, [&](const auto& shard) { return shard->has_signals(range.piece.layer); })) return;
    if (!next_range_.compare_exchange_weak(r, r + 1)) continue;
    make_range(maker, range, clock);
    r = next_range_;
  }
}

template <class T>
double BatchEngine<T>::finish_backward() {
  const auto make_rest = [this](std::int64_t m) { make_ranges(makers_[m]); };
  if (makes_pieces_ && next_range_ < ranges_.size()) pool_.for_each(std::ssize(makers_), std::cref(make_rest), ftz_);
  PhaseClock clock(seconds_);
  const auto reduce_range = [this](std::int64_t r) { reduce(ranges_[r], gradients_[0] + ranges_[r].piece.begin); };
  if (!makes_pieces_) pool_.for_each(static_cast<std::int64_t>(ranges_.size()), std::cref(reduce_range), ftz_);
  gradient_norm_ = std::sqrt(pairwise_sum(block_squares_));
  clock.lap(Phase::kReduction);
  return pairwise_sum(shard_loss_) / static_cast<double>(batch_);
}

template <class T>
std::int64_t BatchEngine<T>::lost_in_scaling() const {
  std::int64_t lost = 0;
  for (const auto& shard : shards_)
    for (std::int64_t l = 0; l < model_->layer_count(); ++l) lost += std::as_const(*shard).layer(l).lost_in_scaling();
  return lost;
}

template <class T>
bool BatchEngine<T>::clip_values(double limit) {
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
void BatchEngine<T>::update(Optimizer<T>& optimizer, double gradient_scale) {
  PhaseClock clock(seconds_);
  const T scale = static_cast<T>(gradient_scale);
  const auto apply = [&](std::int64_t, std::int64_t begin, std::int64_t end) {
    optimizer.apply(begin, gradient().subspan(begin, end - begin), scale, model_->parameters());
  };
  const auto take = [this](std::int64_t block) { orthogonal_->take(block, model_->parameters()); };
  const auto turn = [this](std::int64_t block) { orthogonal_->turn(block, model_->parameters()); };
  if (orthogonal_) pool_.for_each(orthogonal_->blocks(), std::cref(take), ftz_);
  for_each_block(std::cref(apply));
  if (orthogonal_) pool_.for_each(orthogonal_->blocks(), std::cref(turn), ftz_);
  clock.lap(Phase::kOptimizer);
}

// Full shards take turns over the chunks of a split; a chunk's score does not depend on the shard that did it.
template <class T>
Score BatchEngine<T>::evaluate(Split split) {
  const std::uint64_t samples = size(split), rows = static_cast<std::uint64_t>(shard_rows_);
  if (samples == 0) return {};
  const bool streams = model_->shape().streams > 0;
  const std::uint64_t windows = samples / static_cast<std::uint64_t>(batch_);  // of each stream
  const std::uint64_t chunks = streams ? windows * shards_.size() : (samples + rows - 1) / rows;
  const std::int64_t workers = streams ? static_cast<std::int64_t>(shards_.size()) : batch_ / shard_rows_;
  const auto work = [&](std::int64_t worker) {
    if (streams)
      evaluate_streams(split, worker, windows);
    else
      evaluate_chunks(split, worker, workers, chunks, samples);
  };
  pool_.for_each(workers, std::cref(work), ftz_);
  const auto mean_of = [&](const std::vector<double>& x) {
    return pairwise_sum(std::span(x).first(static_cast<std::size_t>(chunks))) / static_cast<double>(samples);
  };
  Score score{.loss = mean_of(chunk_loss_), .accuracy = std::nullopt};
  const SequenceShape& shape = model_->shape();
  if (shape.target != TargetKind::kValues || shape.correct_within > 0) score.accuracy = mean_of(chunk_correct_);
  return score;
}

template <class T>
void BatchEngine<T>::evaluate_chunks(Split split, std::int64_t worker, std::int64_t workers, std::uint64_t chunks, std::uint64_t size) {
  ModelShard<T>& shard = *shards_[worker];
  const auto indices = std::span(samples_).subspan(static_cast<std::size_t>(worker * shard_rows_), static_cast<std::size_t>(shard_rows_));
  const std::uint64_t rows = indices.size();
  PhaseClock total(shard.seconds());
  for (std::uint64_t chunk = worker; chunk < chunks; chunk += workers) {
    const std::uint64_t first = chunk * rows, count = std::min(rows, size - first);
    evaluate_chunk(split, shard, indices.first(count), first, chunk);
  }
  total.lap(Phase::kEvaluation);
}

template <class T>
void BatchEngine<T>::evaluate_chunk(Split split, ModelShard<T>& shard, std::span<std::uint64_t> indices, std::uint64_t first,
                                    std::uint64_t chunk) {
  PhaseSeconds inner_seconds{};  // the phases within an evaluation are not told apart
  PhaseClock inner(inner_seconds);
  for (std::uint64_t& index : indices) index = first++;
  shard.fill(*source_, split, indices, inner);
  shard.forward(inner);
  const ShardScore score = shard.score(batch_, LossAt::kTask, inner);
  if (!record_.empty())
    record_.keep<T>(static_cast<std::int64_t>(indices.front()), static_cast<std::int64_t>(indices.size()), shard.logits().data(),
                    shard.classes().data(), shard.values().data());
  if (!chunk_predictions_.empty()) append_predictions(*model_, shard, *source_, split, indices, chunk_predictions_[chunk]);
  chunk_loss_[chunk] = score.loss;
  chunk_correct_[chunk] = score.correct;
}

// The windows of the shard's own streams one after the other, as its states go on.
template <class T>
void BatchEngine<T>::evaluate_streams(Split split, std::int64_t shard, std::uint64_t windows) {
  ModelShard<T>& own = *shards_[shard];
  const std::int64_t first_row = shard * shard_rows_;
  const auto indices = std::span(samples_).subspan(static_cast<std::size_t>(first_row), static_cast<std::size_t>(own.rows()));
  PhaseClock total(own.seconds());
  for (std::uint64_t window = 0; window < windows; ++window) {
    const auto first = window * static_cast<std::uint64_t>(batch_) + static_cast<std::uint64_t>(first_row);
    evaluate_chunk(split, own, indices, first, window * shards_.size() + static_cast<std::uint64_t>(shard));
  }
  total.lap(Phase::kEvaluation);
}

// Samples of later chunks have larger indices.
template <class T>
std::vector<PredictionRow> BatchEngine<T>::predict(Split split) {
  chunk_predictions_.resize(chunk_loss_.size());
  evaluate(split);
  std::vector<PredictionRow> rows;
  for (auto& chunk : chunk_predictions_) std::ranges::move(chunk, std::back_inserter(rows));
  chunk_predictions_.clear();
  return rows;
}

template <class T>
PhaseSeconds BatchEngine<T>::phase_seconds() const {
  PhaseSeconds sum = seconds_;
  for (const auto& shard : shards_)
    for (std::size_t p = 0; p < sum.size(); ++p) sum[p] += shard->seconds()[p];
  return sum;
}

template class BatchEngine<float>;
template class BatchEngine<double>;

}  // namespace vp
