// Sums of squares of the blocks of a long array: what gradient norms are made of. Thread-safety: pure functions.
#pragma once

#include <cstdint>

namespace vp {

// squares[k] = sum of x[i]^2 over the elements of block k of x (n): block, block, ..., the last may be shorter. In double, where a float's
// square is exact: element j of a block adds to chain j mod 16, the chains are added pairwise, and bits do not depend on the instruction
// set.
void sum_squares_of_blocks(const float* x, std::int64_t n, std::int64_t block, double* squares);
void sum_squares_of_blocks(const double* x, std::int64_t n, std::int64_t block, double* squares);

}  // namespace vp
