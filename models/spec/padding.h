// What stands behind the ends of rows that have lengths of their own. Pure functions.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>

namespace vp {

// values (steps, B, width): row b becomes zero from step lengths[b] on.
template <class T>
void clear_padding(std::span<const std::int32_t> lengths, std::int64_t width, std::span<T> values) {
  const std::int64_t rows = std::ssize(lengths), steps = values.empty() ? 0 : std::ssize(values) / (rows * width);
  for (std::int64_t b = 0; b < rows; ++b)
    for (std::int64_t t = lengths[b]; t < steps; ++t) std::fill_n(values.data() + (t * rows + b) * width, width, T{0});
}

}  // namespace vp
