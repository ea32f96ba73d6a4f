// Feed-forward nets: what the lists of model_cases do not show.
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>
#include <stdexcept>

#include "kernels/backend_list.h"
#include "models/feed_forward/model.h"
#include "models/model_kinds.h"
#include "models/optimizers/optimizers.h"
#include "models/training/batch_engine.h"
#include "models/training/metrics.h"
#include "models/verify/random_source.h"
#include "models/verify/same_bits.h"
#include "tests/compare.h"

namespace vp::test {
namespace {

RunSpec mlp(std::int64_t layers, std::int64_t hidden, const std::string& activation, MlpOptions options = {}) {
  RunSpec spec;
  spec.model = {.kind = "mlp", .layers = layers, .hidden = hidden, .activation = activation};
  spec.kind_options = OptionsHandle(options.clone());
  return spec;
}

std::vector<std::string> names_of(const ParameterLayout& layout) {
  std::vector<std::string> names;
  for (const Tensor* tensor : layout.tensors()) names.push_back(tensor->name);
  return names;
}

TEST(FeedForward, NamesAndShapesAreThoseOfStateDicts) {
  MlpOptions options;
  options.widths = {5, 4}, options.common.layer_norm = true;
  const ParameterLayout dense = make_layout(mlp(1, 64, "tanh", options), {.steps = 2, .inputs = 3, .outputs = 7});
  EXPECT_EQ(names_of(dense),
            (std::vector<std::string>{"layers.0.weight", "layers.0.bias", "layers.1.weight", "layers.1.bias", "layers.2.weight",
                                      "layers.2.bias", "norms.0.weight", "norms.0.bias", "norms.1.weight", "norms.1.bias"}));
  EXPECT_EQ(dense.find("layers.0.weight").cols, 6);
  EXPECT_EQ(dense.find("layers.2.weight").rows, 7);

  RunSpec spec;
  spec.model.kind = "cnn";
  spec.kind_options = OptionsHandle(CnnOptions().clone());
  const ParameterLayout images =
      make_layout(spec, {.steps = 28, .inputs = 28, .outputs = 10, .image_channels = 1, .image_height = 28, .image_width = 28});
  EXPECT_EQ(names_of(images),
            (std::vector<std::string>{"conv.0.weight", "conv.0.bias", "conv.1.weight", "conv.1.bias", "readout.weight", "readout.bias"}));
  EXPECT_EQ(images.find("conv.1.weight").dims, (std::vector<std::int64_t>{16, 8, 3, 3}));
  EXPECT_EQ(images.find("readout.weight").cols, 16 * 7 * 7);
}

TEST(FeedForward, RolesDrawTheirOwnWeights) {
  RunSpec spec = mlp(3, 8, "tanh");
  spec.init.scheme = "constant";
  spec.init.input.gain = 2, spec.init.hidden.gain = 3, spec.init.readout.gain = 4;
  const RandomSource source({.steps = 1, .inputs = 5, .outputs = 2});
  const auto model = make_model<double>(spec, source.shape(), 1);
  const auto first = [&](const char* name) { return model->parameters()[model->layout().find(name).offset]; };
  EXPECT_EQ(first("layers.0.weight"), 2);
  EXPECT_EQ(first("layers.1.weight"), 3);
  EXPECT_EQ(first("layers.2.weight"), 3);
  EXPECT_EQ(first("layers.3.weight"), 4);
}

// The outputs of the top layer for sample 0, alone or in a larger shard.
std::vector<float> first_row(const RunSpec& spec, const RandomSource& source, std::int64_t rows, std::int64_t update) {
  const auto model = make_model<float>(spec, source.shape(), rows);
  model->pack_all();
  const auto shard = model->make_shard(rows);
  shard->set_update(update);
  run_shard(*shard, source);
  const Layer<float>& top = std::as_const(*shard).layer(model->layer_count() - 1);
  return {top.kept_hidden_states(), top.kept_hidden_states() + top.hidden()};
}

TEST(FeedForward, DropoutDependsOnSampleAndUpdateAlone) {
  MlpOptions options;
  options.common.dropout = 0.5;
  RunSpec spec = mlp(1, 200, "sigmoid", options);
  spec.engine.backend = "reference";
  const RandomSource source({.steps = 1, .inputs = 5, .outputs = 2});
  const std::vector<float> alone = first_row(spec, source, 1, 3);
  EXPECT_EQ(alone, first_row(spec, source, 7, 3));
  EXPECT_NE(alone, first_row(spec, source, 1, 4));
  const auto dropped = std::ranges::count(alone, 0.0f);
  EXPECT_GT(dropped, 60);
  EXPECT_LT(dropped, 140);
}

TEST(FeedForward, NothingIsDroppedInEvaluation) {
  MlpOptions options;
  options.common.dropout = 0.5;
  RunSpec spec = mlp(1, 50, "sigmoid", options);
  const RandomSource source({.steps = 1, .inputs = 5, .outputs = 2}, 100, 100);
  ThreadPool pool(1);
  spec.train.batch = 16, spec.train.shard_rows = 8;
  BatchEngine<float> with(spec, source, pool);
  spec.kind_options = OptionsHandle(MlpOptions().clone());
  BatchEngine<float> without(spec, source, pool);
  with.pack(), without.pack();
  with.run(0, LossAt::kTask), without.run(0, LossAt::kTask);
  EXPECT_NE(with.gradient_norm(), without.gradient_norm());
  EXPECT_EQ(*with.evaluator().evaluate(Split::kTest).loss, *without.evaluator().evaluate(Split::kTest).loss);
}

TEST(FeedForward, ANanInOneSampleStaysThereAndIsSeen) {
  for (const char* kind : {"mlp", "cnn"}) {
    RunSpec spec = small_feed_forward(kind);
    for (const std::string_view backend : backend_names()) {
      spec.engine.backend = backend;
      const RandomSource source({.steps = 8, .inputs = 14, .outputs = 4, .image_channels = 2, .image_height = 8, .image_width = 7});
      const auto model = make_model<float>(spec, source.shape(), 3);
      model->pack_all();
      const auto shard = model->make_shard(3);
      run_shard(*shard, source);
      shard->input()[14 + 5] = std::nanf("");  // sample 1
      PhaseSeconds seconds{};
      PhaseClock clock(seconds);
      shard->forward(clock);
      for (int row = 0; row < 3; ++row) EXPECT_EQ(std::isnan(shard->logits()[row * 4]), row == 1) << kind << ' ' << backend << ' ' << row;
    }
  }
}

// The first weight is in two pieces, made for all shards in one go, by products of several numbers of rows.
template <class T>
std::vector<double> batch_gradient(RunSpec spec, const std::string& backend, std::int64_t shard_rows, int threads) {
  spec.engine.backend = backend;
  spec.train.batch = 11, spec.train.shard_rows = shard_rows;
  const RandomSource source({.steps = 1, .inputs = 70, .outputs = 2}, 100);
  ThreadPool pool(threads);
  BatchEngine<T> engine(spec, source, pool);
  engine.pack();
  engine.run(3, LossAt::kTask);
  double squares = 0;
  for (const T g : engine.gradient()) squares += static_cast<double>(g) * static_cast<double>(g);
  EXPECT_NEAR(engine.gradient_norm() / std::sqrt(squares), 1, 1e-12);
  return {engine.gradient().begin(), engine.gradient().end()};
}

TEST(FeedForward, TheGradientOfAWeightInPiecesIsTheDifferenceOfLosses) {
  MlpOptions options;
  options.widths = {1000, 9};
  RunSpec spec = mlp(1, 64, "tanh", options);
  spec.engine.backend = "reference";
  spec.train.batch = 5, spec.train.shard_rows = 2;
  const RandomSource source({.steps = 1, .inputs = 70, .outputs = 2}, 100);
  ThreadPool pool(1);
  BatchEngine<double> engine(spec, source, pool);
  engine.pack();
  engine.run(0, LossAt::kTask);
  const std::vector<double> gradient(engine.gradient().begin(), engine.gradient().end());
  const auto loss_at = [&](std::int64_t i, double step) {
    engine.model().parameters()[i] += step;
    engine.pack();
    const double loss = engine.run(0, LossAt::kTask);
    engine.model().parameters()[i] -= step;
    return loss;
  };
  const Tensor& weight = engine.model().layout().find("layers.0.weight");
  for (const std::int64_t unit : {0, 1, 499, 500, 998, 999}) {
    const std::int64_t i = weight.offset + unit * weight.cols + unit % weight.cols;
    EXPECT_NEAR((loss_at(i, 1e-5) - loss_at(i, -1e-5)) / 2e-5, gradient[static_cast<std::size_t>(i)], 1e-9) << unit;
    EXPECT_GT(std::abs(gradient[static_cast<std::size_t>(i)]), 1e-8) << unit;
  }
}

TEST(FeedForward, TheBatchGradientIsTheSumOverItsShards) {
  MlpOptions options;
  options.widths = {1000, 9}, options.common.layer_norm = true, options.common.dropout = 0.3;
  const RunSpec spec = mlp(1, 64, "tanh", options);
  const std::vector<double> whole = batch_gradient<double>(spec, "reference", 11, 1);
  double largest = 0;
  for (const double g : whole) largest = std::max(largest, std::abs(g));
  ASSERT_GT(largest, 1e-3);
  for (const std::int64_t shard_rows : {6, 4, 3, 2, 1}) {  // 2, 3, 4, 6 and 11 shards, the last often smaller
    const std::vector<double> sum = batch_gradient<double>(spec, "reference", shard_rows, 1);
    for (std::size_t i = 0; i < whole.size(); ++i) ASSERT_NEAR(sum[i], whole[i], 1e-14) << shard_rows << ' ' << i;
    for (const char* backend : {"native", "onednn"}) {
      const std::vector<double> single = batch_gradient<float>(spec, backend, shard_rows, 1);
      for (std::size_t i = 0; i < whole.size(); ++i) ASSERT_NEAR(single[i], whole[i], 2e-6 * largest) << backend << ' ' << shard_rows;
      EXPECT_EQ(batch_gradient<float>(spec, backend, shard_rows, 3), single) << backend << ' ' << shard_rows;
    }
  }
}

struct Trained {
  double loss, norm;
  std::vector<float> parameters;
  bool operator==(const Trained&) const = default;
};

// Three updates of batches of 11, made at once with the gradients or after them.
Trained trained(const RunSpec& spec, const BatchSource& source, int threads, bool at_once) {
  ThreadPool pool(threads);
  BatchEngine<float> engine(spec, source, pool);
  EXPECT_TRUE(engine.can_run_and_update());
  const std::int64_t size = engine.model().layout().size;
  const auto optimizer = find_optimizer(spec.train.optimizer)->make_float(size, 0.01, spec.optimizer_options.get());
  Trained result;
  for (int update = 0; update < 3; ++update) {
    engine.pack();
    optimizer->begin_update(update + 1);
    result.loss = at_once ? engine.run_and_update(update, *optimizer) : engine.run(update, LossAt::kTask);
    if (!at_once) engine.update(*optimizer, 1);
  }
  result.norm = engine.gradient_norm();
  result.parameters.assign(engine.model().parameters(), engine.model().parameters() + size);
  return result;
}

TEST(FeedForward, AnUpdateMadeWithTheGradientHasTheBitsOfOneMadeAfterIt) {
  const RandomSource source({.steps = 5, .inputs = 14, .outputs = 3, .image_channels = 1, .image_height = 5, .image_width = 14}, 100);
  MlpOptions two_pieces;
  two_pieces.widths = {1000, 9, 9}, two_pieces.residual = true, two_pieces.common = {.layer_norm = true, .dropout = 0.3};
  for (RunSpec spec : {mlp(1, 64, "tanh", two_pieces), small_feed_forward("cnn")})
    for (const std::string_view backend : backend_names())
      for (const std::string optimizer : {"sgd", "adam"})
        for (const std::int64_t shard_rows : {11, 6, 3, 1}) {  // 1, 2, 4 and 11 shards
          spec.engine.backend = backend;
          spec.train.optimizer = optimizer, spec.train.batch = 11, spec.train.shard_rows = shard_rows;
          spec.optimizer_options = OptionsHandle(find_optimizer(optimizer)->make_options());
          const Trained expected = trained(spec, source, 1, false);
          for (const int threads : {1, 3})
            EXPECT_EQ(trained(spec, source, threads, true), expected)
                << spec.model.kind << ' ' << backend << ' ' << optimizer << ' ' << shard_rows << ' ' << threads;
        }
}

TEST(FeedForward, APieceIsMadeOfTheSignalsOfItsLayerAndThoseAbove) {
  MlpOptions options;
  options.common.layer_norm = true;
  const RandomSource source({.steps = 1, .inputs = 5, .outputs = 3});
  FeedForwardModel<float> model(mlp(3, 6, "tanh", options), source.shape(), 4);
  const std::vector<GradientPiece> pieces = model.gradient_pieces();
  FeedForwardShard<float> shard(model, 4);
  model.pack_all();
  run_shard(shard, source);
  const std::vector<float> expected(shard.gradient(), shard.gradient() + model.layout().size);

  PhaseSeconds seconds{};
  PhaseClock clock(seconds);
  std::vector<bool> made(pieces.size());
  for (const Tensor* tensor : model.layout().tensors()) std::fill_n(shard.gradient() + tensor->offset, tensor->size(), std::nanf(""));
  shard.forget_signals();
  for (std::int64_t layer = model.layer_count(); layer >= 0; --layer) {
    EXPECT_FALSE(shard.has_signals(layer));
    shard.backward_signals(layer, false, clock);
    EXPECT_TRUE(shard.has_signals(layer));
    for (std::size_t p = 0; p < pieces.size(); ++p) {
      const GradientPiece& piece = pieces[p];
      if (made[p] || !shard.has_signals(piece.layer)) continue;
      made[p] = true;
      if (piece.units > 0) shard.add_piece(piece, shard, false, {}, shard.gradient() + piece.begin);
      EXPECT_TRUE(std::equal(shard.gradient() + piece.begin, shard.gradient() + piece.end, expected.begin() + piece.begin))
          << "from " << piece.begin << " after layer " << layer;
    }
    EXPECT_EQ(std::ranges::count(made, false) == 0, layer == 0);
  }
}

TEST(FeedForward, DeadUnitsAreThoseThatNoSampleWakes) {
  RunSpec spec = mlp(1, 4, "relu");
  spec.init.scheme = "constant";
  spec.train.batch = 8, spec.train.shard_rows = 3;
  const RandomSource source({.steps = 1, .inputs = 1, .outputs = 2});
  ThreadPool pool(1);
  BatchEngine<float> engine(spec, source, pool);
  float* const parameters = engine.model().parameters();
  const ParameterLayout& layout = engine.model().layout();
  const float biases[] = {100, -100, 0, -100};  // always awake, never, for some samples, never
  std::copy_n(biases, 4, parameters + layout.find("layers.0.bias").offset);
  engine.pack();
  engine.measure_activations(true);
  engine.run(0, LossAt::kTask);
  std::vector<LayerRow> rows;
  probe_layers(engine.pass(8), 0, rows);
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(*rows[0].dead_units, 0.5);
}

RunSpec exact_mlp(const char* output) {
  RunSpec spec = mlp(1, 4, "tanh");
  spec.model.output = output;
  spec.engine.backend = "reference";
  return spec;
}

TEST(FeedForward, AReluReadoutCutsOutputsAndTheirGradient) {
  const RunSpec spec = exact_mlp("relu");
  const RandomSource source({.steps = 1, .inputs = 3, .outputs = 2});
  const auto model = make_model<double>(spec, source.shape(), 1);
  const Tensor& bias = model->layout().find("layers.1.bias");
  model->parameters()[bias.offset] = -50, model->parameters()[bias.offset + 1] = 2;
  model->pack_all();
  const auto shard = model->make_shard(1);
  run_shard(*shard, source);
  EXPECT_EQ(shard->logits()[0], 0);
  EXPECT_GT(shard->logits()[1], 0);
  EXPECT_EQ(shard->gradient()[bias.offset], 0);
  EXPECT_NE(shard->gradient()[bias.offset + 1], 0);
}

TEST(FeedForward, SigmoidOfClassesAsksForEachOnItsOwn) {
  const RunSpec spec = exact_mlp("sigmoid");
  const RandomSource source({.steps = 1, .inputs = 3, .outputs = 3});
  const auto model = make_model<double>(spec, source.shape(), 2);
  model->pack_all();
  const auto shard = model->make_shard(2);
  const double loss = run_shard(*shard, source);
  double expected = 0;
  for (int row = 0; row < 2; ++row)
    for (int c = 0; c < 3; ++c) {
      const double z = shard->logits()[row * 3 + c];
      expected += std::log1p(std::exp(shard->classes()[row] == c ? -z : z)) / 6;
    }
  EXPECT_TRUE(near(loss, expected, 1e-14));
}

TEST(FeedForward, ImagesThatAreUsedUpAreRefused) {
  RunSpec spec;
  spec.model.kind = "cnn";
  CnnOptions options;
  options.channels = {2, 2, 2};
  spec.kind_options = OptionsHandle(options.clone());
  const SequenceShape small{.steps = 6, .inputs = 6, .outputs = 2, .image_channels = 1, .image_height = 6, .image_width = 6};
  EXPECT_THROW(make_layout(spec, small), std::invalid_argument);
  EXPECT_THROW(make_layout(spec, {.steps = 6, .inputs = 6, .outputs = 2}), std::invalid_argument);
}

MetricRow find(const std::vector<MetricRow>& rows, const std::string& metric, const std::string& label = "") {
  for (const MetricRow& row : rows)
    if (row.metric == metric && row.label == label) return row;
  ADD_FAILURE() << "no " << metric << ' ' << label;
  return {};
}

TEST(Metrics, OfClassesByHand) {
  OutputRecord record({.steps = 1, .inputs = 1, .outputs = 3}, 4);
  const double outputs[] = {5, 0, 0, /**/ 0, 5, 0, /**/ 0, 5, 0, /**/ 0, 0, 5};
  const std::int32_t classes[] = {0, 0, 1, 1};
  record.keep<double>(0, 4, outputs, classes, nullptr);
  const auto rows = record.metrics(4, 7, Split::kTest);
  EXPECT_EQ(rows.front().update, 7);
  EXPECT_EQ(*find(rows, "accuracy").value, 0.5);
  EXPECT_EQ(*find(rows, "recall", "0").value, 0.5);
  EXPECT_EQ(*find(rows, "recall", "1").value, 0.5);
  EXPECT_FALSE(find(rows, "recall", "2").value.has_value());  // no sample is of class 2
  const double e = std::exp(-5.0), p = 1 / (1 + 2 * e), q = e * p;
  const double right = (p - 1) * (p - 1) + 2 * q * q, wrong = p * p + (q - 1) * (q - 1) + q * q;
  EXPECT_TRUE(near(*find(rows, "brier").value, (right + wrong) / 2, 1e-14));
  EXPECT_TRUE(near(*find(rows, "calibration_error").value, p - 0.5, 1e-14));
}

TEST(Metrics, OfClassesThatAreAskedForOneByOne) {
  OutputRecord record({.steps = 1, .inputs = 1, .outputs = 3}, 2, true);
  const double outputs[] = {2, -1, -3, /**/ 1, -2, -2};
  const std::int32_t classes[] = {0, 1};
  record.keep<double>(0, 2, outputs, classes, nullptr);
  const auto rows = record.metrics(2, 0, Split::kTest);
  const auto p = [](double z) { return 1 / (1 + std::exp(-z)); };
  const auto square = [](double v) { return v * v; };
  const double first = square(p(2) - 1) + square(p(-1)) + square(p(-3)), second = square(p(1)) + square(p(-2) - 1) + square(p(-2));
  EXPECT_TRUE(near(*find(rows, "brier").value, (first + second) / 2, 1e-14));
  EXPECT_TRUE(near(*find(rows, "calibration_error").value, (1 - p(2) + p(1)) / 2, 1e-14));  // one answer right, one wrong
}

TEST(Metrics, OfYesAndNoByHand) {
  OutputRecord record({.steps = 1, .inputs = 1, .outputs = 1, .target = TargetKind::kBinary}, 5);
  const double outputs[] = {3, -1, 1, -2, 0.5}, truth[] = {1, 1, 0, 0, 1};
  record.keep<double>(0, 5, outputs, nullptr, truth);
  const auto rows = record.metrics(5, 0, Split::kValidation);
  EXPECT_EQ(*find(rows, "accuracy").value, 0.6);
  EXPECT_TRUE(near(*find(rows, "recall", "1").value, 2.0 / 3, 1e-14));
  EXPECT_EQ(*find(rows, "recall", "0").value, 0.5);
  EXPECT_TRUE(near(*find(rows, "f1").value, 4.0 / 6, 1e-14));
  EXPECT_TRUE(near(*find(rows, "auc").value, 4.0 / 6, 1e-14));  // 3 beats both, -1 beats -2, 0.5 beats -2
}

TEST(Metrics, AreaUnderTheCurve) {
  const std::vector<double> scores = {1, 1, 2, 0};
  EXPECT_EQ(*area_under_curve(scores, std::vector<std::uint8_t>{1, 0, 1, 0}), 0.875);  // one tie
  EXPECT_EQ(*area_under_curve(scores, std::vector<std::uint8_t>{0, 0, 0, 1}), 0.0);
  EXPECT_FALSE(area_under_curve(scores, std::vector<std::uint8_t>{1, 1, 1, 1}).has_value());
  EXPECT_TRUE(std::isnan(*area_under_curve(std::vector<double>{NAN, 1}, std::vector<std::uint8_t>{1, 0})));
}

}  // namespace
}  // namespace vp::test
