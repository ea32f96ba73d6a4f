// What this machine can do at best, for kernels to be measured against: multiply-adds from registers, and memory traffic of a triad.
// Both run at the instruction set that the project's own kernels run at (force_simd_target() limits them too).
//
// Work only: the caller takes the time and shares the work out over threads. Thread-safety: pure functions.
#pragma once

#include <cstdint>

namespace vp {

// Does `rounds` rounds of independent multiply-adds in registers; returns the floating-point operations done (2 for a multiply-add of a
// lane).
double run_multiply_adds(std::int64_t rounds);

// a (n) = b + 3 c. Counted as 12 bytes an element, as McCalpin's STREAM does: the read that a write-allocating cache does of `a` is left
// out.
void run_triad(std::int64_t n, const float* b, const float* c, float* a);
inline constexpr double kTriadBytes = 12;

}  // namespace vp
