// The oracle's convolution and pooling: as their formulas read, in plain scalar C++, float and double. The maximum is taken here for every
// engine: oneDNN's (2.6.3) drops a NaN that is not the first of its window, and a diverged run would be hidden.
#include <algorithm>
#include <cstdint>
#include <vector>

#include "kernels/backend/backend_factories.h"
#include "kernels/memory/aligned_buffer.h"

namespace vp {
namespace {

template <class T>
class ReferenceConvolutionWeights final : public ConvolutionWeights<T> {
 public:
  void pack(const T* weights) override { weights_ = weights; }
  const T* weights() const { return weights_; }

 private:
  const T* weights_ = nullptr;  // read in place
};

template <class T>
class ReferenceConvolution final : public Convolution<T> {
 public:
  ReferenceConvolution(const ConvolutionShape& shape, const ReferenceConvolutionWeights<T>& weights)
      : s_(shape),
        weights_(weights),
        sums_(std::max({shape.rows * shape.output_size(), shape.rows * shape.input_size(), shape.weight_size()})) {}

  void forward(const T* x, const T* bias, T* y) override {
    const T* w = weights_.weights();
    for (std::int64_t at = 0; at < s_.rows * s_.output_size(); ++at) sums_[at] = static_cast<double>(bias[at % s_.filters]);
    for_each_term([&](std::int64_t in, std::int64_t weight, std::int64_t out) { add(out, x[in], w[weight]); });
    round_to(y, s_.rows * s_.output_size());
  }
  void backward_input(const T* dy, T* dx) override {
    const T* w = weights_.weights();
    sums_.zero();
    for_each_term([&](std::int64_t in, std::int64_t weight, std::int64_t out) { add(in, dy[out], w[weight]); });
    round_to(dx, s_.rows * s_.input_size());
  }
  void backward_weights(const T* x, const T* dy, T* dweights) override {
    sums_.zero();
    for_each_term([&](std::int64_t in, std::int64_t weight, std::int64_t out) { add(weight, dy[out], x[in]); });
    round_to(dweights, s_.weight_size());
  }
  std::string implementation() const override { return "reference"; }

 private:
  // Every product x[in] * w[weight] that is part of y[out].
  template <class Term>
  void for_each_term(const Term& term) const {
    for (std::int64_t b = 0; b < s_.rows; ++b)
      for (std::int64_t oy = 0; oy < s_.out_height(); ++oy)
        for (std::int64_t ox = 0; ox < s_.out_width(); ++ox)
          for (std::int64_t ky = 0; ky < s_.kernel; ++ky)
            for (std::int64_t kx = 0; kx < s_.kernel; ++kx) {
              const std::int64_t y = oy * s_.stride + ky - s_.padding, x = ox * s_.stride + kx - s_.padding;
              if (y < 0 || y >= s_.height || x < 0 || x >= s_.width) continue;
              const std::int64_t in = ((b * s_.height + y) * s_.width + x) * s_.channels;
              const std::int64_t out = ((b * s_.out_height() + oy) * s_.out_width() + ox) * s_.filters;
              for (std::int64_t o = 0; o < s_.filters; ++o)
                for (std::int64_t c = 0; c < s_.channels; ++c)
                  term(in + c, ((o * s_.channels + c) * s_.kernel + ky) * s_.kernel + kx, out + o);
            }
  }

  void add(std::int64_t at, T a, T b) { sums_[at] += static_cast<double>(a) * static_cast<double>(b); }
  void round_to(T* result, std::int64_t n) const {
    for (std::int64_t i = 0; i < n; ++i) result[i] = static_cast<T>(sums_[i]);
  }

  ConvolutionShape s_;
  const ReferenceConvolutionWeights<T>& weights_;
  AlignedBuffer<double> sums_;  // rounded once, at the end: what float has to be held against should not gather rounding of its own
};

// body(first element of the window in x, element of y) for every output pixel; both count channels in steps of 1.
template <class Body>
void for_each_window(const PoolingShape& s, const Body& body) {
  for (std::int64_t b = 0; b < s.rows; ++b)
    for (std::int64_t oy = 0; oy < s.out_height(); ++oy)
      for (std::int64_t ox = 0; ox < s.out_width(); ++ox)
        body(((b * s.height + oy * s.window) * s.width + ox * s.window) * s.channels,
             ((b * s.out_height() + oy) * s.out_width() + ox) * s.channels);
}

// Of pixel `q` of a window, from the window's first element.
std::int64_t pixel_offset(const PoolingShape& s, std::int64_t q) { return (q / s.window * s.width + q % s.window) * s.channels; }

template <class T>
class MaxPooling final : public Pooling<T> {
 public:
  explicit MaxPooling(const PoolingShape& shape) : s_(shape), index_(shape.rows * shape.output_size()) {}

  void forward(const T* x, T* y) override {
    for_each_window(s_, [&](std::int64_t in, std::int64_t out) {
      std::copy_n(x + in, s_.channels, y + out);
      std::fill_n(index_.data() + out, s_.channels, std::uint8_t{0});
      for (std::int64_t q = 1; q < s_.window * s_.window; ++q) {
        const T* pixel = x + in + pixel_offset(s_, q);
        for (std::int64_t c = 0; c < s_.channels; ++c) {
          if (!(pixel[c] > y[out + c]) && pixel[c] == pixel[c]) continue;  // NaN wins, and nothing is larger than NaN
          y[out + c] = pixel[c];
          index_[out + c] = static_cast<std::uint8_t>(q);
        }
      }
    });
  }
  void backward(const T* dy, T* dx) override {
    std::fill_n(dx, s_.rows * s_.input_size(), T{0});
    for_each_window(s_, [&](std::int64_t in, std::int64_t out) {
      for (std::int64_t c = 0; c < s_.channels; ++c) dx[in + pixel_offset(s_, index_[out + c]) + c] = dy[out + c];
    });
  }
  std::string implementation() const override { return "max pooling"; }

 private:
  PoolingShape s_;
  AlignedBuffer<std::uint8_t> index_;  // of the pixel within its window
};

template <class T>
class ReferenceAveragePooling final : public Pooling<T> {
 public:
  explicit ReferenceAveragePooling(const PoolingShape& shape) : s_(shape) {}

  void forward(const T* x, T* y) override {
    const std::int64_t pixels = s_.window * s_.window;
    for_each_window(s_, [&](std::int64_t in, std::int64_t out) {
      for (std::int64_t c = 0; c < s_.channels; ++c) {
        T sum = 0;
        for (std::int64_t q = 0; q < pixels; ++q) sum += x[in + pixel_offset(s_, q) + c];
        y[out + c] = sum / static_cast<T>(pixels);
      }
    });
  }
  void backward(const T* dy, T* dx) override {
    const std::int64_t pixels = s_.window * s_.window;
    std::fill_n(dx, s_.rows * s_.input_size(), T{0});
    for_each_window(s_, [&](std::int64_t in, std::int64_t out) {
      for (std::int64_t q = 0; q < pixels; ++q)
        for (std::int64_t c = 0; c < s_.channels; ++c) dx[in + pixel_offset(s_, q) + c] = dy[out + c] / static_cast<T>(pixels);
    });
  }
  std::string implementation() const override { return "reference"; }

 private:
  PoolingShape s_;
};

}  // namespace

template <class T>
std::unique_ptr<ConvolutionWeights<T>> make_reference_convolution_weights() {
  return std::make_unique<ReferenceConvolutionWeights<T>>();
}

template <class T>
std::unique_ptr<Convolution<T>> make_reference_convolution(const ConvolutionShape& shape, const ConvolutionWeights<T>& weights) {
  check_convolution(shape);
  return std::make_unique<ReferenceConvolution<T>>(shape, static_cast<const ReferenceConvolutionWeights<T>&>(weights));
}

template <class T>
std::unique_ptr<Pooling<T>> make_max_pooling(const PoolingShape& shape) {
  check_pooling(shape);
  return std::make_unique<MaxPooling<T>>(shape);
}

template <class T>
std::unique_ptr<Pooling<T>> make_reference_pooling(const PoolingShape& shape) {
  if (!shape.average) return make_max_pooling<T>(shape);
  check_pooling(shape);
  return std::make_unique<ReferenceAveragePooling<T>>(shape);
}

#define VP_INSTANTIATE(T)                                                                                                     \
  template std::unique_ptr<ConvolutionWeights<T>> make_reference_convolution_weights();                                       \
  template std::unique_ptr<Convolution<T>> make_reference_convolution(const ConvolutionShape&, const ConvolutionWeights<T>&); \
  template std::unique_ptr<Pooling<T>> make_max_pooling(const PoolingShape&);                                                 \
  template std::unique_ptr<Pooling<T>> make_reference_pooling(const PoolingShape&)
VP_INSTANTIATE(float);
VP_INSTANTIATE(double);
#undef VP_INSTANTIATE

}  // namespace vp
