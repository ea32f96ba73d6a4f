// Expressions over arrays of float in Highway, dispatched at run time. An element's bits depend on its inputs alone, and are the same on
// every target with FMA. Thread-safety: pure functions.
#pragma once

#include <cstdint>

#include "kernels/activation/expression.h"

namespace vp {

// h (rows, width) = f(z), slope (rows, width) = f'(z). Rows stand z_stride floats apart in z, out_stride in slope and h; slope may be z
// where the strides are the same.
void expression_rows(const Expression& f, std::int64_t rows, std::int64_t width, const float* z, std::int64_t z_stride,
                     std::int64_t out_stride, float* slope, float* h);

}  // namespace vp
