// Loops over floats in whole and partial vectors. Included once per Highway target.

// NOLINTNEXTLINE: Highway's include guard for headers compiled once per target
#if defined(VP_KERNELS_ROW_LOOPS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef VP_KERNELS_ROW_LOOPS_INL_H_
#undef VP_KERNELS_ROW_LOOPS_INL_H_
#else
#define VP_KERNELS_ROW_LOOPS_INL_H_
#endif

#include <algorithm>
#include <cstdint>

#include "hwy/highway.h"
#include "kernels/simd/lanes-inl.h"

HWY_BEFORE_NAMESPACE();
namespace vp::HWY_NAMESPACE {

// body(lanes, offset) over [0, n) in whole vectors, then the rest through the same body.
template <class Body>
HWY_INLINE void for_each_vector(std::int64_t n, const Body& body) {
  std::int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) body(Whole{}, i);
  if (i < n) body(Part{n - i}, i);
}

// body(vector of the block, lanes, offset) over a row in blocks of 16 elements, so that RowSquares keeps its chains in registers.
template <class Body>
HWY_INLINE void for_each_in_row(std::int64_t n, const Body& body) {
  constexpr std::int64_t kBlock = RowSquares::kChains;
  std::int64_t i = 0;
  for (; i + kBlock <= n; i += kBlock)
    for (std::int64_t v = 0; v < RowSquares::kVectors; ++v) body(v, Whole{}, i + v * kLanes);
  for (std::int64_t v = 0; i < n; ++v, i += kLanes) body(v, Part{std::min(kLanes, n - i)}, i);
}

}  // namespace vp::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // VP_KERNELS_ROW_LOOPS_INL_H_
