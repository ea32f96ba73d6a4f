// The pointwise steps of LSTM variants, the minimal gated unit and layer normalisation for float in Highway: entries of PointwiseKernels,
// contracts in backend.h. Thread-safety: pure functions.
#pragma once

#include <cstdint>

#include "kernels/backend/backend.h"

namespace vp {

void simd_lstm_variant_forward(const LstmVariant& v, std::int64_t rows, std::int64_t hidden, float* gates, const float* peepholes,
                               const float* c_prev, float* c, float* shown, float* h);
void simd_lstm_variant_backward(const LstmVariant& v, std::int64_t rows, std::int64_t hidden, const float* gates, const float* peepholes,
                                const float* c_prev, const float* shown, const float* dh, float* dc, float* dz, double* sum_squares_dh,
                                double* sum_squares_dc);
void simd_mgu_operand(std::int64_t rows, std::int64_t hidden, float* gates, const float* recurrent, const float* h_prev, float* operand);
void simd_mgu_forward(std::int64_t rows, std::int64_t hidden, float* gates, const float* last, const float* h_prev, float* h);
void simd_mgu_backward(std::int64_t rows, std::int64_t hidden, const float* gates, const float* dh, float* dz, float* dlast,
                       double* sum_squares_dh);
void simd_mgu_operand_backward(std::int64_t rows, std::int64_t hidden, const float* gates, const float* h_prev, const float* dh,
                               const float* doperand, float* direct, float* dz, float* dr);
void simd_normalise(std::int64_t rows, std::int64_t width, float* x, float* inverse);
void simd_add_normalised(std::int64_t rows, std::int64_t width, const float* a, const float* gain_a, const float* b, const float* gain_b,
                         const float* bias, float* z);
void simd_normalise_backward(std::int64_t rows, std::int64_t width, const float* dz, const float* gain, const float* x,
                             const float* inverse, float* dx);
void simd_add_column_dots(std::int64_t rows, std::int64_t cols, const float* a, std::int64_t stride, const float* b, float* sums);

}  // namespace vp
