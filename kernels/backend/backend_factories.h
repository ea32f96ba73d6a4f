// What backend_list.cpp needs of each engine; for use inside kernels/ only. Each engine's classes stay in its own file.
// Thread-safety: factories, called at set-up.
#pragma once

#include <memory>
#include <string>

#include "kernels/backend/backend.h"

namespace vp {

template <class T>
std::unique_ptr<Backend<T>> make_reference_backend();
std::unique_ptr<Backend<float>> make_onednn_backend();
std::unique_ptr<Backend<float>> make_native_backend();

// Products with fewer columns are summed in chunks of k by the oneDNN engine.
inline constexpr std::int64_t kNarrow = 16;

// Convolution and pooling of each engine; `weights` are those its own factory gave.
template <class T>
std::unique_ptr<ConvolutionWeights<T>> make_reference_convolution_weights();
template <class T>
std::unique_ptr<Convolution<T>> make_reference_convolution(const ConvolutionShape& shape, const ConvolutionWeights<T>& weights);
template <class T>
std::unique_ptr<Pooling<T>> make_reference_pooling(const PoolingShape& shape);
template <class T>
std::unique_ptr<Pooling<T>> make_max_pooling(const PoolingShape& shape);
std::unique_ptr<ConvolutionWeights<float>> make_product_convolution_weights(Backend<float>& backend, const ConvolutionShape& shape);
std::unique_ptr<Convolution<float>> make_product_convolution(Backend<float>& backend, const ConvolutionShape& shape,
                                                             const ConvolutionWeights<float>& weights);
std::unique_ptr<ConvolutionWeights<float>> make_onednn_convolution_weights(const ConvolutionShape& shape);
// backend: of products.
std::unique_ptr<Convolution<float>> make_onednn_convolution(Backend<float>& backend, const ConvolutionShape& shape,
                                                            ConvolutionWeights<float>& weights);
std::unique_ptr<Pooling<float>> make_onednn_average_pooling(const PoolingShape& shape);

std::string onednn_isa_name();
std::string onednn_version();

}  // namespace vp
