// One interface to every engine that can do the arithmetic: "reference" (plain scalar C++, float and double, the oracle), "onednn" (float;
// matrix products by oneDNN, pointwise steps by Highway) and "native" (float; products of our own, fused with the steps).
//
// A Backend makes Products once, when a model is set up; a steady-state training step only calls run() and pack().
// Thread-safety: a Backend may be asked by one thread at a time.
#pragma once

#include <memory>
#include <string_view>

#include "kernels/backend/convolution.h"
#include "kernels/backend/fused_step.h"
#include "kernels/backend/pointwise.h"
#include "kernels/backend/product.h"

namespace vp {

template <class T>
class Backend {
 public:
  virtual ~Backend() = default;
  virtual std::string_view name() const = 0;
  virtual const PointwiseKernels<T>& pointwise() const = 0;
  // B (k, n) of every product whose shape agrees in n, k and transpose_b. `typical` is the shape that will run most: the layout is chosen
  // for it.
  virtual std::unique_ptr<PackedWeights<T>> make_weights(const ProductShape& typical) = 0;
  // `weights` may be nullptr (B is then given to each run); if not, it outlives the product and was made for the same n, k, transpose_b.
  // Errors: std::invalid_argument with text like "[product] ..." for a size below 1 or accumulate together with bias.
  virtual std::unique_ptr<Product<T>> make_product(const ProductShape& shape, PackedWeights<T>* weights) = 0;
  // Images (convolution.h). Weights made for one shape serve every number of rows, and outlive the convolution.
  virtual std::unique_ptr<ConvolutionWeights<T>> make_convolution_weights(const ConvolutionShape& typical) = 0;
  virtual std::unique_ptr<Convolution<T>> make_convolution(const ConvolutionShape& shape, ConvolutionWeights<T>& weights) = 0;
  virtual std::unique_ptr<Pooling<T>> make_pooling(const PoolingShape& shape) = 0;
  // Whole steps in one call (fused_step.h); nullptr where this engine composes them.
  virtual std::unique_ptr<FusedWeights<T>> make_fused_weights(const FusedShape&) { return nullptr; }
  virtual std::unique_ptr<FusedStep<T>> make_fused_step(const FusedShape&, const FusedWeights<T>&) { return nullptr; }
};

}  // namespace vp
