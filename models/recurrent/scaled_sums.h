// Parameter gradients of a recurrent layer, summed in units of a power of two near the size of the signal that they are made of.
//
// A signal that has vanished to 1e-40 times its size is still exact in its rows (scaled_rows.h), but its products with inputs and states
// would be denormals if the rows got their size back first: tens of cycles for each of them, for numbers that round away. So rows are
// brought to a common unit, sums over many steps are made there, and the sums get their size back once. While the signal stays near its
// true size (within 2^+-kSameUnit) the unit is 1 and the sums are the caller's own gradients. Which unit rows meet depends on the rows
// alone. Thread-safety: belongs to one layer of one shard slot.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <vector>

#include "kernels/backend/backend.h"
#include "kernels/memory/aligned_buffer.h"
#include "models/model/scaled_rows.h"
#include "models/parameters/parameters.h"
#include "models/recurrent/sequence_layout.h"

namespace vp {

template <class T>
class ScaledSums {
 public:
  explicit ScaledSums(const RecurrentTensors& tensors);

  // Before each pass.
  void begin() { unit_ = 0; }
  // Before rows are added whose largest exponent is `exponent` (kNoSignal: there is none). Sums in units too far away are added to
  // `gradients`, the caller's flat array. Returns how many of their elements left the range of T.
  std::int64_t prepare(std::int32_t exponent, const PointwiseKernels<T>& kernels, T* gradients);
  // Adds what is left to `gradients`, and returns the same.
  std::int64_t finish(const PointwiseKernels<T>& kernels, T* gradients);

  std::int32_t unit() const { return unit_; }  // rows are added as data * 2^(exponent - unit)
  // Where they are added: tensors().NAME.offset elements from data(gradients) on.
  const RecurrentTensors& tensors() const { return unit_ == 0 ? tensors_ : own_; }
  T* data(T* gradients) { return unit_ == 0 ? gradients : sums_.data(); }

 private:
  static constexpr std::int32_t kSameUnit = 32;
  static bool near(std::int32_t exponent, std::int32_t unit) { return std::abs(exponent - unit) <= kSameUnit; }

  struct Range {
    std::int64_t from, to, size;  // offsets of a tensor in sums_ and in the caller's array
  };

  const RecurrentTensors& tensors_;
  RecurrentTensors own_;  // the same with offsets into sums_
  std::vector<Range> parts_;
  std::int32_t unit_ = 0;
  AlignedBuffer<T> sums_;  // all tensors; zero unless unit_ is not
};

}  // namespace vp
