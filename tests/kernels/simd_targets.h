// Forces the instruction set of the pointwise kernels for a scope.
#pragma once

#include <string_view>

#include "kernels/pointwise/pointwise_simd.h"

namespace vp::test {

class WithTarget {
 public:
  explicit WithTarget(std::string_view name) { force_simd_target(name); }
  WithTarget(const WithTarget&) = delete;
  WithTarget& operator=(const WithTarget&) = delete;
  ~WithTarget() { force_simd_target(""); }
};

}  // namespace vp::test
