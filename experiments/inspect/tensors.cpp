#include "experiments/inspect/tensors.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "experiments/io/error.h"
#include "models/base/suggest.h"
#include "models/cells/cell_list.h"
#include "models/model_kinds.h"
#include "models/parameters/checkpoint.h"
#include "models/safetensors/header.h"

namespace vp {
namespace {

using Shape = std::vector<std::int64_t>;

// All others are parameters; two of every kind.
constexpr std::array<std::string_view, 5> kBatchTensors = {"input", "target", "lengths", "h0", "c0"};

bool is_floating(const TensorView& t) { return t.dtype == DType::kF32 || t.dtype == DType::kF64; }
bool is_integer(const TensorView& t) { return t.dtype == DType::kI64 || t.dtype == DType::kI32; }

// "(1, 3)": where an element of the flat array stands.
std::string place_of(std::size_t element, const Shape& shape) {
  Shape place(shape.size());
  auto rest = static_cast<std::int64_t>(element);
  for (std::size_t d = shape.size(); d-- > 0; rest /= shape[d]) place[d] = rest % shape[d];
  return shape_text(place);
}

template <class T>
class BatchReader {
 public:
  BatchReader(const Safetensors& tensors, const std::string& file, const RunSpec& spec, std::optional<std::int64_t> classes)
      : tensors_(tensors), file_(file), spec_(spec), classes_(classes) {
    every_step_ = is_sequence() && spec.model.form == "many_to_many";
    if (is_sequence() && !every_step_ && spec.model.form != "many_to_one")
      throw usage_error(
          fmt::format("model.form = {}: inspect looks at one batch of sequences; use many_to_one or many_to_many", spec.model.form));
  }

  GivenBatch<T> read() {
    batch_.shape = {.steps = 1, .inputs = 1, .outputs = 1};
    if (is_image()) read_image();  // names do not depend on sizes, but whether the layers fit an image does
    read_names();
    check_names();
    if (spec_.model.embedding > 0)
      read_tokens();
    else if (!is_image())
      read_input();
    read_target();
    read_parameters();
    if (!is_sequence()) return std::move(batch_);
    const std::int64_t layers = spec_.model.layers * (spec_.model.bidirectional ? 2 : 1), hidden = spec_.model.hidden;
    if (const TensorView* h0 = tensors_.find("h0")) batch_.h0 = floats(*h0, {layers, batch_.rows, hidden});
    if (const TensorView* c0 = tensors_.find("c0")) {
      if (!find_cell(spec_.model.cell)->has_cell_state)
        fail("c0", fmt::format("model.cell = {} has no cell state; leave it out", spec_.model.cell));
      batch_.c0 = floats(*c0, {layers, batch_.rows, hidden});
    }
    return std::move(batch_);
  }

 private:
  bool is_sequence() const { return find_model_kind(spec_.model.kind)->has_time; }
  bool is_image() const { return find_model_kind(spec_.model.kind)->takes_images; }

  [[noreturn]] void fail(const std::string& tensor, const std::string& message) const {
    throw io_error(fmt::format("{}: tensor {}: {}", file_, tensor, message));
  }

  void read_names() {
    try {
      const ParameterLayout layout = make_layout(spec_, batch_.shape);
      for (const Tensor* tensor : layout.tensors()) {
        parameter_names_.push_back(tensor->name);
        if (tensor->role == WeightRole::kReadout && !tensor->is_bias) readout_ = *tensor;
      }
    } catch (const std::invalid_argument& error) {
      fail("input", error.what());
    }
  }

  void check_names() const {
    const auto batch_tensors = std::span(kBatchTensors).first(is_sequence() ? kBatchTensors.size() : 2);  // states are of sequences
    std::vector<std::string> known(batch_tensors.begin(), batch_tensors.end());
    known.insert(known.end(), parameter_names_.begin(), parameter_names_.end());
    for (const TensorView& tensor : tensors_.tensors())
      if (std::ranges::find(known, tensor.name) == known.end())
        fail(quoted_name(tensor.name), fmt::format("not one that inspect reads, with {}{}", model_text(), suggestion(tensor.name, known)));
  }

  std::string model_text() const {
    if (!is_sequence()) return "model.kind = " + spec_.model.kind;
    return fmt::format("model.cell = {} and model.layers = {}", spec_.model.cell, spec_.model.layers);
  }

  const TensorView& need(const std::string& name, const std::string& what) const {
    if (const TensorView* tensor = tensors_.find(name)) return *tensor;
    fail(name, fmt::format("missing; give {}", what));
  }

  void check_shape(const TensorView& tensor, const Shape& expected) const {
    if (tensor.shape != expected)
      fail(tensor.name, fmt::format("expected shape {}, got {}", shape_text(expected), shape_text(tensor.shape)));
  }

  void check_floating(const TensorView& tensor) const {
    if (!is_floating(tensor))
      fail(tensor.name,
           fmt::format("expected dtype F32 or F64, got {}; convert it, e.g. with PyTorch's .float()", dtype_name(tensor.dtype)));
  }

  // What stands behind a row's end is not looked at: it becomes zero. per_step: elements of a row and step; 0: there are no steps.
  template <class U>
  std::vector<U> without_padding(std::vector<U> values, std::size_t per_step) const {
    const std::size_t rows = batch_.lengths.size();  // 0: all rows have all steps
    for (std::size_t i = 0; rows > 0 && per_step > 0 && i < values.size(); ++i)
      if (i / per_step / rows >= static_cast<std::size_t>(batch_.lengths[i / per_step % rows])) values[i] = U{0};
    return values;
  }
  std::size_t per_target(std::size_t outputs) const { return every_step_ ? outputs : 0; }

  // What the file holds may be infinite; what it becomes by rounding may not.
  std::vector<T> rounded(const TensorView& tensor, std::size_t per_step = 0) const {
    std::vector<T> values = without_padding(floating_values<T>(tensor), per_step);
    if (std::is_same_v<T, double> || tensor.dtype == DType::kF32) return values;
    const std::vector<double> stored = without_padding(floating_values<double>(tensor), per_step);
    for (std::size_t i = 0; i < values.size(); ++i)
      if (!std::isfinite(values[i]) && std::isfinite(stored[i]))
        fail(tensor.name, fmt::format("element {} is {}, beyond the range of single precision; use --precision f64",
                                      place_of(i, tensor.shape), stored[i]));
    return values;
  }

  std::vector<T> floats(const TensorView& tensor, const Shape& expected) const {
    check_floating(tensor);
    check_shape(tensor, expected);
    return rounded(tensor);
  }

  // (B, C, Y, X), which become (Y, B, X, C): the steps of a sequence of rows.
  void read_image() {
    const TensorView& input = need("input", "the batch as (B, C, Y, X)");
    check_floating(input);
    if (input.shape.size() != 4 || input.elements() == 0)
      fail("input", fmt::format("expected shape (B, C, Y, X), none of them 0, got {}", shape_text(input.shape)));
    const std::int64_t rows = input.shape[0], channels = input.shape[1], height = input.shape[2], width = input.shape[3];
    batch_.rows = rows;
    batch_.shape.steps = height, batch_.shape.inputs = width * channels;
    batch_.shape.image_channels = channels, batch_.shape.image_height = height, batch_.shape.image_width = width;
    const std::vector<T> from = rounded(input);
    batch_.input.resize(from.size());
    for (std::size_t i = 0; i < from.size(); ++i) {
      const auto at = static_cast<std::int64_t>(i);
      const std::int64_t x = at % width, y = at / width % height, c = at / (width * height) % channels,
                         b = at / (width * height * channels);
      batch_.input[((y * rows + b) * width + x) * channels + c] = from[i];
    }
  }

  // (B, I), or, as for a sequence, (T, B, I).
  void read_input() {
    const TensorView& input = need("input", is_sequence() ? "the batch as (T, B, I)" : "the batch as (B, I)");
    check_floating(input);
    if (!is_sequence() && input.shape.size() == 2 && input.elements() > 0) {
      batch_.rows = input.shape[0], batch_.shape.inputs = input.shape[1];
      batch_.input = rounded(input);
      return;
    }
    if (input.shape.size() != 3 || input.elements() == 0)
      fail("input", fmt::format("expected shape (T, B, I), none of them 0, got {}", shape_text(input.shape)));
    batch_.shape.steps = input.shape[0], batch_.rows = input.shape[1], batch_.shape.inputs = input.shape[2];
    batch_.shape.target_every_step = every_step_;
    read_lengths();
    batch_.input = rounded(input, static_cast<std::size_t>(batch_.shape.inputs));
  }

  void read_tokens() {
    const TensorView& input = need("input", "token ids as (T, B), I64, for model.embedding");
    if (!is_integer(input))
      fail("input", fmt::format("model.embedding = {} reads token ids: expected dtype I64 or I32, got {}", spec_.model.embedding,
                                dtype_name(input.dtype)));
    if (input.shape.size() != 2 || input.elements() == 0)
      fail("input", fmt::format("expected shape (T, B), none of them 0, got {}", shape_text(input.shape)));
    const TensorView& table =
        need("embedding.weight", fmt::format("(V, {}), with all parameters: it says how many tokens there are", spec_.model.embedding));
    if (table.shape.size() != 2 || table.shape[0] == 0)
      fail("embedding.weight", fmt::format("expected shape (V, {}), got {}", spec_.model.embedding, shape_text(table.shape)));
    batch_.shape.steps = input.shape[0], batch_.rows = input.shape[1], batch_.shape.inputs = 1;
    batch_.shape.vocabulary = table.shape[0];
    batch_.shape.target_every_step = every_step_;
    read_lengths();
    batch_.tokens = integers_in(input, 0, table.shape[0] - 1, "tokens", 1);
  }

  void read_lengths() {
    const TensorView* lengths = tensors_.find("lengths");
    if (lengths == nullptr) return;
    if (!is_integer(*lengths)) fail("lengths", fmt::format("expected dtype I64 or I32, got {}", dtype_name(lengths->dtype)));
    check_shape(*lengths, {batch_.rows});
    batch_.shape.variable_length = true;
    batch_.lengths = integers_in(*lengths, 1, batch_.shape.steps, "steps of a row");
  }

  std::vector<std::int32_t> integers_in(const TensorView& tensor, std::int64_t least, std::int64_t most, std::string_view what,
                                        std::size_t per_step = 0) const {
    const std::vector<std::int64_t> values = without_padding(integer_values(tensor), per_step);
    for (std::size_t i = 0; i < values.size(); ++i)
      if (values[i] < least || values[i] > most)
        fail(tensor.name, fmt::format("element {} is {}; {} are {} to {}", place_of(i, tensor.shape), values[i], what, least, most));
    return {values.begin(), values.end()};
  }

  // (B) or (T, B), with C behind for values.
  Shape target_shape(std::optional<std::int64_t> outputs) const {
    Shape shape = {batch_.rows};
    if (every_step_) shape.insert(shape.begin(), batch_.shape.steps);
    if (outputs) shape.push_back(*outputs);
    return shape;
  }

  void check_target_shape(const TensorView& target, std::optional<std::int64_t> outputs) const {
    const Shape expected = target_shape(outputs);
    if (target.shape == expected) return;
    fail("target",
         fmt::format("expected shape {}, got {}; model.form = {} has a target {}", shape_text(expected), shape_text(target.shape),
                     spec_.model.form,
                     every_step_ ? "at every step, many_to_one one at the last" : "at the last step, many_to_many one at every step"));
  }

  void read_target() {
    const TensorView& target = need("target", "classes as (B) or (T, B), I64, or values as (B, C) or (T, B, C), F32 or F64");
    if (is_integer(target)) return read_classes(target);
    if (!is_floating(target))
      fail("target", fmt::format("expected dtype I64 (classes) or F32 or F64 (values), got {}", dtype_name(target.dtype)));
    read_values(target);
  }

  void read_classes(const TensorView& target) {
    const std::string& output = spec_.model.output;
    if (output != "task" && output != "softmax" && output != "relu")
      fail("target", fmt::format("has classes (dtype {}), and model.output = {}; set model.output = softmax, or give F32 or F64 values",
                                 dtype_name(target.dtype), output));
    check_target_shape(target, std::nullopt);
    batch_.shape.target = TargetKind::kClasses;
    const std::vector<std::int64_t> classes = without_padding(integer_values(target), per_target(1));
    batch_.shape.outputs = outputs_from_readout();
    if (batch_.shape.outputs == 0)
      fail("target", fmt::format("has classes up to {}, and there is no {} to say how many there are; give --classes N",
                                 std::ranges::max(classes), readout_.name));
    for (std::size_t i = 0; i < classes.size(); ++i)
      if (classes[i] < 0 || classes[i] >= batch_.shape.outputs)
        fail("target", fmt::format("element {} is {}; the {} classes are 0 to {}", place_of(i, target.shape), classes[i],
                                   batch_.shape.outputs, batch_.shape.outputs - 1));
    batch_.classes.assign(classes.begin(), classes.end());
  }

  void read_values(const TensorView& target) {
    const std::string& output = spec_.model.output;
    if (output == "softmax")
      fail("target", fmt::format("has values (dtype {}), and model.output = softmax; give I64 classes, or set model.output to sigmoid or "
                                 "linear",
                                 dtype_name(target.dtype)));
    batch_.shape.target = output == "sigmoid" ? TargetKind::kBinary : TargetKind::kValues;
    const std::int64_t from_readout = outputs_from_readout(), last = target.shape.empty() ? 0 : target.shape.back();
    batch_.shape.outputs = from_readout > 0 ? from_readout : std::max<std::int64_t>(1, last);
    check_target_shape(target, batch_.shape.outputs);
    batch_.values = rounded(target, per_target(static_cast<std::size_t>(batch_.shape.outputs)));
    if (batch_.shape.target != TargetKind::kBinary) return;
    for (std::size_t i = 0; i < batch_.values.size(); ++i)
      if (batch_.values[i] < 0 || batch_.values[i] > 1)
        fail("target", fmt::format("element {} is {}; with model.output = sigmoid targets lie between 0 (no) and 1 (yes)",
                                   place_of(i, target.shape), batch_.values[i]));
  }

  // C by the readout's weight or --classes; 0 if neither says.
  std::int64_t outputs_from_readout() const {
    const std::string& name = readout_.name;
    const TensorView* weight = tensors_.find(name);
    if (weight == nullptr) return classes_.value_or(0);
    check_floating(*weight);
    if (weight->shape.size() != 2 || weight->shape[0] == 0)
      fail(name, fmt::format("expected shape (C, {}), got {}", readout_.cols, shape_text(weight->shape)));
    if (classes_ && *classes_ != weight->shape[0])
      fail(name, fmt::format("has {} rows, and --classes is {}; leave --classes out", weight->shape[0], *classes_));
    return weight->shape[0];
  }

  // All of them, or none.
  void read_parameters() {
    const auto given = [this](const std::string& name) { return tensors_.find(name) != nullptr; };
    if (std::ranges::none_of(parameter_names_, given)) return;
    const ParameterLayout layout = make_layout(spec_, batch_.shape);
    batch_.parameters.assign(layout.size, T{0});
    try {
      load_parameters(tensors_, layout, batch_.parameters.data(), kBatchTensors);
    } catch (const std::invalid_argument& error) {
      throw io_error(fmt::format("{}: {}; or give none of them, to have them drawn by [init]", file_, error.what()));
    }
  }

  const Safetensors& tensors_;
  const std::string& file_;
  const RunSpec& spec_;
  std::optional<std::int64_t> classes_;
  bool every_step_ = false;
  std::vector<std::string> parameter_names_;
  Tensor readout_;  // its weight
  GivenBatch<T> batch_;
};

std::size_t count_not_finite(const TensorView& view) {
  const std::vector<double> values = floating_values<double>(view);
  return static_cast<std::size_t>(std::ranges::count_if(values, [](double v) { return !std::isfinite(v); }));
}

}  // namespace

template <class T>
GivenBatch<T> read_batch(const Safetensors& tensors, const std::string& file, const RunSpec& spec, std::optional<std::int64_t> classes) {
  return BatchReader<T>(tensors, file, spec, classes).read();
}

template <class T>
InspectionTensors<T>::InspectionTensors(const RunSpec& spec, const GivenBatch<T>& batch, const Inspection<T>& inspection)
    : inspection_(inspection), steps_(batch.shape.steps) {
  const bool sequence = find_model_kind(spec.model.kind)->has_time;
  if (!sequence) steps_ = 1;
  const auto layers = static_cast<std::int64_t>(inspection.dh.size()), rows = batch.rows, outputs = batch.shape.outputs;
  const Shape states = {layers * (spec.model.bidirectional ? 2 : 1), rows, spec.model.hidden};
  const auto shape_of = [&](std::int64_t l) {
    Shape shape = sequence ? Shape{steps_, rows} : Shape{rows};
    shape.insert(shape.end(), inspection.shapes[l].begin(), inspection.shapes[l].end());
    return shape;
  };
  views_.push_back(tensor_view<double>("loss", {}, {&inspection.loss, 1}));
  add("logits", batch.shape.target_every_step ? Shape{steps_, rows, outputs} : Shape{rows, outputs}, inspection.logits);
  add("hidden", shape_of(layers - 1), inspection.hidden);
  const ParameterLayout layout = make_layout(spec, batch.shape);
  for (TensorView& view : parameter_views(layout, inspection.gradient.data(), "grad.")) views_.push_back(std::move(view));
  for (std::int64_t l = 0; l < layers; ++l) add(fmt::format("grad.hidden.l{}", l), shape_of(l), inspection.dh[l]);
  if (!inspection.dh0.empty()) add("grad.h0", states, inspection.dh0);
  if (!inspection.dc0.empty()) add("grad.c0", states, inspection.dc0);
  const auto add_norms = [&](std::string_view state, const std::vector<std::vector<double>>& norms) {
    for (std::size_t l = 0; l < norms.size(); ++l)
      views_.push_back(tensor_view<double>(fmt::format("log10_norm.{}.l{}", state, l), {steps_}, norms[l]));
  };
  add_norms("hidden", inspection.log10_dh);
  add_norms("cell", inspection.log10_dc);
}

template <class T>
void InspectionTensors<T>::add(std::string name, Shape shape, std::span<const T> values) {
  views_.push_back(tensor_view<T>(std::move(name), std::move(shape), values));
}

template <class T>
std::vector<std::string> InspectionTensors<T>::not_finite() const {
  std::vector<std::string> found;
  for (const TensorView& view : views_)
    if (const std::size_t count = count_not_finite(view)) found.push_back(fmt::format("{} ({} of {})", view.name, count, view.elements()));
  return found;
}

template GivenBatch<float> read_batch(const Safetensors&, const std::string&, const RunSpec&, std::optional<std::int64_t>);
template GivenBatch<double> read_batch(const Safetensors&, const std::string&, const RunSpec&, std::optional<std::int64_t>);
template class InspectionTensors<float>;
template class InspectionTensors<double>;

}  // namespace vp
