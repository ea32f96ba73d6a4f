// Pointwise kernels, one pass over memory each.
#include "kernels/pointwise/pointwise_simd.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <stdexcept>
#include <string>

#include "kernels/pointwise/cell_kernels_simd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/pointwise/pointwise_simd.cpp"
#include "hwy/foreach_target.h"  // before highway.h
#include "hwy/highway.h"
#include "kernels/activation/expression_simd.h"
#include "kernels/activation/functions-inl.h"
#include "kernels/pointwise/cell_steps-inl.h"
#include "kernels/simd/lanes-inl.h"
#include "kernels/simd/row_loops-inl.h"
#include "kernels/simd/vector_math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace vp::HWY_NAMESPACE {

// ---- the kernels; contracts in backend.h

template <class Op>
void activate_all(const Op& op, std::int64_t n, float* z, float* h) {
  for_each_vector(n, [&](auto lanes, std::int64_t i) HWY_ATTR {
    const VectorResult<VF> r = op(F(), lanes.load(z + i));
    lanes.store(r.value, h + i);
    lanes.store(r.slope, z + i);
  });
}

void rnn_forward(const Activation& f, std::int64_t n, float* z, float* h) {
  if (f.expression) return expression_rows(*f.expression, 1, n, z, 0, 0, z, h);
  BuiltInFunctions::visit(f.place, [&](const auto& op) HWY_ATTR { activate_all(op, n, z, h); });
}

void rnn_backward(std::int64_t rows, std::int64_t hidden, const float* slope, const float* dh, float* dz, double* sum_squares) {
  for (std::int64_t row = 0; row < rows; ++row, slope += hidden, dh += hidden, dz += hidden) {
    RowSquares squares;
    for_each_in_row(hidden, [&](std::int64_t vector, auto lanes, std::int64_t j) HWY_ATTR {
      const VF d = lanes.load(dh + j);
      lanes.store(hn::Mul(d, lanes.load(slope + j)), dz + j);
      squares.add(vector, d);
    });
    sum_squares[row] = squares.total();
  }
}

void lstm_forward(std::int64_t rows, std::int64_t hidden, float* gates, const float* c_prev, float* c, float* tanh_c, float* h) {
  for (std::int64_t row = 0; row < rows; ++row) {
    float* const gi = gates + row * 4 * hidden;
    float *const gf = gi + hidden, *const gg = gf + hidden, *const go = gg + hidden;
    const std::int64_t offset = row * hidden;
    for_each_vector(hidden, [&](auto lanes, std::int64_t j) HWY_ATTR {
      const LstmGates gate = lstm_gates({lanes.load(gi + j), lanes.load(gf + j), lanes.load(gg + j), lanes.load(go + j)});
      const LstmState state = lstm_state(gate, lanes.load(c_prev + offset + j));
      lanes.store(gate.i, gi + j);
      lanes.store(gate.f, gf + j);
      lanes.store(gate.g, gg + j);
      lanes.store(gate.o, go + j);
      lanes.store(state.c, c + offset + j);
      lanes.store(state.tanh_c, tanh_c + offset + j);
      lanes.store(state.h, h + offset + j);
    });
  }
}

void lstm_backward(std::int64_t rows, std::int64_t hidden, const float* gates, const float* c_prev, const float* tanh_c, const float* dh,
                   float* dc, float* dz, double* sum_squares_dh, double* sum_squares_dc) {
  for (std::int64_t row = 0; row < rows; ++row) {
    const float* const gates_row = gates + row * 4 * hidden;
    float* const dz_row = dz + row * 4 * hidden;
    RowSquares squares_dh, squares_dc;
    for_each_in_row(hidden, [&](std::int64_t vector, auto lanes, std::int64_t j) HWY_ATTR {
      const std::int64_t at = row * hidden + j;
      const LstmGates gate = {lanes.load(gates_row + j), lanes.load(gates_row + hidden + j), lanes.load(gates_row + 2 * hidden + j),
                              lanes.load(gates_row + 3 * hidden + j)};
      const VF dh_t = lanes.load(dh + at);
      const LstmGradients d = lstm_gradients(gate, lanes.load(c_prev + at), lanes.load(tanh_c + at), dh_t, lanes.load(dc + at));
      lanes.store(d.dz.i, dz_row + j);
      lanes.store(d.dz.f, dz_row + hidden + j);
      lanes.store(d.dz.g, dz_row + 2 * hidden + j);
      lanes.store(d.dz.o, dz_row + 3 * hidden + j);
      lanes.store(d.dc_prev, dc + at);
      squares_dh.add(vector, dh_t);
      squares_dc.add(vector, d.dc);
    });
    sum_squares_dh[row] = squares_dh.total();
    sum_squares_dc[row] = squares_dc.total();
  }
}

HWY_INLINE GruGates load_gru(auto lanes, const float* row, std::int64_t hidden) {
  return {lanes.load(row), lanes.load(row + hidden), lanes.load(row + 2 * hidden)};
}
HWY_INLINE void store_gru(auto lanes, const GruGates& gates, float* row, std::int64_t hidden) {
  lanes.store(gates.r, row);
  lanes.store(gates.z, row + hidden);
  lanes.store(gates.n, row + 2 * hidden);
}

void gru_forward(std::int64_t rows, std::int64_t hidden, float* gates, const float* recurrent, const float* h_prev, float* recurrent_n,
                 float* h) {
  for (std::int64_t row = 0; row < rows; ++row) {
    float* const gates_row = gates + row * 3 * hidden;
    const float* const recurrent_row = recurrent + row * 3 * hidden;
    for_each_vector(hidden, [&](auto lanes, std::int64_t j) HWY_ATTR {
      const GruGates wh = load_gru(lanes, recurrent_row + j, hidden), gate = gru_gates(load_gru(lanes, gates_row + j, hidden), wh);
      store_gru(lanes, gate, gates_row + j, hidden);
      lanes.store(wh.n, recurrent_n + row * hidden + j);
      lanes.store(gru_state(gate, lanes.load(h_prev + row * hidden + j)), h + row * hidden + j);
    });
  }
}

void gru_backward(std::int64_t rows, std::int64_t hidden, const float* gates, const float* recurrent_n, const float* h_prev,
                  const float* dh, float* direct, float* dz, float* dr, double* sum_squares_dh) {
  for (std::int64_t row = 0; row < rows; ++row) {
    const std::int64_t first = row * 3 * hidden;
    RowSquares squares;
    for_each_in_row(hidden, [&](std::int64_t vector, auto lanes, std::int64_t j) HWY_ATTR {
      const std::int64_t at = row * hidden + j;
      const VF dh_t = lanes.load(dh + at);
      const GruGradients d =
          gru_gradients(load_gru(lanes, gates + first + j, hidden), lanes.load(recurrent_n + at), lanes.load(h_prev + at), dh_t);
      store_gru(lanes, d.dz, dz + first + j, hidden);
      store_gru(lanes, {d.dz.r, d.dz.z, d.dr_n}, dr + first + j, hidden);
      lanes.store(d.direct, direct + at);
      squares.add(vector, dh_t);
    });
    sum_squares_dh[row] = squares.total();
  }
}

HWY_INLINE void add_to(Doubles& sum, const Doubles& x) {
  for (int i = 0; i < kHalves; ++i) sum.half[i] = hn::Add(sum.half[i], x.half[i]);
}

// sums (N vectors) += the rows of a. N is 4 where it can be: an add takes four cycles and two may start in each.
template <int N, class Last>
HWY_INLINE void add_columns(std::int64_t rows, std::int64_t stride, const float* a, float* sums, Last last) {
  Doubles total[N];
  for (Doubles& t : total) t = zero_doubles();
  for (std::int64_t row = 0; row < rows; ++row, a += stride) {
#pragma GCC unroll 4
    for (int n = 0; n < N - 1; ++n) add_to(total[n], promote(hn::LoadU(F(), a + n * kLanes)));
    add_to(total[N - 1], promote(last.load(a + (N - 1) * kLanes)));
  }
  const auto add = [](auto lanes, const Doubles& t, float* to) HWY_ATTR { lanes.store(hn::Add(lanes.load(to), demote(t)), to); };
  for (int n = 0; n < N - 1; ++n) add(Whole{}, total[n], sums + n * kLanes);
  add(last, total[N - 1], sums + (N - 1) * kLanes);
}

void add_column_sums(std::int64_t rows, std::int64_t cols, const float* a, float* sums) {
  std::int64_t j = 0;
  for (; j + 4 * kLanes <= cols; j += 4 * kLanes) add_columns<4>(rows, cols, a + j, sums + j, Whole{});
  for_each_vector(cols - j, [&](auto lanes, std::int64_t i) HWY_ATTR { add_columns<1>(rows, cols, a + j + i, sums + j + i, lanes); });
}

// x * 2^shift, or zero below the normal range, which is found before a denormal arises: in float where 2^shift is a normal float, else in
// double, whose range holds every shift that does not end in zero or infinity anyway.
template <class V>
HWY_INLINE V zero_below(V limit, V x) {
  return hn::IfThenElse(hn::Lt(hn::Abs(x), limit), hn::And(x, hn::SignBit(hn::DFromV<V>())), x);
}
struct FloatScale {
  VF factor, limit;  // limit: of |x|
  explicit HWY_INLINE FloatScale(std::int32_t shift)
      : factor(hn::Set(F(), std::bit_cast<float>((127 + shift) << 23))), limit(hn::Set(F(), std::ldexp(1.0f, -126 - shift))) {}
  HWY_INLINE VF operator()(VF x) const { return hn::Mul(zero_below(limit, x), factor); }
};
struct DoubleScale {
  VD factor, limit;  // limit: of |x * factor|
  explicit HWY_INLINE DoubleScale(std::int32_t shift)
      : factor(hn::Set(hn::ScalableTag<double>(), std::ldexp(1.0, std::clamp(shift, -300, 300)))),
        limit(hn::Set(hn::ScalableTag<double>(), 0x1p-126)) {}
  HWY_INLINE VF operator()(VF x) const {
    Doubles scaled = promote(x);
    for (VD& half : scaled.half) {
      half = hn::Mul(half, factor);
      half = zero_below(limit, half);
    }
    return demote(scaled);
  }
};

template <class Scale>
HWY_INLINE std::int64_t scale_by(const Scale& scale, std::int64_t n, float* x) {
  std::int64_t lost = 0;
  for_each_vector(n, [&](auto lanes, std::int64_t i) HWY_ATTR {
    const F d;
    const VF before = lanes.load(x + i), after = scale(before);
    const auto vanished = hn::And(hn::VecFromMask(d, hn::Ne(before, hn::Zero(d))), hn::VecFromMask(d, hn::Eq(after, hn::Zero(d))));
    const auto exploded = hn::And(hn::VecFromMask(d, hn::IsInf(after)), hn::VecFromMask(d, hn::IsFinite(before)));
    lost += static_cast<std::int64_t>(hn::CountTrue(d, hn::MaskFromVec(hn::Or(vanished, exploded))));
    lanes.store(after, x + i);
  });
  return lost;
}

std::int64_t scale(std::int64_t n, std::int32_t shift, float* x) {
  if (shift > -126 && shift < 127) return scale_by(FloatScale(shift), n, x);
  return scale_by(DoubleScale(shift), n, x);
}

void exp_all(std::int64_t n, const float* x, float* y) {
  for_each_vector(n, [&](auto lanes, std::int64_t i) HWY_ATTR { lanes.store(exp_any(F(), lanes.load(x + i)), y + i); });
}

const char* target_name() { return hwy::TargetName(HWY_TARGET); }

}  // namespace vp::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace vp {

HWY_EXPORT(rnn_forward);
HWY_EXPORT(rnn_backward);
HWY_EXPORT(lstm_forward);
HWY_EXPORT(lstm_backward);
HWY_EXPORT(gru_forward);
HWY_EXPORT(gru_backward);
HWY_EXPORT(add_column_sums);
HWY_EXPORT(scale);
HWY_EXPORT(exp_all);
HWY_EXPORT(target_name);

const PointwiseKernels<float>& simd_pointwise() {
  // One indirect call each, resolved at every call: 2 ns, and a test can change the target.
  static constexpr PointwiseKernels<float> kTable = {
      .rnn_forward =
          [](const Activation& f, std::int64_t n, float* z, float* h) {
            HWY_DYNAMIC_DISPATCH(rnn_forward)
            (f, n, z, h);
          },
      .rnn_backward =
          [](std::int64_t rows, std::int64_t hidden, const float* slope, const float* dh, float* dz, double* sum_squares) {
            HWY_DYNAMIC_DISPATCH(rnn_backward)
            (rows, hidden, slope, dh, dz, sum_squares);
          },
      .lstm_forward =
          [](std::int64_t rows, std::int64_t hidden, float* gates, const float* c_prev, float* c, float* tanh_c, float* h) {
            HWY_DYNAMIC_DISPATCH(lstm_forward)
            (rows, hidden, gates, c_prev, c, tanh_c, h);
          },
      .lstm_backward =
          [](std::int64_t rows, std::int64_t hidden, const float* gates, const float* c_prev, const float* tanh_c, const float* dh,
             float* dc, float* dz, double* sum_squares_dh, double* sum_squares_dc) {
            HWY_DYNAMIC_DISPATCH(lstm_backward)(rows, hidden, gates, c_prev, tanh_c, dh, dc, dz, sum_squares_dh, sum_squares_dc);
          },
      .gru_forward =
          [](std::int64_t rows, std::int64_t hidden, float* gates, const float* recurrent, const float* h_prev, float* recurrent_n,
             float* h) {
            HWY_DYNAMIC_DISPATCH(gru_forward)
            (rows, hidden, gates, recurrent, h_prev, recurrent_n, h);
          },
      .gru_backward =
          [](std::int64_t rows, std::int64_t hidden, const float* gates, const float* recurrent_n, const float* h_prev, const float* dh,
             float* direct, float* dz, float* dr, double* sum_squares_dh) {
            HWY_DYNAMIC_DISPATCH(gru_backward)(rows, hidden, gates, recurrent_n, h_prev, dh, direct, dz, dr, sum_squares_dh);
          },
      .add_column_sums =
          [](std::int64_t rows, std::int64_t cols, const float* a, float* sums) {
            HWY_DYNAMIC_DISPATCH(add_column_sums)
            (rows, cols, a, sums);
          },
      .scale = [](std::int64_t n, std::int32_t shift, float* x) { return HWY_DYNAMIC_DISPATCH(scale)(n, shift, x); },
      .lstm_variant_forward = simd_lstm_variant_forward,
      .lstm_variant_backward = simd_lstm_variant_backward,
      .mgu_operand = simd_mgu_operand,
      .mgu_forward = simd_mgu_forward,
      .mgu_backward = simd_mgu_backward,
      .mgu_operand_backward = simd_mgu_operand_backward,
      .normalise = simd_normalise,
      .add_normalised = simd_add_normalised,
      .normalise_backward = simd_normalise_backward,
      .add_column_dots = simd_add_column_dots,
  };
  return kTable;
}

void vector_exp(std::int64_t n, const float* x, float* y) { HWY_DYNAMIC_DISPATCH(exp_all)(n, x, y); }

std::string_view simd_target_name() { return HWY_DYNAMIC_DISPATCH(target_name)(); }

namespace {

// One bit each, the best the lowest.
std::vector<std::int64_t> usable_targets() {
  std::vector<std::int64_t> targets;
  for (std::int64_t rest = hwy::SupportedTargets() & HWY_TARGETS; rest != 0; rest &= rest - 1) targets.push_back(rest & -rest);
  return targets;
}

}  // namespace

std::vector<std::string_view> simd_target_names() {
  std::vector<std::string_view> names;
  for (const std::int64_t target : usable_targets()) names.emplace_back(hwy::TargetName(target));
  return names;
}

void force_simd_target(std::string_view name) {
  hwy::SetSupportedTargetsForTest(0);
  if (name.empty()) return;
  for (const std::int64_t target : usable_targets())
    if (hwy::TargetName(target) == name) return hwy::SetSupportedTargetsForTest(target);
  throw std::invalid_argument("[simd target] \"" + std::string(name) + "\" is not one this build and CPU have");
}

}  // namespace vp
#endif  // HWY_ONCE
