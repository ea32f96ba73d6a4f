#include "kernels/kernel_check.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace vp {
namespace {

template <class A>
std::string find_mismatch(std::string_view what, std::span<const A> actual, std::span<const double> expected, double bound) {
  if (actual.size() != expected.size()) return std::string(what) + ": sizes differ";
  double scale = 0;
  for (const double e : expected) scale = std::max(scale, std::abs(e));
  if (!(scale > 0)) return std::string(what) + ": the reference is zero everywhere";
  const double tolerance = bound * 0x1p-23 * scale;
  for (std::size_t i = 0; i < actual.size(); ++i) {
    const auto a = static_cast<double>(actual[i]);
    if (!(std::abs(a - expected[i]) <= tolerance))
      return std::string(what) + ": element " + std::to_string(i) + " is " + std::to_string(a) + ", the reference says " +
             std::to_string(expected[i]);
  }
  return "";
}

}  // namespace

AlignedBuffer<float> benchmark_values(std::int64_t n) {
  AlignedBuffer<float> x(n);
  std::uint32_t state = 1;
  for (float& v : x.span()) {
    state = state * 1664525u + 1013904223u;
    v = static_cast<float>(state >> 8) * 0x1p-23f - 1.0f;
  }
  return x;
}

std::vector<double> as_doubles(std::span<const float> x) { return {x.begin(), x.end()}; }

std::string mismatch(std::string_view what, std::span<const float> actual, std::span<const double> expected, double bound) {
  return find_mismatch(what, actual, expected, bound);
}
std::string mismatch(std::string_view what, std::span<const double> actual, std::span<const double> expected, double bound) {
  return find_mismatch(what, actual, expected, bound);
}

std::string product_fault(Backend<float>& backend, const ProductCase& test) {
  const ProductShape& s = test.shape;
  ProductShape typical = s;
  if (test.typical_m != 0) typical.m = test.typical_m;
  const AlignedBuffer<float> a = benchmark_values(s.m * s.k), b = benchmark_values(s.k * s.n), bias = benchmark_values(s.n);
  AlignedBuffer<float> c = benchmark_values(s.m * s.n);
  std::vector<double> expected = as_doubles(c.span());
  const auto exact = make_backend<double>("reference")->make_product(s, nullptr);
  const std::vector<double> bias64 = as_doubles(bias.span());
  exact->run(as_doubles(a.span()).data(), as_doubles(b.span()).data(), s.bias ? bias64.data() : nullptr, expected.data());

  const auto weights = test.packed ? backend.make_weights(typical) : nullptr;
  const auto product = backend.make_product(s, weights.get());
  if (weights) weights->pack(b.data());
  product->run(a.data(), test.packed ? nullptr : b.data(), s.bias ? bias.data() : nullptr, c.data());
  // Rounding of a sum of k products gathers like its square root; the largest sum is about as much larger than a term.
  return mismatch("product " + case_name(test), std::as_const(c).span(), expected, 8 + std::sqrt(static_cast<double>(s.k)));
}

std::string slow_implementation(std::string_view backend, std::string_view implementation) {
  if (!backend.starts_with("onednn") || !implementation.starts_with("ref")) return "";
  return "oneDNN runs " + std::string(implementation) + " though it has optimised code for this product";
}

}  // namespace vp
