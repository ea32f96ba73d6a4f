#include "kernels/backend/convolution.h"

#include <stdexcept>

namespace vp {

std::string describe(const ConvolutionShape& s) {
  const auto n = [](std::int64_t value) { return std::to_string(value); };
  return "(B=" + n(s.rows) + ", " + n(s.channels) + " x " + n(s.height) + " x " + n(s.width) + ", " + n(s.filters) + " filters of " +
         n(s.kernel) + " x " + n(s.kernel) + ", stride " + n(s.stride) + ", padding " + n(s.padding) + ")";
}

void check_convolution(const ConvolutionShape& s) {
  if (s.rows < 1 || s.channels < 1 || s.height < 1 || s.width < 1 || s.filters < 1 || s.kernel < 1 || s.stride < 1 || s.padding < 0)
    throw std::invalid_argument("[convolution] sizes: expected at least 1, got " + describe(s));
  if (s.padding >= s.kernel) throw std::invalid_argument("[convolution] padding: expected less than the kernel, got " + describe(s));
  if (s.kernel > s.height + 2 * s.padding || s.kernel > s.width + 2 * s.padding)
    throw std::invalid_argument("[convolution] kernel: expected one that fits into the image, got " + describe(s));
}

void check_pooling(const PoolingShape& s) {
  if (s.rows < 1 || s.channels < 1 || s.window < 1 || s.window > kMaxWindow || s.height < s.window || s.width < s.window)
    throw std::invalid_argument("[pooling] window: expected 1 to 15 and inside the image, got " + std::to_string(s.window) + " on " +
                                std::to_string(s.height) + " x " + std::to_string(s.width));
}

}  // namespace vp
