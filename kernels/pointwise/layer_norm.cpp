#include "kernels/pointwise/layer_norm.h"

#include <cmath>

namespace vp {

template <class T>
void layer_norm_forward(const LayerNormShape& s, const T* gain, const T* bias, T* z, T* normalized, double* inverse) {
  const std::int64_t n = s.places * s.units;
  for (std::int64_t row = 0; row < s.rows; ++row, z += n, normalized += n) {
    double sum = 0, squares = 0;
    for (std::int64_t i = 0; i < n; ++i) sum += static_cast<double>(z[i]);
    const double mean = sum / static_cast<double>(n);
    for (std::int64_t i = 0; i < n; ++i) squares += (static_cast<double>(z[i]) - mean) * (static_cast<double>(z[i]) - mean);
    inverse[row] = 1 / std::sqrt(squares / static_cast<double>(n) + kLayerNormEpsilon);
    for (std::int64_t p = 0; p < s.places; ++p)
      for (std::int64_t u = 0; u < s.units; ++u) {
        const std::int64_t i = p * s.units + u;
        normalized[i] = static_cast<T>((static_cast<double>(z[i]) - mean) * inverse[row]);
        z[i] = gain[u] * normalized[i] + bias[u];
      }
  }
}

// With x the normalised values, g = gain * dy: dz = (g - mean(g) - x mean(g x)) / sqrt(variance + epsilon).
template <class T>
void layer_norm_backward(const LayerNormShape& s, const T* gain, const T* normalized, const double* inverse, const std::int32_t* exponent,
                         T* dz, double* dgain, double* dbias) {
  const std::int64_t n = s.places * s.units;
  for (std::int64_t row = 0; row < s.rows; ++row, dz += n, normalized += n) {
    double sum = 0, sum_x = 0;
    for (std::int64_t p = 0; p < s.places; ++p)
      for (std::int64_t u = 0; u < s.units; ++u) {
        const std::int64_t i = p * s.units + u;
        const double dy = static_cast<double>(dz[i]), x = static_cast<double>(normalized[i]), g = static_cast<double>(gain[u]) * dy;
        dgain[u] += std::ldexp(dy * x, exponent[row]);
        dbias[u] += std::ldexp(dy, exponent[row]);
        sum += g, sum_x += g * x;
      }
    const double mean = sum / static_cast<double>(n), mean_x = sum_x / static_cast<double>(n);
    for (std::int64_t p = 0; p < s.places; ++p)
      for (std::int64_t u = 0; u < s.units; ++u) {
        const std::int64_t i = p * s.units + u;
        const double g = static_cast<double>(gain[u]) * static_cast<double>(dz[i]);
        dz[i] = static_cast<T>((g - mean - static_cast<double>(normalized[i]) * mean_x) * inverse[row]);
      }
  }
}

template void layer_norm_forward(const LayerNormShape&, const float*, const float*, float*, float*, double*);
template void layer_norm_forward(const LayerNormShape&, const double*, const double*, double*, double*, double*);
template void layer_norm_backward(const LayerNormShape&, const float*, const float*, const double*, const std::int32_t*, float*, double*,
                                  double*);
template void layer_norm_backward(const LayerNormShape&, const double*, const double*, const double*, const std::int32_t*, double*, double*,
                                  double*);

}  // namespace vp
