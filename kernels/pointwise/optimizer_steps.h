// The arithmetic of the optimisers over n parameters: g (n) times scale is the gradient, w (n) the parameters, other arrays (n) moments.
// Float in Highway, double in plain C++. Each operation is rounded by itself, so the bits are those of the formulas on any instruction set.
//
// Thread-safety: safe to call from any thread, on arrays that do not overlap.
#pragma once

#include <cstdint>

namespace vp {

// w -= rate * (scale * g)
template <class T>
struct SgdStep {
  T rate;
  void apply(std::int64_t n, T scale, const T* g, T* w) const;
};

// v = mu * v + scale * g, w -= rate * v
template <class T>
struct MomentumStep {
  T rate, mu;
  void apply(std::int64_t n, T scale, const T* g, T* v, T* w) const;
};

// s = decay * s + rest * (scale * g)^2, w -= rate * (scale * g) / (sqrt(s) + epsilon)
template <class T>
struct RmspropStep {
  T rate, decay, rest, epsilon;
  void apply(std::int64_t n, T scale, const T* g, T* s, T* w) const;
};

// m = decay1 * m + rest1 * (scale * g), s = decay2 * s + rest2 * (scale * g)^2, w -= rate * m / (sqrt(s) * root + epsilon)
template <class T>
struct AdamStep {
  T rate, decay1, rest1, decay2, rest2, root, epsilon;
  void apply(std::int64_t n, T scale, const T* g, T* m, T* s, T* w) const;
};

}  // namespace vp
