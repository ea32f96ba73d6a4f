// Recurrent weights that stay orthogonal while they are learnt (train.recurrence = orthogonal): what "the factor is 1" asks for, and
// gradient descent does not keep. Each H x H block W of weight_hh moves along the orthogonal matrices by a Riemannian step with Cayley
// retraction (Wen & Yin 2013, eq. 7, 8 and 12; for recurrent nets Vorontsov et al. 2017):
//
//   A = G W^T - W G^T,   W <- (I + eta/2 A)^-1 (I - eta/2 A) W
//
// eta G is whatever the optimiser would have subtracted from W: for SGD the learning rate times the (clipped) gradient; momentum, RMSprop
// and Adam keep their moments as ever, in the coordinates of W, and their direction takes the place of the gradient. All in double.
// Before it moves, W, which is stored in T, is brought back by one step of Newton-Schulz, W <- W (3 I - W^T W)/2, whose error is quadratic
// in the distance: what is left is the rounding of one update. No state but the parameters themselves.
//
// Thread-safety: take() and turn() may be called at once for different blocks. The arrays are made once; Eigen packs products into its own
// (on the stack up to 128 KiB, as for H <= 64).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "models/parameters/parameters.h"

namespace vp {

template <class T>
class OrthogonalRecurrence {
 public:
  // Throws std::invalid_argument, naming the tensor, if a block of `parameters` is farther from orthogonal than float rounding explains.
  OrthogonalRecurrence(const ParameterLayout& layout, const T* parameters);
  ~OrthogonalRecurrence();

  std::int64_t blocks() const;
  // Keeps the block and leaves zeros in its place, so that the optimiser leaves there what it subtracts, -eta G, exactly.
  void take(std::int64_t block, T* parameters);
  // Puts the new block there.
  void turn(std::int64_t block, T* parameters);

 private:
  struct Block;
  std::vector<std::unique_ptr<Block>> blocks_;
};

}  // namespace vp
