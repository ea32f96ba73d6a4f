// Losses: each row in double, whatever the precision of the logits; rounded once into dlogits.
#include "kernels/pointwise/losses.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace vp {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

template <class T>
bool all_finite(const T* x, std::int64_t n) {
  return std::all_of(x, x + n, [](T v) { return std::isfinite(v); });
}

// p - 1 at the target is computed as -(sum of the others) / sum, so a gradient near 0 keeps its relative precision.
template <class T>
double softmax_row(std::int64_t classes, const T* logits, std::int32_t target, double scale, T* dlogits) {
  const double largest = *std::max_element(logits, logits + classes), at_target = logits[target];
  double others = 0;
  for (std::int64_t j = 0; j < classes; ++j)
    if (j != target) others += std::exp(static_cast<double>(logits[j]) - largest);
  const double sum = others + std::exp(at_target - largest);
  if (dlogits) {
    for (std::int64_t j = 0; j < classes; ++j) {
      const double p = std::exp(static_cast<double>(logits[j]) - largest) / sum;
      dlogits[j] = static_cast<T>(scale * (j == target ? -others / sum : p));
    }
  }
  // With the target largest, sum = 1 + others: log1p keeps a small loss.
  return at_target == largest ? std::log1p(others) : std::log(sum) + (largest - at_target);
}

double stable_sigmoid(double z) {
  const double e = std::exp(-std::abs(z));
  return z >= 0 ? 1 / (1 + e) : e / (1 + e);
}

}  // namespace

template <class T>
void softmax_cross_entropy(std::int64_t rows, std::int64_t classes, const T* logits, const std::int32_t* target, T scale, T* dlogits,
                           double* row_loss) {
  for (std::int64_t row = 0; row < rows; ++row, logits += classes) {
    T* const d = dlogits ? dlogits + row * classes : nullptr;
    if (all_finite(logits, classes)) {
      row_loss[row] = softmax_row(classes, logits, target[row], static_cast<double>(scale), d);
    } else {
      row_loss[row] = kNaN;
      if (d) std::fill_n(d, classes, static_cast<T>(kNaN));
    }
  }
}

// -t log s(z) - (1 - t) log s(-z) = max(z, 0) - t z + log(1 + exp(-|z|)); derivative s(z) - t = (1 - t) s(z) - t s(-z), so none
// is lost by cancellation.
// An infinite logit gives inf or inf - inf.
template <class T>
void sigmoid_cross_entropy(std::int64_t rows, std::int64_t outputs, const T* logits, const T* target, T scale, T* dlogits,
                           double* row_loss) {
  const double share = static_cast<double>(scale) / static_cast<double>(outputs);
  for (std::int64_t row = 0; row < rows; ++row) {
    double sum = 0;
    for (std::int64_t i = row * outputs; i < (row + 1) * outputs; ++i) {
      const double z = logits[i], t = target[i];
      sum += (std::max(z, 0.0) - t * z) + std::log1p(std::exp(-std::abs(z)));
      if (dlogits) dlogits[i] = static_cast<T>(share * ((1 - t) * stable_sigmoid(z) - t * stable_sigmoid(-z)));
    }
    row_loss[row] = sum / static_cast<double>(outputs);
  }
}

template <class T>
void mean_squared_error(std::int64_t rows, std::int64_t outputs, const T* logits, const T* target, T scale, T* dlogits, double* row_loss) {
  const double share = 2 * static_cast<double>(scale) / static_cast<double>(outputs);
  for (std::int64_t row = 0; row < rows; ++row) {
    double sum = 0;
    for (std::int64_t i = row * outputs; i < (row + 1) * outputs; ++i) {
      const double error = static_cast<double>(logits[i]) - static_cast<double>(target[i]);
      sum += error * error;
      if (dlogits) dlogits[i] = static_cast<T>(share * error);
    }
    row_loss[row] = sum / static_cast<double>(outputs);
  }
}

template void softmax_cross_entropy(std::int64_t, std::int64_t, const float*, const std::int32_t*, float, float*, double*);
template void softmax_cross_entropy(std::int64_t, std::int64_t, const double*, const std::int32_t*, double, double*, double*);
template void sigmoid_cross_entropy(std::int64_t, std::int64_t, const float*, const float*, float, float*, double*);
template void sigmoid_cross_entropy(std::int64_t, std::int64_t, const double*, const double*, double, double*, double*);
template void mean_squared_error(std::int64_t, std::int64_t, const float*, const float*, float, float*, double*);
template void mean_squared_error(std::int64_t, std::int64_t, const double*, const double*, double, double*, double*);

}  // namespace vp
