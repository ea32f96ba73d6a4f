// The "native" engine: the project's own products and whole time steps for float, in Highway.
//
// Weights are packed once per update into panels as wide as the micro-kernel; everything a run needs is made with the object, so nothing is
// allocated after that. An object keeps the instruction set it was made with.
#include <cstddef>
#include <span>
#include <stdexcept>
#include <string>

#include "kernels/backend/backend_factories.h"
#include "kernels/memory/aligned_buffer.h"
#include "kernels/native/native_kernels.h"
#include "kernels/pointwise/pointwise_simd.h"

namespace vp {
namespace {

using native::Kernels;
using native::round_up;

constexpr std::int64_t kChains = 16;  // of a row's sum of squares (lanes-inl.h)

std::string implementation_name(const Kernels& kernels) { return std::string("native:") + kernels.name; }

// Packed, or, for few rows that meet them once, read where they stand.
class NativeWeights final : public PackedWeights<float> {
 public:
  explicit NativeWeights(const ProductShape& made_for)
      : kernels_(native::kernels()),
        made_for_(made_for),
        in_place_(made_for.used_once && made_for.m <= kFewRows),
        panels_(in_place_ ? 0 : made_for.k * round_up(made_for.n, kernels_.lanes)) {}
  void pack(const float* weights) override {
    plain_ = weights;
    if (in_place_) return;
    kernels_.pack_product(made_for_.n, made_for_.k, made_for_.transpose_b, weights, panels_.data());
  }

  const Kernels& kernels() const { return kernels_; }
  const ProductShape& made_for() const { return made_for_; }
  bool in_place() const { return in_place_; }
  const float* panels() const { return panels_.data(); }
  const float* plain() const { return plain_; }
  std::int64_t size() const { return made_for_.k * made_for_.n; }

 private:
  static constexpr std::int64_t kFewRows = 64;  // as wide as a panel: a second one would read the weights again

  const Kernels& kernels_;
  ProductShape made_for_;
  bool in_place_;
  AlignedBuffer<float> panels_;
  const float* plain_ = nullptr;
};

class NativeProduct final : public Product<float> {
 public:
  NativeProduct(const ProductShape& shape, const NativeWeights* weights)
      : kernels_(weights ? weights->kernels() : native::kernels()),
        shape_(shape),
        weights_(weights),
        in_place_(weights && weights->in_place() && !shape.accumulate),
        room_(in_place_ ? kernels_.in_place_workspace(shape) : kernels_.product_workspace(shape, packed())) {
    own_.need(room_);
  }
  void work_in(Scratch<float>& scratch) override {
    scratch.need(room_);
    scratch_ = &scratch;
    own_ = {};
  }

  void followed_by(const PackedWeights<float>* weights) override {
    next_ = {};
    next_changes_ = false;
    const auto* const own = static_cast<const NativeWeights*>(weights);  // the only kind make_weights gives
    if (own && in_place_ && own->in_place() && own->size() >= kLeastFetched && own->size() <= kMostFetched)
      next_ = {own->plain(), static_cast<std::size_t>(own->size())};
  }
  void followed_by_change(std::span<const float> values) override {
    next_ = std::ssize(values) <= kMostFetched ? values : std::span<const float>{};
    next_changes_ = true;
  }

  void run(const float* a, const float* b, const float* bias, float* c) override {
    const auto run = in_place_ ? kernels_.run_in_place : kernels_.run_product;
    run({.shape = shape_,
         .panels = packed() ? weights_->panels() : nullptr,
         .a = a,
         .b = weights_ ? weights_->plain() : b,
         .bias = bias,
         .c = c,
         .workspace = (scratch_ ? *scratch_ : own_).data(),
         .next = next_,
         .next_changes = next_changes_});
  }
  std::string implementation() const override { return implementation_name(kernels_); }

 private:
  // Few weights are near already, too many would drive out what the product itself needs.
  static constexpr std::int64_t kLeastFetched = 1 << 13, kMostFetched = 1 << 16;

  bool packed() const { return weights_ && !weights_->in_place(); }

  const Kernels& kernels_;
  ProductShape shape_;
  const NativeWeights* weights_;  // nullptr: B is given to run()
  bool in_place_;
  std::int64_t room_;
  Scratch<float> own_;
  Scratch<float>* scratch_ = nullptr;  // nullptr: own_
  std::span<const float> next_;        // followed_by(), followed_by_change()
  bool next_changes_ = false;
};

std::string describe(const FusedShape& s) {
  return "(rows=" + std::to_string(s.rows) + ", inputs=" + std::to_string(s.inputs) + ", hidden=" + std::to_string(s.hidden) +
         (s.cell == FusedCell::kLstm  ? ", lstm)"
          : s.cell == FusedCell::kGru ? ", gru)"
                                      : ", rnn)");
}

void check_fused(const FusedShape& s) {
  if (s.rows < 1 || s.inputs < 1 || s.hidden < 1)
    throw std::invalid_argument("[fused step] rows, inputs, hidden: expected at least 1, got " + describe(s));
  if (s.cell == FusedCell::kRnn && s.activation == nullptr)
    throw std::invalid_argument("[fused step] activation: an rnn needs one " + describe(s));
}

class NativeFusedWeights final : public FusedWeights<float> {
 public:
  explicit NativeFusedWeights(const FusedShape& shape)
      : kernels_(native::kernels()),
        made_for_(shape),
        forward_((shape.inputs + shape.hidden) * width()),
        bias_(shape.bias_size() / shape.hidden * round_up(shape.hidden, kernels_.lanes)),
        backward_(shape.gates() * shape.hidden * round_up(shape.hidden, kernels_.lanes)) {}

  void pack(const float* weight_ih, const float* weight_hh, const float* bias) override {
    kernels_.pack_forward(made_for_, weight_ih, weight_hh, bias, forward_.data(), bias_.data());
    kernels_.pack_product(made_for_.hidden, made_for_.gates() * made_for_.hidden, false, weight_hh, backward_.data());
  }

  const Kernels& kernels() const { return kernels_; }
  const FusedShape& made_for() const { return made_for_; }
  const float* forward() const { return forward_.data(); }
  const float* bias() const { return bias_.data(); }
  const float* backward() const { return backward_.data(); }

 private:
  std::int64_t width() const { return made_for_.gates() * round_up(made_for_.hidden, kernels_.lanes); }

  const Kernels& kernels_;
  FusedShape made_for_;
  AlignedBuffer<float> forward_, bias_, backward_;
};

class NativeFusedStep final : public FusedStep<float> {
 public:
  NativeFusedStep(const FusedShape& shape, const NativeFusedWeights& weights)
      : kernels_(weights.kernels()),
        shape_(shape),
        weights_(weights),
        chains_dh_(shape.rows * kChains),
        chains_dc_(shape.rows * kChains),
        chunks_(kernels_.chunk_workspace(shape)) {}

  void forward(const float* x, const float* h_prev, float* gates, const float* c_prev, float* c, float* saved, float* h) override {
    of_cell(kernels_.rnn_forward, kernels_.lstm_forward, kernels_.gru_forward)({.rows = shape_.rows,
                                                                                .inputs = shape_.inputs,
                                                                                .hidden = shape_.hidden,
                                                                                .activation = shape_.activation,
                                                                                .panels = weights_.forward(),
                                                                                .bias = weights_.bias(),
                                                                                .x = x,
                                                                                .h_prev = h_prev,
                                                                                .c_prev = c_prev,
                                                                                .gates = gates,
                                                                                .c = c,
                                                                                .saved = saved,
                                                                                .h = h,
                                                                                .chunks = chunks_.data()});
  }

  void backward(const FusedBackward<float>& step) override {
    of_cell(kernels_.rnn_backward, kernels_.lstm_backward, kernels_.gru_backward)({.rows = shape_.rows,
                                                                                   .hidden = shape_.hidden,
                                                                                   .panels = weights_.backward(),
                                                                                   .step = step,
                                                                                   .chains_dh = chains_dh_.data(),
                                                                                   .chains_dc = chains_dc_.data(),
                                                                                   .chunks = chunks_.data()});
  }

  std::string implementation() const override { return implementation_name(kernels_) + " fused"; }

 private:
  template <class Function>
  Function of_cell(Function rnn, Function lstm, Function gru) const {
    return shape_.cell == FusedCell::kLstm ? lstm : shape_.cell == FusedCell::kGru ? gru : rnn;
  }

  const Kernels& kernels_;
  FusedShape shape_;
  const NativeFusedWeights& weights_;
  AlignedBuffer<double> chains_dh_, chains_dc_;
  AlignedBuffer<std::byte> chunks_;
};

class NativeBackend final : public Backend<float> {
 public:
  std::string_view name() const override { return "native"; }
  const PointwiseKernels<float>& pointwise() const override { return simd_pointwise(); }

  std::unique_ptr<PackedWeights<float>> make_weights(const ProductShape& typical) override {
    check_product(typical);
    return std::make_unique<NativeWeights>(typical);
  }

  std::unique_ptr<Product<float>> make_product(const ProductShape& shape, PackedWeights<float>* weights) override {
    check_product(shape);
    const auto* const own = static_cast<const NativeWeights*>(weights);  // the only kind make_weights gives
    if (own) check_weights(shape, own->made_for());
    return std::make_unique<NativeProduct>(shape, own);
  }

  std::unique_ptr<ConvolutionWeights<float>> make_convolution_weights(const ConvolutionShape& shape) override {
    return make_product_convolution_weights(*this, shape);
  }
  std::unique_ptr<Convolution<float>> make_convolution(const ConvolutionShape& shape, ConvolutionWeights<float>& weights) override {
    return make_product_convolution(*this, shape, weights);
  }
  std::unique_ptr<Pooling<float>> make_pooling(const PoolingShape& shape) override { return make_reference_pooling<float>(shape); }

  std::unique_ptr<FusedWeights<float>> make_fused_weights(const FusedShape& shape) override {
    check_fused(shape);
    return std::make_unique<NativeFusedWeights>(shape);
  }

  std::unique_ptr<FusedStep<float>> make_fused_step(const FusedShape& shape, const FusedWeights<float>& weights) override {
    check_fused(shape);
    const auto& own = static_cast<const NativeFusedWeights&>(weights);  // the only kind make_fused_weights gives
    const FusedShape& made_for = own.made_for();
    if (made_for.cell != shape.cell || made_for.inputs != shape.inputs || made_for.hidden != shape.hidden)
      throw std::invalid_argument("[fused step] weights: made for " + describe(made_for) + ", asked for " + describe(shape));
    return std::make_unique<NativeFusedStep>(shape, own);
  }
};

}  // namespace

std::unique_ptr<Backend<float>> make_native_backend() { return std::make_unique<NativeBackend>(); }

}  // namespace vp
