// What the native engine fetches while a tile of a product is made. Included once per Highway target.

// NOLINTNEXTLINE: Highway's include guard for headers compiled once per target
#if defined(VP_KERNELS_NATIVE_PREFETCH_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef VP_KERNELS_NATIVE_PREFETCH_INL_H_
#undef VP_KERNELS_NATIVE_PREFETCH_INL_H_
#else
#define VP_KERNELS_NATIVE_PREFETCH_INL_H_
#endif

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "hwy/cache_control.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace vp::HWY_NAMESPACE {

constexpr int kLine = 16;  // floats in a line of a cache
constexpr int kBurst = 4 * kLine;

// Arrays that will be needed row by row after the product: those of a tile's rows are fetched evenly over its loop over k, 8 lines at a
// time: a core has 10 to 16 buffers for lines under way, and longer bursts fill them, so that all loads wait.
class Prefetch {
 public:
  HWY_INLINE explicit Prefetch(std::int64_t floats = 0)
      : floats_(floats), at_once_(static_cast<int>(std::max<std::int64_t>(1, 2 * kBurst / std::max<std::int64_t>(floats, kLine)))) {}
  HWY_INLINE void add(const float* data, std::ptrdiff_t stride) { arrays_[count_++] = {data, stride}; }
  HWY_INLINE int parts_of_row() const { return (count_ + at_once_ - 1) / at_once_; }
  // No lambdas here: GCC takes one that only prefetches for a function without effect, and drops the call.
  HWY_INLINE void part(std::int64_t row, int part) const {
    for (int i = part * at_once_; i < std::min(count_, (part + 1) * at_once_); ++i)
      for (std::int64_t j = 0; j < floats_; j += kLine) hwy::Prefetch(arrays_[i].data + row * arrays_[i].stride + j);
  }

 private:
  struct Array {
    const float* data = nullptr;
    std::ptrdiff_t stride = 0;
  };
  Array arrays_[8];
  int count_ = 0;
  std::int64_t floats_;  // of each row
  int at_once_;          // arrays
};

// What will be needed later still: a share for each row of C, in order. Some lines are fetched after every few steps of k, with as little
// bookkeeping as can be: a hundred instructions for each eight lines were a quarter of a product of 32 rows.
struct Later {
  const float* data = nullptr;
  std::int64_t floats = 0;     // of each row's share
  const float* end = nullptr;  // of the array
  bool changes = false;        // it will be written: no other core is to keep it. Else it is fetched into the second-level cache
};

// p, of which compilers know nothing any more. Else they make many pointers and strides of one, or one of many, and run out of registers.
HWY_INLINE const float* opaque(const float* p) {
  asm volatile("" : "+r"(p));
  return p;
}

class LaterLines {
 public:
  HWY_INLINE LaterLines(const Later& later, std::int64_t first, int rows)
      : at_(later.data + whole(first * later.floats)),
        bursts_((std::min(later.data + whole((first + rows) * later.floats), later.end) - at_) / kBurst),
        changes_(later.changes) {}
  HWY_INLINE void next() {
    if (bursts_ <= 0) return;
    --bursts_;
    constexpr int kSecondLevel = 2;
    if (changes_) {
      const float* const line = opaque(at_);
#pragma GCC unroll 4
      for (int i = 0; i < kBurst; i += kLine) __builtin_prefetch(line + i, 1);
    } else {
      const float* const line = opaque(at_);
#pragma GCC unroll 4
      for (int i = 0; i < kBurst; i += kLine) __builtin_prefetch(line + i, 0, kSecondLevel);
    }
    at_ += kBurst;
  }

 private:
  static HWY_INLINE std::int64_t whole(std::int64_t floats) { return floats / kBurst * kBurst; }
  const float* at_;
  std::ptrdiff_t bursts_;  // left
  bool changes_;
};

}  // namespace vp::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // VP_KERNELS_NATIVE_PREFETCH_INL_H_
