// Builds IDX files. Thread-safety: pure functions.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

namespace vp::test {

inline std::string idx(std::uint32_t magic, std::initializer_list<std::uint32_t> sizes, std::string_view data) {
  std::string bytes;
  const auto append = [&](std::uint32_t word) {
    for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(word >> shift & 0xff);
  };
  append(magic);
  for (const auto size : sizes) append(size);
  return bytes + std::string(data);
}

inline std::string idx_images(std::uint32_t count, std::uint32_t rows, std::uint32_t cols, std::string_view pixels) {
  return idx(0x803, {count, rows, cols}, pixels);
}
inline std::string idx_labels(std::uint32_t count, std::string_view labels) { return idx(0x801, {count}, labels); }

}  // namespace vp::test
