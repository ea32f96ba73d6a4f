#include "kernels/pointwise/optimizer_steps.h"

#include <cmath>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/pointwise/optimizer_steps.cpp"
#include "hwy/foreach_target.h"  // before highway.h
#include "hwy/highway.h"
#include "kernels/simd/row_loops-inl.h"

HWY_BEFORE_NAMESPACE();
namespace vp::HWY_NAMESPACE {

HWY_INLINE VF set(float x) { return hn::Set(F(), x); }

// A little ahead of a loop over w: weights that several cores have read would otherwise be asked for twice, to be read and to be changed.
// Two threads so update 2 million floats in 0.39 ms instead of 0.56.
HWY_INLINE void fetch_to_change(const float* w) {
  constexpr std::int64_t kAhead = 1024;
  __builtin_prefetch(w + kAhead, 1);
}

void sgd(const SgdStep<float>& step, std::int64_t n, float gradient_scale, const float* g, float* w) {
  const VF scale = set(gradient_scale), rate = set(step.rate);
  for_each_vector(n, [&](auto lanes, std::int64_t i) HWY_ATTR {
    fetch_to_change(w + i);
    lanes.store(hn::Sub(lanes.load(w + i), hn::Mul(rate, hn::Mul(lanes.load(g + i), scale))), w + i);
  });
}

void momentum(const MomentumStep<float>& step, std::int64_t n, float gradient_scale, const float* g, float* v, float* w) {
  const VF scale = set(gradient_scale), rate = set(step.rate), mu = set(step.mu);
  for_each_vector(n, [&](auto lanes, std::int64_t i) HWY_ATTR {
    fetch_to_change(w + i);
    const VF velocity = hn::Add(hn::Mul(mu, lanes.load(v + i)), hn::Mul(lanes.load(g + i), scale));
    lanes.store(velocity, v + i);
    lanes.store(hn::Sub(lanes.load(w + i), hn::Mul(rate, velocity)), w + i);
  });
}

void rmsprop(const RmspropStep<float>& step, std::int64_t n, float gradient_scale, const float* g, float* s, float* w) {
  const VF scale = set(gradient_scale), rate = set(step.rate), decay = set(step.decay), rest = set(step.rest), epsilon = set(step.epsilon);
  for_each_vector(n, [&](auto lanes, std::int64_t i) HWY_ATTR {
    fetch_to_change(w + i);
    const VF gradient = hn::Mul(lanes.load(g + i), scale);
    const VF square = hn::Add(hn::Mul(decay, lanes.load(s + i)), hn::Mul(rest, hn::Mul(gradient, gradient)));
    lanes.store(square, s + i);
    lanes.store(hn::Sub(lanes.load(w + i), hn::Div(hn::Mul(rate, gradient), hn::Add(hn::Sqrt(square), epsilon))), w + i);
  });
}

void adam(const AdamStep<float>& step, std::int64_t n, float gradient_scale, const float* g, float* m, float* s, float* w) {
  const VF scale = set(gradient_scale), rate = set(step.rate), decay1 = set(step.decay1), rest1 = set(step.rest1);
  const VF decay2 = set(step.decay2), rest2 = set(step.rest2), root = set(step.root), epsilon = set(step.epsilon);
  for_each_vector(n, [&](auto lanes, std::int64_t i) HWY_ATTR {
    fetch_to_change(w + i);
    const VF gradient = hn::Mul(lanes.load(g + i), scale);
    const VF mean = hn::Add(hn::Mul(decay1, lanes.load(m + i)), hn::Mul(rest1, gradient));
    const VF square = hn::Add(hn::Mul(decay2, lanes.load(s + i)), hn::Mul(rest2, hn::Mul(gradient, gradient)));
    lanes.store(mean, m + i);
    lanes.store(square, s + i);
    lanes.store(hn::Sub(lanes.load(w + i), hn::Div(hn::Mul(rate, mean), hn::Add(hn::Mul(hn::Sqrt(square), root), epsilon))), w + i);
  });
}

}  // namespace vp::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace vp {

HWY_EXPORT(sgd);
HWY_EXPORT(momentum);
HWY_EXPORT(rmsprop);
HWY_EXPORT(adam);

template <>
void SgdStep<float>::apply(std::int64_t n, float scale, const float* g, float* w) const {
  HWY_DYNAMIC_DISPATCH(sgd)(*this, n, scale, g, w);
}
template <>
void MomentumStep<float>::apply(std::int64_t n, float scale, const float* g, float* v, float* w) const {
  HWY_DYNAMIC_DISPATCH(momentum)(*this, n, scale, g, v, w);
}
template <>
void RmspropStep<float>::apply(std::int64_t n, float scale, const float* g, float* s, float* w) const {
  HWY_DYNAMIC_DISPATCH(rmsprop)(*this, n, scale, g, s, w);
}
template <>
void AdamStep<float>::apply(std::int64_t n, float scale, const float* g, float* m, float* s, float* w) const {
  HWY_DYNAMIC_DISPATCH(adam)(*this, n, scale, g, m, s, w);
}

template <>
void SgdStep<double>::apply(std::int64_t n, double scale, const double* g, double* w) const {
  for (std::int64_t i = 0; i < n; ++i) w[i] -= rate * (g[i] * scale);
}

template <>
void MomentumStep<double>::apply(std::int64_t n, double scale, const double* g, double* v, double* w) const {
  for (std::int64_t i = 0; i < n; ++i) {
    v[i] = mu * v[i] + g[i] * scale;
    w[i] -= rate * v[i];
  }
}

template <>
void RmspropStep<double>::apply(std::int64_t n, double scale, const double* g, double* s, double* w) const {
  for (std::int64_t i = 0; i < n; ++i) {
    const double gradient = g[i] * scale;
    s[i] = decay * s[i] + rest * (gradient * gradient);
    w[i] -= rate * gradient / (std::sqrt(s[i]) + epsilon);
  }
}

template <>
void AdamStep<double>::apply(std::int64_t n, double scale, const double* g, double* m, double* s, double* w) const {
  for (std::int64_t i = 0; i < n; ++i) {
    const double gradient = g[i] * scale;
    m[i] = decay1 * m[i] + rest1 * gradient;
    s[i] = decay2 * s[i] + rest2 * (gradient * gradient);
    w[i] -= rate * m[i] / (std::sqrt(s[i]) * root + epsilon);
  }
}

}  // namespace vp
#endif  // HWY_ONCE
