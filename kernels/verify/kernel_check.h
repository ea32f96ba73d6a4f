// Does a kernel's result agree with the double-precision reference? Asked before a kernel is timed, so that no wrong kernel gets a speed.
// Thread-safety: pure functions.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/backend/backend.h"
#include "kernels/memory/aligned_buffer.h"
#include "kernels/verify/cases.h"
#include "kernels/verify/finding.h"

namespace vp {

// Reproducible values in [-1, 1), no two neighbours alike.
AlignedBuffer<float> benchmark_values(std::int64_t n);
std::vector<double> as_doubles(std::span<const float> x);

// compare() of finding.h as a fault or nothing. A reference that is zero everywhere is one: nothing would have been compared.
std::string mismatch(std::string_view what, std::span<const float> actual, std::span<const double> expected, double bound);
std::string mismatch(std::string_view what, std::span<const double> actual, std::span<const double> expected, double bound);

// Runs the case on `backend` and on the reference.
Finding product_finding(Backend<float>& backend, const ProductCase& test);
std::string product_fault(Backend<float>& backend, const ProductCase& test);

// oneDNN's `ref` code where it has optimised code for every product we ask for: a speed of that would say nothing of oneDNN. Nothing if it
// is not.
std::string slow_implementation(std::string_view backend, std::string_view implementation);

}  // namespace vp
