#include "models/training/inspection.h"

#include <algorithm>
#include <stdexcept>
#include <string>
#include <utility>

#include "models/model/scaled_rows.h"
#include "models/training/batch_engine.h"

namespace vp {
namespace {

template <class U>
void check_size(const char* name, const std::vector<U>& array, std::int64_t expected, bool may_be_empty = false) {
  if (static_cast<std::int64_t>(array.size()) == expected || (may_be_empty && array.empty())) return;
  throw std::invalid_argument("[inspect] " + std::string(name) + ": expected " + std::to_string(expected) + " elements, got " +
                              std::to_string(array.size()));
}

// Arrays of a batch are (steps, B, width), those of a shard (steps, rows, width) with the rows behind first_row.
struct RowBlock {
  std::int64_t steps, batch, first_row, rows, width;
};

template <class U>
void copy_to_shard(const U* batch, U* shard, RowBlock b) {
  for (std::int64_t s = 0; s < b.steps; ++s)
    std::copy_n(batch + (s * b.batch + b.first_row) * b.width, b.rows * b.width, shard + s * b.rows * b.width);
}

template <class U>
void copy_from_shard(const U* shard, U* batch, RowBlock b) {
  for (std::int64_t s = 0; s < b.steps; ++s)
    std::copy_n(shard + s * b.rows * b.width, b.rows * b.width, batch + (s * b.batch + b.first_row) * b.width);
}

template <class T>
class Inspector {
 public:
  Inspector(const RunSpec& spec, const GivenBatch<T>& batch, ThreadPool& pool)
      : batch_(batch),
        directions_(spec.model.bidirectional ? 2 : 1),
        hidden_(spec.model.hidden),
        engine_(spec, batch.shape, pool),
        layers_(engine_.model().layer_count()) {
    check_sizes();
    if (!batch.parameters.empty()) std::ranges::copy(batch.parameters, engine_.model().parameters());
  }

  Inspection<T> run() {
    engine_.measure_activations(true);
    engine_.pack();
    result_.loss = engine_.run_given([this](ModelShard<T>& shard, std::int64_t first_row) { fill(shard, first_row); });
    result_.lost_in_parameters = engine_.lost_in_scaling();
    result_.gradient.assign(engine_.gradient().begin(), engine_.gradient().end());
    probe_timesteps(engine_.pass(batch_.rows), 0, result_.timesteps);
    collect_norms();
    collect();
    return std::move(result_);
  }

 private:
  std::int64_t steps() const { return batch_.shape.steps; }
  std::int64_t target_steps() const { return batch_.shape.target_every_step ? steps() : 1; }
  // A feed-forward net has no states to start from.
  bool has_time() const { return engine_.model().has_time(); }
  RowBlock block(const ModelShard<T>& shard, std::int64_t first_row, std::int64_t block_steps, std::int64_t width) const {
    return {block_steps, batch_.rows, first_row, shard.rows(), width};
  }

  void check_sizes() const {
    const SequenceShape& s = batch_.shape;
    const std::int64_t targets = target_steps() * batch_.rows, states = has_time() ? layers_ * directions_ * batch_.rows * hidden_ : 0;
    const bool classes = s.target == TargetKind::kClasses;
    check_size("input", batch_.input, s.vocabulary > 0 ? 0 : s.steps * batch_.rows * s.inputs);
    check_size("tokens", batch_.tokens, s.vocabulary > 0 ? s.steps * batch_.rows : 0);
    check_size("lengths", batch_.lengths, s.variable_length ? batch_.rows : 0);
    check_size("classes", batch_.classes, classes ? targets : 0);
    check_size("values", batch_.values, classes ? 0 : targets * s.outputs);
    check_size("h0", batch_.h0, states, true);
    check_size("c0", batch_.c0, states, true);
    check_size("parameters", batch_.parameters, engine_.gradient().size(), true);
  }

  // (L*D, B, H) at a layer and direction: nullptr if there is none.
  template <class Array>
  auto layer_states(Array& states, std::int64_t l, std::int64_t direction) const {
    return states.empty() ? nullptr : states.data() + (l * directions_ + direction) * batch_.rows * hidden_;
  }

  void fill(ModelShard<T>& shard, std::int64_t first_row) const {
    const SequenceShape& s = batch_.shape;
    shard.keep_hidden_gradients();
    if (has_time()) start(shard, first_row);
    if (s.vocabulary > 0)
      copy_to_shard(batch_.tokens.data(), shard.tokens().data(), block(shard, first_row, s.steps, 1));
    else
      copy_to_shard(batch_.input.data(), shard.input().data(), block(shard, first_row, s.steps, s.inputs));
    if (s.variable_length) copy_to_shard(batch_.lengths.data(), shard.lengths().data(), block(shard, first_row, 1, 1));
    if (s.target == TargetKind::kClasses)
      copy_to_shard(batch_.classes.data(), shard.classes().data(), block(shard, first_row, target_steps(), 1));
    else
      copy_to_shard(batch_.values.data(), shard.values().data(), block(shard, first_row, target_steps(), s.outputs));
  }

  void start(ModelShard<T>& shard, std::int64_t first_row) const {
    shard.keep_top_states();
    for (std::int64_t i = 0; i < layers_ * directions_; ++i) {  // one step of states: the rows of a shard stand together
      const std::int64_t l = i / directions_, direction = i % directions_, offset = first_row * hidden_;
      const T *h0 = layer_states(batch_.h0, l, direction), *c0 = layer_states(batch_.c0, l, direction);
      shard.start_from(l, direction, h0 == nullptr ? nullptr : h0 + offset, c0 == nullptr ? nullptr : c0 + offset);
    }
  }

  const Layer<T>& top() const { return engine_.shards()[0]->layer(layers_ - 1); }
  std::int64_t steps_of_layers() const { return engine_.model().layer_steps(); }

  void collect_norms() {
    const auto collect_of = [this](StateKind state, std::vector<std::vector<double>>& norms) {
      norms.assign(layers_, std::vector<double>(steps_of_layers()));
      for (std::int64_t l = 0; l < layers_; ++l)
        for (std::int64_t t = 0; t < steps_of_layers(); ++t) norms[l][t] = log10_norm(engine_.pass(batch_.rows), l, t, state);
    };
    collect_of(StateKind::kHidden, result_.log10_dh);
    if (engine_.model().has_cell_state()) collect_of(StateKind::kCell, result_.log10_dc);
  }

  void collect() {
    const SequenceShape& s = batch_.shape;
    result_.logits.resize(target_steps() * batch_.rows * s.outputs);
    result_.hidden.resize(steps_of_layers() * batch_.rows * top().hidden());
    for (std::int64_t l = 0; l < layers_; ++l) {
      const Layer<T>& layer = engine_.shards()[0]->layer(l);
      result_.dh.emplace_back(steps_of_layers() * batch_.rows * layer.hidden());
      result_.shapes.push_back(layer.sample_shape());
    }
    result_.dh0.resize(batch_.h0.size());
    result_.dc0.resize(batch_.c0.size());
    std::int64_t first_row = 0;
    for (const auto& shard : engine_.shards()) {
      const Layer<T>& last = std::as_const(*shard).layer(layers_ - 1);
      copy_from_shard(shard->logits().data(), result_.logits.data(), block(*shard, first_row, target_steps(), s.outputs));
      copy_from_shard(last.kept_hidden_states(), result_.hidden.data(), block(*shard, first_row, steps_of_layers(), last.hidden()));
      for (std::int64_t l = 0; l < layers_; ++l) {
        collect_gradients(std::as_const(*shard).layer(l), l, first_row);
        for (std::int64_t direction = 0; has_time() && direction < directions_; ++direction)
          collect_initial_gradients(*shard, l, direction, first_row);
      }
      first_row += shard->rows();
    }
    channels_first(result_.hidden, result_.shapes.back());
    for (std::int64_t l = 0; l < layers_; ++l) channels_first(result_.dh[l], result_.shapes[l]);
  }

  void collect_gradients(const Layer<T>& layer, std::int64_t l, std::int64_t first_row) {
    const std::int64_t width = layer.hidden();
    for (std::int64_t t = 0; t < layer.steps(); ++t)
      for (std::int64_t b = 0; b < layer.rows(); ++b) {
        T* row = result_.dh[l].data() + (t * batch_.rows + first_row + b) * width;
        std::copy_n(layer.hidden_gradients() + (t * layer.rows() + b) * width, width, row);
        const std::int32_t exponent = layer.norm_exponent(t)[b];
        if (exponent != kNoSignal) result_.lost_in_hidden_gradients += restore_size(width, exponent, row);
      }
  }

  void collect_initial_gradients(ModelShard<T>& shard, std::int64_t l, std::int64_t direction, std::int64_t first_row) {
    if (result_.dh0.empty() && result_.dc0.empty()) return;
    const bool cell_state = engine_.model().has_cell_state();
    std::vector<T> dh0(shard.rows() * hidden_), dc0(cell_state ? dh0.size() : 0);
    result_.lost_in_hidden_gradients += shard.initial_gradients(l, direction, dh0.data(), dc0.data());
    if (T* to = layer_states(result_.dh0, l, direction)) std::ranges::copy(dh0, to + first_row * hidden_);
    if (T* to = layer_states(result_.dc0, l, direction)) std::ranges::copy(dc0, to + first_row * hidden_);
  }

  // (rows, Y, X, C) to (rows, C, Y, X), where the shape is of an image.
  static void channels_first(std::vector<T>& images, const std::vector<std::int64_t>& shape) {
    if (shape.size() != 3) return;
    const std::int64_t channels = shape[0], pixels = shape[1] * shape[2];
    const std::vector<T> from = images;
    for (std::size_t i = 0; i < from.size(); ++i) {
      const auto at = static_cast<std::int64_t>(i), image = at / (pixels * channels), pixel = at / channels % pixels;
      images[(image * channels + at % channels) * pixels + pixel] = from[i];
    }
  }

  const GivenBatch<T>& batch_;
  const std::int64_t directions_;
  const std::int64_t hidden_;  // of recurrent layers, which are all as wide
  BatchEngine<T> engine_;
  const std::int64_t layers_;
  Inspection<T> result_;
};

}  // namespace

template <class T>
Inspection<T> inspect(RunSpec spec, const GivenBatch<T>& batch, ThreadPool& pool) {
  spec.train.batch = batch.rows;
  const FlushDenormals flush(spec.engine.ftz);
  return Inspector<T>(spec, batch, pool).run();
}

template Inspection<float> inspect(RunSpec, const GivenBatch<float>&, ThreadPool&);
template Inspection<double> inspect(RunSpec, const GivenBatch<double>&, ThreadPool&);

}  // namespace vp
