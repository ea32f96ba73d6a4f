// Backward signals that never leave the float range: every batch row carries an exact power of two beside its values.
//
// The true value of row b is data[b] * 2^exponent[b]. Rows are rescaled only by powers of two, so nothing is rounded; a row whose norm
// stays within [2^-30, 2^30] is never touched. The band is far from the ends of float (2^-126, 2^127): one step may grow by 2^90 before
// anything is lost. Thread-safety: a ScaledRows belongs to one shard slot.
#pragma once

#include <cstdint>

#include "kernels/backend/backend.h"

namespace vp {

// A signal that gets its true size back for further sums may leave the normal range of T: above, it becomes infinite, below it becomes zero
// (PointwiseKernels::scale, scaled_normal). Sums over many rows are made in units near their exponents and get their size back once
// (scaled_sums.h).

inline constexpr double kBandLow = 0x1p-60, kBandHigh = 0x1p60;  // of the sum of squares of a row
inline constexpr std::int32_t kNoSignal = -(1 << 28);            // exponent of a row that is exactly zero: any other row outranks it

// sum (n) with exponent e += addend (n) with exponent f: both are brought to the larger exponent, which is returned. `companion` (n, may be
// nullptr) shares the exponent of `sum` and moves with it.
template <class T>
std::int32_t add_scaled_row(const PointwiseKernels<T>& kernels, T* sum, T* companion, std::int32_t e, const T* addend, std::int32_t f,
                            std::int64_t n);

// x (n) *= 2^exponent for a reader: rounded once, denormals included. Returns how many elements turned to zero or infinity.
template <class T>
std::int64_t restore_size(std::int64_t n, std::int32_t exponent, T* x);

// The shift k for which 2^-k brings a row with this sum of squares back to norm [1/2, 2): 0 within the band or if it is not finite.
// kNoSignal if the sum is zero.
std::int32_t band_shift(double sum_squares);

// log2 of the norm of a row with this sum of squares and exponent; -inf for zero, NaN if not finite.
double log2_norm(double sum_squares, std::int32_t exponent);

}  // namespace vp
