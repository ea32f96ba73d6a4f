// The pointwise parts of every cell's step, and the sums and norms beside them. Thread-safety: pure functions of their arguments.
#pragma once

#include <cstdint>

#include "kernels/activation/activations.h"
#include "kernels/backend/lstm_variants.h"

namespace vp {

inline constexpr double kNormEpsilon = 1e-5;  // added to the variance in layer normalisation, as in PyTorch

// The pointwise parts of a step, all over dense arrays, fused so that each array is read once. None of the pointers may alias unless said.
template <class T>
struct PointwiseKernels {
  // In: z (n) pre-activations. Out: h (n) = f(z), and z is overwritten with the slope f'(z), which is all the backward pass needs.
  void (*rnn_forward)(const Activation& f, std::int64_t n, T* z, T* h);

  // dz (rows, hidden) = dh * slope; sum_squares (rows) = sum over units of dh^2, each row in a fixed order.
  void (*rnn_backward)(std::int64_t rows, std::int64_t hidden, const T* slope, const T* dh, T* dz, double* sum_squares);

  // gates (rows, 4*hidden), blocks i,f,g,o per row. In: pre-activations. Out: sigmoid(i), sigmoid(f), tanh(g), sigmoid(o).
  // c (rows, hidden) = f*c_prev + i*g; tanh_c = tanh(c); h = o*tanh_c. Hochreiter & Schmidhuber 1997 with Gers 2000's forget gate.
  void (*lstm_forward)(std::int64_t rows, std::int64_t hidden, T* gates, const T* c_prev, T* c, T* tanh_c, T* h);

  // dh (rows, hidden): total derivative of h_t. dc in: what step t+1 sends back (f_{t+1} * dc_{t+1}); out: what goes to t-1 (f_t * dc_t).
  // dz (rows, 4*hidden): pre-activation gradients, blocks i,f,g,o. Row sums of squares of dh and of the total dc_t (the path through h_t
  // included).
  void (*lstm_backward)(std::int64_t rows, std::int64_t hidden, const T* gates, const T* c_prev, const T* tanh_c, const T* dh, T* dc, T* dz,
                        double* sum_squares_dh, double* sum_squares_dc);

  // gates (rows, 3*hidden), blocks r,z,n per row. In: W_ih x + b_ih, and recurrent (rows, 3*hidden) W_hh h_prev + b_hh. Out: r and z =
  // sigmoid of the sums, n = tanh(n + r * recurrent n); recurrent_n (rows, hidden): a copy of that block. h = (1 - z)*n + z*h_prev:
  // torch.nn.GRU's form of Cho et al. 2014, the reset after the product.
  void (*gru_forward)(std::int64_t rows, std::int64_t hidden, T* gates, const T* recurrent, const T* h_prev, T* recurrent_n, T* h);

  // dz (rows, 3*hidden): gradients of W_ih x + b_ih; dr (rows, 3*hidden): of recurrent, other in block n. direct (rows, hidden) = z * dh,
  // what goes to h_prev past the product.
  void (*gru_backward)(std::int64_t rows, std::int64_t hidden, const T* gates, const T* recurrent_n, const T* h_prev, const T* dh,
                       T* direct, T* dz, T* dr, double* sum_squares_dh);

  // sums (cols) += sum over rows of a (rows, cols), in double and in order: as sums of float over 100 steps of 32 rows, bias gradients came
  // out ten times less exact than PyTorch's.
  void (*add_column_sums)(std::int64_t rows, std::int64_t cols, const T* a, T* sums);

  // x (n) *= 2^shift, exactly; what falls below the normal range of T becomes zero. Returns how many turned to zero or infinity.
  std::int64_t (*scale)(std::int64_t n, std::int32_t shift, T* x);

  // As lstm_forward and lstm_backward, with what the variant leaves out, and with peepholes (3*hidden), blocks p_i, p_f, p_o, or nullptr:
  // i = sigmoid(z_i + p_i*c_prev), f = sigmoid(z_f + p_f*c_prev), o = sigmoid(z_o + p_o*c) (Gers & Schmidhuber 2000). gates out: i, f, g, o
  // as they were used, 1 where there is none; shown (rows, hidden) = tanh(c), or c; h = o*shown. dc includes all paths, peepholes too.
  void (*lstm_variant_forward)(const LstmVariant& v, std::int64_t rows, std::int64_t hidden, T* gates, const T* peepholes, const T* c_prev,
                               T* c, T* shown, T* h);
  void (*lstm_variant_backward)(const LstmVariant& v, std::int64_t rows, std::int64_t hidden, const T* gates, const T* peepholes,
                                const T* c_prev, const T* shown, const T* dh, T* dc, T* dz, double* sum_squares_dh, double* sum_squares_dc);

  // The minimal gated unit (Zhou et al. 2016, eq. 7), in the two parts between its products. gates (rows, 2*hidden), blocks f, n per row.
  // In: pre-activations; recurrent (rows, hidden): what W_hh h_prev adds to block f. Out: block f = sigmoid, operand = f*h_prev.
  void (*mgu_operand)(std::int64_t rows, std::int64_t hidden, T* gates, const T* recurrent, const T* h_prev, T* operand);
  // last (rows, hidden): what the product of operand adds to block n. Out: block n = tanh, h = h_prev + f*(n - h_prev).
  void (*mgu_forward)(std::int64_t rows, std::int64_t hidden, T* gates, const T* last, const T* h_prev, T* h);
  // dz (rows, 2*hidden): block n; dlast (rows, hidden): the same.
  void (*mgu_backward)(std::int64_t rows, std::int64_t hidden, const T* gates, const T* dh, T* dz, T* dlast, double* sum_squares_dh);
  // doperand (rows, hidden): dlast through the product. direct (rows, hidden): what goes to h_prev past W_hh; dz: block f; dr: the same.
  void (*mgu_operand_backward)(std::int64_t rows, std::int64_t hidden, const T* gates, const T* h_prev, const T* dh, const T* doperand,
                               T* direct, T* dz, T* dr);

  // x (rows, width) -> (x - mean) / sqrt(variance + kNormEpsilon), mean and variance of each row, in double; inverse (rows): 1 / that root
  // (layer normalisation, Ba et al. 2016, eq. 4, before gain and bias).
  void (*normalise)(std::int64_t rows, std::int64_t width, T* x, T* inverse);
  // z (rows, width) = gain_a*a + gain_b*b + bias; gains and bias (width).
  void (*add_normalised)(std::int64_t rows, std::int64_t width, const T* a, const T* gain_a, const T* b, const T* gain_b, const T* bias,
                         T* z);
  // dx (rows, width) = inverse * (d - mean(d) - x*mean(d*x)), d = gain*dz; x, inverse: as normalise() left them. dx may be dz.
  void (*normalise_backward)(std::int64_t rows, std::int64_t width, const T* dz, const T* gain, const T* x, const T* inverse, T* dx);

  // sums (cols) += sum over rows of a*b, a (rows, cols) with `stride` elements from row to row, b (rows, cols) dense: in double
  // and in order.
  void (*add_column_dots)(std::int64_t rows, std::int64_t cols, const T* a, std::int64_t stride, const T* b, T* sums);
};

}  // namespace vp
