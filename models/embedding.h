// Token ids to rows of a table, as torch.nn.Embedding; no one-hot vector is ever made. Pure functions.
#pragma once

#include <algorithm>
#include <cstdint>

#include "kernels/backend.h"
#include "models/recurrent_layer.h"
#include "models/scaled_rows.h"

namespace vp {

// out (count, width): row i is row tokens[i] of table (V, width).
template <class T>
void embed(std::int64_t count, std::int64_t width, const std::int32_t* tokens, const T* table, T* out) {
  for (std::int64_t i = 0; i < count; ++i) std::copy_n(table + tokens[i] * width, width, out + i * width);
}

// gradients (V, width) += each row of `signal` (count, width), of one or more whole steps, at its token; the signal is brought to its true
// scale on the way and overwritten. In the order of the rows, last first, as the way back meets them. Returns how many elements left the
// range of T.
template <class T>
std::int64_t add_embedding_gradients(const PointwiseKernels<T>& kernels, std::int64_t count, std::int64_t width, const std::int32_t* tokens,
                                     T* signal, const std::int32_t* exponent, T* gradients) {
  std::int64_t lost = 0;
  for (std::int64_t i = count - 1; i >= 0; --i) {
    if (exponent[i] == kNoSignal) continue;
    T *row = signal + i * width, *sum = gradients + tokens[i] * width;
    if (exponent[i] != 0) lost += kernels.scale(width, exponent[i], row);
    for (std::int64_t j = 0; j < width; ++j) sum[j] += row[j];
  }
  return lost;
}

}  // namespace vp
