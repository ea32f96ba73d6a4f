// One vector of units of a cell's step, forward and backward: the arithmetic that the composed pointwise kernels and the fused steps share,
// so that both give the same bits. Included once per Highway target.

// NOLINTNEXTLINE: Highway's include guard for headers compiled once per target
#if defined(VP_KERNELS_CELL_STEPS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef VP_KERNELS_CELL_STEPS_INL_H_
#undef VP_KERNELS_CELL_STEPS_INL_H_
#else
#define VP_KERNELS_CELL_STEPS_INL_H_
#endif

#include "hwy/highway.h"
#include "kernels/simd/lanes-inl.h"
#include "kernels/simd/vector_math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace vp::HWY_NAMESPACE {

struct LstmGates {
  VF i, f, g, o;
};

struct LstmState {
  VF c, tanh_c, h;
};

HWY_INLINE LstmGates lstm_gates(const LstmGates& z) {
  const F d;
  return {sigmoid_value(d, z.i), sigmoid_value(d, z.f), tanh_value(d, z.g), sigmoid_value(d, z.o)};
}

HWY_INLINE LstmState lstm_state(const LstmGates& gates, VF c_prev) {
  const VF c = hn::MulAdd(gates.f, c_prev, hn::Mul(gates.i, gates.g));
  const VF tanh_c = tanh_value(F(), c);
  return {c, tanh_c, hn::Mul(gates.o, tanh_c)};
}

struct LstmGradients {
  LstmGates dz;
  VF dc;       // the total one, the path through h included
  VF dc_prev;  // what goes to t-1
};

HWY_INLINE LstmGradients lstm_gradients(const LstmGates& gates, VF c_prev, VF tanh_c, VF dh, VF dc_next) {
  const auto [i, f, g, o] = gates;
  const VF one = hn::Set(F(), 1.0f);
  const VF dho = hn::Mul(dh, o);
  const VF dc = hn::MulAdd(dho, hn::NegMulAdd(tanh_c, tanh_c, one), dc_next);  // h = o * tanh(c)
  const VF dci = hn::Mul(dc, i), dcf = hn::Mul(dc, f);
  const LstmGates dz = {.i = hn::Mul(hn::Mul(dci, g), hn::Sub(one, i)),
                        .f = hn::Mul(hn::Mul(dcf, c_prev), hn::Sub(one, f)),
                        .g = hn::Mul(dci, hn::NegMulAdd(g, g, one)),
                        .o = hn::Mul(hn::Mul(dho, tanh_c), hn::Sub(one, o))};
  return {dz, dc, dcf};
}

struct GruGates {
  VF r, z, n;
};

// input: W_ih x + b_ih; recurrent: W_hh h_prev + b_hh.
HWY_INLINE GruGates gru_gates(const GruGates& input, const GruGates& recurrent) {
  const F d;
  const VF r = sigmoid_value(d, hn::Add(input.r, recurrent.r)), z = sigmoid_value(d, hn::Add(input.z, recurrent.z));
  return {r, z, tanh_value(d, hn::MulAdd(r, recurrent.n, input.n))};
}

HWY_INLINE VF gru_state(const GruGates& gates, VF h_prev) { return hn::MulAdd(gates.z, hn::Sub(h_prev, gates.n), gates.n); }

struct GruGradients {
  GruGates dz;
  VF dr_n;    // of the recurrent part of n; those of r and z are dz's
  VF direct;  // what goes to h_prev past W_hh
};

HWY_INLINE GruGradients gru_gradients(const GruGates& gates, VF recurrent_n, VF h_prev, VF dh) {
  const auto [r, z, n] = gates;
  const VF one = hn::Set(F(), 1.0f);
  const VF open = hn::Sub(one, z);
  const VF dn = hn::Mul(hn::Mul(dh, open), hn::NegMulAdd(n, n, one));  // h = (1 - z) * n + ...
  const VF dr_n = hn::Mul(dn, r), direct = hn::Mul(dh, z);
  const GruGates dz = {
      .r = hn::Mul(hn::Mul(dr_n, recurrent_n), hn::Sub(one, r)), .z = hn::Mul(hn::Mul(direct, hn::Sub(h_prev, n)), open), .n = dn};
  return {dz, dr_n, direct};
}

}  // namespace vp::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // VP_KERNELS_CELL_STEPS_INL_H_
