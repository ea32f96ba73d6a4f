// Runs one kernel of a backend on seeded data and hands back every result by name: what parity checks, checks of special values and the
// tests compare. Results lie between guards; a kernel that writes outside of its arrays is an exception. Thread-safety: pure functions.
#pragma once

#include <cmath>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "kernels/backend/backend.h"
#include "kernels/verify/cases.h"
#include "kernels/verify/random_data.h"

namespace vp {

using Arrays = std::vector<std::pair<std::string, std::vector<double>>>;       // results by name
using InputArrays = std::vector<std::pair<std::string, std::vector<float>*>>;  // what a run reads, by name, to be changed

template <class T>
std::vector<double> guarded_content(const std::string& name, const Guarded<T>& array) {
  if (!array.guards_intact()) throw std::runtime_error(name + " was written outside of its bounds");
  return {array.span().begin(), array.span().end()};
}

// ---- the pointwise steps of a cell

// What goes into a step, in float; the double reference gets the same numbers.
struct StepInput {
  std::int64_t rows, hidden;
  std::vector<float> z, gates, gru_gates, recurrent, c_prev, dh, dc, sums;
  std::vector<float> peepholes, gain;
  // For cells whose state has no bound: where tanh is not flat, so that 1 - tanh^2 is no difference of equals.
  std::vector<float> calm_gates;

  StepInput(std::int64_t batch, std::int64_t units, std::uint32_t seed) : rows(batch), hidden(units) {
    const std::int64_t n = rows * hidden;
    // A lone element has no larger neighbour in whose rounding what cancels is lost: 1 - f of a flat f, or two gradients that meet.
    const float range = n == 1 ? 1.0f : 4.0f, least_gradient = n == 1 ? 0.1f : -1.0f;
    z = random_floats(n, seed, -range, range);
    gates = random_floats(4 * n, seed + 1, -range, range);
    gru_gates = random_floats(3 * n, seed + 6, -range / 2, range / 2);  // added up, they have the range of the others
    recurrent = random_floats(3 * n, seed + 7, -range / 2, range / 2);
    c_prev = random_floats(n, seed + 2, -2, 2);
    dh = random_floats(n, seed + 3, least_gradient);
    dc = random_floats(n, seed + 4, least_gradient);
    sums = random_floats(hidden, seed + 5);
    peepholes = random_floats(3 * hidden, seed + 8);
    gain = random_floats(hidden, seed + 9);
    calm_gates = random_floats(4 * n, seed + 10);
  }
  InputArrays of_rnn() { return {{"z", &z}, {"dh", &dh}}; }
  InputArrays of_lstm() { return {{"gates", &gates}, {"c_prev", &c_prev}, {"dh", &dh}, {"dc", &dc}}; }
  InputArrays of_gru() { return {{"gates", &gru_gates}, {"recurrent", &recurrent}, {"h_prev", &c_prev}, {"dh", &dh}}; }
  InputArrays of_column_sums() { return {{"a", &dh}, {"sums", &sums}}; }
  InputArrays of_lstm_variant() { return {{"gates", &calm_gates}, {"c_prev", &c_prev}, {"dh", &dh}, {"dc", &dc}}; }
  InputArrays of_peephole_lstm() {
    InputArrays all = of_lstm_variant();
    all.emplace_back("peepholes", &peepholes);
    return all;
  }
  InputArrays of_mgu() { return {{"gates", &gates}, {"recurrent", &z}, {"h_prev", &c_prev}, {"dh", &dh}, {"doperand", &dc}}; }
  InputArrays of_norm() { return {{"z", &z}, {"dh", &dh}, {"gain", &gain}, {"c_prev", &c_prev}, {"sums", &sums}}; }
  InputArrays of_column_dots() { return {{"a", &gates}, {"b", &dh}, {"sums", &sums}}; }
};

// Arrays of T that all start `offset` elements past their allocation, and are checked for writes outside.
template <class T>
class Workspace {
 public:
  explicit Workspace(std::size_t offset) : offset_(offset) {}
  template <class From>
  T* add(const std::string& name, const std::vector<From>& content) {
    arrays_.emplace_back(name, Guarded<T>(converted<T>(content), offset_));
    return arrays_.back().second.data();
  }
  T* add(const std::string& name, std::int64_t n) { return add(name, std::vector<T>(static_cast<std::size_t>(n))); }

  Arrays results() const {
    Arrays out;
    for (const auto& [name, array] : arrays_) out.emplace_back(name, guarded_content(name, array));
    return out;
  }

 private:
  std::size_t offset_;
  std::vector<std::pair<std::string, Guarded<T>>> arrays_;
};

template <class T>
Arrays run_rnn(const PointwiseKernels<T>& kernels, const Activation& f, const StepInput& in, std::size_t offset) {
  Workspace<T> work(offset);
  const std::int64_t n = in.rows * in.hidden;
  T *const z = work.add("slope", in.z), *const h = work.add("h", n), *const dh = work.add("dh", in.dh), *const dz = work.add("dz", n);
  std::vector<double> squares(static_cast<std::size_t>(in.rows));
  kernels.rnn_forward(f, n, z, h);
  kernels.rnn_backward(in.rows, in.hidden, z, dh, dz, squares.data());
  Arrays out = work.results();
  out.emplace_back("sum_squares", squares);
  return out;
}

template <class T>
Arrays run_lstm(const PointwiseKernels<T>& kernels, const StepInput& in, std::size_t offset) {
  Workspace<T> work(offset);
  const std::int64_t n = in.rows * in.hidden;
  T *const gates = work.add("gates", in.gates), *const c_prev = work.add("c_prev", in.c_prev), *const c = work.add("c", n);
  T *const tanh_c = work.add("tanh_c", n), *const h = work.add("h", n), *const dh = work.add("dh", in.dh);
  T *const dc = work.add("dc", in.dc), *const dz = work.add("dz", 4 * n);
  std::vector<double> squares_dh(static_cast<std::size_t>(in.rows)), squares_dc(squares_dh);
  kernels.lstm_forward(in.rows, in.hidden, gates, c_prev, c, tanh_c, h);
  kernels.lstm_backward(in.rows, in.hidden, gates, c_prev, tanh_c, dh, dc, dz, squares_dh.data(), squares_dc.data());
  Arrays out = work.results();
  out.emplace_back("sum_squares_dh", squares_dh);
  out.emplace_back("sum_squares_dc", squares_dc);
  return out;
}

template <class T>
Arrays run_gru(const PointwiseKernels<T>& kernels, const StepInput& in, std::size_t offset) {
  Workspace<T> work(offset);
  const std::int64_t n = in.rows * in.hidden;
  T *const gates = work.add("gates", in.gru_gates), *const recurrent = work.add("recurrent", in.recurrent);
  T *const h_prev = work.add("h_prev", in.c_prev), *const recurrent_n = work.add("recurrent_n", n), *const h = work.add("h", n);
  T *const dh = work.add("dh", in.dh), *const direct = work.add("direct", n), *const dz = work.add("dz", 3 * n);
  T* const dr = work.add("dr", 3 * n);
  std::vector<double> squares(static_cast<std::size_t>(in.rows));
  kernels.gru_forward(in.rows, in.hidden, gates, recurrent, h_prev, recurrent_n, h);
  kernels.gru_backward(in.rows, in.hidden, gates, recurrent_n, h_prev, dh, direct, dz, dr, squares.data());
  Arrays out = work.results();
  out.emplace_back("sum_squares_dh", squares);
  return out;
}

template <class T>
Arrays run_column_sums(const PointwiseKernels<T>& kernels, const StepInput& in, std::size_t offset) {
  Workspace<T> work(offset);
  T *const a = work.add("a", in.dh), *const sums = work.add("sums", in.sums);
  kernels.add_column_sums(in.rows, in.hidden, a, sums);
  return work.results();
}

template <class T>
Arrays run_lstm_variant(const PointwiseKernels<T>& kernels, const LstmVariant& v, bool peepholes, const StepInput& in, std::size_t offset) {
  Workspace<T> work(offset);
  const std::int64_t n = in.rows * in.hidden;
  T *const gates = work.add("gates", in.calm_gates), *const c_prev = work.add("c_prev", in.c_prev), *const c = work.add("c", n);
  T *const shown = work.add("shown", n), *const h = work.add("h", n), *const dh = work.add("dh", in.dh);
  T *const dc = work.add("dc", in.dc), *const dz = work.add("dz", 4 * n), *const p = work.add("peepholes", in.peepholes);
  const T* const seen = peepholes ? p : nullptr;
  std::vector<double> squares_dh(static_cast<std::size_t>(in.rows)), squares_dc(squares_dh);
  kernels.lstm_variant_forward(v, in.rows, in.hidden, gates, seen, c_prev, c, shown, h);
  kernels.lstm_variant_backward(v, in.rows, in.hidden, gates, seen, c_prev, shown, dh, dc, dz, squares_dh.data(), squares_dc.data());
  Arrays out = work.results();
  out.emplace_back("sum_squares_dh", squares_dh);
  out.emplace_back("sum_squares_dc", squares_dc);
  return out;
}

// operand and doperand do not go through the products: last = recurrent.
template <class T>
Arrays run_mgu(const PointwiseKernels<T>& kernels, const StepInput& in, std::size_t offset) {
  Workspace<T> work(offset);
  const std::int64_t n = in.rows * in.hidden;
  const std::vector<float> two_blocks(in.gates.begin(), in.gates.begin() + 2 * n);
  T *const gates = work.add("gates", two_blocks), *const recurrent = work.add("recurrent", in.z);
  T* const h_prev = work.add("h_prev", in.c_prev);
  T *const operand = work.add("operand", n), *const h = work.add("h", n);
  T *const dh = work.add("dh", in.dh), *const dz = work.add("dz", 2 * n);
  T *const dlast = work.add("dlast", n), *const doperand = work.add("doperand", in.dc), *const direct = work.add("direct", n);
  T* const dr = work.add("dr", n);
  std::vector<double> squares(static_cast<std::size_t>(in.rows));
  kernels.mgu_operand(in.rows, in.hidden, gates, recurrent, h_prev, operand);
  kernels.mgu_forward(in.rows, in.hidden, gates, recurrent, h_prev, h);
  kernels.mgu_backward(in.rows, in.hidden, gates, dh, dz, dlast, squares.data());
  kernels.mgu_operand_backward(in.rows, in.hidden, gates, h_prev, dh, doperand, direct, dz, dr);
  Arrays out = work.results();
  out.emplace_back("sum_squares", squares);
  return out;
}

// z normalised, added to another array with gains and bias, and dh sent back through the normalisation.
template <class T>
Arrays run_norm(const PointwiseKernels<T>& kernels, const StepInput& in, std::size_t offset) {
  Workspace<T> work(offset);
  const std::int64_t n = in.rows * in.hidden;
  T *const x = work.add("x", in.z), *const inverse = work.add("inverse", in.rows), *const gain = work.add("gain", in.gain);
  T *const other = work.add("c_prev", in.c_prev), *const bias = work.add("sums", in.sums), *const z = work.add("z", n);
  T *const dz = work.add("dz", in.dh), *const dx = work.add("dx", n);
  kernels.normalise(in.rows, in.hidden, x, inverse);
  kernels.add_normalised(in.rows, in.hidden, x, gain, other, bias, bias, z);
  kernels.normalise_backward(in.rows, in.hidden, dz, gain, x, inverse, dx);
  return work.results();
}

template <class T>
Arrays run_column_dots(const PointwiseKernels<T>& kernels, const StepInput& in, std::size_t offset) {
  Workspace<T> work(offset);
  T *const a = work.add("a", in.gates), *const b = work.add("b", in.dh), *const sums = work.add("sums", in.sums);
  kernels.add_column_dots(in.rows, in.hidden, a + 2 * in.hidden, 4 * in.hidden, b, sums);
  return work.results();
}

// ---- products

struct ProductOperands {
  std::vector<float> a, b, bias, c;
  explicit ProductOperands(const ProductShape& s, std::uint32_t seed = 1)
      : a(random_floats(s.m * s.k, seed)),
        b(random_floats(s.k * s.n, seed + 1)),
        bias(random_floats(s.n, seed + 2)),
        c(random_floats(s.m * s.n, seed + 3)) {}
  InputArrays arrays(const ProductShape& s) {
    InputArrays all = {{"a", &a}, {"b", &b}};
    if (s.bias) all.emplace_back("bias", &bias);
    if (s.accumulate) all.emplace_back("c", &c);
    return all;
  }
};

inline ProductShape typical_of(const ProductCase& test) {
  ProductShape typical = test.shape;
  if (test.typical_m != 0) typical.m = test.typical_m;
  return typical;
}

template <class T>
std::vector<T> multiply(Backend<T>& backend, const ProductCase& test, const ProductOperands& in) {
  const auto a = converted<T>(in.a), b = converted<T>(in.b), bias = converted<T>(in.bias);
  Guarded<T> c(converted<T>(in.c), 1);
  const auto weights = test.packed ? backend.make_weights(typical_of(test)) : nullptr;
  const auto product = backend.make_product(test.shape, weights.get());
  if (weights) weights->pack(b.data());
  product->run(a.data(), test.packed ? nullptr : b.data(), test.shape.bias ? bias.data() : nullptr, c.data());
  guarded_content("c of " + case_name(test), c);
  return {c.span().begin(), c.span().end()};
}

// Rounding gathers at most with k; with random signs like its square root, so 4 times that leaves little room for a wrong element.
inline double product_bound(const ProductShape& s) { return 4 * std::sqrt(static_cast<double>(s.k)); }

}  // namespace vp
