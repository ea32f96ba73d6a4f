#include "kernels/backend/product.h"

#include <stdexcept>
#include <string>

namespace vp {

std::string describe(const ProductShape& s) {
  std::string text = "(m=" + std::to_string(s.m) + ", n=" + std::to_string(s.n) + ", k=" + std::to_string(s.k);
  if (s.transpose_a) text += ", A transposed";
  if (s.transpose_b) text += ", B transposed";
  if (s.accumulate) text += ", accumulate";
  if (s.bias) text += ", bias";
  return text + ")";
}

void check_product(const ProductShape& s) {
  if (s.m < 1 || s.n < 1 || s.k < 1) throw std::invalid_argument("[product] m, n, k: expected at least 1, got " + describe(s));
  if (s.accumulate && s.bias) throw std::invalid_argument("[product] accumulate and bias: expected at most one, got " + describe(s));
}

void check_weights(const ProductShape& s, const ProductShape& made_for) {
  if (s.n != made_for.n || s.k != made_for.k || s.transpose_b != made_for.transpose_b)
    throw std::invalid_argument("[product] weights: made for " + describe(made_for) + ", asked for " + describe(s));
}

}  // namespace vp
