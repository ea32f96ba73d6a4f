#include "models/training/orthogonal_recurrence.h"

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "kernels/memory/zeroed_memory.h"
#include "models/base/eigen_blocking.h"

namespace vp {
namespace {

using Matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

// A rotation by 2 atan(|B|) is within 2e-6 of half a turn here, and I + B so well conditioned that W stays orthogonal to 1e-9.
constexpr double kLongestStep = 1e6;
// Of W^T W - I, where training starts: float rounding of an orthogonal matrix leaves some 1e-7 sqrt(H).
constexpr double kStartTolerance = 1e-4;

}  // namespace

template <class T>
struct OrthogonalRecurrence<T>::Block {
  Block(std::int64_t first, std::int64_t size) : offset(first), w(size, size), g(size, size), b(size, size), x(size, size), solver(size) {}

  std::int64_t offset;  // in the flat array
  Matrix w, g, b, x;    // (H, H): the block, -eta G, scratch
  Eigen::PartialPivLU<Matrix> solver;
  const CountedBytes counted{5 * w.size() * static_cast<std::int64_t>(sizeof(double))};
};

template <class T>
OrthogonalRecurrence<T>::OrthogonalRecurrence(const ParameterLayout& layout, const T* parameters) {
  fix_eigen_blocking();
  for (const Tensor& hh : layout.list) {
    if (hh.role != WeightRole::kRecurrent || hh.is_bias) continue;
    for (std::int64_t first = 0; first < hh.rows; first += hh.cols) {
      blocks_.push_back(std::make_unique<Block>(hh.offset + first * hh.cols, hh.cols));
      Block& block = *blocks_.back();
      block.w =
          Eigen::Map<const Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>>(parameters + block.offset, hh.cols, hh.cols)
              .template cast<double>();
      block.x.noalias() = block.w.transpose() * block.w;
      const double distance = (block.x - Matrix::Identity(hh.cols, hh.cols)).norm();
      if (!(distance < kStartTolerance * std::sqrt(static_cast<double>(hh.cols))))
        throw std::invalid_argument("[train] train.recurrence = orthogonal: " + hh.name + ", block " + std::to_string(first / hh.cols) +
                                    ": expected an orthogonal matrix to start from, got |W^T W - I| = " + std::to_string(distance));
    }
  }
}

template <class T>
OrthogonalRecurrence<T>::~OrthogonalRecurrence() = default;

template <class T>
std::int64_t OrthogonalRecurrence<T>::blocks() const {
  return static_cast<std::int64_t>(blocks_.size());
}

template <class T>
void OrthogonalRecurrence<T>::take(std::int64_t block, T* parameters) {
  Block& k = *blocks_[block];
  T* const from = parameters + k.offset;
  std::transform(from, from + k.w.size(), k.w.data(), [](T v) { return static_cast<double>(v); });
  std::fill_n(from, k.w.size(), T{0});
  k.b.noalias() = k.w.transpose() * k.w;
  k.b *= -0.5;
  k.b.diagonal().array() += 1.5;
  k.x.noalias() = k.w * k.b;  // Newton-Schulz
  k.w.swap(k.x);
}

// With B = eta/2 A and (I - B) W = 2 W - (I + B) W, the new W is 2 (I + B)^-1 W - W.
template <class T>
void OrthogonalRecurrence<T>::turn(std::int64_t block, T* parameters) {
  Block& k = *blocks_[block];
  T* const to = parameters + k.offset;
  std::transform(to, to + k.g.size(), k.g.data(), [](T v) { return static_cast<double>(v); });
  k.x.noalias() = k.w * k.g.transpose();  // g = -eta G: -W (eta G)^T
  k.b = 0.5 * (k.x - k.x.transpose());
  const double length = k.b.norm();
  if (length > kLongestStep) k.b *= kLongestStep / length;
  k.b.diagonal().array() += 1;
  k.solver.compute(k.b);
  k.x = k.solver.solve(k.w);
  for (Eigen::Index i = 0; i < k.w.size(); ++i) to[i] = static_cast<T>(2 * k.x.data()[i] - k.w.data()[i]);
}

template class OrthogonalRecurrence<float>;
template class OrthogonalRecurrence<double>;

}  // namespace vp
