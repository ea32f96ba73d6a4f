#include "models/feed_forward/plan.h"

#include <algorithm>
#include <stdexcept>

#include "kernels/activation/custom_activation.h"

namespace vp {
namespace {

constexpr double kMaxWidth = 65536, kMaxKernel = 64;

class Planner {
 public:
  explicit Planner(const RunSpec& spec) : spec_(spec), activation_(resolve_activation(spec.model.activation)) {}

  FeedForwardPlan mlp(const MlpOptions& options, const SequenceShape& shape) {
    IntegerList widths = options.widths;
    if (widths.empty()) widths.assign(static_cast<std::size_t>(spec_.model.layers), spec_.model.hidden);
    std::int64_t inputs = shape.steps * shape.inputs;
    for (const std::int64_t width : widths) {
      LayerPlan& layer = add_dense("layers." + number(), inputs, width, plan_.layers.empty() ? WeightRole::kInput : WeightRole::kHidden);
      layer.activation = activation_;
      layer.dropout = options.common.dropout;
      layer.shortcut = options.residual && plan_.layers.size() > 1 && inputs == width;
      inputs = width;
    }
    add_dense("layers." + number(), inputs, shape.outputs, WeightRole::kReadout);
    return finish(options.common.layer_norm);
  }

  FeedForwardPlan cnn(const CnnOptions& options, const SequenceShape& shape) {
    if (shape.image_channels == 0)
      throw std::invalid_argument(
          "model.kind = cnn needs images, and the task gives none; take model.kind = mlp, or a task with images (of csv_rows, "
          "task.steps says how many rows an image has)");
    ConvolutionShape image{.channels = shape.image_channels, .height = shape.image_height, .width = shape.image_width};
    image.kernel = options.kernel, image.stride = options.stride, image.padding = options.padding.value_or((options.kernel - 1) / 2);
    for (const std::int64_t filters : options.channels) {
      image.filters = filters;
      add_convolution(image, options);
      const LayerPlan& layer = plan_.layers.back();
      image.height = layer.pooling ? layer.pooling->out_height() : image.out_height();
      image.width = layer.pooling ? layer.pooling->out_width() : image.out_width();
      image.channels = filters;
    }
    plan_.turned_channels = image.channels;
    add_dense("readout", image.input_size(), shape.outputs, WeightRole::kReadout);
    return finish(options.common.layer_norm);
  }

 private:
  std::string number() const { return std::to_string(plan_.layers.size()); }

  void add_affine(const std::string& name, std::int64_t rows, std::int64_t cols, WeightRole role) {
    const auto layer = static_cast<std::int64_t>(plan_.layers.size()) - 1;
    plan_.layers.back().weight = {name + ".weight", rows, cols, 0, layer, role, false, 1, cols};
    plan_.layers.back().bias = {name + ".bias", rows, 1, 0, layer, role, true, 1, cols};
  }

  LayerPlan& add_dense(const std::string& name, std::int64_t inputs, std::int64_t units, WeightRole role) {
    LayerPlan& layer = plan_.layers.emplace_back();
    layer.activation = *find_activation("linear");
    layer.inputs = inputs, layer.units = layer.outputs = units;
    add_affine(name, units, inputs, role);
    return layer;
  }

  void add_convolution(const ConvolutionShape& shape, const CnnOptions& options) {
    const std::string name = "conv." + number();
    const bool pools = options.pool != "none" && (plan_.layers.size() + 1) % static_cast<std::size_t>(options.pool_every) == 0;
    const std::int64_t least = pools ? options.pool_window : 1;
    if (shape.padding >= shape.kernel || shape.height + 2 * shape.padding < shape.kernel ||
        shape.width + 2 * shape.padding < shape.kernel || shape.out_height() < least || shape.out_width() < least)
      throw std::invalid_argument(name + ": its input of " + std::to_string(shape.height) + " x " + std::to_string(shape.width) +
                                  " pixels is used up; take fewer model.channels, a larger model.pool_every or model.padding, or "
                                  "model.pool = none (padding is less than model.kernel)");
    LayerPlan& layer = plan_.layers.emplace_back();
    layer.activation = activation_;
    layer.convolution = shape;
    layer.inputs = shape.input_size(), layer.units = shape.filters;
    layer.places = shape.out_height() * shape.out_width(), layer.outputs = layer.size();
    layer.dropout = options.common.dropout;
    add_affine(name, shape.filters, shape.channels * shape.kernel * shape.kernel,
               plan_.layers.size() == 1 ? WeightRole::kInput : WeightRole::kHidden);
    layer.weight.dims = {shape.filters, shape.channels, shape.kernel, shape.kernel};
    if (!pools) return;
    layer.pooling = PoolingShape{.channels = shape.filters,
                                 .height = shape.out_height(),
                                 .width = shape.out_width(),
                                 .window = options.pool_window,
                                 .average = options.pool == "average"};
    layer.outputs = layer.pooling->output_size();
  }

  // Places the tensors: weights and biases in the order of the layers, then the norms.
  FeedForwardPlan finish(bool layer_norm) {
    ParameterLayout& layout = plan_.layout;
    const auto place = [&layout](Tensor& tensor) {
      layout.add(tensor);
      tensor = layout.list.back();
    };
    for (LayerPlan& layer : plan_.layers) place(layer.weight), place(layer.bias);
    for (std::size_t l = 0; layer_norm && l + 1 < plan_.layers.size(); ++l) {
      LayerPlan& layer = plan_.layers[l];
      const std::string name = "norms." + std::to_string(l);
      const auto vector = [&](const char* what, double value) {
        return Tensor{name + what, layer.units, 1, 0, static_cast<std::int64_t>(l), WeightRole::kHidden, true, 1, 1, {}, value};
      };
      place(layer.norm_weight.emplace(vector(".weight", 1))), place(layer.norm_bias.emplace(vector(".bias", 0)));
    }
    return std::move(plan_);
  }

  const RunSpec& spec_;
  const Activation activation_;
  FeedForwardPlan plan_;
};

}  // namespace

void FeedForwardOptions::visit_fields(FieldVisitor& v) {
  v.field({.key = "model.layer_norm", .description = "layer norm of every sample before the activation"}, layer_norm);
  v.field({.key = "model.dropout", .description = "share of the units that are zero in training", .minimum = 0, .maximum = 0.99}, dropout);
}

void MlpOptions::visit_fields(FieldVisitor& v) {
  v.field({.key = "model.widths",
           .description = "units of each hidden layer, as in [300, 100]; empty: model.layers times model.hidden",
           .minimum = 1,
           .maximum = kMaxWidth},
          widths);
  v.field({.key = "model.residual", .description = "a layer as wide as the one below adds its output to that one's"}, residual);
  common.visit_fields(v);
}

void CnnOptions::visit_fields(FieldVisitor& v) {
  v.field({.key = "model.channels", .description = "channels of each convolution, as in [8, 16]", .minimum = 1, .maximum = kMaxWidth},
          channels);
  v.field({.key = "model.kernel", .description = "pixels of the kernels, both ways", .minimum = 1, .maximum = kMaxKernel}, kernel);
  v.field({.key = "model.stride", .description = "pixels between kernels, both ways", .minimum = 1, .maximum = kMaxKernel}, stride);
  v.field({.key = "model.padding", .description = "zeros around each image; unset: (kernel - 1) / 2", .minimum = 0, .maximum = kMaxKernel},
          padding);
  v.field({.key = "model.pool", .description = "what a window becomes", .choices = {"max", "average", "none"}}, pool);
  v.field({.key = "model.pool_window", .description = "pixels of a pooling window, both ways", .minimum = 1, .maximum = kMaxWindow},
          pool_window);
  v.field({.key = "model.pool_every", .description = "convolutions between poolings", .minimum = 1, .maximum = 1000}, pool_every);
  common.visit_fields(v);
}

std::vector<GradientPiece> dense_pieces(const LayerPlan& plan, std::int64_t layer) {
  constexpr std::int64_t kMost = 1 << 16;  // 256 KiB of float
  const std::int64_t count = std::min(plan.units, (plan.weight.size() + kMost - 1) / kMost);
  std::vector<GradientPiece> pieces;
  for (std::int64_t p = 0, unit = 0; p < count; ++p) {
    const std::int64_t units = plan.units * (p + 1) / count - unit, begin = plan.weight.offset + unit * plan.inputs;
    pieces.push_back({.begin = begin, .end = begin + units * plan.inputs, .layer = layer, .first_unit = unit, .units = units});
    unit += units;
  }
  return pieces;
}

FeedForwardPlan make_plan(const RunSpec& spec, const SequenceShape& shape) {
  Planner planner(spec);
  const Options& options = spec.kind_options.get();
  return spec.model.kind == "cnn" ? planner.cnn(options_as<CnnOptions>(options), shape)
                                  : planner.mlp(options_as<MlpOptions>(options), shape);
}

}  // namespace vp
