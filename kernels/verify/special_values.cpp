#include "kernels/verify/special_values.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>

#include "kernels/pointwise/pointwise_simd.h"

namespace vp {
namespace {

using FloatLimits = std::numeric_limits<float>;
constexpr double kInfinity = std::numeric_limits<double>::infinity();

std::array<float, 11> specials(double huge) {
  const auto large = static_cast<float>(huge);
  return {FloatLimits::quiet_NaN(),
          -FloatLimits::quiet_NaN(),
          FloatLimits::infinity(),
          -FloatLimits::infinity(),
          FloatLimits::denorm_min(),
          -1e-40f,
          FloatLimits::min(),
          0.0f,
          -0.0f,
          large,
          -large};
}

using Marks = std::vector<std::vector<bool>>;  // of results, by array and element

template <class Predicate>
Marks mark(const Arrays& results, const Predicate& predicate) {
  Marks marks;
  for (std::size_t i = 0; i < results.size(); ++i) {
    std::vector<bool> row;
    for (std::size_t j = 0; j < results[i].second.size(); ++j) row.push_back(predicate(i, j));
    marks.push_back(std::move(row));
  }
  return marks;
}

// The results that depend on `element`: seen by a step up and a step down, because a relu may sleep on one side.
Marks dependents(float& element, const Arrays& base, const std::function<Arrays()>& expected) {
  const float kept = element;
  element = kept + 1.75f;
  const Arrays up = expected();
  element = kept - 2.25f;
  const Arrays down = expected();
  element = kept;
  return mark(base, [&](std::size_t i, std::size_t j) {
    const double here = base[i].second[j];
    return up[i].second[j] != here || down[i].second[j] != here;
  });
}

Finding swallowed(const Arrays& results, const Marks& must_be_nan, std::string_view who) {
  Finding finding;
  for (std::size_t i = 0; i < results.size(); ++i)
    for (std::size_t j = 0; j < results[i].second.size(); ++j) {
      if (!must_be_nan[i][j]) continue;
      ++finding.compared;
      if (!std::isnan(results[i].second[j]))
        finding.add(fault_finding(std::string(who) + " swallows a NaN: element " + std::to_string(j) + " of " + results[i].first + " is " +
                                  to_text(results[i].second[j])));
    }
  return finding;
}

Finding compare_results(const Arrays& actual, const Arrays& expected, double bound) {
  Finding finding;
  for (std::size_t i = 0; i < expected.size(); ++i)
    finding.add(compare_special(expected[i].first, actual[i].second, expected[i].second, bound));
  return finding;
}

Finding element_finding(float& element, const Arrays& base, const std::function<Arrays()>& actual, const std::function<Arrays()>& expected,
                        double bound, double huge) {
  const Marks depends = dependents(element, base, expected);
  const float kept = element;
  Finding finding;
  for (const float special : specials(huge)) {
    element = special;
    const Arrays a = actual(), e = expected();
    const std::string name = to_text(special);
    finding.add(compare_results(a, e, bound), name);
    if (!std::isnan(special)) continue;
    finding.add(swallowed(e, depends, "the reference"), name);
    finding.add(swallowed(a, depends, "the kernel"), name);
  }
  element = kept;
  return finding;
}

void book_ulp(Finding& finding, std::string_view what, float z, double error, double bound) {
  ++finding.compared;
  const double multiple = error == 0 ? 0 : error / bound;
  finding.worst = std::max(finding.worst, multiple);
  if (!(multiple <= 1) && finding.fault.empty())
    finding.fault = std::string(what) + " at " + to_text(z) + " is " + to_text(error) + " ULP off";
}

Finding activation_block(const Activation& f, const PointwiseKernels<float>& kernels, const std::vector<float>& x) {
  std::vector<float> slope = x, value(x.size());
  kernels.rnn_forward(f, static_cast<std::int64_t>(x.size()), slope.data(), value.data());
  Finding finding;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const auto expected = activate(f, static_cast<double>(x[i]));
    book_ulp(finding, "value", x[i], ExpectedFloat(expected.value, std::abs(expected.value)).error(value[i]), f.value_bound_ulp);
    const double scale = slope_scale(f, x[i], expected.slope);
    book_ulp(finding, "slope", x[i], ExpectedFloat(expected.slope, scale).error(slope[i]), f.slope_bound_ulp);
    if (!std::isnan(x[i])) continue;
    if (!std::isnan(value[i]) || !std::isnan(slope[i]) || !std::isnan(expected.value)) finding.add(fault_finding("swallows a NaN"));
  }
  return finding;
}

}  // namespace

Finding special_value_finding(const InputArrays& inputs, const std::function<Arrays()>& actual, const std::function<Arrays()>& expected,
                              double bound, double huge) {
  const Arrays base = expected();
  Finding finding;
  for (const auto& [name, array] : inputs) {
    std::vector<std::size_t> places = {0, array->size() / 2, array->size() - 1};
    places.erase(std::unique(places.begin(), places.end()), places.end());
    for (const std::size_t at : places)
      finding.add(element_finding((*array)[at], base, actual, expected, bound, huge), "element " + std::to_string(at) + " of " + name);
  }
  return finding;
}

ExpectedFloat::ExpectedFloat(double value, double scale)
    : value_(value), ulp_(std::ldexp(1.0, (scale > 0 ? std::max(std::ilogb(scale), -126) : -126) - 23)) {}

double ExpectedFloat::error(float actual) const {
  if (std::isfinite(actual) && std::abs(value_) < FloatLimits::max()) return std::abs(static_cast<double>(actual) - value_) / ulp_;
  return std::isnan(value_) == std::isnan(actual) && (std::isnan(actual) || actual == static_cast<float>(value_)) ? 0 : kInfinity;
}

double slope_scale(const Activation& f, double z, double slope) { return f.slope_scale ? f.slope_scale(z) : std::abs(slope); }

std::vector<float> activation_specials() {
  std::vector<float> x{0.0f,
                       1.0f,
                       0.5f,
                       FloatLimits::infinity(),
                       FloatLimits::quiet_NaN(),
                       FloatLimits::denorm_min(),
                       FloatLimits::min(),
                       FloatLimits::max(),
                       std::nextafter(FloatLimits::min(), 0.0f),
                       87.33655f,
                       88.72283f,
                       88.72284f,
                       103.97208f,
                       104.0f,
                       14.5f,
                       0.75179f};
  for (std::size_t i = 0, n = x.size(); i < n; ++i) x.push_back(-x[i]);
  return x;
}

namespace {

constexpr double kExpUlp = 1.2;  // pointwise_simd.h

// block(inputs) for the specials, then for every stride-th float.
template <class Block>
Finding over_floats(std::uint32_t stride, const Block& block) {
  constexpr std::size_t kBlock = 4099;  // odd: the last vector of each block is a part of one
  Finding finding = block(activation_specials());
  for (const float special : activation_specials()) finding.add(block({special}), "alone");  // the way of a part of a vector
  std::vector<float> x;
  for (std::uint64_t bits = stride / 3; bits <= 0xFFFFFFFFu; bits += stride) {
    x.push_back(std::bit_cast<float>(static_cast<std::uint32_t>(bits)));
    if (x.size() < kBlock && bits + stride <= 0xFFFFFFFFu) continue;
    finding.add(block(x));
    x.clear();
  }
  return finding;
}

}  // namespace

Finding activation_finding(const Activation& f, const PointwiseKernels<float>& kernels, std::uint32_t stride) {
  return over_floats(stride, [&](const std::vector<float>& x) { return activation_block(f, kernels, x); });
}

Finding exp_finding(std::uint32_t stride) {
  return over_floats(stride, [](const std::vector<float>& x) {
    std::vector<float> y(x.size());
    vector_exp(static_cast<std::int64_t>(x.size()), x.data(), y.data());
    Finding finding;
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double expected = std::exp(static_cast<double>(x[i]));
      book_ulp(finding, "exp", x[i], ExpectedFloat(expected, expected).error(y[i]), kExpUlp);
    }
    return finding;
  });
}

}  // namespace vp
