// What a feed-forward net is made of: sizes and tensors of every layer, from the options of model.kind = "mlp" or "cnn".
//
// A layer is: affine map (dense or convolution), layer norm, activation, dropout, shortcut, pooling; all but the first and the activation
// are optional. Thread-safety: constant once built.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "kernels/activation/activations.h"
#include "kernels/backend/convolution.h"
#include "models/parameters/parameters.h"
#include "models/spec/batch_source.h"
#include "models/spec/spec.h"

namespace vp {

// What both kinds can have. Layer norm stands before the activation and looks at one sample alone (Ba, Kiros & Hinton 2016); a dropped unit
// is zero, the others grow by 1 / (1 - dropout) (Srivastava et al. 2014).
struct FeedForwardOptions {
  bool layer_norm = false;
  double dropout = 0;
  void visit_fields(FieldVisitor& v);
};

struct MlpOptions : OptionsOf<MlpOptions> {
  IntegerList widths;     // of the hidden layers; empty: model.layers times model.hidden
  bool residual = false;  // h_k = f(z_k) + h_{k-1} where both are as wide (He et al. 2016)
  FeedForwardOptions common;
  void visit_fields(FieldVisitor& v) override;
};

struct CnnOptions : OptionsOf<CnnOptions> {
  IntegerList channels = {8, 16};  // of each convolution
  std::int64_t kernel = 3, stride = 1;
  std::optional<std::int64_t> padding;  // unset: (kernel - 1) / 2
  std::string pool = "max";             // or average, none
  std::int64_t pool_window = 2;
  std::int64_t pool_every = 1;  // convolutions between poolings
  FeedForwardOptions common;
  void visit_fields(FieldVisitor& v) override;
};

struct LayerPlan {
  Tensor weight, bias;
  std::optional<Tensor> norm_weight, norm_bias;  // (units)
  Activation activation;
  std::optional<ConvolutionShape> convolution;  // rows not set; without: dense
  std::optional<PoolingShape> pooling;          // rows not set
  std::int64_t inputs = 0;                      // elements of a sample that come in
  std::int64_t units = 0;                       // of a dense layer, or channels
  std::int64_t places = 1;                      // pixels of the convolution's output
  std::int64_t outputs = 0;                     // elements of a sample that go out
  bool shortcut = false;
  double dropout = 0;

  std::int64_t size() const { return units * places; }  // of the activation's output of a sample
};

// The weight of a dense layer, in pieces that leave the second-level cache room for more.
std::vector<GradientPiece> dense_pieces(const LayerPlan& plan, std::int64_t layer);

struct FeedForwardPlan {
  std::vector<LayerPlan> layers;  // the hidden ones, then the output layer, which is linear
  ParameterLayout layout;
  // Images come in and go between layers channels last; before the first dense layer behind convolutions they are turned to (C, Y, X), as
  // PyTorch flattens them.
  std::int64_t turned_channels = 0;
};

// model.kind decides. Throws std::invalid_argument, in the words of the configuration, for a task that gives no image to a cnn, or an image
// that its convolutions and poolings use up.
FeedForwardPlan make_plan(const RunSpec& spec, const SequenceShape& shape);

}  // namespace vp
