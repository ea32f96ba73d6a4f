// Pointwise kernels, one pass over memory each. To add an activation: its functor in vector_math-inl.h and a line in rnn_forward().
#include "kernels/pointwise_simd.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/pointwise_simd.cpp"
#include "hwy/foreach_target.h"  // before highway.h

#include "hwy/highway.h"
#include "kernels/vector_math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace vp::HWY_NAMESPACE {

using F = hn::ScalableTag<float>;
using VF = hn::Vec<F>;
constexpr std::int64_t kLanes = hn::MaxLanes(F());

// The first n lanes, n <= kLanes; the others load as 0. Highway's masked operations touch only the lanes asked for from AVX2 on; below it
// they read and write whole aligned vectors, so a copy on the stack stands in.
HWY_INLINE VF load_part(const float* p, std::int64_t n) {
  const F d;
#if HWY_TARGET <= HWY_AVX2
  return hn::MaskedLoad(hn::FirstN(d, static_cast<std::size_t>(n)), d, p);
#else
  HWY_ALIGN float lanes[kLanes] = {};
  std::memcpy(lanes, p, static_cast<std::size_t>(n) * sizeof(float));
  return hn::Load(d, lanes);
#endif
}

HWY_INLINE void store_part(VF v, float* p, std::int64_t n) {
  const F d;
#if HWY_TARGET <= HWY_AVX2
  hn::BlendedStore(v, hn::FirstN(d, static_cast<std::size_t>(n)), d, p);
#else
  HWY_ALIGN float lanes[kLanes];
  hn::Store(v, d, lanes);
  std::memcpy(p, lanes, static_cast<std::size_t>(n) * sizeof(float));
#endif
}

// One vector's worth of an array: a whole one, or the first n lanes.
struct Whole {
  HWY_INLINE VF load(const float* p) const { return hn::LoadU(F(), p); }
  HWY_INLINE void store(VF v, float* p) const { hn::StoreU(v, F(), p); }
};
struct Part {
  std::int64_t n;
  HWY_INLINE VF load(const float* p) const { return load_part(p, n); }
  HWY_INLINE void store(VF v, float* p) const { store_part(v, p, n); }
};

// body(lanes, offset) over [0, n) in whole vectors, then the rest through the same body.
template <class Body>
HWY_INLINE void for_each_vector(std::int64_t n, const Body& body) {
  std::int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) body(Whole{}, i);
  if (i < n) body(Part{n - i}, i);
}

// The sum of squares of a row in double: no overflow or underflow for any float, and each product is exact. Element j adds to chain
// j mod 16 and the chains are added pairwise, so the bits depend neither on the vector length nor on FMA.
class RowSquares {
 public:
  static constexpr std::int64_t kChains = 16;
  static constexpr std::int64_t kVectors = kChains / kLanes;  // of floats per block of 16

  HWY_INLINE void add(std::int64_t vector, VF v) {
#if HWY_TARGET == HWY_SCALAR
    add_doubles(chains_[vector], hn::PromoteTo(D(), v));
#else
    const hn::Half<F> half;
    add_doubles(chains_[2 * vector], hn::PromoteTo(D(), hn::LowerHalf(half, v)));
    add_doubles(chains_[2 * vector + 1], hn::PromoteTo(D(), hn::UpperHalf(half, v)));
#endif
  }

  // Halves are added, element i to i + half: as whole vectors while there is more than one, the rest as scalars.
  HWY_INLINE double total() {
    for (std::int64_t half = kAccumulators / 2; half >= 1; half /= 2)
      for (std::int64_t i = 0; i < half; ++i) chains_[i] = hn::Add(chains_[i], chains_[i + half]);
    HWY_ALIGN double sums[kDoubles];
    hn::Store(chains_[0], D(), sums);
    for (std::int64_t half = kDoubles / 2; half >= 1; half /= 2)
      for (std::int64_t i = 0; i < half; ++i) sums[i] += sums[i + half];
    return sums[0];
  }

 private:
  using D = hn::ScalableTag<double>;
  using VD = hn::Vec<D>;
  static constexpr std::int64_t kDoubles = hn::MaxLanes(D());
  static constexpr std::int64_t kAccumulators = kChains / kDoubles;
  static HWY_INLINE void add_doubles(VD& sum, VD v) { sum = hn::MulAdd(v, v, sum); }

  VD chains_[kAccumulators] = {};
};

// body(vector of the block, lanes, offset) over a row in blocks of 16 elements, so that RowSquares keeps its chains in registers.
template <class Body>
HWY_INLINE void for_each_in_row(std::int64_t n, const Body& body) {
  constexpr std::int64_t kBlock = RowSquares::kChains;
  std::int64_t i = 0;
  for (; i + kBlock <= n; i += kBlock)
    for (std::int64_t v = 0; v < RowSquares::kVectors; ++v) body(v, Whole{}, i + v * kLanes);
  for (std::int64_t v = 0; i < n; ++v, i += kLanes) body(v, Part{std::min(kLanes, n - i)}, i);
}

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
  switch (f.kind) {
    case ActivationKind::kLinear: return activate_all(LinearOp(), n, z, h);
    case ActivationKind::kRelu: return activate_all(ReluOp(), n, z, h);
    case ActivationKind::kLeakyRelu: return activate_all(LeakyReluOp(), n, z, h);
    case ActivationKind::kElu: return activate_all(EluOp(), n, z, h);
    case ActivationKind::kSigmoid: return activate_all(SigmoidOp(), n, z, h);
    case ActivationKind::kTanh: return activate_all(TanhOp(), n, z, h);
    case ActivationKind::kSoftplus: return activate_all(SoftplusOp(), n, z, h);
    case ActivationKind::kGelu: return activate_all(GeluOp(), n, z, h);
  }
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
  const F d;
  for (std::int64_t row = 0; row < rows; ++row) {
    float* const gi = gates + row * 4 * hidden;
    float *const gf = gi + hidden, *const gg = gf + hidden, *const go = gg + hidden;
    const std::int64_t offset = row * hidden;
    for_each_vector(hidden, [&](auto lanes, std::int64_t j) HWY_ATTR {
      const VF i = SigmoidOp()(d, lanes.load(gi + j)).value, f = SigmoidOp()(d, lanes.load(gf + j)).value;
      const VF g = TanhOp()(d, lanes.load(gg + j)).value, o = SigmoidOp()(d, lanes.load(go + j)).value;
      const VF cell = hn::MulAdd(f, lanes.load(c_prev + offset + j), hn::Mul(i, g));
      const VF squashed = TanhOp()(d, cell).value;
      lanes.store(i, gi + j);
      lanes.store(f, gf + j);
      lanes.store(g, gg + j);
      lanes.store(o, go + j);
      lanes.store(cell, c + offset + j);
      lanes.store(squashed, tanh_c + offset + j);
      lanes.store(hn::Mul(o, squashed), h + offset + j);
    });
  }
}

void lstm_backward(std::int64_t rows, std::int64_t hidden, const float* gates, const float* c_prev, const float* tanh_c, const float* dh,
                   float* dc, float* dz, double* sum_squares_dh, double* sum_squares_dc) {
  const VF one = hn::Set(F(), 1.0f);
  for (std::int64_t row = 0; row < rows; ++row) {
    const float* const gates_row = gates + row * 4 * hidden;
    float* const dz_row = dz + row * 4 * hidden;
    RowSquares squares_dh, squares_dc;
    for_each_in_row(hidden, [&](std::int64_t vector, auto lanes, std::int64_t j) HWY_ATTR {
      const std::int64_t at = row * hidden + j;
      const VF i = lanes.load(gates_row + j), f = lanes.load(gates_row + hidden + j);
      const VF g = lanes.load(gates_row + 2 * hidden + j), o = lanes.load(gates_row + 3 * hidden + j);
      const VF squashed = lanes.load(tanh_c + at), dh_t = lanes.load(dh + at);
      const VF dho = hn::Mul(dh_t, o);
      const VF dc_t = hn::MulAdd(dho, hn::NegMulAdd(squashed, squashed, one), lanes.load(dc + at));
      const VF dci = hn::Mul(dc_t, i), dcf = hn::Mul(dc_t, f);
      lanes.store(hn::Mul(hn::Mul(dci, g), hn::Sub(one, i)), dz_row + j);
      lanes.store(hn::Mul(hn::Mul(dcf, lanes.load(c_prev + at)), hn::Sub(one, f)), dz_row + hidden + j);
      lanes.store(hn::Mul(dci, hn::NegMulAdd(g, g, one)), dz_row + 2 * hidden + j);
      lanes.store(hn::Mul(hn::Mul(dho, squashed), hn::Sub(one, o)), dz_row + 3 * hidden + j);
      lanes.store(dcf, dc + at);
      squares_dh.add(vector, dh_t);
      squares_dc.add(vector, dc_t);
    });
    sum_squares_dh[row] = squares_dh.total();
    sum_squares_dc[row] = squares_dc.total();
  }
}

// Four vectors of columns at a time, because an add takes four cycles and two may start in each.
void add_column_sums(std::int64_t rows, std::int64_t cols, const float* a, float* sums) {
  std::int64_t j = 0;
  for (; j + 4 * kLanes <= cols; j += 4 * kLanes) {
    const F d;
    VF s0 = hn::LoadU(d, sums + j), s1 = hn::LoadU(d, sums + j + kLanes);
    VF s2 = hn::LoadU(d, sums + j + 2 * kLanes), s3 = hn::LoadU(d, sums + j + 3 * kLanes);
    for (std::int64_t row = 0; row < rows; ++row) {
      const float* const p = a + row * cols + j;
      s0 = hn::Add(s0, hn::LoadU(d, p));
      s1 = hn::Add(s1, hn::LoadU(d, p + kLanes));
      s2 = hn::Add(s2, hn::LoadU(d, p + 2 * kLanes));
      s3 = hn::Add(s3, hn::LoadU(d, p + 3 * kLanes));
    }
    hn::StoreU(s0, d, sums + j);
    hn::StoreU(s1, d, sums + j + kLanes);
    hn::StoreU(s2, d, sums + j + 2 * kLanes);
    hn::StoreU(s3, d, sums + j + 3 * kLanes);
  }
  for_each_vector(cols - j, [&](auto lanes, std::int64_t i) HWY_ATTR {
    VF sum = lanes.load(sums + j + i);
    for (std::int64_t row = 0; row < rows; ++row) sum = hn::Add(sum, lanes.load(a + row * cols + j + i));
    lanes.store(sum, sums + j + i);
  });
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
HWY_EXPORT(add_column_sums);
HWY_EXPORT(exp_all);
HWY_EXPORT(target_name);

const PointwiseKernels<float>& simd_pointwise() {
  // One indirect call each, resolved at every call: 2 ns, and a test can change the target.
  static constexpr PointwiseKernels<float> kTable = {
      .rnn_forward = [](const Activation& f, std::int64_t n, float* z, float* h) { HWY_DYNAMIC_DISPATCH(rnn_forward)(f, n, z, h); },
      .rnn_backward = [](std::int64_t rows, std::int64_t hidden, const float* slope, const float* dh, float* dz,
                         double* sum_squares) { HWY_DYNAMIC_DISPATCH(rnn_backward)(rows, hidden, slope, dh, dz, sum_squares); },
      .lstm_forward = [](std::int64_t rows, std::int64_t hidden, float* gates, const float* c_prev, float* c, float* tanh_c,
                         float* h) { HWY_DYNAMIC_DISPATCH(lstm_forward)(rows, hidden, gates, c_prev, c, tanh_c, h); },
      .lstm_backward =
          [](std::int64_t rows, std::int64_t hidden, const float* gates, const float* c_prev, const float* tanh_c, const float* dh,
             float* dc, float* dz, double* sum_squares_dh, double* sum_squares_dc) {
            HWY_DYNAMIC_DISPATCH(lstm_backward)(rows, hidden, gates, c_prev, tanh_c, dh, dc, dz, sum_squares_dh, sum_squares_dc);
          },
      .add_column_sums = [](std::int64_t rows, std::int64_t cols, const float* a,
                            float* sums) { HWY_DYNAMIC_DISPATCH(add_column_sums)(rows, cols, a, sums); },
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
