// Sums of squares of the blocks of a long array, each block one chain of additions in double in the order of its elements: what gradient
// norms are made of. Thread-safety: pure functions.
#pragma once

#include <cstdint>

namespace vp {

// squares[k] = sum of x[i]^2 over the elements of block k of x (n): block, block, ..., the last may be shorter. The bits are those of the
// plain loop, whatever the instruction set: a float's square is exact in double.
void sum_squares_of_blocks(const float* x, std::int64_t n, std::int64_t block, double* squares);
void sum_squares_of_blocks(const double* x, std::int64_t n, std::int64_t block, double* squares);

}  // namespace vp
