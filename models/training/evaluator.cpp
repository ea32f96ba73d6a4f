#include "models/training/evaluator.h"

#include <algorithm>
#include <functional>
#include <iterator>

#include "models/base/reduction.h"
#include "models/training/predictions.h"

namespace vp {

template <class T>
Evaluator<T>::Evaluator(const BatchSource* source, const Model<T>& model, std::span<ModelShard<T>* const> shards, ThreadPool& pool,
                        bool ftz)
    : source_(source), model_(model), shards_(shards), pool_(pool), ftz_(ftz), shard_rows_(shards.front()->rows()) {
  for (const ModelShard<T>* shard : shards) batch_ += shard->rows();
  samples_.resize(static_cast<std::size_t>(batch_));
  const SequenceShape& shape = model.shape();
  const std::uint64_t most = std::max(size(Split::kValidation), size(Split::kTest));
  chunk_loss_.resize(shape.streams > 0 ? most / static_cast<std::uint64_t>(batch_) * shards_.size()
                                       : most / static_cast<std::uint64_t>(shard_rows_) + 1);
  chunk_correct_.resize(chunk_loss_.size());
  record_ = OutputRecord(shape, static_cast<std::int64_t>(most), model.one_against_all());
}

template <class T>
Score Evaluator<T>::evaluate(Split split) {
  const std::uint64_t samples = size(split), rows = static_cast<std::uint64_t>(shard_rows_);
  if (samples == 0) return {};
  const bool streams = model_.shape().streams > 0;
  const std::uint64_t windows = samples / static_cast<std::uint64_t>(batch_);  // of each stream
  const std::uint64_t chunks = streams ? windows * shards_.size() : (samples + rows - 1) / rows;
  const std::int64_t workers = streams ? std::ssize(shards_) : batch_ / shard_rows_;
  const auto work = [&](std::int64_t worker) {
    if (streams)
      evaluate_streams(split, worker, windows);
    else
      evaluate_chunks(split, worker, workers, chunks);
  };
  pool_.for_each(workers, std::cref(work), ftz_);
  const auto mean_of = [&](const std::vector<double>& x) {
    return pairwise_sum(std::span(x).first(static_cast<std::size_t>(chunks))) / static_cast<double>(samples);
  };
  Score score{.loss = mean_of(chunk_loss_), .accuracy = std::nullopt};
  const SequenceShape& shape = model_.shape();
  if (shape.target != TargetKind::kValues || shape.correct_within > 0) score.accuracy = mean_of(chunk_correct_);
  return score;
}

template <class T>
void Evaluator<T>::evaluate_chunks(Split split, std::int64_t worker, std::int64_t workers, std::uint64_t chunks) {
  ModelShard<T>& shard = *shards_[static_cast<std::size_t>(worker)];
  const auto samples = std::span(samples_).subspan(static_cast<std::size_t>(worker * shard_rows_), static_cast<std::size_t>(shard_rows_));
  const std::uint64_t rows = samples.size(), all = size(split);
  PhaseClock total(shard.seconds());
  for (std::uint64_t chunk = worker; chunk < chunks; chunk += workers) {
    const std::uint64_t first = chunk * rows;
    evaluate_chunk(split, shard, samples.first(std::min(rows, all - first)), first, chunk);
  }
  total.lap(Phase::kEvaluation);
}

template <class T>
void Evaluator<T>::evaluate_chunk(Split split, ModelShard<T>& shard, std::span<std::uint64_t> samples, std::uint64_t first,
                                  std::uint64_t chunk) {
  PhaseSeconds inner_seconds{};  // the phases within an evaluation are not told apart
  PhaseClock inner(inner_seconds);
  for (std::uint64_t& sample : samples) sample = first++;
  shard.fill(*source_, split, samples, inner);
  shard.forward(inner);
  const ShardScore score = shard.score(batch_, LossAt::kTask, inner);
  if (!record_.empty())
    record_.keep<T>(static_cast<std::int64_t>(samples.front()), std::ssize(samples), shard.logits().data(), shard.classes().data(),
                    shard.values().data());
  if (!chunk_predictions_.empty()) append_predictions(model_, shard, *source_, split, samples, chunk_predictions_[chunk]);
  chunk_loss_[chunk] = score.loss;
  chunk_correct_[chunk] = score.correct;
}

// The windows of the shard's own streams one after the other, as its states go on.
template <class T>
void Evaluator<T>::evaluate_streams(Split split, std::int64_t shard, std::uint64_t windows) {
  ModelShard<T>& own = *shards_[static_cast<std::size_t>(shard)];
  const std::int64_t first_row = shard * shard_rows_;
  const auto samples = std::span(samples_).subspan(static_cast<std::size_t>(first_row), static_cast<std::size_t>(own.rows()));
  PhaseClock total(own.seconds());
  for (std::uint64_t window = 0; window < windows; ++window) {
    const auto first = window * static_cast<std::uint64_t>(batch_) + static_cast<std::uint64_t>(first_row);
    evaluate_chunk(split, own, samples, first, window * shards_.size() + static_cast<std::uint64_t>(shard));
  }
  total.lap(Phase::kEvaluation);
}

// Samples of later chunks have larger indices.
template <class T>
std::vector<PredictionRow> Evaluator<T>::predict(Split split) {
  chunk_predictions_.resize(chunk_loss_.size());
  evaluate(split);
  std::vector<PredictionRow> rows;
  for (auto& chunk : chunk_predictions_) std::ranges::move(chunk, std::back_inserter(rows));
  chunk_predictions_.clear();
  return rows;
}

template class Evaluator<float>;
template class Evaluator<double>;

}  // namespace vp
