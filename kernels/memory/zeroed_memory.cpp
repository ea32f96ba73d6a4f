#include "kernels/memory/zeroed_memory.h"

#include <sys/mman.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>

namespace vp {
namespace {

constexpr std::size_t kHugePage = std::size_t{2} << 20;

// Smaller blocks, and all of them where a sanitizer watches the ends of each, come from the heap.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr std::size_t kMapFrom = SIZE_MAX;
#else
constexpr std::size_t kMapFrom = std::size_t{1} << 20;
#endif

thread_local std::int64_t t_held = 0;

std::size_t round_up(std::size_t n, std::size_t to) { return (n + to - 1) / to * to; }

void* map_zeroed(std::size_t bytes) {
  const std::size_t size = round_up(bytes, kHugePage), reserved = size + kHugePage;
  void* const mapping = mmap(nullptr, reserved, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapping == MAP_FAILED) throw std::bad_alloc();
  auto* const begin = static_cast<std::byte*>(mapping);
  auto* const memory = reinterpret_cast<std::byte*>(round_up(reinterpret_cast<std::uintptr_t>(begin), kHugePage));
  if (memory != begin) munmap(begin, static_cast<std::size_t>(memory - begin));
  const auto behind = static_cast<std::size_t>(begin + reserved - (memory + size));
  if (behind != 0) munmap(memory + size, behind);
  madvise(memory, size, MADV_HUGEPAGE);  // a wish: without huge pages the memory is the same
  return memory;
}

}  // namespace

void* allocate_zeroed(std::size_t bytes) {
  void* const memory = bytes >= kMapFrom ? map_zeroed(bytes) : std::aligned_alloc(kAlignment, round_up(bytes, kAlignment));
  if (memory == nullptr) throw std::bad_alloc();
  t_held += static_cast<std::int64_t>(bytes);
  return bytes >= kMapFrom ? memory : std::memset(memory, 0, bytes);
}

void release(void* memory, std::size_t bytes) noexcept {
  t_held -= static_cast<std::int64_t>(bytes);
  if (bytes < kMapFrom) return std::free(memory);
  munmap(memory, round_up(bytes, kHugePage));
}

std::int64_t held_bytes() { return t_held; }

CountedBytes::CountedBytes(std::int64_t bytes) : bytes_(bytes) { t_held += bytes_; }
CountedBytes::~CountedBytes() { t_held -= bytes_; }

}  // namespace vp
