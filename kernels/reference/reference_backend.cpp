// The oracle: every step as its formula reads, in plain scalar C++, float and double. Sums run in index order, in double.
#include <algorithm>
#include <cmath>
#include <cstddef>

#include "kernels/backend/backend.h"
#include "kernels/backend/backend_factories.h"
#include "kernels/backend/normal_range.h"

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
    const auto [m, n, k, transpose_a, transpose_b, accumulate, has_bias, used_once] = shape_;
    for (std::int64_t i = 0; i < m; ++i)
      for (std::int64_t j = 0; j < n; ++j) {
        double sum = 0;  // rounded once, at the end: what float has to be held against should not gather rounding of its own
        for (std::int64_t p = 0; p < k; ++p)
          sum += static_cast<double>(a[transpose_a ? p * m + i : i * k + p]) * static_cast<double>(b[transpose_b ? j * k + p : p * n + j]);
        if (accumulate) sum += static_cast<double>(c[i * n + j]);
        if (has_bias) sum += static_cast<double>(bias[j]);
        c[i * n + j] = static_cast<T>(sum);
      }
  }
  std::string implementation() const override { return "reference"; }

 private:
  ProductShape shape_;
  const ReferenceWeights<T>* weights_;
};

template <class T>
T sigmoid(T z) {
  static const Activation& f = *find_activation("sigmoid");
  return activate(f, z).value;
}
template <class T>
T squash(T z) {
  static const Activation& f = *find_activation("tanh");
  return activate(f, z).value;
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
void gru_forward(std::int64_t rows, std::int64_t hidden, T* gates, const T* recurrent, const T* h_prev, T* recurrent_n, T* h) {
  for (std::int64_t row = 0; row < rows; ++row)
    for (std::int64_t j = 0; j < hidden; ++j) {
      T& r = gates[row * 3 * hidden + j];
      T &z = (&r)[hidden], &n = (&r)[2 * hidden];
      const T* const wh = recurrent + row * 3 * hidden + j;
      const std::int64_t at = row * hidden + j;
      r = sigmoid(r + wh[0]);
      z = sigmoid(z + wh[hidden]);
      recurrent_n[at] = wh[2 * hidden];
      n = squash(n + r * recurrent_n[at]);
      h[at] = (1 - z) * n + z * h_prev[at];
    }
}

// Beside each line, the line of gru_forward it differentiates.
template <class T>
void gru_backward(std::int64_t rows, std::int64_t hidden, const T* gates, const T* recurrent_n, const T* h_prev, const T* dh, T* direct,
                  T* dz, T* dr, double* sum_squares_dh) {
  for (std::int64_t row = 0; row < rows; ++row) {
    sum_squares_dh[row] = 0;
    for (std::int64_t j = 0; j < hidden; ++j) {
      const T* const gate = gates + row * 3 * hidden + j;
      const T r = gate[0], z = gate[hidden], n = gate[2 * hidden];
      T *const d = dz + row * 3 * hidden + j, *const d_recurrent = dr + row * 3 * hidden + j;
      const std::int64_t at = row * hidden + j;
      const T dn = dh[at] * (1 - z) * (1 - n * n);                                // h = (1 - z) * n + ..., n = tanh(z_n)
      direct[at] = dh[at] * z;                                                    // h = ... + z * h_prev
      d[0] = d_recurrent[0] = dn * recurrent_n[at] * r * (1 - r);                 // n = tanh(... + r * wh_n), r = sigmoid(z_r + wh_r)
      d[hidden] = d_recurrent[hidden] = dh[at] * (h_prev[at] - n) * z * (1 - z);  // h = (1 - z) * n + z * h_prev, z = sigmoid(z_z + wh_z)
      d[2 * hidden] = dn;                                                         // n = tanh(z_n + ...)
      d_recurrent[2 * hidden] = dn * r;                                           // n = tanh(... + r * wh_n)
      sum_squares_dh[row] += static_cast<double>(dh[at]) * static_cast<double>(dh[at]);
    }
  }
}

template <class T>
void add_column_sums(std::int64_t rows, std::int64_t cols, const T* a, T* sums) {
  for (std::int64_t j = 0; j < cols; ++j) {
    double sum = 0;
    for (std::int64_t row = 0; row < rows; ++row) sum += static_cast<double>(a[row * cols + j]);
    sums[j] += static_cast<T>(sum);
  }
}

template <class T>
std::int64_t scale(std::int64_t n, std::int32_t shift, T* x) {
  std::int64_t lost = 0;
  for (std::int64_t i = 0; i < n; ++i) {
    const T scaled = scaled_normal(x[i], shift);
    lost += (x[i] != 0 && scaled == 0) || (std::isfinite(x[i]) && !std::isfinite(scaled));
    x[i] = scaled;
  }
  return lost;
}

template <class T>
void lstm_variant_forward(const LstmVariant& v, std::int64_t rows, std::int64_t hidden, T* gates, const T* peepholes, const T* c_prev, T* c,
                          T* shown, T* h) {
  for (std::int64_t row = 0; row < rows; ++row)
    for (std::int64_t j = 0; j < hidden; ++j) {
      const std::int64_t at = row * hidden + j;
      T& i = gates[row * 4 * hidden + j];
      T &f = (&i)[hidden], &g = (&i)[2 * hidden], &o = (&i)[3 * hidden];
      const auto seen = [&](std::int64_t block, T state) { return peepholes == nullptr ? T{0} : peepholes[block * hidden + j] * state; };
      i = v.input_gate ? sigmoid(i + seen(0, c_prev[at])) : T{1};
      f = v.coupled ? 1 - i : v.forget_gate ? sigmoid(f + seen(1, c_prev[at])) : T{1};
      g = v.input_activation ? squash(g) : g;
      c[at] = f * c_prev[at] + i * g;
      o = v.output_gate ? sigmoid(o + seen(2, c[at])) : T{1};
      shown[at] = v.output_activation ? squash(c[at]) : c[at];
      h[at] = o * shown[at];
    }
}

// Beside each line, the line of lstm_variant_forward it differentiates.
template <class T>
void lstm_variant_backward(const LstmVariant& v, std::int64_t rows, std::int64_t hidden, const T* gates, const T* peepholes,
                           const T* c_prev, const T* shown, const T* dh, T* dc, T* dz, double* sum_squares_dh, double* sum_squares_dc) {
  for (std::int64_t row = 0; row < rows; ++row) {
    sum_squares_dh[row] = sum_squares_dc[row] = 0;
    for (std::int64_t j = 0; j < hidden; ++j) {
      const T* const gate = gates + row * 4 * hidden + j;
      const T i = gate[0], f = gate[hidden], g = gate[2 * hidden], o = gate[3 * hidden];
      T* const d = dz + row * 4 * hidden + j;
      const std::int64_t at = row * hidden + j;
      const auto seen = [&](std::int64_t block, T dz_gate) {
        return peepholes == nullptr ? T{0} : dz_gate * peepholes[block * hidden + j];
      };
      const T dz_o = v.output_gate ? dh[at] * shown[at] * o * (1 - o) : T{0};  // h = o * shown, o = sigmoid(z_o + p_o*c)
      const T slope = v.output_activation ? 1 - shown[at] * shown[at] : T{1};  // shown = tanh(c)
      const T dc_t = dc[at] + dh[at] * o * slope + seen(2, dz_o);              // h = o * shown; z_o + p_o*c
      const T di = v.coupled ? dc_t * (g - c_prev[at]) : dc_t * g;             // c = f * c_prev + i * g, f = 1 - i
      const T dz_i = v.input_gate ? di * i * (1 - i) : T{0};                   // i = sigmoid(z_i + p_i*c_prev)
      const bool own = v.forget_gate && !v.coupled;
      const T dz_f = own ? dc_t * c_prev[at] * f * (1 - f) : T{0};  // c = f * c_prev + ..., f = sigmoid(z_f + ...)
      d[0] = dz_i, d[hidden] = dz_f, d[3 * hidden] = dz_o;
      d[2 * hidden] = dc_t * i * (v.input_activation ? 1 - g * g : T{1});  // c = ... + i * g, g = tanh(z_g)
      dc[at] = dc_t * f + seen(0, dz_i) + seen(1, dz_f);                   // c = f * c_prev + ...; z + p*c_prev
      sum_squares_dh[row] += static_cast<double>(dh[at]) * static_cast<double>(dh[at]);
      sum_squares_dc[row] += static_cast<double>(dc_t) * static_cast<double>(dc_t);
    }
  }
}

template <class T>
void mgu_operand(std::int64_t rows, std::int64_t hidden, T* gates, const T* recurrent, const T* h_prev, T* operand) {
  for (std::int64_t at = 0; at < rows * hidden; ++at) {
    T& f = gates[at + at / hidden * hidden];
    f = sigmoid(f + recurrent[at]);
    operand[at] = f * h_prev[at];
  }
}

template <class T>
void mgu_forward(std::int64_t rows, std::int64_t hidden, T* gates, const T* last, const T* h_prev, T* h) {
  for (std::int64_t at = 0; at < rows * hidden; ++at) {
    const T& f = gates[at + at / hidden * hidden];
    T& n = (&gates[at + at / hidden * hidden])[hidden];
    n = squash(n + last[at]);
    h[at] = h_prev[at] + f * (n - h_prev[at]);
  }
}

// Beside each line, the line of mgu_forward it differentiates.
template <class T>
void mgu_backward(std::int64_t rows, std::int64_t hidden, const T* gates, const T* dh, T* dz, T* dlast, double* sum_squares_dh) {
  for (std::int64_t row = 0; row < rows; ++row) {
    sum_squares_dh[row] = 0;
    for (std::int64_t j = 0; j < hidden; ++j) {
      const std::int64_t at = row * hidden + j;
      const T f = gates[row * 2 * hidden + j], n = gates[(row * 2 + 1) * hidden + j];
      dlast[at] = dh[at] * f * (1 - n * n);  // h = ... + f * n, n = tanh(z_n + last)
      dz[(row * 2 + 1) * hidden + j] = dlast[at];
      sum_squares_dh[row] += static_cast<double>(dh[at]) * static_cast<double>(dh[at]);
    }
  }
}

template <class T>
void mgu_operand_backward(std::int64_t rows, std::int64_t hidden, const T* gates, const T* h_prev, const T* dh, const T* doperand,
                          T* direct, T* dz, T* dr) {
  for (std::int64_t row = 0; row < rows; ++row)
    for (std::int64_t j = 0; j < hidden; ++j) {
      const std::int64_t at = row * hidden + j;
      const T f = gates[row * 2 * hidden + j], n = gates[(row * 2 + 1) * hidden + j];
      direct[at] = dh[at] * (1 - f) + doperand[at] * f;                    // h = (1 - f) * h_prev + ..., operand = f * h_prev
      const T df = dh[at] * (n - h_prev[at]) + doperand[at] * h_prev[at];  // h = h_prev + f * (n - h_prev), operand = f * h_prev
      dz[row * 2 * hidden + j] = dr[at] = df * f * (1 - f);                // f = sigmoid(z_f + recurrent)
    }
}

template <class T>
void normalise(std::int64_t rows, std::int64_t width, T* x, T* inverse) {
  for (std::int64_t row = 0; row < rows; ++row, x += width) {
    double sum = 0, squares = 0;
    for (std::int64_t j = 0; j < width; ++j) sum += static_cast<double>(x[j]);
    const T mean = static_cast<T>(sum / static_cast<double>(width));
    for (std::int64_t j = 0; j < width; ++j) {
      x[j] -= mean;
      squares += static_cast<double>(x[j]) * static_cast<double>(x[j]);
    }
    inverse[row] = static_cast<T>(1 / std::sqrt(squares / static_cast<double>(width) + kNormEpsilon));
    for (std::int64_t j = 0; j < width; ++j) x[j] *= inverse[row];
  }
}

template <class T>
void add_normalised(std::int64_t rows, std::int64_t width, const T* a, const T* gain_a, const T* b, const T* gain_b, const T* bias, T* z) {
  for (std::int64_t row = 0; row < rows; ++row)
    for (std::int64_t j = 0; j < width; ++j) {
      const std::int64_t at = row * width + j;
      z[at] = gain_a[j] * a[at] + gain_b[j] * b[at] + bias[j];
    }
}

template <class T>
void normalise_backward(std::int64_t rows, std::int64_t width, const T* dz, const T* gain, const T* x, const T* inverse, T* dx) {
  for (std::int64_t row = 0; row < rows; ++row, dz += width, x += width, dx += width) {
    double sum = 0, along = 0;
    for (std::int64_t j = 0; j < width; ++j) {
      const T d = dz[j] * gain[j];
      sum += static_cast<double>(d);
      along += static_cast<double>(d * x[j]);
    }
    const T mean = static_cast<T>(sum / static_cast<double>(width)), mean_along = static_cast<T>(along / static_cast<double>(width));
    for (std::int64_t j = 0; j < width; ++j) dx[j] = inverse[row] * (dz[j] * gain[j] - mean - x[j] * mean_along);
  }
}

template <class T>
void add_column_dots(std::int64_t rows, std::int64_t cols, const T* a, std::int64_t stride, const T* b, T* sums) {
  for (std::int64_t j = 0; j < cols; ++j) {
    double sum = 0;
    for (std::int64_t row = 0; row < rows; ++row) sum += static_cast<double>(a[row * stride + j]) * static_cast<double>(b[row * cols + j]);
    sums[j] += static_cast<T>(sum);
  }
}

template <class T>
class ReferenceBackend final : public Backend<T> {
 public:
  std::string_view name() const override { return "reference"; }

  const PointwiseKernels<T>& pointwise() const override {
    static constexpr PointwiseKernels<T> kTable = {rnn_forward<T>,          rnn_backward<T>,          lstm_forward<T>,    lstm_backward<T>,
                                                   gru_forward<T>,          gru_backward<T>,          add_column_sums<T>, scale<T>,
                                                   lstm_variant_forward<T>, lstm_variant_backward<T>, mgu_operand<T>,     mgu_forward<T>,
                                                   mgu_backward<T>,         mgu_operand_backward<T>,  normalise<T>,       add_normalised<T>,
                                                   normalise_backward<T>,   add_column_dots<T>};
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
