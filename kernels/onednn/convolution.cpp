// The "onednn" engine's convolution and average pooling. Sequential, made once, with a scratchpad of its own (matmul.cpp).
//
// src and dst are both nhwc and only the weights `any`: with dst `any` and one input channel 2.6.3 falls back to its plain `ref:any`.
// The weights' gradient of a 1 x 1 kernel is one sum over all places in one chain; with few channels it is made as a product instead, which
// sums in chunks (matmul.cpp): five times less exact than PyTorch's before.
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "kernels/backend/backend_factories.h"
#include "kernels/onednn/primitive.h"
#include "kernels/onednn/sequential_thread.h"

namespace vp {
namespace {

using dnnl::memory;
using Tag = memory::format_tag;

constexpr auto kDirect = dnnl::algorithm::convolution_direct;

// Runs f; an error of oneDNN becomes one of ours that names the shape.
template <class F>
auto guarded(const char* step, const ConvolutionShape& shape, const F& f) {
  try {
    return f();
  } catch (const dnnl::error& e) {
    throw std::runtime_error("[convolution] onednn cannot " + std::string(step) + " for shape " + describe(shape) + ": " + e.what());
  }
}

memory::desc images(std::int64_t rows, std::int64_t channels, std::int64_t height, std::int64_t width) {
  return {{rows, channels, height, width}, memory::data_type::f32, Tag::nhwc};
}
memory::desc source(const ConvolutionShape& s) { return images(s.rows, s.channels, s.height, s.width); }
memory::desc destination(const ConvolutionShape& s) { return images(s.rows, s.filters, s.out_height(), s.out_width()); }
memory::desc weights_as(const ConvolutionShape& s, Tag tag) {
  return {{s.filters, s.channels, s.kernel, s.kernel}, memory::data_type::f32, tag};
}
memory::desc bias_of(const ConvolutionShape& s) { return {{s.filters}, memory::data_type::f32, Tag::a}; }

class OneDnnConvolutionWeights final : public ConvolutionWeights<float> {
 public:
  explicit OneDnnConvolutionWeights(const ConvolutionShape& shape) : shape_(shape), copies_(engine_, weights_as(shape, Tag::oihw)) {}
  void pack(const float* weights) override {
    make_this_thread_sequential();
    guarded("pack weights", shape_, [&] { copies_.fill(weights); });
  }
  const dnnl::engine& engine() const { return engine_; }
  const memory& in_layout(const memory::desc& layout) { return copies_.in_layout(layout); }

 private:
  dnnl::engine engine_{dnnl::engine::kind::cpu, 0};
  ConvolutionShape shape_;
  WeightsCopies copies_;
};

// The three descriptors of a shape.
struct Descriptors {
  dnnl::convolution_forward::primitive_desc forward;
  dnnl::convolution_backward_data::primitive_desc input;
  dnnl::convolution_backward_weights::primitive_desc weights;

  Descriptors(const dnnl::engine& engine, const ConvolutionShape& s) {
    const memory::dims strides{s.stride, s.stride}, padding{s.padding, s.padding};
    const memory::desc src = source(s), dst = destination(s), any = weights_as(s, Tag::any);
    const dnnl::primitive_attr own = shim::user_scratchpad();
    forward = shim::make_descriptor<dnnl::convolution_forward>(engine, own, dnnl::prop_kind::forward_training, kDirect, src, any,
                                                               bias_of(s), dst, strides, padding, padding);
    input = shim::make_backward_descriptor<dnnl::convolution_backward_data>(engine, own, forward, kDirect, src, any, dst, strides, padding,
                                                                            padding);
    weights = shim::make_backward_descriptor<dnnl::convolution_backward_weights>(engine, own, forward, kDirect, src, any, dst, strides,
                                                                                 padding, padding);
  }
};

class OneDnnConvolution final : public Convolution<float> {
 public:
  OneDnnConvolution(Backend<float>& backend, const ConvolutionShape& shape, OneDnnConvolutionWeights& weights)
      : OneDnnConvolution(shape, weights, Descriptors(weights.engine(), shape), weights_product(backend, shape)) {}

  void forward(const float* x, const float* bias, float* y) override {
    set(x_, x), set(bias_, bias), set(y_, y);
    run("run", forward_);
  }
  void backward_input(const float* dy, float* dx) override {
    set(dy_, dy), set(dx_, dx);
    run("run backward", input_);
  }
  void backward_weights(const float* x, const float* dy, float* dweights) override {
    if (product_) return product_->run(dy, x, nullptr, dweights);
    set(x_, x), set(dy_, dy), set(plain_, dweights);
    run("run backward", weights_);
    if (!reorder_.empty()) run("reorder gradients", reorder_.front());
  }
  std::string implementation() const override { return implementation_; }

 private:
  static std::unique_ptr<Product<float>> weights_product(Backend<float>& backend, const ConvolutionShape& s) {
    if (s.kernel > 1 || s.stride > 1 || s.padding > 0 || s.channels >= kNarrow) return nullptr;
    return backend.make_product({.m = s.filters, .n = s.channels, .k = s.rows * s.height * s.width, .transpose_a = true}, nullptr);
  }

  OneDnnConvolution(const ConvolutionShape& s, OneDnnConvolutionWeights& weights, const Descriptors& d,
                    std::unique_ptr<Product<float>> product)
      : shape_(s),
        product_(std::move(product)),
        implementation_(std::string(d.forward.impl_info_str()) + ", " + d.input.impl_info_str() + ", " +
                        (product_ ? product_->implementation() : d.weights.impl_info_str())),
        x_(source(s), weights.engine(), nullptr),
        y_(destination(s), weights.engine(), nullptr),
        bias_(bias_of(s), weights.engine(), nullptr),
        dx_(source(s), weights.engine(), nullptr),
        dy_(destination(s), weights.engine(), nullptr),
        plain_(weights_as(s, Tag::oihw), weights.engine(), nullptr),
        blocked_(plain_),
        forward_(weights.engine(), dnnl::convolution_forward(d.forward), d.forward.scratchpad_desc()),
        input_(weights.engine(), dnnl::convolution_backward_data(d.input), d.input.scratchpad_desc()),
        weights_(weights.engine(), dnnl::convolution_backward_weights(d.weights), d.weights.scratchpad_desc()) {
    forward_.add(DNNL_ARG_SRC, x_), forward_.add(DNNL_ARG_BIAS, bias_), forward_.add(DNNL_ARG_DST, y_);
    forward_.add(DNNL_ARG_WEIGHTS, weights.in_layout(d.forward.weights_desc()));
    input_.add(DNNL_ARG_DIFF_DST, dy_), input_.add(DNNL_ARG_DIFF_SRC, dx_);
    input_.add(DNNL_ARG_WEIGHTS, weights.in_layout(d.input.weights_desc()));
    const bool plain = d.weights.diff_weights_desc() == plain_.get_desc();
    if (!plain) blocked_ = own_.emplace_back(d.weights.diff_weights_desc(), weights.engine()).get();
    weights_.add(DNNL_ARG_SRC, x_), weights_.add(DNNL_ARG_DIFF_DST, dy_), weights_.add(DNNL_ARG_DIFF_WEIGHTS, blocked_);
    if (plain) return;
    const dnnl::engine& engine = weights.engine();
    const dnnl::reorder::primitive_desc back(engine, blocked_.get_desc(), engine, plain_.get_desc(), shim::user_scratchpad());
    reorder_.emplace_back(engine, dnnl::reorder(back), back.scratchpad_desc());
    reorder_.back().add(DNNL_ARG_FROM, blocked_), reorder_.back().add(DNNL_ARG_TO, plain_);
  }

  static void set(memory& m, const float* data) { m.set_data_handle(const_cast<float*>(data)); }
  void run(const char* step, Call& call) {
    guarded(step, shape_, [&] { call.run(); });
  }

  ConvolutionShape shape_;
  std::unique_ptr<Product<float>> product_;  // of the weights' gradient, or nullptr: a primitive of its own
  std::string implementation_;
  memory x_, y_, bias_, dx_, dy_, plain_, blocked_;  // plain_, blocked_: the weights' gradient as we and as oneDNN want it
  Call forward_, input_, weights_;
  std::vector<OwnMemory> own_;  // none or one: of blocked_
  std::vector<Call> reorder_;   // none or one
};

class OneDnnAveragePooling final : public Pooling<float> {
 public:
  explicit OneDnnAveragePooling(const PoolingShape& s)
      : forward_of_(describe_forward(s)),
        backward_of_(describe_backward(s)),
        x_(forward_of_.src_desc(), engine_, nullptr),
        y_(forward_of_.dst_desc(), engine_, nullptr),
        forward_(engine_, shim::PoolingForward(forward_of_), forward_of_.scratchpad_desc()),
        backward_(engine_, shim::PoolingBackward(backward_of_), backward_of_.scratchpad_desc()) {
    forward_.add(DNNL_ARG_SRC, x_), forward_.add(DNNL_ARG_DST, y_);
    backward_.add(DNNL_ARG_DIFF_SRC, x_), backward_.add(DNNL_ARG_DIFF_DST, y_);
  }
  void forward(const float* x, float* y) override { run(forward_, x, y); }
  void backward(const float* dy, float* dx) override { run(backward_, dx, dy); }
  std::string implementation() const override { return std::string(forward_of_.impl_info_str()) + ", " + backward_of_.impl_info_str(); }

 private:
  static constexpr auto kMean = dnnl::algorithm::pooling_avg_exclude_padding;

  shim::PoolingForward::primitive_desc describe_forward(const PoolingShape& s) const {
    const memory::dims window{s.window, s.window}, none{0, 0};
    return shim::make_descriptor<shim::PoolingForward>(
        engine_, shim::user_scratchpad(), dnnl::prop_kind::forward_training, kMean, images(s.rows, s.channels, s.height, s.width),
        images(s.rows, s.channels, s.out_height(), s.out_width()), window, window, none, none, none);
  }
  shim::PoolingBackward::primitive_desc describe_backward(const PoolingShape& s) const {
    const memory::dims window{s.window, s.window}, none{0, 0};
    return shim::make_backward_descriptor<shim::PoolingBackward>(
        engine_, shim::user_scratchpad(), forward_of_, kMean, images(s.rows, s.channels, s.height, s.width),
        images(s.rows, s.channels, s.out_height(), s.out_width()), window, window, none, none, none);
  }
  void run(Call& call, const float* x, const float* y) {
    x_.set_data_handle(const_cast<float*>(x));
    y_.set_data_handle(const_cast<float*>(y));
    call.run();
  }

  dnnl::engine engine_{dnnl::engine::kind::cpu, 0};
  shim::PoolingForward::primitive_desc forward_of_;
  shim::PoolingBackward::primitive_desc backward_of_;
  memory x_, y_;  // or their gradients
  Call forward_, backward_;
};

}  // namespace

std::unique_ptr<ConvolutionWeights<float>> make_onednn_convolution_weights(const ConvolutionShape& shape) {
  check_convolution(shape);
  make_this_thread_sequential();
  return guarded("make weights", shape, [&] { return std::make_unique<OneDnnConvolutionWeights>(shape); });
}

std::unique_ptr<Convolution<float>> make_onednn_convolution(Backend<float>& backend, const ConvolutionShape& shape,
                                                            ConvolutionWeights<float>& weights) {
  check_convolution(shape);
  make_this_thread_sequential();
  auto& own = static_cast<OneDnnConvolutionWeights&>(weights);  // the only kind make_onednn_convolution_weights gives
  return guarded("make a convolution", shape, [&] { return std::make_unique<OneDnnConvolution>(backend, shape, own); });
}

std::unique_ptr<Pooling<float>> make_onednn_average_pooling(const PoolingShape& shape) {
  check_pooling(shape);
  make_this_thread_sequential();
  return std::make_unique<OneDnnAveragePooling>(shape);
}

}  // namespace vp
