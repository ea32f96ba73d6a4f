// Vector exp and what is made of it, for float: exponentials of the activations, gates' values. Included once per Highway target.
//
// Why not hwy/contrib/math: its Exp(NaN) is 0, which would hide a diverged run, and value and slope share one exponential here.
// Every function: NaN in gives NaN out; right for infinities, zeros and denormals; one correctly rounded operation after the other (fused
// only where MulAdd stands), so all targets with FMA (AVX2, AVX-512) give the same bits. Largest error of exp over every 256th float bit
// pattern: 1.02 ULP.
// Polynomials: minimax in relative error (Lawson's iteration on Chebyshev nodes), coefficients then rounded to float.

// NOLINTNEXTLINE: Highway's include guard for headers compiled once per target
#if defined(VP_KERNELS_VECTOR_MATH_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef VP_KERNELS_VECTOR_MATH_INL_H_
#undef VP_KERNELS_VECTOR_MATH_INL_H_
#else
#define VP_KERNELS_VECTOR_MATH_INL_H_
#endif

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace vp::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

template <class V>
struct VectorResult {
  V value;
  V slope;
};

// max(x, limit) and min(x, limit) that hand NaN on: x86's instructions return their second operand if either is NaN; elsewhere a compare
// does it.
template <class D, class V>
HWY_INLINE V at_least(D, V x, V limit) {
#if HWY_ARCH_X86 && HWY_TARGET != HWY_SCALAR
  return hn::Max(limit, x);
#else
  return hn::IfThenElse(hn::Lt(x, limit), limit, x);
#endif
}
template <class D, class V>
HWY_INLINE V at_most(D, V x, V limit) {
#if HWY_ARCH_X86 && HWY_TARGET != HWY_SCALAR
  return hn::Min(limit, x);
#else
  return hn::IfThenElse(hn::Gt(x, limit), limit, x);
#endif
}

// exp(x) = 2^n (1 + q): n = round(x log2 e), q = exp(r) - 1 on |r| <= ln 2 / 2.
template <class V>
struct ReducedExp {
  V q;
  V shifted;  // n + 1.5 * 2^23: the low bits of its pattern are n as an integer (no conversion, which would have to treat NaN and overflow)
};

// exp(x + x_low); |x| <= 104 or NaN. ln 2 in two parts, the first of 9 bits so that n times it is exact without FMA too.
// q to 1.4e-8 of itself before rounding.
template <class D, class V>
HWY_INLINE ReducedExp<V> reduce_exp(D d, V x, V x_low) {
  const V magic = hn::Set(d, 12582912.0f);
  const V shifted = hn::MulAdd(x, hn::Set(d, 0x1.715476p+0f), magic);
  const V n = hn::Sub(shifted, magic);
  const V partly = hn::NegMulAdd(n, hn::Set(d, 0x1.63p-1f), x);
  const V r = hn::Add(hn::NegMulAdd(n, hn::Set(d, -0x1.bd0106p-13f), partly), x_low);
  V p = hn::MulAdd(r, hn::Set(d, 0x1.6bebd8p-10f), hn::Set(d, 0x1.12289p-7f));
  p = hn::MulAdd(p, r, hn::Set(d, 0x1.555676p-5f));
  p = hn::MulAdd(p, r, hn::Set(d, 0x1.5554aep-3f));
  p = hn::MulAdd(p, r, hn::Set(d, 0x1.fffffep-2f));
  return {hn::MulAdd(p, hn::Mul(r, r), r), shifted};
}

// 2^(n + offset); n + offset within [-126, 127].
template <class D, class V>
HWY_INLINE V power_of_two(D d, V shifted, int offset) {
  const hn::RebindToSigned<D> di;
  return hn::BitCast(d, hn::Add(hn::ShiftLeft<23>(hn::BitCast(di, shifted)), hn::Set(di, (127 + offset) << 23)));
}

// Any x; denormal results and overflow are right: the scale 2^n is applied in two halves.
template <class D, class V>
HWY_INLINE V exp_any(D d, V x) {
  const hn::RebindToSigned<D> di;
  const V clamped = at_least(d, at_most(d, x, hn::Set(d, 89.0f)), hn::Set(d, -104.0f));
  const ReducedExp<V> e = reduce_exp(d, clamped, hn::Zero(d));
  const auto n = hn::Sub(hn::BitCast(di, e.shifted), hn::Set(di, 0x4B400000));
  const auto half = hn::ShiftRight<1>(n);
  const auto bias = hn::Set(di, 127);
  const V first = hn::BitCast(d, hn::ShiftLeft<23>(hn::Add(half, bias)));
  const V second = hn::BitCast(d, hn::ShiftLeft<23>(hn::Add(hn::Sub(n, half), bias)));
  return hn::Mul(hn::MulAdd(e.q, first, first), second);
}

template <class V>
struct ExpAndExpm1 {
  V exp;
  V expm1;
};

// For x <= 0 (-inf included): 2^(n+64) is a normal number down to exp(x) = 0, so one more factor, 2^-64, makes denormal results right.
// x_low: a small correction to x.
template <class D, class V>
HWY_INLINE ExpAndExpm1<V> exp_nonpositive(D d, V x, V x_low) {
  const ReducedExp<V> e = reduce_exp(d, at_least(d, x, hn::Set(d, -104.0f)), x_low);
  const V scale = power_of_two(d, e.shifted, 64), down = hn::Set(d, 0x1p-64f);
  const V small_scale = hn::Mul(scale, down);
  return {hn::Mul(hn::MulAdd(e.q, scale, scale), down), hn::MulAdd(e.q, small_scale, hn::Sub(small_scale, hn::Set(d, 1.0f)))};
}

template <class D, class V>
HWY_INLINE V minus_abs(D d, V x) {
  return hn::Or(x, hn::SignBit(d));
}

// v where x is a number, NaN where it is not.
template <class V>
HWY_INLINE V nan_if_nan(V x, V v) {
  return hn::IfThenElse(hn::Eq(x, x), v, x);
}

// The normal distribution's Phi(-x) exp(x^2 / 2) on [0, 14.5]: t P(t) with t = 4 / (4 + x), to 9e-9 of itself.
inline constexpr float kMills[10] = {0x1.988f9cp-4f, 0x1.97a3dp-4f,  0x1.864c92p-4f, 0x1.2b0f74p-4f,  0x1.577474p-4f,
                                     0x1.229044p-6f, 0x1.72759cp-6f, 0x1.c9c386p-5f, -0x1.085814p-4f, 0x1.14c3dap-6f};
template <class D, class V>
HWY_INLINE V mills(D d, V x) {
  const V four = hn::Set(d, 4.0f), t = hn::Div(four, hn::Add(four, x));
  V p = hn::MulAdd(t, hn::Set(d, kMills[9]), hn::Set(d, kMills[8]));
  for (int i = 7; i >= 0; --i) p = hn::MulAdd(p, t, hn::Set(d, kMills[i]));
  return hn::Mul(t, p);
}

// exp(factor x^2), x >= 0, factor -1 or -1/2, |factor| x^2 < 106. x^2 is split so that its rounding, 84 half-ULPs of exp at x = 13, does
// not enter.
template <class D, class V>
HWY_INLINE V exp_of_square(D d, V x, float factor) {
  const hn::RebindToUnsigned<D> du;
  const V scale = hn::Set(d, factor);
  const V high = hn::BitCast(d, hn::And(hn::BitCast(du, x), hn::Set(du, 0xFFFFF000u)));  // 12 bits: its square is exact
  const V square = hn::Mul(hn::Mul(high, high), scale);
  const V square_low = hn::Mul(hn::Mul(hn::Sub(x, high), hn::Add(x, high)), scale);
  return exp_nonpositive(d, square, square_low).exp;
}

// ---- the values alone, for the gates of a cell, whose slopes follow from their values: fewer operations (16 and 18 with their division,
// against 23 and 24) and shorter chains. Within 4 ULP over every 256th float bit pattern (largest: sigmoid 2.31, tanh 2.98); NaN in gives
// NaN out.

// 2^-64 / (2^-64 + 2^-64 exp(-z)): the factor lets exp(-z) pass the largest float, so results down to denormals and 0 are right. Above 40
// it is 1.
template <class D, class V>
HWY_INLINE V sigmoid_value(D d, V z) {
  const V clamped = at_most(d, at_least(d, z, hn::Set(d, -104.0f)), hn::Set(d, 40.0f));
  const V magic = hn::Set(d, 12582912.0f), small = hn::Set(d, 0x1p-64f);
  const V shifted = hn::MulAdd(clamped, hn::Set(d, -0x1.715476p+0f), magic);
  const V n = hn::Sub(shifted, magic);
  const V r = hn::MulAdd(n, hn::Set(d, -0x1.bd0106p-13f), hn::MulAdd(n, hn::Set(d, 0x1.63p-1f), clamped));  // exp(-z) = 2^n exp(-r)
  V p = hn::MulAdd(r, hn::Set(d, 0x1.6bebd8p-10f), hn::Set(d, -0x1.12289p-7f));
  p = hn::MulAdd(p, r, hn::Set(d, 0x1.555676p-5f));
  p = hn::MulAdd(p, r, hn::Set(d, -0x1.5554aep-3f));
  p = hn::MulAdd(p, r, hn::Set(d, 0x1.fffffep-2f));
  p = hn::MulAdd(p, r, hn::Set(d, -1.0f));
  p = hn::MulAdd(p, r, hn::Set(d, 1.0f));
  return hn::Div(small, hn::MulAdd(p, power_of_two(d, shifted, -64), small));
}

// With m = 1 - exp(-2z): m / (2 - m). exp(-2z) = 2^n exp(-2s), so m = 2^n (1 - exp(-2s)) + (1 - 2^n): no cancellation near 0. Beyond 9.1 it
// is 1.
template <class D, class V>
HWY_INLINE V tanh_value(D d, V z) {
  const V clamped = at_most(d, at_least(d, z, hn::Set(d, -9.1f)), hn::Set(d, 9.1f)), magic = hn::Set(d, 12582912.0f);
  const V shifted = hn::MulAdd(clamped, hn::Set(d, -0x1.715476p+1f), magic);
  const V n = hn::Sub(shifted, magic);
  const V s = hn::MulAdd(n, hn::Set(d, -0x1.bd0106p-14f), hn::MulAdd(n, hn::Set(d, 0x1.63p-2f), clamped));
  V p = hn::MulAdd(s, hn::Set(d, -0x1.6bebd8p-4f), hn::Set(d, 0x1.12289p-2f));
  p = hn::MulAdd(p, s, hn::Set(d, -0x1.555676p-1f));
  p = hn::MulAdd(p, s, hn::Set(d, 0x1.5554aep+0f));
  p = hn::MulAdd(p, s, hn::Set(d, -0x1.fffffep+0f));
  p = hn::MulAdd(p, s, hn::Set(d, 2.0f));
  const V scale = power_of_two(d, shifted, 0);
  const V m = hn::MulAdd(hn::Mul(p, s), scale, hn::Sub(hn::Set(d, 1.0f), scale));
  return hn::Div(m, hn::Sub(hn::Set(d, 2.0f), m));
}

}  // namespace vp::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // VP_KERNELS_VECTOR_MATH_INL_H_
