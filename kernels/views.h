// Aligned memory and the dimension letters every room uses.
//
// T time steps, B batch rows, I inputs, H hidden units, C classes (outputs), L layers, G gates. Gradients are `d` + name.
// All matrices are dense and row-major: a (T, B, H) array has step t at data + t*B*H.
// Thread-safety: none of its own; a buffer belongs to one shard slot.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <new>
#include <span>
#include <type_traits>
#include <utility>

namespace vp {

inline constexpr std::size_t kAlignment = 64;  // bytes: one cache line, one AVX-512 vector

// Owns `size` elements of a plain type, 64-byte aligned, zero at first. Never grows: steady-state training allocates nothing. Large ones
// cost no memory until they are written to (calloc), so that a run's workspace can be measured by making it.
template <class T>
class AlignedBuffer {
 public:
  AlignedBuffer() = default;
  explicit AlignedBuffer(std::int64_t size) : size_(size) {
    static_assert(std::is_trivially_copyable_v<T>);
    if (size == 0) return;
    memory_ = std::calloc(static_cast<std::size_t>(size) * sizeof(T) + kAlignment, 1);
    if (memory_ == nullptr) throw std::bad_alloc();
    const auto address = reinterpret_cast<std::uintptr_t>(memory_);
    data_ = reinterpret_cast<T*>((address + kAlignment - 1) / kAlignment * kAlignment);
  }
  AlignedBuffer(AlignedBuffer&& other) noexcept { swap(other); }
  AlignedBuffer& operator=(AlignedBuffer&& other) noexcept {
    swap(other);
    return *this;
  }
  ~AlignedBuffer() { std::free(memory_); }

  T* data() { return data_; }
  const T* data() const { return data_; }
  std::int64_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  T& operator[](std::int64_t i) { return data_[i]; }
  const T& operator[](std::int64_t i) const { return data_[i]; }
  std::span<T> span() { return {data_, static_cast<std::size_t>(size_)}; }
  std::span<const T> span() const { return {data_, static_cast<std::size_t>(size_)}; }
  void zero() { std::fill_n(data_, size_, T{}); }

 private:
  void swap(AlignedBuffer& other) noexcept {
    std::swap(memory_, other.memory_);
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
  }
  void* memory_ = nullptr;
  T* data_ = nullptr;
  std::int64_t size_ = 0;
};

}  // namespace vp
