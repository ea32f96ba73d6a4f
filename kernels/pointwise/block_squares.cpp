#include "kernels/pointwise/block_squares.h"

#include <algorithm>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/pointwise/block_squares.cpp"
#include "hwy/foreach_target.h"  // before highway.h
#include "hwy/highway.h"
#include "kernels/simd/lanes-inl.h"

HWY_BEFORE_NAMESPACE();
namespace vp::HWY_NAMESPACE {

void sum_squares(const float* x, std::int64_t n, std::int64_t block, double* squares) {
  for (std::int64_t first = 0; first < n; first += block, ++squares) {
    const std::int64_t size = std::min(block, n - first);
    RowSquares sum;
    std::int64_t i = 0;
    for (; i + RowChains::kChains <= size; i += RowChains::kChains)
      for (std::int64_t v = 0; v < RowChains::kVectors; ++v) sum.add(v, hn::LoadU(F(), x + first + i + v * kLanes));
    for (std::int64_t v = 0; i < size; ++v, i += kLanes) sum.add(v, load_part(x + first + i, std::min(kLanes, size - i)));
    *squares = sum.total();
  }
}

}  // namespace vp::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace vp {

HWY_EXPORT(sum_squares);

void sum_squares_of_blocks(const float* x, std::int64_t n, std::int64_t block, double* squares) {
  HWY_DYNAMIC_DISPATCH(sum_squares)(x, n, block, squares);
}

void sum_squares_of_blocks(const double* x, std::int64_t n, std::int64_t block, double* squares) {
  for (std::int64_t first = 0; first < n; first += block, ++squares) {
    *squares = 0;
    for (std::int64_t i = first; i < std::min(n, first + block); ++i) *squares += x[i] * x[i];
  }
}

}  // namespace vp
#endif  // HWY_ONCE
