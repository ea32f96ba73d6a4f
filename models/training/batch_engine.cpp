#include "models/training/batch_engine.h"

#include <algorithm>
#include <functional>
#include <iterator>
#include <utility>

#include "models/base/reduction.h"
#include "models/model_kinds.h"

namespace vp {
namespace {

template <class T>
std::vector<std::unique_ptr<ModelShard<T>>> make_shards(const Model<T>& model, std::int64_t batch, std::int64_t rows) {
  std::vector<std::unique_ptr<ModelShard<T>>> shards;
  for (std::int64_t first = 0; first < batch; first += rows) shards.push_back(model.make_shard(std::min(rows, batch - first)));
  return shards;
}

template <class T>
std::vector<T*> pointers_to(const std::vector<std::unique_ptr<T>>& owners) {
  std::vector<T*> pointers;
  pointers.reserve(owners.size());
  for (const auto& owner : owners) pointers.push_back(owner.get());
  return pointers;
}

}  // namespace

template <class T>
BatchEngine<T>::BatchEngine(const RunSpec& spec, const SequenceShape& shape, const BatchSource* source, ThreadPool& pool)
    : source_(source),
      pool_(pool),
      ftz_(spec.engine.ftz),
      batch_(spec.train.batch),
      shard_rows_(std::min(spec.train.shard_rows, spec.train.batch)),
      model_(make_model<T>(spec, shape, shard_rows_)),
      shards_(make_shards(*model_, batch_, shard_rows_)),
      shard_pointers_(pointers_to(shards_)),
      order_(source == nullptr ? 0 : source->size(Split::kTrain), static_cast<std::uint64_t>(spec.train.seed)),
      reducer_(*model_, shard_pointers_, pool, ftz_),
      evaluator_(source, *model_, shard_pointers_, pool, ftz_),
      samples_(static_cast<std::size_t>(batch_)),
      shard_loss_(shards_.size()) {
  if (spec.train.recurrence == "orthogonal")
    orthogonal_ = std::make_unique<OrthogonalRecurrence<T>>(model_->layout(), model_->parameters());
}

template <class T>
void BatchEngine<T>::pack() {
  PhaseClock clock(seconds_);
  pool_.for_each(model_->pack_items(), [this](std::int64_t item) { model_->pack(item); });
  clock.lap(Phase::kOptimizer);
}

template <class T>
void BatchEngine<T>::fill(ModelShard<T>& shard, std::size_t s, std::int64_t update, PhaseClock& clock) {
  const auto indices = std::span(samples_).subspan(s * static_cast<std::size_t>(shard_rows_), static_cast<std::size_t>(shard.rows()));
  std::uint64_t position = static_cast<std::uint64_t>(update * batch_) + s * static_cast<std::uint64_t>(shard_rows_);
  for (std::uint64_t& index : indices) index = order_.at(position++);
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
  reducer_.begin(at_once);
  for (auto& shard : shards_) shard->forget_signals();
  const bool by_layer = model_->layer_by_layer() && reducer_.makes_pieces();
  const std::int64_t groups = by_layer ? reducer_.scratches() : shards;
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
    if (by_layer) reducer_.make_ready(group);
  };
  pool_.for_each(groups, std::cref(run_group), ftz_);
  reducer_.finish(seconds_);
  return pairwise_sum(shard_loss_) / static_cast<double>(batch_);
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

template <class T>
std::int64_t BatchEngine<T>::lost_in_scaling() const {
  std::int64_t lost = 0;
  for (const auto& shard : shards_)
    for (std::int64_t l = 0; l < model_->layer_count(); ++l) lost += std::as_const(*shard).layer(l).lost_in_scaling();
  return lost;
}

template <class T>
void BatchEngine<T>::update(Optimizer<T>& optimizer, double gradient_scale) {
  PhaseClock clock(seconds_);
  const auto take = [this](std::int64_t block) { orthogonal_->take(block, model_->parameters()); };
  const auto turn = [this](std::int64_t block) { orthogonal_->turn(block, model_->parameters()); };
  if (orthogonal_) pool_.for_each(orthogonal_->blocks(), std::cref(take), ftz_);
  reducer_.update(optimizer, gradient_scale);
  if (orthogonal_) pool_.for_each(orthogonal_->blocks(), std::cref(turn), ftz_);
  clock.lap(Phase::kOptimizer);
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
