// The pointwise steps of backend.h for float in Highway, dispatched at run time to the best instruction set of the machine.
// The same bits on every target with FMA, for any size and alignment: an element's bits depend on its inputs alone.
// Thread-safety: pure functions, but for force_simd_target.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "kernels/backend/backend.h"

namespace vp {

const PointwiseKernels<float>& simd_pointwise();

// y (n) = exp(x), within 1.2 ULP over all floats, denormal results included.
void vector_exp(std::int64_t n, const float* x, float* y);

// The instruction set that runs, as Highway calls it, e.g. "AVX3".
std::string_view simd_target_name();

// Those compiled in that this CPU has, the best first.
std::vector<std::string_view> simd_target_names();

// For tests and comparisons: this one of them from now on, in the whole process; "" ends it. std::invalid_argument if it is not usable.
// Not while a kernel runs on another thread.
void force_simd_target(std::string_view name);

}  // namespace vp
