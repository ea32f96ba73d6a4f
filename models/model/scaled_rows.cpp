#include "models/model/scaled_rows.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/backend/normal_range.h"

namespace vp {

template <class T>
std::int32_t add_scaled_row(const PointwiseKernels<T>& kernels, T* sum, T* companion, std::int32_t e, const T* addend, std::int32_t f,
                            std::int64_t n) {
  if (f == kNoSignal) return e;
  if (f > e) {
    kernels.scale(n, e - f, sum);
    if (companion != nullptr) kernels.scale(n, e - f, companion);
    e = f;
  }
  if (f == e) {
    for (std::int64_t i = 0; i < n; ++i) sum[i] += addend[i];
  } else {
    for (std::int64_t i = 0; i < n; ++i) sum[i] += scaled_normal(addend[i], f - e);
  }
  return e;
}

template <class T>
std::int64_t restore_size(std::int64_t n, std::int32_t exponent, T* x) {
  std::int64_t lost = 0;
  for (std::int64_t i = 0; i < n; ++i) {
    const T restored = std::ldexp(x[i], exponent);
    lost += (x[i] != 0 && restored == 0) || (std::isfinite(x[i]) && !std::isfinite(restored));
    x[i] = restored;
  }
  return lost;
}
template std::int64_t restore_size(std::int64_t, std::int32_t, float*);
template std::int64_t restore_size(std::int64_t, std::int32_t, double*);

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

template std::int32_t add_scaled_row(const PointwiseKernels<float>&, float*, float*, std::int32_t, const float*, std::int32_t,
                                     std::int64_t);
template std::int32_t add_scaled_row(const PointwiseKernels<double>&, double*, double*, std::int32_t, const double*, std::int32_t,
                                     std::int64_t);

}  // namespace vp
