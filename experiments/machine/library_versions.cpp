#include "experiments/machine/library_versions.h"

#include <fmt/format.h>
#include <gnu/libc-version.h>

#include <cmath>

#include "experiments/io/input_files.h"
#include "kernels/backend_list.h"
#include "models/base/parallel.h"

namespace vp {
namespace {

constexpr int kArguments = 2000;  // variants of exp differ for some of a thousand arguments

// Fixed numbers in (0, 1), spread evenly; computed while the program runs, so that no compiler puts results of its own in their place.
double fraction(int i, double step) {
  const double x = 0.5 + i * step;
  return x - std::floor(x);
}

template <class T>
void append(std::string& bits, T value) {
  bits.append(reinterpret_cast<const char*>(&value), sizeof value);
}

template <class T>
void append_values(std::string& bits, int i) {
  const T x = static_cast<T>(24 * fraction(i, 0.6180339887498949) - 12), positive = static_cast<T>(std::exp2(x));
  const T y = static_cast<T>(4 * fraction(i, 0.7548776662466927) - 2), near_zero = static_cast<T>(y / 8);
  for (const T value : {std::exp(x), std::exp2(x), std::expm1(near_zero), std::log(positive), std::log2(positive), std::log10(positive),
                        std::log1p(positive), std::pow(positive, y), std::sqrt(positive)})
    append(bits, value);
  for (const T value : {std::sin(x), std::cos(x), std::tan(x), std::atan(x), std::sinh(x), std::cosh(x), std::tanh(y), std::asinh(x),
                        std::erf(y), std::erfc(y), std::lgamma(positive), std::hypot(x, y)})
    append(bits, value);
}

}  // namespace

std::string libm_fingerprint() {
  std::string bits;
  for (int i = 0; i < kArguments; ++i) {
    append_values<double>(bits, i);
    append_values<float>(bits, i);
  }
  return hash_text(bits);
}

std::string library_versions() {
  return fmt::format("{}, oneTBB {}, glibc {}, libm {}", kernel_library_versions(), tbb_version(), gnu_get_libc_version(),
                     libm_fingerprint());
}

}  // namespace vp
