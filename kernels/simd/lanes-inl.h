// Whole and partial vectors of float, and sums of squares of a row: what every vector kernel of the project shares. Included once per
// Highway target.

// NOLINTNEXTLINE: Highway's include guard for headers compiled once per target
#if defined(VP_KERNELS_LANES_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef VP_KERNELS_LANES_INL_H_
#undef VP_KERNELS_LANES_INL_H_
#else
#define VP_KERNELS_LANES_INL_H_
#endif

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace vp::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using F = hn::ScalableTag<float>;
using VF = hn::Vec<F>;
constexpr std::int64_t kLanes = hn::MaxLanes(F());

// The first n lanes, n <= kLanes; the others load as 0. Highway's masked operations touch only the lanes asked for from AVX2 on; below it
// they read and write whole aligned vectors, so a copy on the stack stands in.
HWY_INLINE VF load_part(const float* p, std::int64_t n) {
  const F d;
#if HWY_TARGET <= HWY_AVX2
  return hn::MaskedLoad(hn::FirstN(d, static_cast<std::size_t>(n)), d, p);
#else
  HWY_ALIGN float lanes[kLanes] = {};
  std::memcpy(lanes, p, static_cast<std::size_t>(n) * sizeof(float));
  return hn::Load(d, lanes);
#endif
}

HWY_INLINE void store_part(VF v, float* p, std::int64_t n) {
  const F d;
#if HWY_TARGET <= HWY_AVX3
  hn::BlendedStore(v, hn::FirstN(d, static_cast<std::size_t>(n)), d, p);
#elif HWY_TARGET <= HWY_AVX2
  // By halves: AVX2's masked store takes some twenty cycles on AMD's cores.
  const hn::Half<F> half;
  const hn::Half<decltype(half)> quarter;
  if (n >= kLanes) return hn::StoreU(v, d, p);
  auto rest = hn::LowerHalf(half, v);
  if ((n & 4) != 0) {
    hn::StoreU(rest, half, p);
    rest = hn::UpperHalf(half, v);
    p += 4;
  }
  if ((n & 2) != 0) {
    hn::StoreU(hn::LowerHalf(quarter, rest), quarter, p);
    rest = hn::Shuffle1032(rest);
    p += 2;
  }
  if ((n & 1) != 0) *p = hn::GetLane(rest);
#else
  HWY_ALIGN float lanes[kLanes];
  hn::Store(v, d, lanes);
  std::memcpy(p, lanes, static_cast<std::size_t>(n) * sizeof(float));
#endif
}

// One vector's worth of an array: a whole one, or the first n lanes.
struct Whole {
  HWY_INLINE VF load(const float* p) const { return hn::LoadU(F(), p); }
  HWY_INLINE void store(VF v, float* p) const { hn::StoreU(v, F(), p); }
};
struct Part {
  std::int64_t n;
  HWY_INLINE VF load(const float* p) const { return load_part(p, n); }
  HWY_INLINE void store(VF v, float* p) const { store_part(v, p, n); }
};

// The lanes of a vector of float, in double.
using VD = hn::Vec<hn::ScalableTag<double>>;
constexpr int kHalves = HWY_TARGET == HWY_SCALAR ? 1 : 2;
struct Doubles {
  VD half[kHalves];
};

HWY_INLINE Doubles zero_doubles() {
  const VD zero = hn::Zero(hn::ScalableTag<double>());
#if HWY_TARGET == HWY_SCALAR
  return {{zero}};
#else
  return {{zero, zero}};
#endif
}

HWY_INLINE Doubles promote(VF v) {
  const hn::ScalableTag<double> dd;
#if HWY_TARGET == HWY_SCALAR
  return {{hn::PromoteTo(dd, v)}};
#else
  const hn::Half<F> half;
  return {{hn::PromoteTo(dd, hn::LowerHalf(half, v)), hn::PromoteTo(dd, hn::UpperHalf(half, v))}};
#endif
}

HWY_INLINE VF demote(const Doubles& x) {
#if HWY_TARGET == HWY_SCALAR
  return hn::DemoteTo(F(), x.half[0]);
#else
  const hn::Half<F> half;
  return hn::Combine(F(), hn::DemoteTo(half, x.half[1]), hn::DemoteTo(half, x.half[0]));
#endif
}

// Sums over a row in double. Element j adds to chain j mod 16 and the chains are added pairwise, so the bits depend neither on the vector
// length nor on FMA.
class RowChains {
 public:
  static constexpr std::int64_t kChains = 16;
  static constexpr std::int64_t kVectors = kChains / kLanes;  // of floats per block of 16

  HWY_INLINE RowChains() = default;
  // Goes on from chains that save() wrote.
  HWY_INLINE explicit RowChains(const double* chains) {
    for (std::int64_t i = 0; i < kAccumulators; ++i) chains_[i] = hn::Load(D(), chains + i * kDoubles);
  }
  HWY_INLINE void save(double* chains) const {  // (16), aligned
    for (std::int64_t i = 0; i < kAccumulators; ++i) hn::Store(chains_[i], D(), chains + i * kDoubles);
  }

  // Halves are added, element i to i + half: as whole vectors while there is more than one, the rest as scalars.
  HWY_INLINE double total() {
    for (std::int64_t half = kAccumulators / 2; half >= 1; half /= 2)
      for (std::int64_t i = 0; i < half; ++i) chains_[i] = hn::Add(chains_[i], chains_[i + half]);
    HWY_ALIGN double sums[kDoubles];
    hn::Store(chains_[0], D(), sums);
    for (std::int64_t half = kDoubles / 2; half >= 1; half /= 2)
      for (std::int64_t i = 0; i < half; ++i) sums[i] += sums[i + half];
    return sums[0];
  }

 protected:
  using D = hn::ScalableTag<double>;
  // add_doubles(chain, the doubles of it) for both halves of v, vector `vector` of its block of 16.
  template <class AddDoubles>
  HWY_INLINE void add_halves(std::int64_t vector, VF v, const AddDoubles& add_doubles) {
    const Doubles x = promote(v);
    for (int i = 0; i < kHalves; ++i) add_doubles(chains_[kHalves * vector + i], x.half[i]);
  }

 private:
  static constexpr std::int64_t kDoubles = hn::MaxLanes(D());
  static constexpr std::int64_t kAccumulators = kChains / kDoubles;
  VD chains_[kAccumulators] = {};
};

// Of squares: no overflow or underflow for any float, and each product is exact.
class RowSquares : public RowChains {
 public:
  HWY_INLINE RowSquares() = default;
  HWY_INLINE explicit RowSquares(const double* chains) : RowChains(chains) {}
  HWY_INLINE void add(std::int64_t vector, VF v) {
    add_halves(vector, v, [](VD& sum, VD x) HWY_ATTR { sum = hn::MulAdd(x, x, sum); });
  }
};

class RowSum : public RowChains {
 public:
  HWY_INLINE RowSum() = default;  // clang gives the target's instructions to functions that are written, not to implicit ones
  HWY_INLINE void add(std::int64_t vector, VF v) {
    add_halves(vector, v, [](VD& sum, VD x) HWY_ATTR { sum = hn::Add(sum, x); });
  }
};

}  // namespace vp::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // VP_KERNELS_LANES_INL_H_
