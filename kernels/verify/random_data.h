// Data for kernel checks and tests: seeded random arrays, and arrays between guards. The seed follows from the case, so a fault can be had
// again.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <random>
#include <span>
#include <vector>

namespace vp {

// Uniform in [low, high); the same on every platform (the standard fixes mt19937's numbers but not uniform_real_distribution's).
inline std::vector<float> random_floats(std::int64_t n, std::uint32_t seed, float low = -1, float high = 1) {
  std::mt19937 engine(seed);
  std::vector<float> x(static_cast<std::size_t>(n));
  for (float& v : x) v = low + (high - low) * static_cast<float>(engine() >> 8) * 0x1p-24f;
  return x;
}

template <class To, class From>
std::vector<To> converted(const std::vector<From>& x) {
  return {x.begin(), x.end()};
}

// An array that starts `offset` elements into its allocation, with 16 guards before and behind that a kernel must leave alone.
template <class T>
class Guarded {
 public:
  Guarded(const std::vector<T>& content, std::size_t offset)
      : all_(2 * kGuards + offset + content.size(), kGuard), begin_(kGuards + offset), size_(content.size()) {
    std::copy(content.begin(), content.end(), all_.begin() + static_cast<std::ptrdiff_t>(begin_));
  }
  T* data() { return all_.data() + begin_; }
  std::span<const T> span() const { return {all_.data() + begin_, size_}; }
  bool guards_intact() const {
    const auto is_guard = [](T v) { return v == kGuard; };
    return std::all_of(all_.begin(), all_.begin() + static_cast<std::ptrdiff_t>(begin_), is_guard) &&
           std::all_of(all_.begin() + static_cast<std::ptrdiff_t>(begin_ + size_), all_.end(), is_guard);
  }

 private:
  static constexpr std::size_t kGuards = 16;
  static constexpr T kGuard = T(-123456.5);
  std::vector<T> all_;
  std::size_t begin_, size_;
};

}  // namespace vp
