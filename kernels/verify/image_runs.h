// Convolution, pooling and layer norm on seeded data, with the cases that every check of them runs on. Thread-safety: pure functions.
#pragma once

#include <cmath>
#include <string>
#include <vector>

#include "kernels/backend/convolution.h"
#include "kernels/pointwise/layer_norm.h"
#include "kernels/verify/kernel_runs.h"

namespace vp {

// To add one: a row here. One channel and many, odd sizes, strides, with and without padding; the shapes of the catalog.
inline std::vector<ConvolutionShape> convolution_cases() {
  return {
      {.rows = 1, .channels = 1, .height = 1, .width = 1, .filters = 1, .kernel = 1},
      {.rows = 3, .channels = 1, .height = 7, .width = 5, .filters = 3, .kernel = 3, .padding = 1},
      {.rows = 2, .channels = 3, .height = 9, .width = 8, .filters = 17, .kernel = 3, .stride = 2, .padding = 1},
      {.rows = 2, .channels = 5, .height = 6, .width = 7, .filters = 4, .kernel = 2},
      {.rows = 2, .channels = 2, .height = 11, .width = 11, .filters = 6, .kernel = 5, .stride = 3, .padding = 2},
      {.rows = 4, .channels = 1, .height = 28, .width = 28, .filters = 8, .kernel = 3, .padding = 1},
      {.rows = 4, .channels = 8, .height = 14, .width = 14, .filters = 16, .kernel = 3, .padding = 1},
      {.rows = 2, .channels = 16, .height = 7, .width = 7, .filters = 16, .kernel = 3, .padding = 1},
  };
}

inline std::vector<PoolingShape> pooling_cases() {
  std::vector<PoolingShape> cases;
  for (const bool average : {false, true})
    for (const std::int64_t channels : {1, 8, 17})
      for (const std::int64_t window : {1, 2, 3})
        cases.push_back({.rows = 2, .channels = channels, .height = 7, .width = 6, .window = window, .average = average});
  return cases;
}

struct ConvolutionInput {
  std::vector<float> x, weights, bias, dy;
  explicit ConvolutionInput(const ConvolutionShape& s)
      : x(random_floats(s.rows * s.input_size(), 1)),
        weights(random_floats(s.weight_size(), 2)),
        bias(random_floats(s.filters, 3)),
        dy(random_floats(s.rows * s.output_size(), 4)) {}
  InputArrays arrays() { return {{"x", &x}, {"weights", &weights}, {"bias", &bias}, {"dy", &dy}}; }
};

template <class T>
Arrays run_convolution(Backend<T>& backend, const ConvolutionShape& s, const ConvolutionInput& in) {
  Workspace<T> work(1);
  const T *const x = work.add("x", in.x), *const bias = work.add("bias", in.bias), *const dy = work.add("dy", in.dy);
  const auto w = converted<T>(in.weights);
  const auto weights = backend.make_convolution_weights(s);
  const auto convolution = backend.make_convolution(s, *weights);
  weights->pack(w.data());
  convolution->forward(x, bias, work.add("y", s.rows * s.output_size()));
  convolution->backward_input(dy, work.add("dx", s.rows * s.input_size()));
  convolution->backward_weights(x, dy, work.add("dweights", s.weight_size()));
  return work.results();
}

// Terms of the longest sum: a weight's gradient runs over all places of all images.
inline double convolution_bound(const ConvolutionShape& s) {
  const double terms =
      static_cast<double>(std::max(s.kernel * s.kernel * std::max(s.channels, s.filters), s.rows * s.out_height() * s.out_width()));
  return 4 * std::sqrt(terms);
}

struct PoolingInput {
  std::vector<float> x, dy;
  explicit PoolingInput(const PoolingShape& s)
      : x(random_floats(s.rows * s.input_size(), 1)), dy(random_floats(s.rows * s.output_size(), 2)) {}
};

template <class T>
Arrays run_pooling(Backend<T>& backend, const PoolingShape& s, const PoolingInput& in) {
  Workspace<T> work(1);
  const T *const x = work.add("x", in.x), *const dy = work.add("dy", in.dy);
  const auto pooling = backend.make_pooling(s);
  pooling->forward(x, work.add("y", s.rows * s.output_size()));
  pooling->backward(dy, work.add("dx", s.rows * s.input_size()));
  return work.results();
}

struct LayerNormInput {
  std::vector<float> z, gain, bias, dy;
  explicit LayerNormInput(const LayerNormShape& s)
      : z(random_floats(s.rows * s.places * s.units, 1, -3, 3)),
        gain(random_floats(s.units, 2)),
        bias(random_floats(s.units, 3)),
        dy(random_floats(s.rows * s.places * s.units, 4)) {}
  InputArrays arrays() { return {{"z", &z}, {"gain", &gain}, {"bias", &bias}, {"dy", &dy}}; }
};

template <class T>
Arrays run_layer_norm(const LayerNormShape& s, const LayerNormInput& in) {
  Workspace<T> work(1);
  const std::int64_t n = s.rows * s.places * s.units;
  T *const y = work.add("y", in.z), *const normalized = work.add("normalized", n), *const dz = work.add("dz", in.dy);
  const T *const gain = work.add("gain", in.gain), *const bias = work.add("bias", in.bias);
  std::vector<double> inverse(static_cast<std::size_t>(s.rows)), dgain(static_cast<std::size_t>(s.units)), dbias(dgain);
  const std::vector<std::int32_t> exponent(inverse.size(), 0);
  layer_norm_forward(s, gain, bias, y, normalized, inverse.data());
  layer_norm_backward(s, gain, normalized, inverse.data(), exponent.data(), dz, dgain.data(), dbias.data());
  Arrays out = work.results();
  out.emplace_back("dgain", dgain), out.emplace_back("dbias", dbias);
  return out;
}

}  // namespace vp
