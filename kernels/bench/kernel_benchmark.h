// The primitive kernels as rows for `vpoint profile`: the case table (cases.h) for every backend. One thread, data in cache.
// Names: <backend>/product/<shape>, <backend>/pack/<shape>, <backend>/dense/<shape>, <backend>/<pointwise kernel>/<rows>x<hidden>,
// losses/..., simd/... Thread-safety: pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "kernels/bench/timed_case.h"

namespace vp {

// Products, packing, and a dense layer's three products (forward, backward data, backward weights; packing not counted).
// FLOPs 2 m n k a product; bytes: A, B and C once each, C twice if it is added to.
std::vector<TimedCase> product_rows(const std::string& backend);
TimedCase dense_row(const std::string& backend, std::int64_t rows, std::int64_t inputs, std::int64_t outputs);

// Pointwise steps of the cells with every activation. Bytes: each array once for a read and once for a write.
std::vector<TimedCase> pointwise_rows(const std::string& backend);

// What does not depend on the backend: output layers and vector functions.
std::vector<TimedCase> other_kernel_rows();

}  // namespace vp
