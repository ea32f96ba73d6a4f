// The case table: what the parity tests, the gradient tests and the kernel benchmark run.
//
// To add one: a row here. It is then compared with the reference on every backend, checked against central differences where that applies,
// and timed if `timed`. Sizes stand around the vector widths (4, 8, 16) and around blocks (32, 64), with the shapes of the catalog.
// Thread-safety: pure functions; for set-up only (they allocate).
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "kernels/backend/backend.h"

namespace vp {

// packed: B goes through PackedWeights made for `typical_m` rows (0: for the shape itself).
struct ProductCase {
  ProductShape shape;
  bool packed = false;
  bool timed = false;
  std::int64_t typical_m = 0;
};

// One step's arrays, (rows, hidden); run with every activation, and as an LSTM step.
struct PointwiseCase {
  std::int64_t rows;
  std::int64_t hidden;
  bool timed = false;
};

struct LossCase {
  std::int64_t rows;
  std::int64_t classes;
  bool timed = false;
};

inline constexpr std::array<std::int64_t, 9> kOddSizes{1, 3, 7, 17, 31, 33, 63, 65, 127};

inline constexpr std::array kPointwiseCases{
    //            rows hidden timed
    PointwiseCase{1, 1},          PointwiseCase{3, 7},   PointwiseCase{2, 16},        PointwiseCase{5, 17},
    PointwiseCase{7, 31},         PointwiseCase{4, 33},  PointwiseCase{3, 63},        PointwiseCase{2, 65},
    PointwiseCase{20, 50, true},  PointwiseCase{1, 127}, PointwiseCase{32, 32, true}, PointwiseCase{32, 128, true},
    PointwiseCase{64, 256, true},
};

inline constexpr std::array kLossCases{
    LossCase{1, 1}, LossCase{3, 2}, LossCase{7, 10}, LossCase{32, 10, true}, LossCase{5, 17},
};

// Shapes of training: (rows of a shard) x (gates * hidden) x (inputs or hidden), and the three products of a step in each orientation.
inline std::vector<ProductCase> typical_products() {
  const auto forward = [](std::int64_t m, std::int64_t n, std::int64_t k) {
    return ProductCase{.shape = {.m = m, .n = n, .k = k, .transpose_b = true, .bias = true}, .packed = true, .timed = true};
  };
  return {
      forward(32, 512, 128),  // LSTM, hidden 128, h W_hh^T
      forward(64, 512, 128),
      forward(896, 512, 28),   // all 28 steps of 32 rows at once, x W_ih^T
      forward(64, 1024, 256),  // the size at which row-major weights lose half on AVX2
      forward(20, 50, 50),     // a tiny RNN
      forward(32, 10, 128),    // readout
      {.shape = {.m = 32, .n = 512, .k = 128, .transpose_b = true, .accumulate = true}, .packed = true, .timed = true},
      {.shape = {.m = 32, .n = 128, .k = 512}, .packed = true, .timed = true},                                       // dh = dz W
      {.shape = {.m = 512, .n = 128, .k = 32, .transpose_a = true, .accumulate = true}, .timed = true},              // dW += dz^T h
      {.shape = {.m = 512, .n = 128, .k = 896, .transpose_a = true, .accumulate = true}, .timed = true},             // dW, all steps
      {.shape = {.m = 61, .n = 512, .k = 128, .transpose_b = true, .bias = true}, .packed = true, .typical_m = 64},  // last shard
      {.shape = {.m = 5, .n = 128, .k = 512, .accumulate = true}, .packed = true, .typical_m = 32},
  };
}

// Every odd size in each of m, n, k, through every orientation, epilogue and way of giving B.
inline std::vector<ProductCase> odd_products() {
  std::vector<ProductCase> cases;
  for (std::size_t i = 0; i < kOddSizes.size(); ++i) {
    const std::int64_t m = kOddSizes[i], n = kOddSizes[(i * 2 + 3) % kOddSizes.size()], k = kOddSizes[(i * 4 + 5) % kOddSizes.size()];
    for (int variant = 0; variant < 24; ++variant) {
      const int epilogue = variant / 8;  // none, accumulate, bias
      const ProductShape shape{.m = m,
                               .n = n,
                               .k = k,
                               .transpose_a = (variant & 1) != 0,
                               .transpose_b = (variant & 2) != 0,
                               .accumulate = epilogue == 1,
                               .bias = epilogue == 2};
      cases.push_back({.shape = shape, .packed = (variant & 4) != 0, .typical_m = (i % 2) != 0 ? 32 : 0});
    }
  }
  return cases;
}

// Behind them, those with packed weights once more, for weights that are used once.
inline std::vector<ProductCase> and_used_once(std::vector<ProductCase> cases) {
  const std::size_t count = cases.size();
  for (std::size_t i = 0; i < count; ++i) {
    if (!cases[i].packed) continue;
    ProductCase once = cases[i];
    once.shape.used_once = true, once.timed = false;
    cases.push_back(once);
  }
  return cases;
}

inline std::vector<ProductCase> product_cases() {
  std::vector<ProductCase> cases = typical_products();
  for (const ProductCase& c : odd_products()) cases.push_back(c);
  return and_used_once(std::move(cases));
}

// E.g. "32x512x128_tb_bias_packed".
inline std::string case_name(const ProductCase& c) {
  const ProductShape& s = c.shape;
  std::string name = std::to_string(s.m) + "x" + std::to_string(s.n) + "x" + std::to_string(s.k);
  if (s.transpose_a) name += "_ta";
  if (s.transpose_b) name += "_tb";
  if (s.accumulate) name += "_accumulate";
  if (s.bias) name += "_bias";
  if (c.packed) name += s.used_once ? "_once" : "_packed";
  if (c.typical_m != 0) name += "_for" + std::to_string(c.typical_m);
  return name;
}

}  // namespace vp
