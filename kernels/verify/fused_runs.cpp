#include "kernels/verify/fused_runs.h"

#include <algorithm>

#include "kernels/activation/custom_activation.h"

namespace vp {
namespace {

template <class T>
void multiply_packed(Backend<T>& backend, const ProductShape& shape, const T* a, const T* b, const T* bias, T* c) {
  const auto weights = backend.make_weights(shape);
  const auto product = backend.make_product(shape, weights.get());
  weights->pack(b);
  product->run(a, nullptr, bias, c);
}

}  // namespace

std::string name_of(const FusedInput& in) {
  const FusedShape& s = in.shape;
  return (in.lstm()  ? "lstm"
          : in.gru() ? "gru"
                     : "rnn " + std::string(s.activation->name)) +
         " B=" + std::to_string(s.rows) + " I=" + std::to_string(s.inputs) + " H=" + std::to_string(s.hidden) +
         (in.first_step ? " first" : "") + (in.last_step ? " last" : "") + (in.above ? "" : " nothing above");
}

void run_once(FusedStep<float>& step, const FusedInput& in, FusedArrays<float>& a) {
  const bool lstm = in.lstm();
  step.forward(a.x.data(), in.first_step ? nullptr : a.h_prev.data(), a.gates.data(), lstm ? a.c_prev.data() : nullptr,
               lstm ? a.c.data() : nullptr, lstm || in.gru() ? a.saved.data() : nullptr, a.h.data());
  step.backward({.dr_next = in.last_step ? nullptr : a.dr_next.data(),
                 .gates = a.gates.data(),
                 .h_prev = in.gru() ? a.h_prev.data() : nullptr,
                 .c_prev = lstm ? a.c_prev.data() : nullptr,
                 .saved = lstm || in.gru() ? a.saved.data() : nullptr,
                 .above = in.above ? a.signal.data() : nullptr,
                 .dh = a.dh.data(),
                 .dc = lstm ? a.dc.data() : nullptr,
                 .direct = in.gru() ? a.direct.data() : nullptr,
                 .dz = a.dz.data(),
                 .dr = in.gru() ? a.dr.data() : nullptr,
                 .sum_squares_dh = a.squares_dh.data(),
                 .sum_squares_dc = lstm ? a.squares_dc.data() : nullptr});
}

Arrays run_fused(Backend<float>& backend, const FusedInput& in) {
  FusedArrays<float> before(in), a(in);
  const auto weights = backend.make_fused_weights(in.shape);
  const auto step = backend.make_fused_step(in.shape, *weights);
  weights->pack(a.weight_ih.data(), a.weight_hh.data(), a.bias.data());
  run_once(*step, in, before);
  run_once(*step, in, a);
  return a.results(in.shape.cell);
}

// The rows of left (rows, l) and right (rows, r), one behind the other: (rows, l + r).
template <class T>
std::vector<T> side_by_side(std::int64_t rows, const std::vector<T>& left, std::int64_t l, const std::vector<T>& right, std::int64_t r) {
  std::vector<T> out;
  for (std::int64_t row = 0; row < rows; ++row) {
    out.insert(out.end(), left.begin() + row * l, left.begin() + (row + 1) * l);
    out.insert(out.end(), right.begin() + row * r, right.begin() + (row + 1) * r);
  }
  return out;
}

// gates (rows, G*H) = bias + [x, h_prev] [W_ih, W_hh]^T: one product.
template <class T>
void add_pre_activations(Backend<T>& backend, const FusedInput& in, FusedArrays<T>& a) {
  const auto& [cell, activation, rows, inputs, hidden] = in.shape;
  const std::int64_t width = in.shape.gates() * hidden, k = inputs + (in.first_step ? 0 : hidden);
  const std::vector<T> operand = side_by_side(rows, a.x, inputs, a.h_prev, k - inputs);
  const std::vector<T> weights = side_by_side(width, a.weight_ih, inputs, a.weight_hh, k - inputs);
  multiply_packed(backend, {.m = rows, .n = width, .k = k, .transpose_b = true, .bias = true}, operand.data(), weights.data(),
                  a.bias.data(), a.gates.data());
}

template <class T>
void gru_forward(Backend<T>& backend, const FusedInput& in, FusedArrays<T>& a) {
  const std::int64_t rows = in.shape.rows, inputs = in.shape.inputs, hidden = in.shape.hidden, width = 3 * hidden;
  std::vector<T> recurrent(static_cast<std::size_t>(rows * width));
  const auto multiply = [&](std::int64_t k, const std::vector<T>& operand, const std::vector<T>& weights, const T* bias, T* sums) {
    const ProductShape shape{.m = rows, .n = width, .k = k, .transpose_b = true, .bias = true};
    multiply_packed(backend, shape, operand.data(), weights.data(), bias, sums);
  };
  multiply(inputs, a.x, a.weight_ih, a.bias.data(), a.gates.data());
  const T* const bias = a.bias.data() + width;
  for (std::int64_t row = 0; row < rows; ++row) std::copy_n(bias, width, recurrent.data() + row * width);
  if (!in.first_step) multiply(hidden, a.h_prev, a.weight_hh, bias, recurrent.data());
  backend.pointwise().gru_forward(rows, hidden, a.gates.data(), recurrent.data(), a.h_prev.data(), a.saved.data(), a.h.data());
}

template <class T>
void composed_forward(Backend<T>& backend, const FusedInput& in, FusedArrays<T>& a) {
  const PointwiseKernels<T>& kernels = backend.pointwise();
  const std::int64_t rows = in.shape.rows, hidden = in.shape.hidden;
  if (in.gru()) return gru_forward(backend, in, a);
  add_pre_activations(backend, in, a);
  if (in.lstm())
    kernels.lstm_forward(rows, hidden, a.gates.data(), a.c_prev.data(), a.c.data(), a.saved.data(), a.h.data());
  else
    kernels.rnn_forward(*in.shape.activation, rows * hidden, a.gates.data(), a.h.data());
}

template <class T>
void composed_backward(Backend<T>& backend, const FusedInput& in, FusedArrays<T>& a) {
  const std::int64_t rows = in.shape.rows, hidden = in.shape.hidden, width = in.shape.gates() * hidden, n = rows * hidden;
  T *const gates = a.gates.data(), *const dh = a.dh.data();
  std::fill_n(dh, n, T(0));
  if (!in.last_step) multiply_packed<T>(backend, {.m = rows, .n = hidden, .k = width}, a.dr_next.data(), a.weight_hh.data(), nullptr, dh);
  for (std::int64_t i = 0; in.gru() && !in.last_step && i < n; ++i) dh[i] += a.direct.data()[i];
  for (std::int64_t i = 0; in.above && i < n; ++i) dh[i] += a.signal[static_cast<std::size_t>(i)];
  const PointwiseKernels<T>& kernels = backend.pointwise();
  if (in.lstm())
    kernels.lstm_backward(rows, hidden, gates, a.c_prev.data(), a.saved.data(), dh, a.dc.data(), a.dz.data(), a.squares_dh.data(),
                          a.squares_dc.data());
  else if (in.gru())
    kernels.gru_backward(rows, hidden, gates, a.saved.data(), a.h_prev.data(), dh, a.direct.data(), a.dz.data(), a.dr.data(),
                         a.squares_dh.data());
  else
    kernels.rnn_backward(rows, hidden, gates, dh, a.dz.data(), a.squares_dh.data());
}

template <class T>
Arrays run_composed(Backend<T>& backend, const FusedInput& in) {
  FusedArrays<T> a(in);
  composed_forward(backend, in, a);
  composed_backward(backend, in, a);
  return a.results(in.shape.cell);
}
template Arrays run_composed(Backend<float>&, const FusedInput&);
template Arrays run_composed(Backend<double>&, const FusedInput&);

std::vector<FusedInput> fused_inputs(const FusedCase& c) {
  std::vector<FusedInput> inputs;
  for (const Activation& f : checked_activations())
    inputs.emplace_back(FusedShape{.cell = FusedCell::kRnn, .activation = &f, .rows = c.rows, .inputs = c.inputs, .hidden = c.hidden});
  for (const FusedCell cell : {FusedCell::kLstm, FusedCell::kGru})
    for (int variant = 0; variant < 5; ++variant) {
      FusedInput in({.cell = cell, .rows = c.rows, .inputs = c.inputs, .hidden = c.hidden});
      in.first_step = variant == 1 || variant == 4;
      in.last_step = variant == 2 || variant == 4;
      in.above = variant < 3;
      inputs.push_back(std::move(in));
    }
  return inputs;
}

double fused_bound(const FusedShape& s) { return 8 * std::sqrt(static_cast<double>(std::max(s.inputs + s.hidden, s.gates() * s.hidden))); }

}  // namespace vp
