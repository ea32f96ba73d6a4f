// Layer norm of the rows of a matrix (Ba, Kiros & Hinton 2016), as torch.nn.LayerNorm over n = units elements, and, with several places of
// `units` channels each, as torch.nn.GroupNorm of one group. Sums in double, whatever the precision. Thread-safety: pure functions.
#pragma once

#include <cstdint>

namespace vp {

inline constexpr double kLayerNormEpsilon = 1e-5;  // PyTorch's default

struct LayerNormShape {
  std::int64_t rows = 0, places = 1, units = 0;  // a row: (places, units)
};

// z (rows, places, units), in place: gain (units) * (z - mean) / sqrt(variance + epsilon) + bias (units); mean and variance of each row.
// normalized: the same without gain and bias; inverse (rows): 1 / sqrt(variance + epsilon).
template <class T>
void layer_norm_forward(const LayerNormShape& shape, const T* gain, const T* bias, T* z, T* normalized, double* inverse);

// dz, in place: from the derivative by the result to that by z. Adds to dgain and dbias (units), in double because a channel has
// thousands of pixels, rows counted 2^exponent[row] times.
template <class T>
void layer_norm_backward(const LayerNormShape& shape, const T* gain, const T* normalized, const double* inverse,
                         const std::int32_t* exponent, T* dz, double* dgain, double* dbias);

}  // namespace vp
