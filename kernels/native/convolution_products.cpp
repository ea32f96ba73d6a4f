// Convolution as matrix products (im2col): the "native" engine's. The pixels under the kernel at every place of an image stand side by side
// as a row (k, k, C); one product of these rows with the weights is the convolution. Image by image, so that the columns stay in the
// second-level cache and sums over images have one order.
#include <algorithm>

#include "kernels/backend/backend_factories.h"
#include "kernels/memory/aligned_buffer.h"

namespace vp {
namespace {

// (O, C, k, k) to (O, k, k, C), the order of the columns, and back.
void to_columns_order(const ConvolutionShape& s, const float* weights, float* ordered) {
  const std::int64_t kk = s.kernel * s.kernel;
  for (std::int64_t o = 0; o < s.filters; ++o)
    for (std::int64_t c = 0; c < s.channels; ++c)
      for (std::int64_t q = 0; q < kk; ++q) ordered[(o * kk + q) * s.channels + c] = weights[(o * s.channels + c) * kk + q];
}
void from_columns_order(const ConvolutionShape& s, const float* ordered, float* weights) {
  const std::int64_t kk = s.kernel * s.kernel;
  for (std::int64_t o = 0; o < s.filters; ++o)
    for (std::int64_t c = 0; c < s.channels; ++c)
      for (std::int64_t q = 0; q < kk; ++q) weights[(o * s.channels + c) * kk + q] = ordered[(o * kk + q) * s.channels + c];
}

std::int64_t places(const ConvolutionShape& s) { return s.out_height() * s.out_width(); }
std::int64_t column_size(const ConvolutionShape& s) { return s.kernel * s.kernel * s.channels; }
ProductShape forward_product(const ConvolutionShape& s) {
  return {.m = places(s), .n = s.filters, .k = column_size(s), .transpose_b = true, .bias = true};
}
ProductShape input_product(const ConvolutionShape& s) { return {.m = places(s), .n = column_size(s), .k = s.filters}; }

class ProductConvolutionWeights final : public ConvolutionWeights<float> {
 public:
  ProductConvolutionWeights(Backend<float>& backend, const ConvolutionShape& shape)
      : shape_(shape),
        ordered_(shape.weight_size()),
        forward_(backend.make_weights(forward_product(shape))),
        backward_(backend.make_weights(input_product(shape))) {}
  void pack(const float* weights) override {
    to_columns_order(shape_, weights, ordered_.data());
    forward_->pack(ordered_.data());
    backward_->pack(ordered_.data());
  }
  PackedWeights<float>* forward() const { return forward_.get(); }
  PackedWeights<float>* backward() const { return backward_.get(); }

 private:
  ConvolutionShape shape_;
  AlignedBuffer<float> ordered_;  // (O, k, k, C)
  std::unique_ptr<PackedWeights<float>> forward_, backward_;
};

class ProductConvolution final : public Convolution<float> {
 public:
  ProductConvolution(Backend<float>& backend, const ConvolutionShape& shape, const ProductConvolutionWeights& weights)
      : s_(shape),
        columns_(places(shape) * column_size(shape)),
        ordered_(shape.weight_size()),
        forward_(backend.make_product(forward_product(shape), weights.forward())),
        input_(backend.make_product(input_product(shape), weights.backward())),
        weights_(backend.make_product(
            {.m = shape.filters, .n = column_size(shape), .k = places(shape), .transpose_a = true, .accumulate = true}, nullptr)) {}

  void forward(const float* x, const float* bias, float* y) override {
    for (std::int64_t b = 0; b < s_.rows; ++b) {
      gather(x + b * s_.input_size());
      forward_->run(columns_.data(), nullptr, bias, y + b * s_.output_size());
    }
  }
  void backward_input(const float* dy, float* dx) override {
    std::fill_n(dx, s_.rows * s_.input_size(), 0.0f);
    for (std::int64_t b = 0; b < s_.rows; ++b) {
      input_->run(dy + b * s_.output_size(), nullptr, nullptr, columns_.data());
      scatter(dx + b * s_.input_size());
    }
  }
  void backward_weights(const float* x, const float* dy, float* dweights) override {
    ordered_.zero();
    for (std::int64_t b = 0; b < s_.rows; ++b) {
      gather(x + b * s_.input_size());
      weights_->run(dy + b * s_.output_size(), columns_.data(), nullptr, ordered_.data());
    }
    from_columns_order(s_, ordered_.data(), dweights);
  }
  std::string implementation() const override { return forward_->implementation() + " im2col"; }

 private:
  // body(first element of a run of pixels in the image or -1: padding, its place in the columns) for every pixel under every kernel.
  template <class Body>
  void for_each_pixel(const Body& body) {
    float* column = columns_.data();
    for (std::int64_t oy = 0; oy < s_.out_height(); ++oy)
      for (std::int64_t ox = 0; ox < s_.out_width(); ++ox)
        for (std::int64_t ky = 0; ky < s_.kernel; ++ky)
          for (std::int64_t kx = 0; kx < s_.kernel; ++kx, column += s_.channels) {
            const std::int64_t y = oy * s_.stride + ky - s_.padding, x = ox * s_.stride + kx - s_.padding;
            const bool inside = y >= 0 && y < s_.height && x >= 0 && x < s_.width;
            body(inside ? (y * s_.width + x) * s_.channels : -1, column);
          }
  }
  void gather(const float* image) {
    for_each_pixel([&](std::int64_t at, float* column) {
      if (at < 0) return void(std::fill_n(column, s_.channels, 0.0f));
      std::copy_n(image + at, s_.channels, column);
    });
  }
  void scatter(float* image) {
    for_each_pixel([&](std::int64_t at, const float* column) {
      if (at < 0) return;
      for (std::int64_t c = 0; c < s_.channels; ++c) image[at + c] += column[c];
    });
  }

  ConvolutionShape s_;
  AlignedBuffer<float> columns_;  // (Y' X', k k C) of an image
  AlignedBuffer<float> ordered_;  // (O, k, k, C)
  std::unique_ptr<Product<float>> forward_, input_, weights_;
};

}  // namespace

std::unique_ptr<ConvolutionWeights<float>> make_product_convolution_weights(Backend<float>& backend, const ConvolutionShape& shape) {
  check_convolution(shape);
  return std::make_unique<ProductConvolutionWeights>(backend, shape);
}

std::unique_ptr<Convolution<float>> make_product_convolution(Backend<float>& backend, const ConvolutionShape& shape,
                                                             const ConvolutionWeights<float>& weights) {
  check_convolution(shape);
  return std::make_unique<ProductConvolution>(backend, shape, static_cast<const ProductConvolutionWeights&>(weights));
}

}  // namespace vp
