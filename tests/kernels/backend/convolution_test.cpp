// Convolution and pooling against their definitions, which no engine's code has a part in: on an image with its padding written out.
#include "kernels/backend/convolution.h"

#include <gtest/gtest.h>

#include <limits>
#include <vector>

#include "kernels/backend/backend.h"
#include "kernels/backend_list.h"
#include "kernels/verify/image_runs.h"
#include "tests/compare.h"

namespace vp::test {
namespace {

using Doubles = std::vector<double>;

// (C, Y + 2p, X + 2p) of an image (Y, X, C).
class Padded {
 public:
  Padded(const ConvolutionShape& s, const Doubles& images, std::int64_t b)
      : s_(s), height_(s.height + 2 * s.padding), width_(s.width + 2 * s.padding), values_(s.channels * height_ * width_, 0.0) {
    for (std::int64_t y = 0; y < s.height; ++y)
      for (std::int64_t x = 0; x < s.width; ++x)
        for (std::int64_t c = 0; c < s.channels; ++c)
          at(c, y + s.padding, x + s.padding) = images[((b * s.height + y) * s.width + x) * s.channels + c];
  }
  double& at(std::int64_t c, std::int64_t y, std::int64_t x) { return values_[(c * height_ + y) * width_ + x]; }
  // Without the padding, back into (B, Y, X, C).
  void cut_to(Doubles& images, std::int64_t b) {
    for (std::int64_t y = 0; y < s_.height; ++y)
      for (std::int64_t x = 0; x < s_.width; ++x)
        for (std::int64_t c = 0; c < s_.channels; ++c)
          images[((b * s_.height + y) * s_.width + x) * s_.channels + c] = at(c, y + s_.padding, x + s_.padding);
  }

 private:
  const ConvolutionShape& s_;
  std::int64_t height_, width_;
  Doubles values_;
};

struct Expected {
  Doubles y, dx, dweights;
};

// y[b, o, i, j] = bias[o] + sum over c, u, v of w[o, c, u, v] x[b, c, i s + u, j s + v] of the padded image (PyTorch's cross-correlation).
Expected by_definition(const ConvolutionShape& s, const Doubles& x, const Doubles& w, const Doubles& bias, const Doubles& dy) {
  Expected e{Doubles(s.rows * s.output_size()), Doubles(s.rows * s.input_size()), Doubles(s.weight_size())};
  for (std::int64_t b = 0; b < s.rows; ++b) {
    Padded image(s, x, b), gradient(s, Doubles(s.rows * s.input_size(), 0.0), b);
    for (std::int64_t i = 0; i < s.out_height(); ++i)
      for (std::int64_t j = 0; j < s.out_width(); ++j)
        for (std::int64_t o = 0; o < s.filters; ++o) {
          const std::int64_t out = ((b * s.out_height() + i) * s.out_width() + j) * s.filters + o;
          e.y[out] = bias[o];
          for (std::int64_t c = 0; c < s.channels; ++c)
            for (std::int64_t u = 0; u < s.kernel; ++u)
              for (std::int64_t v = 0; v < s.kernel; ++v) {
                const std::int64_t weight = ((o * s.channels + c) * s.kernel + u) * s.kernel + v;
                const double pixel = image.at(c, i * s.stride + u, j * s.stride + v);
                e.y[out] += w[weight] * pixel;
                e.dweights[weight] += dy[out] * pixel;
                gradient.at(c, i * s.stride + u, j * s.stride + v) += dy[out] * w[weight];
              }
        }
    gradient.cut_to(e.dx, b);
  }
  return e;
}

std::vector<ConvolutionShape> shapes() {
  std::vector<ConvolutionShape> all = convolution_cases();
  all.push_back({.rows = 2, .channels = 3, .height = 5, .width = 9, .filters = 4, .kernel = 4, .stride = 3, .padding = 3});
  all.push_back({.rows = 3, .channels = 2, .height = 9, .width = 4, .filters = 5, .kernel = 3, .stride = 2});
  all.push_back({.rows = 1, .channels = 4, .height = 3, .width = 3, .filters = 2, .kernel = 3});  // one place
  return all;
}

template <class T>
void expect_definition(Backend<T>& backend, const ConvolutionShape& s) {
  const ConvolutionInput in(s);
  const auto x = converted<T>(in.x), w = converted<T>(in.weights), bias = converted<T>(in.bias), dy = converted<T>(in.dy);
  const Expected e =
      by_definition(s, converted<double>(in.x), converted<double>(in.weights), converted<double>(in.bias), converted<double>(in.dy));
  const auto weights = backend.make_convolution_weights(s);
  const auto convolution = backend.make_convolution(s, *weights);
  weights->pack(w.data());
  std::vector<T> y(e.y.size()), dx(e.dx.size(), T{7}), dweights(e.dweights.size(), T{7});
  for (int pass = 0; pass < 2; ++pass) {  // what stood there before does not count
    convolution->forward(x.data(), bias.data(), y.data());
    convolution->backward_input(dy.data(), dx.data());
    convolution->backward_weights(x.data(), dy.data(), dweights.data());
  }
  const std::string what = std::string(backend.name()) + " " + describe(s);
  const auto bound = [](std::int64_t terms) { return Bound{.c = 4, .growth = std::sqrt(static_cast<double>(terms))}; };
  EXPECT_TRUE((close<T, double>(y, e.y, bound(s.weight_size() / s.filters)))) << what << ": y";
  EXPECT_TRUE((close<T, double>(dx, e.dx, bound(s.weight_size() / s.channels)))) << what << ": dx";
  EXPECT_TRUE((close<T, double>(dweights, e.dweights, bound(s.rows * s.out_height() * s.out_width())))) << what << ": dweights";
}

TEST(Convolution, IsItsDefinition) {
  for (const ConvolutionShape& s : shapes()) {
    for (const std::string_view name : backend_names()) expect_definition(*make_backend<float>(name), s);
    expect_definition(*make_backend<double>("reference"), s);
  }
}

TEST(Convolution, RefusesImpossibleShapes) {
  const ConvolutionShape fits{.rows = 1, .channels = 1, .height = 5, .width = 5, .filters = 1, .kernel = 3, .padding = 2};
  EXPECT_NO_THROW(check_convolution(fits));
  ConvolutionShape s = fits;
  s.padding = 3;  // as wide as the kernel
  EXPECT_THROW(check_convolution(s), std::invalid_argument);
  s = fits, s.padding = -1;
  EXPECT_THROW(check_convolution(s), std::invalid_argument);
  s = fits, s.kernel = 6, s.padding = 0;
  EXPECT_THROW(check_convolution(s), std::invalid_argument);
  s.height = 6;  // high enough, not wide enough
  EXPECT_THROW(check_convolution(s), std::invalid_argument);
  s.width = 6;
  EXPECT_NO_THROW(check_convolution(s));
  s.stride = 0;
  EXPECT_THROW(check_convolution(s), std::invalid_argument);
  EXPECT_THROW(check_pooling({.rows = 1, .channels = 1, .height = 3, .width = 2, .window = 3}), std::invalid_argument);
  EXPECT_NO_THROW(check_pooling({.rows = 1, .channels = 1, .height = 3, .width = 3, .window = 3}));
}

std::vector<PoolingShape> pooling_shapes() {
  std::vector<PoolingShape> all = pooling_cases();
  for (const bool average : {false, true})
    all.push_back({.rows = 3, .channels = 2, .height = 4, .width = 11, .window = 4, .average = average});
  return all;
}

// body(output element, first pixel of its window) with the channel in both; a window's pixel (u, v) stands (u * width + v) * channels
// further.
template <class Body>
void for_each_output(const PoolingShape& s, const Body& body) {
  for (std::int64_t b = 0; b < s.rows; ++b)
    for (std::int64_t i = 0; i < s.height / s.window; ++i)
      for (std::int64_t j = 0; j < s.width / s.window; ++j)
        for (std::int64_t c = 0; c < s.channels; ++c)
          body(((b * (s.height / s.window) + i) * (s.width / s.window) + j) * s.channels + c,
               ((b * s.height + i * s.window) * s.width + j * s.window) * s.channels + c);
}

template <class T>
void expect_pooling(Backend<T>& backend, const PoolingShape& s, const std::vector<float>& pixels) {
  const auto x = converted<T>(pixels), dy = converted<T>(random_floats(s.rows * s.output_size(), 4));
  Doubles y(s.rows * s.output_size()), dx(s.rows * s.input_size());
  for_each_output(s, [&](std::int64_t out, std::int64_t in) {
    double sum = 0;
    std::int64_t largest = in;  // the first of equal ones
    for (std::int64_t u = 0; u < s.window; ++u)
      for (std::int64_t v = 0; v < s.window; ++v) {
        const std::int64_t at = in + (u * s.width + v) * s.channels;
        sum += static_cast<double>(x[at]);
        if (x[at] > x[largest]) largest = at;
        if (s.average) dx[at] += static_cast<double>(dy[out]) / static_cast<double>(s.window * s.window);
      }
    y[out] = s.average ? sum / static_cast<double>(s.window * s.window) : static_cast<double>(x[largest]);
    if (!s.average) dx[largest] += static_cast<double>(dy[out]);
  });
  const auto pooling = backend.make_pooling(s);
  std::vector<T> actual(y.size()), gradient(dx.size(), T{7});
  const std::vector<T> other(x.rbegin(), x.rend());
  pooling->forward(other.data(), actual.data());  // choices of a pass before do not count
  pooling->forward(x.data(), actual.data());
  pooling->backward(dy.data(), gradient.data());
  const std::string what = std::string(backend.name()) + (s.average ? " average " : " max ") + std::to_string(s.window);
  EXPECT_TRUE((close<T, double>(actual, y, {.c = s.average ? 8.0 : 0.0}))) << what << ": y";
  EXPECT_TRUE((close<T, double>(gradient, dx, {.c = s.average ? 8.0 : 0.0}))) << what << ": dx";
}

void expect_pooling_everywhere(const PoolingShape& s, const std::vector<float>& pixels) {
  for (const std::string_view name : backend_names()) expect_pooling(*make_backend<float>(name), s, pixels);
  expect_pooling(*make_backend<double>("reference"), s, pixels);
}

TEST(Pooling, IsItsDefinition) {
  for (const PoolingShape& s : pooling_shapes()) expect_pooling_everywhere(s, random_floats(s.rows * s.input_size(), 3));
}

TEST(Pooling, TheFirstOfEqualPixelsGetsTheGradient) {
  for (const PoolingShape& s : pooling_shapes()) {
    std::vector<float> pixels = random_floats(s.rows * s.input_size(), 3);
    for (float& x : pixels) x = std::round(x);  // -1, 0 or 1
    expect_pooling_everywhere(s, pixels);
    expect_pooling_everywhere(s, std::vector<float>(pixels.size(), -0.5f));
  }
}

}  // namespace
}  // namespace vp::test
