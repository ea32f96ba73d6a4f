// Runs the steps of an expression one after the other over blocks of numbers that stay in the first-level cache, so that choosing what a
// step does costs nothing: 256 numbers take some ten cycles an operation and vector, the choice five a block.
#include "kernels/activation/expression_simd.h"

#include <algorithm>
#include <cstring>
#include <type_traits>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/activation/expression_simd.cpp"
#include "hwy/foreach_target.h"  // before highway.h
#include "hwy/highway.h"
#include "kernels/activation/expression_math-inl.h"
#include "kernels/activation/functions-inl.h"
#include "kernels/simd/lanes-inl.h"
#include "kernels/simd/vector_math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace vp::HWY_NAMESPACE {
namespace {

constexpr std::int64_t kBlock = 256;

// Values and slopes of a block.
struct Register {
  float value[kBlock];
  float slope[kBlock];
};

using Dual = VectorResult<VF>;

// An operand that is a register, and one that is a constant.
struct Variable {
  const Register* from;
  HWY_INLINE Dual load(std::int64_t i) const { return {hn::Load(F(), from->value + i), hn::Load(F(), from->slope + i)}; }
};
struct Constant {
  VF value;
  HWY_INLINE Dual load(std::int64_t) const { return {value, hn::Zero(F())}; }
};
template <class A>
constexpr bool kVaries = std::is_same_v<A, Variable>;

// ---- operations of two, each with the rule its slope follows; where an operand is a constant, its slope is known to be 0

struct AddRule {
  template <class A, class B>
  static HWY_INLINE Dual run(Dual a, Dual b) {
    return {hn::Add(a.value, b.value), !kVaries<B> ? a.slope : !kVaries<A> ? b.slope : hn::Add(a.slope, b.slope)};
  }
};
struct SubtractRule {
  template <class A, class B>
  static HWY_INLINE Dual run(Dual a, Dual b) {
    return {hn::Sub(a.value, b.value), !kVaries<B> ? a.slope : !kVaries<A> ? hn::Neg(b.slope) : hn::Sub(a.slope, b.slope)};
  }
};
struct MultiplyRule {
  template <class A, class B>
  static HWY_INLINE Dual run(Dual a, Dual b) {
    const VF value = hn::Mul(a.value, b.value);
    if constexpr (!kVaries<A>) return {value, hn::Mul(a.value, b.slope)};
    if constexpr (!kVaries<B>) return {value, hn::Mul(b.value, a.slope)};
    return {value, hn::MulAdd(a.value, b.slope, hn::Mul(b.value, a.slope))};
  }
};
struct DivideRule {
  template <class A, class B>
  static HWY_INLINE Dual run(Dual a, Dual b) {
    const VF value = hn::Div(a.value, b.value);
    if constexpr (!kVaries<B>) return {value, hn::Div(a.slope, b.value)};
    return {value, hn::Div(hn::NegMulAdd(value, b.slope, a.slope), b.value)};
  }
};

// a where `first`, else b; NaN where either is.
template <class M>
HWY_INLINE Dual chosen(M first, Dual a, Dual b) {
  const auto choose_a = hn::Or(first, hn::Ne(a.value, a.value));
  const VF value = hn::IfThenElse(choose_a, a.value, b.value);
  return {value, nan_if_nan(value, hn::IfThenElse(choose_a, a.slope, b.slope))};
}
struct MaxRule {
  template <class A, class B>
  static HWY_INLINE Dual run(Dual a, Dual b) {
    return chosen(hn::Gt(a.value, b.value), a, b);
  }
};
struct MinRule {
  template <class A, class B>
  static HWY_INLINE Dual run(Dual a, Dual b) {
    return chosen(hn::Lt(a.value, b.value), a, b);
  }
};

template <class Rule, class A, class B>
HWY_INLINE void combine_block(A a, B b, std::int64_t n, Register& out) {
  for (std::int64_t i = 0; i < n; i += kLanes) {
    const Dual r = Rule::template run<A, B>(a.load(i), b.load(i));
    hn::Store(r.value, F(), out.value + i);
    hn::Store(r.slope, F(), out.slope + i);
  }
}

template <class Rule>
HWY_NOINLINE void combine(const ExpressionStep& step, std::int64_t n, Register* registers) {
  const auto constant = [](const ExpressionOperand& o) HWY_ATTR { return Constant{hn::Set(F(), static_cast<float>(o.constant))}; };
  Register& out = registers[step.out];
  if (step.a.place < 0) return combine_block<Rule>(constant(step.a), Variable{registers + step.b.place}, n, out);
  if (step.b.place < 0) return combine_block<Rule>(Variable{registers + step.a.place}, constant(step.b), n, out);
  combine_block<Rule>(Variable{registers + step.a.place}, Variable{registers + step.b.place}, n, out);
}

template <class Op>
HWY_NOINLINE void map(const ExpressionStep& step, std::int64_t n, Register* registers) {
  const Variable a{registers + step.a.place};
  Register& out = registers[step.out];
  for (std::int64_t i = 0; i < n; i += kLanes) {
    const Dual in = a.load(i), r = Op()(F(), in.value);
    hn::Store(r.value, F(), out.value + i);
    hn::Store(hn::Mul(r.slope, in.slope), F(), out.slope + i);
  }
}

HWY_INLINE void run_step(const ExpressionStep& step, std::int64_t n, Register* registers) {
  switch (step.op) {
    case ExpressionOp::kAdd:
      return combine<AddRule>(step, n, registers);
    case ExpressionOp::kSubtract:
      return combine<SubtractRule>(step, n, registers);
    case ExpressionOp::kMultiply:
      return combine<MultiplyRule>(step, n, registers);
    case ExpressionOp::kDivide:
      return combine<DivideRule>(step, n, registers);
    case ExpressionOp::kMax:
      return combine<MaxRule>(step, n, registers);
    case ExpressionOp::kMin:
      return combine<MinRule>(step, n, registers);
    case ExpressionOp::kNegate:
      return map<NegateOp>(step, n, registers);
    case ExpressionOp::kAbs:
      return map<AbsOp>(step, n, registers);
    case ExpressionOp::kRelu:
      return map<Relu>(step, n, registers);
    case ExpressionOp::kExp:
      return map<ExpOp>(step, n, registers);
    case ExpressionOp::kLog:
      return map<LogOp>(step, n, registers);
    case ExpressionOp::kLog1p:
      return map<Log1pOp>(step, n, registers);
    case ExpressionOp::kSqrt:
      return map<SqrtOp>(step, n, registers);
    case ExpressionOp::kTanh:
      return map<Tanh>(step, n, registers);
    case ExpressionOp::kSigmoid:
      return map<Sigmoid>(step, n, registers);
    case ExpressionOp::kSoftplus:
      return map<Softplus>(step, n, registers);
    case ExpressionOp::kSin:
      return map<SinOp>(step, n, registers);
    case ExpressionOp::kCos:
      return map<CosOp>(step, n, registers);
    case ExpressionOp::kAtan:
      return map<AtanOp>(step, n, registers);
    case ExpressionOp::kErf:
      return map<ErfOp>(step, n, registers);
  }
}

// Walks (rows, width) element by element in pieces that lie within a row.
class Walk {
 public:
  explicit Walk(std::int64_t width) : width_(width) {}
  // body(offset within the block, row, column, count) for the next n elements.
  template <class Body>
  HWY_INLINE void next(std::int64_t n, const Body& body) {
    for (std::int64_t done = 0; done < n;) {
      const std::int64_t count = std::min(n - done, width_ - column_);
      body(done, row_, column_, count);
      done += count;
      column_ += count;
      if (column_ == width_) column_ = 0, ++row_;
    }
  }

 private:
  std::int64_t width_, row_ = 0, column_ = 0;
};

void load_block(Walk& walk, std::int64_t n, const float* z, std::int64_t stride, Register& x) {
  const F d;
  walk.next(n, [&](std::int64_t at, std::int64_t row, std::int64_t column, std::int64_t count) {
    std::memcpy(x.value + at, z + row * stride + column, static_cast<std::size_t>(count) * sizeof(float));
  });
  std::fill(x.value + n, x.value + (n + kLanes - 1) / kLanes * kLanes, 0.0f);
  for (std::int64_t i = 0; i < n; i += kLanes) hn::Store(nan_if_nan(hn::Load(d, x.value + i), hn::Set(d, 1.0f)), d, x.slope + i);
}

void run_rows(const Expression& f, std::int64_t rows, std::int64_t width, const float* z, std::int64_t z_stride, std::int64_t out_stride,
              float* slope, float* h) {
  HWY_ALIGN Register registers[Expression::kMaxRegisters];  // 128 KB of which the program touches what it needs
  Walk in(width), out(width);
  for (std::int64_t left = rows * width; left > 0; left -= kBlock) {
    const std::int64_t n = std::min(kBlock, left);
    load_block(in, n, z, z_stride, registers[0]);
    for (const ExpressionStep& step : f.steps) run_step(step, n, registers);
    const Register& result = registers[f.result];
    out.next(n, [&](std::int64_t at, std::int64_t row, std::int64_t column, std::int64_t count) {
      const std::int64_t to = row * out_stride + column;
      std::memcpy(h + to, result.value + at, static_cast<std::size_t>(count) * sizeof(float));
      std::memcpy(slope + to, result.slope + at, static_cast<std::size_t>(count) * sizeof(float));
    });
  }
}

}  // namespace
}  // namespace vp::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace vp {

HWY_EXPORT(run_rows);

void expression_rows(const Expression& f, std::int64_t rows, std::int64_t width, const float* z, std::int64_t z_stride,
                     std::int64_t out_stride, float* slope, float* h) {
  HWY_DYNAMIC_DISPATCH(run_rows)(f, rows, width, z, z_stride, out_stride, slope, h);
}

}  // namespace vp
#endif  // HWY_ONCE
