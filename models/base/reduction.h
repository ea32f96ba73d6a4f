// Sums whose order is part of the result: pairwise, in a tree over the index, never depending on threads. Pure functions.
#pragma once

#include <cstdint>
#include <span>

namespace vp {

// ((x0 + x1) + (x2 + x3)) + ...: halves of equal size as long as possible.
inline double pairwise_sum(std::span<const double> x) {
  if (x.size() <= 2) return x.empty() ? 0.0 : x.size() == 1 ? x[0] : x[0] + x[1];
  std::size_t half = 1;
  while (half * 2 < x.size()) half *= 2;
  return pairwise_sum(x.first(half)) + pairwise_sum(x.subspan(half));
}

// sum[begin..end) += other[begin..end).
template <class T>
void add_range(T* sum, const T* other, std::int64_t begin, std::int64_t end) {
  for (std::int64_t i = begin; i < end; ++i) sum[i] += other[i];
}

// parts[0][begin..end) = the pairwise sum over all parts, which are overwritten.
template <class T>
void pairwise_add(std::span<T* const> parts, std::int64_t begin, std::int64_t end) {
  for (std::size_t stride = 1; stride < parts.size(); stride *= 2)
    for (std::size_t p = 0; p + stride < parts.size(); p += 2 * stride) add_range(parts[p], parts[p + stride], begin, end);
}

}  // namespace vp
