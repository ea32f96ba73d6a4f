#include "kernels/verify/kernel_check.h"

#include <algorithm>
#include <vector>

#include "kernels/backend_list.h"
#include "kernels/verify/kernel_runs.h"

namespace vp {
namespace {

template <class A>
std::string find_mismatch(std::string_view what, std::span<const A> actual, std::span<const double> expected, double bound) {
  if (std::ranges::all_of(expected, [](double e) { return e == 0; })) return std::string(what) + ": the reference is zero everywhere";
  return compare(what, actual, expected, bound).fault;
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

Finding product_finding(Backend<float>& backend, const ProductCase& test) {
  const ProductOperands in(test.shape);
  const std::vector<float> c = multiply(backend, test, in);
  const std::vector<double> expected = multiply(*make_backend<double>("reference"), {.shape = test.shape}, in);
  return compare("product " + case_name(test), c, expected, product_bound(test.shape));
}

std::string product_fault(Backend<float>& backend, const ProductCase& test) { return product_finding(backend, test).fault; }

std::string slow_implementation(std::string_view backend, std::string_view implementation) {
  const bool plain = implementation.starts_with("ref") || implementation.find(", ref") != std::string_view::npos;
  if (!backend.starts_with("onednn") || !plain) return "";
  return "oneDNN runs " + std::string(implementation) + " though it has optimised code for this shape";
}

}  // namespace vp
