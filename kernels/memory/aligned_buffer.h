// Aligned memory and the dimension letters every room uses.
//
// T time steps, B batch rows, I inputs, H hidden units, C classes (outputs), L layers, G gates. Gradients are `d` + name.
// All matrices are dense and row-major: a (T, B, H) array has step t at data + t*B*H.
// Thread-safety: none of its own; a buffer belongs to one shard slot.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <new>
#include <span>
#include <type_traits>
#include <utility>

#include "kernels/memory/zeroed_memory.h"

namespace vp {

// Owns `size` elements of a plain type, 64-byte aligned, zero at first. Never grows: steady-state training allocates nothing. Large ones
// cost no memory until they are written to, so that a run's workspace can be measured by making it.
template <class T>
class AlignedBuffer {
 public:
  AlignedBuffer() = default;
  explicit AlignedBuffer(std::int64_t size) : size_(size) {
    static_assert(std::is_trivially_copyable_v<T>);
    if (size == 0) return;
    if (size < 0 || size > std::numeric_limits<std::int64_t>::max() / static_cast<std::int64_t>(sizeof(T)))
      throw std::bad_array_new_length();
    data_ = static_cast<T*>(allocate_zeroed(bytes()));
  }
  AlignedBuffer(AlignedBuffer&& other) noexcept { swap(other); }
  AlignedBuffer& operator=(AlignedBuffer&& other) noexcept {
    swap(other);
    return *this;
  }
  ~AlignedBuffer() {
    if (data_ != nullptr) release(data_, bytes());
  }

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
  std::size_t bytes() const { return static_cast<std::size_t>(size_) * sizeof(T); }
  void swap(AlignedBuffer& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
  }
  T* data_ = nullptr;
  std::int64_t size_ = 0;
};

}  // namespace vp
