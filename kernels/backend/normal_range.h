// Powers of two taken into a value, within the normal range of its type. Pure function.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>

namespace vp {

// x * 2^shift, exactly, or zero (of x's sign) where that is below the normal range of T, or infinite above it.
template <class T>
T scaled_normal(T x, std::int32_t shift) {
  return std::abs(x) < std::ldexp(std::numeric_limits<T>::min(), -shift) ? x * 0 : std::ldexp(x, shift);
}

}  // namespace vp
