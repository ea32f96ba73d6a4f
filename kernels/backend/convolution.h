// Convolution and pooling of images, forward and backward, as each engine offers them beside its products (backend.h).
//
// Images stand channels last: (B, Y, X, C), so that a pixel's channels are one row of a product. Weights come as PyTorch stores them, (O,
// C, k, k), and the operation is its cross-correlation. Thread-safety: as PackedWeights and Product in backend.h.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

namespace vp {

struct ConvolutionShape {
  std::int64_t rows = 0;      // B
  std::int64_t channels = 0;  // C of the input
  std::int64_t height = 0;    // Y of the input
  std::int64_t width = 0;     // X of the input
  std::int64_t filters = 0;   // O: channels of the output
  std::int64_t kernel = 1;    // k, both ways
  std::int64_t stride = 1;
  std::int64_t padding = 0;  // zeros around the input

  std::int64_t out_height() const { return (height + 2 * padding - kernel) / stride + 1; }
  std::int64_t out_width() const { return (width + 2 * padding - kernel) / stride + 1; }
  std::int64_t input_size() const { return height * width * channels; }              // of an image
  std::int64_t output_size() const { return out_height() * out_width() * filters; }  // of an image
  std::int64_t weight_size() const { return filters * channels * kernel * kernel; }
  bool operator==(const ConvolutionShape&) const = default;
};

template <class T>
class ConvolutionWeights {
 public:
  virtual ~ConvolutionWeights() = default;
  // weights (O, C, k, k), alive and unchanged until the next pack(). Once per update.
  virtual void pack(const T* weights) = 0;
};

template <class T>
class Convolution {
 public:
  virtual ~Convolution() = default;
  // y (B, Y', X', O), overwritten = x (B, Y, X, C) with the weights, plus bias (O).
  virtual void forward(const T* x, const T* bias, T* y) = 0;
  // dx, overwritten: the derivative by x.
  virtual void backward_input(const T* dy, T* dx) = 0;
  // dweights (O, C, k, k), overwritten: the derivative by the weights.
  virtual void backward_weights(const T* x, const T* dy, T* dweights) = 0;
  virtual std::string implementation() const = 0;  // as of Product; several are joined by ", "
};

// Windows side by side; pixels at the right and lower edge that fill no window are left out.
struct PoolingShape {
  std::int64_t rows = 0;
  std::int64_t channels = 0;
  std::int64_t height = 0;
  std::int64_t width = 0;
  std::int64_t window = 2;  // both ways, at most kMaxWindow
  bool average = false;     // the mean of a window; else its maximum

  std::int64_t out_height() const { return height / window; }
  std::int64_t out_width() const { return width / window; }
  std::int64_t input_size() const { return height * width * channels; }
  std::int64_t output_size() const { return out_height() * out_width() * channels; }
};
inline constexpr std::int64_t kMaxWindow = 15;  // an index within it is a byte

template <class T>
class Pooling {
 public:
  virtual ~Pooling() = default;
  // y (B, Y', X', C), overwritten. NaN in a window is NaN in the output.
  virtual void forward(const T* x, T* y) = 0;
  // dx (B, Y, X, C), overwritten. The gradient of a maximum goes to the first of equal pixels.
  virtual void backward(const T* dy, T* dx) = 0;
  virtual std::string implementation() const = 0;
};

// "(B=32, 8 x 28 x 28, 16 filters of 3 x 3, stride 1, padding 1)", for messages.
std::string describe(const ConvolutionShape& shape);
// Throw std::invalid_argument with text like "[convolution] ..." for a size below 1, a negative padding, a padding as wide as the kernel,
// or an output without pixels.
void check_convolution(const ConvolutionShape& shape);
void check_pooling(const PoolingShape& shape);

}  // namespace vp
