// Zeroed memory for the arrays of a run. Large blocks stand on huge pages where the kernel has them.
//
// A training step streams tens of megabytes: on 4 KiB pages the translation of addresses costs it 2 to 4 points of peak, and which physical
// pages a process happens to get moves it by as much again (LSTM T=100 B=64 H=128 on Zen 4). Thread-safety: safe to call from any thread.
#pragma once

#include <cstddef>
#include <cstdint>

namespace vp {

inline constexpr std::size_t kAlignment = 64;  // bytes: one cache line, one AVX-512 vector

// `bytes` > 0 zero bytes, aligned to kAlignment. Large blocks cost no memory until they are written to. Throws std::bad_alloc.
void* allocate_zeroed(std::size_t bytes);
void release(void* memory, std::size_t bytes) noexcept;

// Bytes of such memory that this thread took, less those it gave back: what is made between two calls is the difference.
std::int64_t held_bytes();

// Memory that a library took for an array of ours: is counted as long as this lives.
class CountedBytes {
 public:
  explicit CountedBytes(std::int64_t bytes);
  ~CountedBytes();
  CountedBytes(const CountedBytes&) = delete;
  CountedBytes& operator=(const CountedBytes&) = delete;

 private:
  const std::int64_t bytes_;
};

}  // namespace vp
