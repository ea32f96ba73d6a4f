// The rows of whole training steps: set up, checked against the double-precision reference, run. See step.h.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>

#include "experiments/profile/step.h"
#include "kernels/activation/custom_activation.h"
#include "kernels/bench/kernel_benchmark.h"
#include "kernels/onednn/rnn_primitives.h"
#include "kernels/verify/kernel_check.h"
#include "models/base/parallel.h"
#include "models/cells/cell_list.h"
#include "models/feed_forward/plan.h"
#include "models/model_kinds.h"
#include "models/optimizers/optimizers.h"
#include "models/recurrent/sequence_layout.h"
#include "models/recurrent/sequence_model.h"
#include "models/training/batch_engine.h"
#include "models/verify/cell_variants.h"

namespace vp {
namespace {

constexpr std::int64_t kCheckedSteps = 3;  // T = 1 or 2 would not see a gradient pass through a middle step
constexpr double kCheckRate = 0.1;         // of the checked update: large enough for a wrong one to show
constexpr double kTimedRate = 1e-6;        // of the timed ones: thousands of updates on the same batch must not carry the weights away

// One batch in memory, in the order in which shards ask for it: filling a shard copies T pieces of rows*I floats.
// A sample of a cnn is an image, whose rows come in as the steps of a sequence.
SequenceShape source_shape(const StepShape& s) {
  if (s.cell != "cnn") return {.steps = s.steps, .inputs = s.inputs, .outputs = s.outputs};
  return {
      .steps = s.inputs, .inputs = s.inputs, .outputs = s.outputs, .image_channels = 1, .image_height = s.inputs, .image_width = s.inputs};
}

class MemorySource final : public BatchSource {
 public:
  explicit MemorySource(const StepShape& s)
      : shape_(source_shape(s)), batch_(s.rows), inputs_(benchmark_values(shape_.steps * s.rows * shape_.inputs)) {}
  SequenceShape shape() const override { return shape_; }
  std::uint64_t size(Split) const override { return 0; }  // training is endless: sample i is row i mod B; there is no other split

  void fill(Split, std::span<const std::uint64_t> samples, const SampleRows& out) const override {
    const auto batch = static_cast<std::uint64_t>(batch_);
    const auto first = static_cast<std::int64_t>(samples.front() % batch);
    for (std::int64_t t = 0; t < shape_.steps; ++t)
      std::memcpy(out.inputs + t * out.rows * shape_.inputs, inputs_.data() + (t * batch_ + first) * shape_.inputs,
                  static_cast<std::size_t>(out.rows * shape_.inputs) * sizeof(float));
    for (std::int64_t r = 0; r < out.rows; ++r) out.classes[r] = static_cast<std::int32_t>((first + r) % shape_.outputs);
  }

 private:
  SequenceShape shape_;
  std::int64_t batch_;
  AlignedBuffer<float> inputs_;  // (T, B, I)
};

RunSpec spec_of(const StepShape& s, const std::string& backend, double rate) {
  RunSpec spec;
  if (s.cell == "mlp" || s.cell == "cnn") {
    spec.model.kind = s.cell;
    spec.model.layers = s.layers;
    spec.kind_options = OptionsHandle(find_model_kind(s.cell)->make_options());
    if (s.cell == "cnn") {
      CnnOptions options;
      options.channels = {s.hidden, 2 * s.hidden};
      spec.kind_options = OptionsHandle(options.clone());
    }
  } else {
    spec.model.cell = s.cell;
    spec.cell_options = find_cell_variant(s.variant.empty() ? s.cell : s.variant).options;
  }
  spec.model.hidden = s.hidden;
  spec.model.activation = s.activation;
  spec.train.optimizer = "sgd";
  spec.train.learning_rate = rate;
  spec.train.batch = s.rows;
  spec.train.shard_rows = s.shard_rows;
  spec.optimizer_options = OptionsHandle(find_optimizer("sgd")->make_options());
  spec.engine.backend = backend;
  return spec;
}

template <class T>
std::unique_ptr<Optimizer<T>> make_sgd(const RunSpec& spec, std::int64_t size) {
  const OptimizerEntry& sgd = *find_optimizer("sgd");
  if constexpr (std::is_same_v<T, float>)
    return sgd.make_float(size, spec.train.learning_rate, spec.optimizer_options.get());
  else
    return sgd.make_double(size, spec.train.learning_rate, spec.optimizer_options.get());
}

// Everything a training step needs, in one precision.
template <class T>
struct StepBench {
  StepBench(const StepShape& shape, const std::string& backend, double rate, int threads)
      : spec(spec_of(shape, backend, rate)),
        source(shape),
        pool(threads),
        engine(spec, source, pool),
        sgd(make_sgd<T>(spec, engine.model().layout().size)) {}
  double run() {
    engine.pack();
    sgd->begin_update(update + 1);
    if (engine.can_run_and_update() && !keeps_gradient) return engine.run_and_update(update++, *sgd);
    const double loss = engine.run(update++, LossAt::kTask);
    engine.update(*sgd, 1);
    return loss;
  }
  RunSpec spec;
  MemorySource source;
  ThreadPool pool;
  BatchEngine<T> engine;
  std::unique_ptr<Optimizer<T>> sgd;
  std::int64_t update = 0;
  bool keeps_gradient = false;
};

StepShape checked_shape(StepShape shape) {
  shape.steps = std::min(shape.steps, kCheckedSteps);
  shape.rows = std::min(shape.rows, shape.shard_rows);  // one shard
  return shape;
}

// Rounding gathers like the square root of the number of terms that feed one number.
double bound_of(const StepShape& s) {
  const std::int64_t terms = s.cell == "cnn" ? 18 * s.hidden * s.inputs : s.hidden * s.steps * s.layers;
  return 16 * std::sqrt(static_cast<double>(terms));
}

std::span<const float> part(std::span<const float> all, const Tensor& t) {
  return all.subspan(static_cast<std::size_t>(t.offset), static_cast<std::size_t>(t.size()));
}
std::span<const double> part(std::span<const double> all, const Tensor& t) {
  return all.subspan(static_cast<std::size_t>(t.offset), static_cast<std::size_t>(t.size()));
}

// Loss, gradient and updated weights of one step on one shard, against the double-precision reference with the same weights; then whether
// the step as it is timed, which may leave no gradient behind, updates them to the same bits.
std::string step_fault(const StepShape& full, const std::string& backend) {
  const StepShape shape = checked_shape(full);
  StepBench<float> actual(shape, backend, kCheckRate, 1);
  StepBench<double> expected(shape, "reference", kCheckRate, 1);
  Model<float>& model = actual.engine.model();
  Model<double>& exact = expected.engine.model();
  std::copy_n(model.parameters(), model.layout().size, exact.parameters());
  actual.keeps_gradient = expected.keeps_gradient = true;
  const double loss = actual.run(), exact_loss = expected.run(), bound = bound_of(shape);
  std::string fault = mismatch("loss", std::span(&loss, 1), std::span(&exact_loss, 1), bound);
  const auto size = static_cast<std::size_t>(model.layout().size);
  for (const Tensor* tensor : model.layout().tensors()) {
    if (fault.empty())
      fault = mismatch("gradient of " + tensor->name, part(actual.engine.gradient(), *tensor), part(expected.engine.gradient(), *tensor),
                       bound);
    if (fault.empty())
      fault = mismatch("updated " + tensor->name, part(std::span<const float>(model.parameters(), size), *tensor),
                       part(std::span<const double>(exact.parameters(), size), *tensor), bound);
  }
  StepBench<float> timed(shape, backend, kCheckRate, 1);
  timed.run();
  if (fault.empty() && !std::equal(model.parameters(), model.parameters() + size, timed.engine.model().parameters()))
    fault = "the update made with the gradient is not the same as after it";
  return fault;
}

// A GRU's candidate has two biases that do not add up: the primitive has them both.
std::int64_t apart_biases(const StepShape& s) { return s.cell == "gru" ? s.hidden : 0; }

// What a recurrent primitive is given and must give back, from the reference.
struct PrimitiveCase {
  explicit PrimitiveCase(const StepShape& full);
  StepShape shape;
  std::vector<float> input, weight_ih, weight_hh, bias, dh_last;
  std::vector<double> hidden, gradient_ih, gradient_hh, gradient_bias;
};

PrimitiveCase::PrimitiveCase(const StepShape& full) : shape(checked_shape(full)) {
  const RunSpec spec = spec_of(shape, "reference", kCheckRate);
  const MemorySource source(shape);
  SequenceModel<double> model(spec, source.shape(), shape.rows);
  const RecurrentTensors tensors = recurrent_tensors(model.layout(), 0);
  for (std::int64_t i = 0; i < model.layout().size; ++i) model.parameters()[i] = static_cast<float>(model.parameters()[i]);
  const auto weights = [&](const Tensor& t) {
    return std::vector<float>(model.parameters() + t.offset, model.parameters() + t.offset + t.size());
  };
  weight_ih = weights(tensors.weight_ih), weight_hh = weights(tensors.weight_hh), bias = weights(tensors.bias_ih);
  const std::vector<float> recurrent_bias = weights(tensors.bias_hh);
  const std::int64_t summed = tensors.bias_hh.size() - apart_biases(shape);
  for (std::int64_t i = 0; i < summed; ++i) {  // the primitive has one bias, and the sum must be a float
    bias[i] += recurrent_bias[i];
    model.parameters()[tensors.bias_ih.offset + i] = bias[i];
    model.parameters()[tensors.bias_hh.offset + i] = 0;
  }
  bias.insert(bias.end(), recurrent_bias.begin() + summed, recurrent_bias.end());
  model.pack_all();
  SequenceShard<double> shard(model, shape.rows);
  shard.keep_hidden_gradients();
  PhaseSeconds seconds{};
  PhaseClock clock(seconds);
  std::vector<std::uint64_t> samples(static_cast<std::size_t>(shape.rows));
  for (std::size_t i = 0; i < samples.size(); ++i) samples[i] = i;
  shard.fill(source, Split::kTrain, samples, clock);
  shard.forward(clock);
  shard.score(shape.rows, LossAt::kLastStep, clock);
  shard.backward(clock);

  input.assign(shard.input().begin(), shard.input().end());
  const RecurrentLayer<double>& layer = std::as_const(shard).layer(0);
  const std::int64_t last = shape.steps - 1, n = shape.rows * shape.hidden;
  hidden.assign(layer.hidden_at(last), layer.hidden_at(last) + n);
  for (std::int64_t i = 0; i < n; ++i)
    dh_last.push_back(static_cast<float>(std::ldexp(layer.hidden_gradients()[last * n + i], layer.norm_exponent(last)[i / shape.hidden])));
  const auto gradient = [&](const Tensor& t) {
    return std::vector<double>(shard.gradient() + t.offset, shard.gradient() + t.offset + t.size());
  };
  gradient_ih = gradient(tensors.weight_ih), gradient_hh = gradient(tensors.weight_hh), gradient_bias = gradient(tensors.bias_ih);
  const std::vector<double> recurrent = gradient(tensors.bias_hh);
  gradient_bias.insert(gradient_bias.end(), recurrent.begin() + summed, recurrent.end());
}

std::unique_ptr<RnnPrimitive> make_primitive(const StepShape& s) {
  return make_rnn_primitive({.cell = s.cell,
                             .activation = find_activation(s.activation),
                             .steps = s.steps,
                             .rows = s.rows,
                             .inputs = s.inputs,
                             .hidden = s.hidden});
}

std::string primitive_fault(const StepShape& full) {
  const PrimitiveCase test(full);
  const auto primitive = make_primitive(test.shape);
  primitive->pack(test.weight_ih.data(), test.weight_hh.data(), test.bias.data());
  primitive->run(test.input.data(), test.dh_last.data());
  std::vector<float> ih(test.weight_ih.size()), hh(test.weight_hh.size()), bias(test.bias.size());
  primitive->copy_gradients(ih.data(), hh.data(), bias.data());
  const double bound = bound_of(test.shape);
  std::string fault = mismatch("h at the last step", primitive->last_hidden(), test.hidden, bound);
  if (fault.empty()) fault = mismatch("gradient of weight_ih", ih, test.gradient_ih, bound);
  if (fault.empty()) fault = mismatch("gradient of weight_hh", hh, test.gradient_hh, bound);
  if (fault.empty()) fault = mismatch("gradient of the bias", bias, test.gradient_bias, bound);
  return fault;
}

TimedBody prepare_primitive(const StepShape& s) {
  const CellEntry& cell = *find_cell(s.cell);
  struct Arrays {
    AlignedBuffer<float> x, weight_ih, weight_hh, bias, dh;
  };
  const float scale = 1 / std::sqrt(static_cast<float>(s.hidden));
  const auto weights = [scale](std::int64_t n) {
    AlignedBuffer<float> w = benchmark_values(n);
    for (float& v : w.span()) v *= scale;
    return w;
  };
  const std::int64_t width = cell.gates * s.hidden;
  const auto arrays =
      std::make_shared<Arrays>(Arrays{benchmark_values(s.steps * s.rows * s.inputs), weights(width * s.inputs), weights(width * s.hidden),
                                      weights(width + apart_biases(s)), benchmark_values(s.rows * s.hidden)});
  const std::shared_ptr<RnnPrimitive> primitive = make_primitive(s);
  const auto run = [arrays, primitive] {
    primitive->pack(arrays->weight_ih.data(), arrays->weight_hh.data(), arrays->bias.data());
    primitive->run(arrays->x.data(), arrays->dh.data());
  };
  return {.run = run, .implementation = primitive->implementation()};
}

}  // namespace

TimedCase step_row(const StepShape& shape, const std::string& backend, int threads) {
  TimedCase row;
  if (shape.cell == "dense") row = dense_row(backend, shape.rows, shape.inputs, shape.hidden);
  row.name = step_name(shape) + "/" + backend + "/threads:" + std::to_string(threads);
  row.threads = threads;
  if (shape.cell == "dense") return row;
  row.flops = step_flops(shape), row.bytes = step_bytes(shape), row.update = true;
  row.find_fault = [=] { return step_fault(shape, backend); };
  row.prepare = [=] {
    const auto bench = std::make_shared<StepBench<float>>(shape, backend, kTimedRate, threads);
    std::string implementations;
    for (const std::string& name : bench->engine.shards()[0]->implementations())
      implementations += (implementations.empty() ? "" : ", ") + name;
    return TimedBody{.run = [bench] { bench->run(); }, .implementation = implementations};
  };
  return row;
}

std::optional<TimedCase> primitive_row(const StepShape& shape) {
  if (find_cell(shape.cell) == nullptr || !shape.variant.empty()) return std::nullopt;
  if (!has_rnn_primitive(shape.cell, resolve_activation(shape.activation))) return std::nullopt;
  TimedCase row{.name = step_name(shape) + "/" + kPrimitiveName + "/threads:1",
                .flops = step_flops(shape),
                .bytes = step_bytes(shape),
                .update = true};
  row.find_fault = [=] { return primitive_fault(shape); };
  row.prepare = [=] { return prepare_primitive(shape); };
  return row;
}

}  // namespace vp
