// The oracle: every step as its formula reads, in plain scalar C++, float and double. Sums run in index order in T (column sums in blocks).
#include <algorithm>
#include <cmath>
#include <cstddef>

#include "kernels/backend.h"
#include "kernels/engines.h"

namespace vp {
namespace {

template <class T>
class ReferenceWeights final : public PackedWeights<T> {
 public:
  explicit ReferenceWeights(const ProductShape& made_for) : made_for_(made_for) {}
  void pack(const T* weights) override { weights_ = weights; }
  const T* weights() const { return weights_; }
  const ProductShape& made_for() const { return made_for_; }

 private:
  ProductShape made_for_;
  const T* weights_ = nullptr;  // read in place
};

template <class T>
class ReferenceProduct final : public Product<T> {
 public:
  ReferenceProduct(const ProductShape& shape, const ReferenceWeights<T>* weights) : shape_(shape), weights_(weights) {}

  void run(const T* a, const T* b, const T* bias, T* c) override {
    if (weights_) b = weights_->weights();
    const auto [m, n, k, transpose_a, transpose_b, accumulate, has_bias] = shape_;
    for (std::int64_t i = 0; i < m; ++i)
      for (std::int64_t j = 0; j < n; ++j) {
        T sum = 0;
        for (std::int64_t p = 0; p < k; ++p) sum += a[transpose_a ? p * m + i : i * k + p] * b[transpose_b ? j * k + p : p * n + j];
        if (accumulate) sum += c[i * n + j];
        if (has_bias) sum += bias[j];
        c[i * n + j] = sum;
      }
  }
  std::string implementation() const override { return "reference"; }

 private:
  ProductShape shape_;
  const ReferenceWeights<T>* weights_;
};

template <class T>
T sigmoid(T z) {
  return activate(activations()[static_cast<std::size_t>(ActivationKind::kSigmoid)], z).value;
}
template <class T>
T squash(T z) {
  return activate(activations()[static_cast<std::size_t>(ActivationKind::kTanh)], z).value;
}

template <class T>
void rnn_forward(const Activation& f, std::int64_t n, T* z, T* h) {
  for (std::int64_t i = 0; i < n; ++i) {
    const ValueAndSlope<T> r = activate(f, z[i]);
    h[i] = r.value;
    z[i] = r.slope;
  }
}

template <class T>
void rnn_backward(std::int64_t rows, std::int64_t hidden, const T* slope, const T* dh, T* dz, double* sum_squares) {
  for (std::int64_t row = 0; row < rows; ++row) {
    sum_squares[row] = 0;
    for (std::int64_t i = row * hidden; i < (row + 1) * hidden; ++i) {
      dz[i] = dh[i] * slope[i];
      sum_squares[row] += static_cast<double>(dh[i]) * static_cast<double>(dh[i]);
    }
  }
}

template <class T>
void lstm_forward(std::int64_t rows, std::int64_t hidden, T* gates, const T* c_prev, T* c, T* tanh_c, T* h) {
  for (std::int64_t row = 0; row < rows; ++row)
    for (std::int64_t j = 0; j < hidden; ++j) {
      T& i = gates[row * 4 * hidden + j];
      T &f = (&i)[hidden], &g = (&i)[2 * hidden], &o = (&i)[3 * hidden];
      const std::int64_t at = row * hidden + j;
      i = sigmoid(i);
      f = sigmoid(f);
      g = squash(g);
      o = sigmoid(o);
      c[at] = f * c_prev[at] + i * g;
      tanh_c[at] = squash(c[at]);
      h[at] = o * tanh_c[at];
    }
}

// Beside each line, the line of lstm_forward it differentiates.
template <class T>
void lstm_backward(std::int64_t rows, std::int64_t hidden, const T* gates, const T* c_prev, const T* tanh_c, const T* dh, T* dc, T* dz,
                   double* sum_squares_dh, double* sum_squares_dc) {
  for (std::int64_t row = 0; row < rows; ++row) {
    sum_squares_dh[row] = sum_squares_dc[row] = 0;
    for (std::int64_t j = 0; j < hidden; ++j) {
      const T* const gate = gates + row * 4 * hidden + j;
      const T i = gate[0], f = gate[hidden], g = gate[2 * hidden], o = gate[3 * hidden];
      T* const d = dz + row * 4 * hidden + j;
      const std::int64_t at = row * hidden + j;
      const T dc_t = dc[at] + dh[at] * o * (1 - tanh_c[at] * tanh_c[at]);  // h = o * tanh(c)
      d[3 * hidden] = dh[at] * tanh_c[at] * o * (1 - o);                   // h = o * tanh_c, o = sigmoid(z_o)
      d[0] = dc_t * g * i * (1 - i);                                       // c = ... + i * g, i = sigmoid(z_i)
      d[hidden] = dc_t * c_prev[at] * f * (1 - f);                         // c = f * c_prev + ..., f = sigmoid(z_f)
      d[2 * hidden] = dc_t * i * (1 - g * g);                              // c = ... + i * g, g = tanh(z_g)
      dc[at] = dc_t * f;                                                   // c = f * c_prev + ...
      sum_squares_dh[row] += static_cast<double>(dh[at]) * static_cast<double>(dh[at]);
      sum_squares_dc[row] += static_cast<double>(dc_t) * static_cast<double>(dc_t);
    }
  }
}

template <class T>
void add_column_sums(std::int64_t rows, std::int64_t cols, const T* a, T* sums) {
  for (std::int64_t j = 0; j < cols; ++j) {
    T total = 0;
    for (std::int64_t first = 0; first < rows; first += kSumRows) {
      T sum = 0;
      for (std::int64_t row = first; row < std::min(rows, first + kSumRows); ++row) sum += a[row * cols + j];
      total += sum;
    }
    sums[j] += total;
  }
}

template <class T>
std::int64_t scale(std::int64_t n, std::int32_t shift, T* x) {
  std::int64_t lost = 0;
  for (std::int64_t i = 0; i < n; ++i) {
    const T scaled = std::ldexp(x[i], shift);
    lost += (x[i] != 0 && scaled == 0) || (std::isfinite(x[i]) && !std::isfinite(scaled));
    x[i] = scaled;
  }
  return lost;
}

template <class T>
class ReferenceBackend final : public Backend<T> {
 public:
  std::string_view name() const override { return "reference"; }

  const PointwiseKernels<T>& pointwise() const override {
    static constexpr PointwiseKernels<T> kTable = {rnn_forward<T>,   rnn_backward<T>,    lstm_forward<T>,
                                                   lstm_backward<T>, add_column_sums<T>, scale<T>};
    return kTable;
  }

  std::unique_ptr<PackedWeights<T>> make_weights(const ProductShape& typical) override {
    check_product(typical);
    return std::make_unique<ReferenceWeights<T>>(typical);
  }

  std::unique_ptr<Product<T>> make_product(const ProductShape& shape, PackedWeights<T>* weights) override {
    check_product(shape);
    const auto* own = static_cast<const ReferenceWeights<T>*>(weights);  // the only kind make_weights gives
    if (own) check_weights(shape, own->made_for());
    return std::make_unique<ReferenceProduct<T>>(shape, own);
  }

  std::unique_ptr<ConvolutionWeights<T>> make_convolution_weights(const ConvolutionShape& shape) override {
    check_convolution(shape);
    return make_reference_convolution_weights<T>();
  }
  std::unique_ptr<Convolution<T>> make_convolution(const ConvolutionShape& shape, ConvolutionWeights<T>& weights) override {
    return make_reference_convolution<T>(shape, weights);
  }
  std::unique_ptr<Pooling<T>> make_pooling(const PoolingShape& shape) override { return make_reference_pooling<T>(shape); }
};

}  // namespace

template <class T>
std::unique_ptr<Backend<T>> make_reference_backend() {
  return std::make_unique<ReferenceBackend<T>>();
}
template std::unique_ptr<Backend<float>> make_reference_backend();
template std::unique_ptr<Backend<double>> make_reference_backend();

}  // namespace vp
