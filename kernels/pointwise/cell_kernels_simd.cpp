// One pass over memory each, like pointwise_simd.cpp; what a variant leaves out is asked for once a vector, next to some hundred
// operations.
#include "kernels/pointwise/cell_kernels_simd.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/pointwise/cell_kernels_simd.cpp"
#include "hwy/foreach_target.h"  // before highway.h
#include "hwy/highway.h"
#include "kernels/simd/lanes-inl.h"
#include "kernels/simd/row_loops-inl.h"
#include "kernels/simd/vector_math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace vp::HWY_NAMESPACE {

void lstm_variant_forward(const LstmVariant& v, std::int64_t rows, std::int64_t hidden, float* gates, const float* peepholes,
                          const float* c_prev, float* c, float* shown, float* h) {
  const F d;
  const VF one = hn::Set(d, 1.0f);
  for (std::int64_t row = 0; row < rows; ++row) {
    float* const gi = gates + row * 4 * hidden;
    float *const gf = gi + hidden, *const gg = gf + hidden, *const go = gg + hidden;
    for_each_vector(hidden, [&](auto lanes, std::int64_t j) HWY_ATTR {
      const std::int64_t at = row * hidden + j;
      const auto gate = [&](const float* z, std::int64_t block, VF state) HWY_ATTR {
        const VF own = lanes.load(z + j);
        return sigmoid_value(d, peepholes == nullptr ? own : hn::MulAdd(lanes.load(peepholes + block * hidden + j), state, own));
      };
      const VF before = lanes.load(c_prev + at);
      const VF i = v.input_gate ? gate(gi, 0, before) : one;
      const VF f = v.coupled ? hn::Sub(one, i) : v.forget_gate ? gate(gf, 1, before) : one;
      VF g = lanes.load(gg + j);
      if (v.input_activation) g = tanh_value(d, g);
      const VF state = hn::MulAdd(f, before, hn::Mul(i, g));
      const VF o = v.output_gate ? gate(go, 2, state) : one;
      const VF out = v.output_activation ? tanh_value(d, state) : state;
      lanes.store(i, gi + j);
      lanes.store(f, gf + j);
      lanes.store(g, gg + j);
      lanes.store(o, go + j);
      lanes.store(state, c + at);
      lanes.store(out, shown + at);
      lanes.store(hn::Mul(o, out), h + at);
    });
  }
}

void lstm_variant_backward(const LstmVariant& v, std::int64_t rows, std::int64_t hidden, const float* gates, const float* peepholes,
                           const float* c_prev, const float* shown, const float* dh, float* dc, float* dz, double* sum_squares_dh,
                           double* sum_squares_dc) {
  const F d;
  const VF one = hn::Set(d, 1.0f), none = hn::Zero(d);
  for (std::int64_t row = 0; row < rows; ++row) {
    const float* const gates_row = gates + row * 4 * hidden;
    float* const dz_row = dz + row * 4 * hidden;
    RowSquares squares_dh, squares_dc;
    for_each_in_row(hidden, [&](std::int64_t vector, auto lanes, std::int64_t j) HWY_ATTR {
      const std::int64_t at = row * hidden + j;
      const auto through_peephole = [&](std::int64_t block, VF dz_gate, VF sum) HWY_ATTR {
        return peepholes == nullptr ? sum : hn::MulAdd(dz_gate, lanes.load(peepholes + block * hidden + j), sum);
      };
      const VF i = lanes.load(gates_row + j), f = lanes.load(gates_row + hidden + j), g = lanes.load(gates_row + 2 * hidden + j);
      const VF o = lanes.load(gates_row + 3 * hidden + j), before = lanes.load(c_prev + at), out = lanes.load(shown + at);
      const VF dh_t = lanes.load(dh + at), dho = hn::Mul(dh_t, o);
      const VF dz_o = v.output_gate ? hn::Mul(hn::Mul(dho, out), hn::Sub(one, o)) : none;
      const VF slope = v.output_activation ? hn::NegMulAdd(out, out, one) : one;
      const VF dc_t = through_peephole(2, dz_o, hn::MulAdd(dho, slope, lanes.load(dc + at)));
      const VF dci = hn::Mul(dc_t, i), dcf = hn::Mul(dc_t, f);
      const VF written = v.coupled ? hn::Sub(g, before) : g;  // what opening the input gate adds to c
      const VF dz_i = v.input_gate ? hn::Mul(hn::Mul(dci, written), hn::Sub(one, i)) : none;
      const VF dz_f = v.forget_gate && !v.coupled ? hn::Mul(hn::Mul(dcf, before), hn::Sub(one, f)) : none;
      lanes.store(dz_i, dz_row + j);
      lanes.store(dz_f, dz_row + hidden + j);
      lanes.store(v.input_activation ? hn::Mul(dci, hn::NegMulAdd(g, g, one)) : dci, dz_row + 2 * hidden + j);
      lanes.store(dz_o, dz_row + 3 * hidden + j);
      lanes.store(through_peephole(1, dz_f, through_peephole(0, dz_i, dcf)), dc + at);
      squares_dh.add(vector, dh_t);
      squares_dc.add(vector, dc_t);
    });
    sum_squares_dh[row] = squares_dh.total();
    sum_squares_dc[row] = squares_dc.total();
  }
}

void mgu_operand(std::int64_t rows, std::int64_t hidden, float* gates, const float* recurrent, const float* h_prev, float* operand) {
  for (std::int64_t row = 0; row < rows; ++row, gates += 2 * hidden, recurrent += hidden, h_prev += hidden, operand += hidden)
    for_each_vector(hidden, [&](auto lanes, std::int64_t j) HWY_ATTR {
      const VF f = sigmoid_value(F(), hn::Add(lanes.load(gates + j), lanes.load(recurrent + j)));
      lanes.store(f, gates + j);
      lanes.store(hn::Mul(f, lanes.load(h_prev + j)), operand + j);
    });
}

void mgu_forward(std::int64_t rows, std::int64_t hidden, float* gates, const float* last, const float* h_prev, float* h) {
  for (std::int64_t row = 0; row < rows; ++row, gates += 2 * hidden, last += hidden, h_prev += hidden, h += hidden)
    for_each_vector(hidden, [&](auto lanes, std::int64_t j) HWY_ATTR {
      const VF n = tanh_value(F(), hn::Add(lanes.load(gates + hidden + j), lanes.load(last + j))), before = lanes.load(h_prev + j);
      lanes.store(n, gates + hidden + j);
      lanes.store(hn::MulAdd(lanes.load(gates + j), hn::Sub(n, before), before), h + j);
    });
}

void mgu_backward(std::int64_t rows, std::int64_t hidden, const float* gates, const float* dh, float* dz, float* dlast,
                  double* sum_squares_dh) {
  for (std::int64_t row = 0; row < rows; ++row, gates += 2 * hidden, dh += hidden, dz += 2 * hidden, dlast += hidden) {
    RowSquares squares;
    for_each_in_row(hidden, [&](std::int64_t vector, auto lanes, std::int64_t j) HWY_ATTR {
      const VF n = lanes.load(gates + hidden + j), dh_t = lanes.load(dh + j);
      const VF dn = hn::Mul(hn::Mul(dh_t, lanes.load(gates + j)), hn::NegMulAdd(n, n, hn::Set(F(), 1.0f)));
      lanes.store(dn, dz + hidden + j);
      lanes.store(dn, dlast + j);
      squares.add(vector, dh_t);
    });
    sum_squares_dh[row] = squares.total();
  }
}

void mgu_operand_backward(std::int64_t rows, std::int64_t hidden, const float* gates, const float* h_prev, const float* dh,
                          const float* doperand, float* direct, float* dz, float* dr) {
  for (std::int64_t row = 0; row < rows; ++row) {
    const float* const gate = gates + row * 2 * hidden;
    for_each_vector(hidden, [&](auto lanes, std::int64_t j) HWY_ATTR {
      const std::int64_t at = row * hidden + j;
      const VF f = lanes.load(gate + j), n = lanes.load(gate + hidden + j), before = lanes.load(h_prev + at);
      const VF dh_t = lanes.load(dh + at), d = lanes.load(doperand + at), shut = hn::Sub(hn::Set(F(), 1.0f), f);
      lanes.store(hn::MulAdd(d, f, hn::Mul(dh_t, shut)), direct + at);
      const VF df = hn::MulAdd(d, before, hn::Mul(dh_t, hn::Sub(n, before)));
      const VF dz_f = hn::Mul(hn::Mul(df, f), shut);
      lanes.store(dz_f, dz + row * 2 * hidden + j);
      lanes.store(dz_f, dr + at);
    });
  }
}

void normalise(std::int64_t rows, std::int64_t width, float* x, float* inverse) {
  const F d;
  const double n = static_cast<double>(width);
  for (std::int64_t row = 0; row < rows; ++row, x += width) {
    RowSum sum;
    for_each_in_row(width, [&](std::int64_t vector, auto lanes, std::int64_t j) HWY_ATTR { sum.add(vector, lanes.load(x + j)); });
    const VF mean = hn::Set(d, static_cast<float>(sum.total() / n));
    RowSquares squares;
    for_each_in_row(width, [&](std::int64_t vector, auto lanes, std::int64_t j) HWY_ATTR {
      lanes.store(hn::Sub(lanes.load(x + j), mean), x + j);
      squares.add(vector, lanes.load(x + j));  // loaded again: 0 in the lanes behind the end
    });
    inverse[row] = static_cast<float>(1 / std::sqrt(squares.total() / n + kNormEpsilon));
    const VF factor = hn::Set(d, inverse[row]);
    for_each_vector(width, [&](auto lanes, std::int64_t j) HWY_ATTR { lanes.store(hn::Mul(lanes.load(x + j), factor), x + j); });
  }
}

void add_normalised(std::int64_t rows, std::int64_t width, const float* a, const float* gain_a, const float* b, const float* gain_b,
                    const float* bias, float* z) {
  for (std::int64_t row = 0; row < rows; ++row, a += width, b += width, z += width)
    for_each_vector(width, [&](auto lanes, std::int64_t j) HWY_ATTR {
      const VF from_b = hn::MulAdd(lanes.load(gain_b + j), lanes.load(b + j), lanes.load(bias + j));
      lanes.store(hn::MulAdd(lanes.load(gain_a + j), lanes.load(a + j), from_b), z + j);
    });
}

void normalise_backward(std::int64_t rows, std::int64_t width, const float* dz, const float* gain, const float* x, const float* inverse,
                        float* dx) {
  const double n = static_cast<double>(width);
  for (std::int64_t row = 0; row < rows; ++row, dz += width, x += width, dx += width) {
    RowSum sum, along;
    for_each_in_row(width, [&](std::int64_t vector, auto lanes, std::int64_t j) HWY_ATTR {
      const VF through = hn::Mul(lanes.load(dz + j), lanes.load(gain + j));
      sum.add(vector, through);
      along.add(vector, hn::Mul(through, lanes.load(x + j)));
    });
    const F d;
    const VF mean = hn::Set(d, static_cast<float>(sum.total() / n)), mean_along = hn::Set(d, static_cast<float>(along.total() / n));
    const VF factor = hn::Set(d, inverse[row]);
    for_each_vector(width, [&](auto lanes, std::int64_t j) HWY_ATTR {
      const VF centred = hn::Sub(hn::Mul(lanes.load(dz + j), lanes.load(gain + j)), mean);
      lanes.store(hn::Mul(factor, hn::NegMulAdd(lanes.load(x + j), mean_along, centred)), dx + j);
    });
  }
}

void add_column_dots(std::int64_t rows, std::int64_t cols, const float* a, std::int64_t stride, const float* b, float* sums) {
  for_each_vector(cols, [&](auto lanes, std::int64_t j) HWY_ATTR {
    Doubles total = zero_doubles();
    for (std::int64_t row = 0; row < rows; ++row) {
      const Doubles x = promote(lanes.load(a + row * stride + j)), y = promote(lanes.load(b + row * cols + j));
      for (int i = 0; i < kHalves; ++i) total.half[i] = hn::MulAdd(x.half[i], y.half[i], total.half[i]);
    }
    lanes.store(hn::Add(lanes.load(sums + j), demote(total)), sums + j);
  });
}

}  // namespace vp::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace vp {

HWY_EXPORT(lstm_variant_forward);
HWY_EXPORT(lstm_variant_backward);
HWY_EXPORT(mgu_operand);
HWY_EXPORT(mgu_forward);
HWY_EXPORT(mgu_backward);
HWY_EXPORT(mgu_operand_backward);
HWY_EXPORT(normalise);
HWY_EXPORT(add_normalised);
HWY_EXPORT(normalise_backward);
HWY_EXPORT(add_column_dots);

void simd_lstm_variant_forward(const LstmVariant& v, std::int64_t rows, std::int64_t hidden, float* gates, const float* peepholes,
                               const float* c_prev, float* c, float* shown, float* h) {
  HWY_DYNAMIC_DISPATCH(lstm_variant_forward)(v, rows, hidden, gates, peepholes, c_prev, c, shown, h);
}
void simd_lstm_variant_backward(const LstmVariant& v, std::int64_t rows, std::int64_t hidden, const float* gates, const float* peepholes,
                                const float* c_prev, const float* shown, const float* dh, float* dc, float* dz, double* sum_squares_dh,
                                double* sum_squares_dc) {
  HWY_DYNAMIC_DISPATCH(lstm_variant_backward)
  (v, rows, hidden, gates, peepholes, c_prev, shown, dh, dc, dz, sum_squares_dh, sum_squares_dc);
}
void simd_mgu_operand(std::int64_t rows, std::int64_t hidden, float* gates, const float* recurrent, const float* h_prev, float* operand) {
  HWY_DYNAMIC_DISPATCH(mgu_operand)(rows, hidden, gates, recurrent, h_prev, operand);
}
void simd_mgu_forward(std::int64_t rows, std::int64_t hidden, float* gates, const float* last, const float* h_prev, float* h) {
  HWY_DYNAMIC_DISPATCH(mgu_forward)(rows, hidden, gates, last, h_prev, h);
}
void simd_mgu_backward(std::int64_t rows, std::int64_t hidden, const float* gates, const float* dh, float* dz, float* dlast,
                       double* sum_squares_dh) {
  HWY_DYNAMIC_DISPATCH(mgu_backward)(rows, hidden, gates, dh, dz, dlast, sum_squares_dh);
}
void simd_mgu_operand_backward(std::int64_t rows, std::int64_t hidden, const float* gates, const float* h_prev, const float* dh,
                               const float* doperand, float* direct, float* dz, float* dr) {
  HWY_DYNAMIC_DISPATCH(mgu_operand_backward)(rows, hidden, gates, h_prev, dh, doperand, direct, dz, dr);
}
void simd_normalise(std::int64_t rows, std::int64_t width, float* x, float* inverse) {
  HWY_DYNAMIC_DISPATCH(normalise)(rows, width, x, inverse);
}
void simd_add_normalised(std::int64_t rows, std::int64_t width, const float* a, const float* gain_a, const float* b, const float* gain_b,
                         const float* bias, float* z) {
  HWY_DYNAMIC_DISPATCH(add_normalised)(rows, width, a, gain_a, b, gain_b, bias, z);
}
void simd_normalise_backward(std::int64_t rows, std::int64_t width, const float* dz, const float* gain, const float* x,
                             const float* inverse, float* dx) {
  HWY_DYNAMIC_DISPATCH(normalise_backward)(rows, width, dz, gain, x, inverse, dx);
}
void simd_add_column_dots(std::int64_t rows, std::int64_t cols, const float* a, std::int64_t stride, const float* b, float* sums) {
  HWY_DYNAMIC_DISPATCH(add_column_dots)(rows, cols, a, stride, b, sums);
}

}  // namespace vp
#endif  // HWY_ONCE
