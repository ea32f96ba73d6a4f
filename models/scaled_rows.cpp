#include "models/scaled_rows.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace vp {

template <class T>
std::int64_t scale_row(T* row, std::int64_t n, std::int32_t shift) {
  if (shift == 0) return 0;
  const bool exact_factor = shift > -126 && shift < 127;  // one multiplication by a normal float does it
  const T factor = exact_factor ? std::ldexp(T{1}, shift) : T{0};
  std::int64_t lost = 0;
  for (std::int64_t i = 0; i < n; ++i) {
    const T scaled = exact_factor ? row[i] * factor : std::ldexp(row[i], shift);
    lost += (row[i] != 0 && scaled == 0) || (std::isfinite(row[i]) && !std::isfinite(scaled));
    row[i] = scaled;
  }
  return lost;
}

template <class T>
std::int32_t add_scaled_row(T* sum, T* companion, std::int32_t e, const T* addend, std::int32_t f, std::int64_t n) {
  if (f == kNoSignal) return e;
  if (f > e) {
    scale_row(sum, n, e - f);
    if (companion != nullptr) scale_row(companion, n, e - f);
    e = f;
  }
  if (f == e) {
    for (std::int64_t i = 0; i < n; ++i) sum[i] += addend[i];
  } else {
    for (std::int64_t i = 0; i < n; ++i) sum[i] += std::ldexp(addend[i], f - e);
  }
  return e;
}

std::int32_t band_shift(double sum_squares) {
  if (sum_squares == 0) return kNoSignal;
  if (!std::isfinite(sum_squares) || (sum_squares > kBandLow && sum_squares < kBandHigh)) return 0;
  return std::ilogb(sum_squares) / 2;
}

double log2_norm(double sum_squares, std::int32_t exponent) {
  if (sum_squares == 0) return -std::numeric_limits<double>::infinity();
  if (!std::isfinite(sum_squares)) return std::numeric_limits<double>::quiet_NaN();
  return 0.5 * std::log2(sum_squares) + exponent;
}

template std::int64_t scale_row(float*, std::int64_t, std::int32_t);
template std::int64_t scale_row(double*, std::int64_t, std::int32_t);
template std::int32_t add_scaled_row(float*, float*, std::int32_t, const float*, std::int32_t, std::int64_t);
template std::int32_t add_scaled_row(double*, double*, std::int32_t, const double*, std::int32_t, std::int64_t);

}  // namespace vp
