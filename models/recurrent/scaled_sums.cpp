#include "models/recurrent/scaled_sums.h"

#include <vector>

#include "models/recurrent/sequence_layout.h"

namespace vp {
namespace {

std::vector<Tensor*> all(RecurrentTensors& tensors) {
  std::vector<Tensor*> list = {&tensors.weight_ih, &tensors.weight_hh, &tensors.bias_ih, &tensors.bias_hh};
  for (auto* special : {&tensors.own, &tensors.gains})
    for (Tensor& tensor : *special) list.push_back(&tensor);
  return list;
}

}  // namespace

template <class T>
ScaledSums<T>::ScaledSums(const RecurrentTensors& tensors) : tensors_(tensors), own_(tensors) {
  ParameterLayout layout;
  for (Tensor* tensor : all(own_)) {
    const std::int64_t offset = tensor->offset;
    layout.add(*tensor);
    tensor->offset = layout.list.back().offset;
    parts_.push_back({.from = tensor->offset, .to = offset, .size = tensor->size()});
  }
  sums_ = AlignedBuffer<T>(layout.size);
}

template <class T>
std::int64_t ScaledSums<T>::prepare(std::int32_t exponent, const PointwiseKernels<T>& kernels, T* gradients) {
  if (exponent == kNoSignal || near(exponent, unit_)) return 0;
  const std::int64_t lost = finish(kernels, gradients);
  if (!near(exponent, 0)) unit_ = exponent;
  return lost;
}

template <class T>
std::int64_t ScaledSums<T>::finish(const PointwiseKernels<T>& kernels, T* gradients) {
  if (unit_ == 0) return 0;
  const std::int64_t lost = kernels.scale(sums_.size(), unit_, sums_.data());
  for (const Range& part : parts_)
    for (std::int64_t i = 0; i < part.size; ++i) gradients[part.to + i] += sums_[part.from + i];
  sums_.zero();
  unit_ = 0;
  return lost;
}

template class ScaledSums<float>;
template class ScaledSums<double>;

}  // namespace vp
