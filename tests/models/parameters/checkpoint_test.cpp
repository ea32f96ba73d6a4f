// Checkpoints: names and shapes of PyTorch, every parameter back bit by bit, and training that goes on from a file.
#include "models/parameters/checkpoint.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <stdexcept>

#include "models/cells/cell_list.h"
#include "models/model_kinds.h"
#include "models/recurrent/sequence_layout.h"
#include "models/training/trainer.h"
#include "models/verify/cell_variants.h"
#include "models/verify/random_source.h"
#include "tests/compare.h"

namespace vp::test {
namespace {

constexpr std::int64_t kInputs = 3, kOutputs = 5, kHidden = 7;

ModelSpec model_of(const std::string& cell) { return {.cell = cell, .layers = 2, .hidden = kHidden}; }

// Every parameter another number, gaps zero.
template <class T>
std::vector<T> numbered(const ParameterLayout& layout) {
  std::vector<T> flat(static_cast<std::size_t>(layout.size));
  for (const Tensor* tensor : layout.tensors())
    for (std::int64_t i = 0; i < tensor->size(); ++i) flat[tensor->offset + i] = static_cast<T>(tensor->offset + i + 1) / static_cast<T>(3);
  return flat;
}

template <class T>
Safetensors file_with(const ParameterLayout& layout, const std::vector<T>& flat) {
  return Safetensors::parse(encode_safetensors(parameter_views(layout, flat.data())));
}

TEST(Checkpoint, NamesAndShapesArePyTorchs) {
  const ParameterLayout layout = sequence_layout(model_of("lstm"), NoOptions(), {.inputs = kInputs, .outputs = kOutputs});
  const std::vector<float> flat = numbered<float>(layout);
  const Safetensors file = file_with(layout, flat);
  // torch: {n: tuple(p.shape) for n, p in module.state_dict().items()} with rnn = LSTM(3, 7, 2), readout = Linear(7, 5)
  const std::vector<std::pair<std::string, std::vector<std::int64_t>>> expected = {
      {"rnn.weight_ih_l0", {28, 3}}, {"rnn.weight_hh_l0", {28, 7}}, {"rnn.bias_ih_l0", {28}}, {"rnn.bias_hh_l0", {28}},
      {"rnn.weight_ih_l1", {28, 7}}, {"rnn.weight_hh_l1", {28, 7}}, {"rnn.bias_ih_l1", {28}}, {"rnn.bias_hh_l1", {28}},
      {"readout.weight", {5, 7}},    {"readout.bias", {5}},
  };
  ASSERT_EQ(file.tensors().size(), expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    EXPECT_EQ(file.tensors()[i].name, expected[i].first);
    EXPECT_EQ(file.tensors()[i].shape, expected[i].second);
    EXPECT_EQ(file.tensors()[i].dtype, DType::kF32);
  }
}

TEST(Checkpoint, TheGruHasThreeBlocksInEach) {
  const RecurrentTensors tensors =
      recurrent_tensors(sequence_layout(model_of("gru"), NoOptions(), {.inputs = kInputs, .outputs = kOutputs}), 0);
  EXPECT_EQ(tensor_shape(tensors.weight_ih), (std::vector<std::int64_t>{21, 3}));
  EXPECT_EQ(tensor_shape(tensors.weight_hh), (std::vector<std::int64_t>{21, 7}));
  EXPECT_EQ(tensor_shape(tensors.bias_hh), (std::vector<std::int64_t>{21}));
}

// torch.nn.Conv2d(C, O, k).weight.shape is (O, C, k, k), whatever the layout of the layer's own matrix is.
TEST(Checkpoint, AConvolutionHasFourDimensions) {
  RunSpec spec;
  spec.model.kind = "cnn";
  spec.kind_options = OptionsHandle(find_model_kind("cnn")->make_options());
  const SequenceShape images = {.steps = 28, .inputs = 28, .outputs = 10, .image_channels = 1, .image_height = 28, .image_width = 28};
  const ParameterLayout layout = make_layout(spec, images);
  std::vector<std::vector<std::int64_t>> shapes;
  for (const Tensor* tensor : layout.tensors())
    if (tensor->name.starts_with("conv.") && tensor->name.ends_with(".weight")) shapes.push_back(tensor_shape(*tensor));
  EXPECT_EQ(shapes, (std::vector<std::vector<std::int64_t>>{{8, 1, 3, 3}, {16, 8, 3, 3}}));
}

TEST(Checkpoint, EveryParameterComesBack) {
  for (const char* cell : {"rnn", "lstm", "gru"}) {
    const ParameterLayout layout = sequence_layout(model_of(cell), NoOptions(), {.inputs = kInputs, .outputs = kOutputs});
    const std::vector<float> floats = numbered<float>(layout);
    const std::vector<double> doubles = numbered<double>(layout);
    std::vector<float> float_back(floats.size()), rounded(floats.size());
    std::vector<double> double_back(floats.size()), widened(floats.size());
    load_parameters(file_with(layout, floats), layout, float_back.data());
    load_parameters(file_with(layout, doubles), layout, double_back.data());
    load_parameters(file_with(layout, doubles), layout, rounded.data());
    load_parameters(file_with(layout, floats), layout, widened.data());
    EXPECT_EQ(float_back, floats);
    EXPECT_EQ(double_back, doubles);
    EXPECT_EQ(rounded, std::vector<float>(doubles.begin(), doubles.end()));
    EXPECT_EQ(widened, std::vector<double>(floats.begin(), floats.end()));
  }
}

// Loads a file whose tensors `change` has changed; the message of the refusal, after a look that nothing was loaded.
std::string refusal(const std::function<void(std::vector<TensorView>&)>& change, std::span<const std::string_view> others = {}) {
  const ParameterLayout layout = sequence_layout(model_of("rnn"), NoOptions(), {.inputs = kInputs, .outputs = kOutputs});
  const std::vector<float> flat = numbered<float>(layout);
  std::vector<TensorView> views = parameter_views(layout, flat.data());
  change(views);
  const Safetensors file = Safetensors::parse(encode_safetensors(views));
  std::vector<float> back(flat.size(), -1.0F);
  try {
    load_parameters(file, layout, back.data(), others);
  } catch (const std::invalid_argument& error) {
    EXPECT_EQ(std::ranges::count(back, -1.0F), std::ssize(back)) << error.what();
    return error.what();
  }
  return "";
}

::testing::AssertionResult has(const std::string& text, std::initializer_list<std::string_view> parts) {
  for (const std::string_view part : parts)
    if (text.find(part) == std::string::npos) return ::testing::AssertionFailure() << "no \"" << part << "\" in: " << text;
  return ::testing::AssertionSuccess();
}

using Views = std::vector<TensorView>;

TEST(Checkpoint, RefusesFilesOfAnotherModelByName) {
  const char* const all = "The model has rnn.weight_ih_l0 (7, 3), rnn.weight_hh_l0 (7, 7), ";
  EXPECT_EQ(refusal([](Views&) {}), "");
  EXPECT_TRUE(has(refusal([](Views& v) { v.erase(v.begin() + 1); }), {"rnn.weight_hh_l0 is missing", all, "readout.bias (5)"}));
  EXPECT_TRUE(has(refusal([](Views& v) { v[1].name = "rnn.weight_hh_10"; }),
                  {"rnn.weight_hh_l0 is missing", "\"rnn.weight_hh_10\" is unexpected (did you mean rnn.weight_hh_l0?)", all}));
  EXPECT_TRUE(has(refusal([](Views& v) { v[0].name = "weight_ih_l0"; }), {"\"weight_ih_l0\"", "did you mean rnn.weight_ih_l0"}));
  EXPECT_TRUE(has(refusal([](Views& v) { v[0].shape = {3, 7}; }), {"rnn.weight_ih_l0: expected shape (7, 3), got (3, 7)", all}));
  EXPECT_TRUE(has(refusal([](Views& v) { v[2].shape = {7, 1}; }), {"rnn.bias_ih_l0: expected shape (7), got (7, 1)"}));
  EXPECT_TRUE(has(refusal([](Views& v) { v[2].dtype = DType::kI32; }), {"rnn.bias_ih_l0: expected dtype F32 or F64, got I32"}));
  EXPECT_TRUE(has(refusal([](Views& v) { v.clear(); }), {"rnn.weight_ih_l0 is missing", "readout.bias is missing"}));
  const std::string two = refusal([](Views& v) {
    v[0].shape = {21};
    v[9].name = "bias";
  });
  EXPECT_TRUE(has(two, {"rnn.weight_ih_l0: expected shape (7, 3), got (21)", "readout.bias is missing", "\"bias\" is unexpected"}));
}

TEST(Checkpoint, OtherTensorsAreLetInByNameOnly) {
  const auto add_input = [](Views& v) { v.push_back({"input", DType::kF32, {0}, {}}); };
  const std::vector<std::string_view> others = {"input", "target"};
  EXPECT_TRUE(has(refusal(add_input), {"\"input\" is unexpected"}));
  EXPECT_EQ(refusal(add_input, others), "");
}

TEST(Checkpoint, AHostOfFaultsIsCountedNotPrinted) {
  const std::string message = refusal([](Views& v) {
    for (int i = 0; i < 5000; ++i) v.push_back({"x" + std::to_string(i) + std::string(200, '\x01'), DType::kF32, {0}, {}});
  });
  EXPECT_TRUE(has(message, {"... and 4988 more"}));
  EXPECT_LT(message.size(), 16000u);
}

TEST(Checkpoint, ValuesBeyondFloatAreNotMadeInfinite) {
  const ParameterLayout layout = sequence_layout(model_of("rnn"), NoOptions(), {.inputs = kInputs, .outputs = kOutputs});
  std::vector<double> flat = numbered<double>(layout), back(flat.size());
  std::vector<float> floats(flat.size());
  flat[layout.find("readout.bias").offset + 4] = 1e300;
  EXPECT_NO_THROW(load_parameters(file_with(layout, flat), layout, back.data()));
  EXPECT_EQ(back, flat);
  try {
    load_parameters(file_with(layout, flat), layout, floats.data());
    ADD_FAILURE() << "not refused";
  } catch (const std::invalid_argument& error) {
    EXPECT_TRUE(has(error.what(), {"readout.bias: element 4", "range of single precision", "f64"}));
  }
  flat[layout.find("readout.bias").offset + 4] = std::numeric_limits<double>::infinity();  // a diverged run's own: no error
  EXPECT_NO_THROW(load_parameters(file_with(layout, flat), layout, floats.data()));
}

RunReport train_on(const RunSpec& spec, const Checkpoints& checkpoints = {}) {
  const RandomSource source({.steps = 6, .inputs = kInputs, .outputs = kOutputs}, 20);
  ThreadPool pool(2);
  Unwatched control;
  return train(spec, source, pool, control, checkpoints);
}

RunSpec spec_of(const std::string& cell, const std::string& precision) {
  RunSpec spec;
  spec.model = model_of(cell);
  spec.cell_options = find_cell_variant(cell).options;
  spec.train = {.learning_rate = 0.05, .batch = 16, .shard_rows = 4, .updates = 5, .save_checkpoint = true};
  spec.train.optimizer = "sgd";
  spec.engine.precision = precision;
  return spec;
}

// The validation loss at the end of a run is that at the start of the run that begins with its checkpoint, bit by bit, whatever the seed.
TEST(Checkpoint, ARunGoesOnWhereAnotherEnded) {
  for (const char* cell : {"rnn", "lstm", "gru"})
    for (const char* precision : {"f32", "f64"}) {
      const RunReport first = train_on(spec_of(cell, precision));
      const Safetensors file = Safetensors::parse(first.checkpoint);
      EXPECT_EQ(file.tensors()[0].dtype, std::string(precision) == "f64" ? DType::kF64 : DType::kF32);
      RunSpec spec = spec_of(cell, precision);
      spec.init.from_checkpoint = "first";
      spec.train.seed = 9;
      const RunReport second = train_on(spec, {&file, {}});
      ASSERT_NE(first.curves.front().validation_loss, first.curves.back().validation_loss) << "nothing was learnt";
      EXPECT_EQ(second.curves.front().validation_loss, first.curves.back().validation_loss) << cell << ' ' << precision;
      EXPECT_NE(second.checkpoint, first.checkpoint);
      spec.train.updates = 0;
      EXPECT_EQ(train_on(spec, {&file, {}}).checkpoint, first.checkpoint) << cell << ' ' << precision;
    }
}

TEST(Checkpoint, IsWrittenOnDemandOnlyAndWithItsMetadata) {
  RunSpec spec = spec_of("rnn", "f32");
  EXPECT_EQ(Safetensors::parse(train_on(spec, {nullptr, {{"build", "b"}}}).checkpoint).metadata().at("build"), "b");
  spec.train.save_checkpoint = false;
  EXPECT_TRUE(train_on(spec).checkpoint.empty());
}

TEST(Checkpoint, IsNeitherIgnoredNorForgotten) {
  RunSpec spec = spec_of("rnn", "f32");
  const Safetensors file = Safetensors::parse(train_on(spec).checkpoint);
  EXPECT_THROW(train_on(spec, {&file, {}}), std::invalid_argument);
  spec.init.from_checkpoint = "x";
  EXPECT_THROW(train_on(spec), std::invalid_argument);
  spec.model.hidden = 8;
  EXPECT_THROW(train_on(spec, {&file, {}}), std::invalid_argument);
}

}  // namespace
}  // namespace vp::test
