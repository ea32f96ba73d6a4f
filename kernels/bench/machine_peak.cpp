// Twelve chains of multiply-adds: two units with a latency of four or five cycles need eight to ten, and with the two operands twelve still
// fit the 16 registers of AVX2. An array of accumulators ended up on the stack (79 GFLOP/s where 266 are there), so each is a variable of
// its own, and an empty asm statement that asks for it in a vector register keeps it there and keeps the loop from being folded.
#include "kernels/bench/machine_peak.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/bench/machine_peak.cpp"
#include "hwy/foreach_target.h"  // before highway.h
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace vp::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using F = hn::ScalableTag<float>;
using VF = hn::Vec<F>;

constexpr int kChains = 12;

// Names x.raw as a value that must be in a vector register now.
HWY_INLINE void pin(VF& x) {
#if HWY_ARCH_X86
#if HWY_TARGET <= HWY_AVX3
  asm volatile("" : "+v"(x.raw));  // v: any of the 32 registers
#else
  asm volatile("" : "+x"(x.raw));
#endif
#else
  asm volatile("" : "+w"(x.raw));  // Arm's vector registers
#endif
}

HWY_INLINE void step(VF& x, VF factor, VF addend) {
  x = hn::MulAdd(x, factor, addend);
  pin(x);
}

// x -> 0.999 x + 0.001 stays near 1: no overflow and no denormals however long it runs.
double multiply_adds(std::int64_t rounds) {
  const F d;
  const VF m = hn::Set(d, 0.999f), b = hn::Set(d, 0.001f);
  VF x0 = hn::Set(d, 1.0f), x1 = x0, x2 = x0, x3 = x0, x4 = x0, x5 = x0, x6 = x0, x7 = x0, x8 = x0, x9 = x0, x10 = x0, x11 = x0;
  for (std::int64_t i = 0; i < rounds; ++i) {
    step(x0, m, b), step(x1, m, b), step(x2, m, b), step(x3, m, b), step(x4, m, b), step(x5, m, b);
    step(x6, m, b), step(x7, m, b), step(x8, m, b), step(x9, m, b), step(x10, m, b), step(x11, m, b);
  }
  return 2.0 * kChains * static_cast<double>(hn::Lanes(d)) * static_cast<double>(rounds);
}

void triad(std::int64_t n, const float* HWY_RESTRICT b, const float* HWY_RESTRICT c, float* HWY_RESTRICT a) {
  const F d;
  const VF three = hn::Set(d, 3.0f);
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  std::int64_t i = 0;
  for (; i + lanes <= n; i += lanes) hn::StoreU(hn::MulAdd(three, hn::LoadU(d, c + i), hn::LoadU(d, b + i)), d, a + i);
  for (; i < n; ++i) a[i] = b[i] + 3.0f * c[i];
}

}  // namespace vp::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace vp {

HWY_EXPORT(multiply_adds);
HWY_EXPORT(triad);

double run_multiply_adds(std::int64_t rounds) { return HWY_DYNAMIC_DISPATCH(multiply_adds)(rounds); }
void run_triad(std::int64_t n, const float* b, const float* c, float* a) { HWY_DYNAMIC_DISPATCH(triad)(n, b, c, a); }

}  // namespace vp
#endif
