#include "models/recurrent/bidirectional_layer.h"

#include <algorithm>
#include <cmath>

#include "models/model/scaled_rows.h"

namespace vp {

template <class T>
BidirectionalLayer<T>::BidirectionalLayer(Backend<T>& backend, const Cell<T>& cell, const LayerWeights<T>& forward,
                                          const LayerWeights<T>& reverse, std::int64_t steps, std::int64_t rows,
                                          const std::int32_t* lengths)
    : kernels_(backend.pointwise()),
      lengths_(lengths),
      inputs_(forward.inputs()),
      forward_(backend, cell, forward, steps, rows, steps),
      reverse_(backend, cell, reverse, steps, rows, steps) {
  forward_.end_rows_at(lengths);
  reverse_.end_rows_at(lengths);
  const std::int64_t m = steps * rows, n = m * forward_.hidden();
  reversed_input_ = AlignedBuffer<T>(m * inputs_);
  outputs_ = AlignedBuffer<T>(2 * n);
  above_forward_ = AlignedBuffer<T>(n);
  above_reverse_ = AlignedBuffer<T>(n);
  exponent_forward_ = AlignedBuffer<std::int32_t>(m);
  exponent_reverse_ = AlignedBuffer<std::int32_t>(m);
  signal_ = AlignedBuffer<T>(forward.input_backward() != nullptr ? m * inputs_ : 0);
  signal_exponent_ = AlignedBuffer<std::int32_t>(signal_.empty() ? 0 : m);
  sum_squares_dh_ = AlignedBuffer<double>(m);
  sum_squares_dc_ = AlignedBuffer<double>(cell.has_cell_state() ? m : 0);
  norm_exponent_ = AlignedBuffer<std::int32_t>(m);
}

template <class T>
void BidirectionalLayer<T>::measure_activations(bool on) {
  measure_ = on;
  forward_.measure_activations(on);
  reverse_.measure_activations(on);
  if (on && activations_.empty()) activations_ = AlignedBuffer<Moments>(steps() * rows());
}

template <class T>
void BidirectionalLayer<T>::keep_hidden_gradients() {
  forward_.keep_hidden_gradients();
  reverse_.keep_hidden_gradients();
  if (kept_dh_.empty()) kept_dh_ = AlignedBuffer<T>(outputs_.size());
}

template <class T>
void BidirectionalLayer<T>::forward(const T* input, PhaseClock& clock) {
  const std::int64_t n = rows(), h = forward_.hidden(), all = steps();
  for (std::int64_t t = 0; t < all; ++t)
    for (std::int64_t b = 0; b < n; ++b) {
      T* to = reversed_input_.data() + (t * n + b) * inputs_;
      if (t < lengths_[b])
        std::copy_n(input + (mirrored(b, t) * n + b) * inputs_, inputs_, to);
      else
        std::fill_n(to, inputs_, T{0});
    }
  forward_.forward({0, all}, input, clock);
  reverse_.forward({0, all}, reversed_input_.data(), clock);
  for (std::int64_t t = 0; t < all; ++t)
    for (std::int64_t b = 0; b < n; ++b) {
      T* to = outputs_.data() + (t * n + b) * 2 * h;
      if (t < lengths_[b]) {
        std::copy_n(forward_.hidden_at(t) + b * h, h, to);
        std::copy_n(reverse_.hidden_at(mirrored(b, t)) + b * h, h, to + h);
      } else {
        std::fill_n(to, 2 * h, T{0});
      }
      if (!measure_) continue;
      Moments both = forward_.activations(t, b);
      if (t < lengths_[b]) both.add(reverse_.activations(mirrored(b, t), b));
      activations_[t * n + b] = both;
    }
}

template <class T>
void BidirectionalLayer<T>::final_states(T* states) const {
  const std::int64_t h = forward_.hidden();
  for (std::int64_t b = 0; b < rows(); ++b) {
    std::copy_n(forward_.hidden_at(lengths_[b] - 1) + b * h, h, states + 2 * b * h);
    std::copy_n(reverse_.hidden_at(lengths_[b] - 1) + b * h, h, states + (2 * b + 1) * h);
  }
}

// Each direction's half of what comes from above, in that layer's own steps.
template <class T>
void BidirectionalLayer<T>::split(SignalView<T> above) {
  const std::int64_t n = rows(), h = forward_.hidden(), count = above.at != nullptr ? 1 : steps();
  for (std::int64_t t = 0; t < count; ++t)
    for (std::int64_t b = 0; b < n; ++b) {
      const bool inside = t < lengths_[b];
      const std::int64_t row = t * n + b, reverse_row = above.at != nullptr || !inside ? row : mirrored(b, t) * n + b;
      const T* from = above.data + row * 2 * h;
      std::copy_n(from, h, above_forward_.data() + row * h);
      std::copy_n(from + h, h, above_reverse_.data() + reverse_row * h);
      const std::int32_t exponent = !inside ? kNoSignal : above.exponent == nullptr ? 0 : above.exponent[row];
      exponent_forward_[row] = exponent_reverse_[reverse_row] = exponent;
    }
}

template <class T>
void BidirectionalLayer<T>::backward(const T* input, SignalView<T> above, T* gradients, PhaseClock& clock) {
  split(above);
  clock.lap(Phase::kPointwise);
  const Segment all{0, steps()};
  const auto run = [&](RecurrentLayer<T>& layer, const T* x, const AlignedBuffer<T>& data, const AlignedBuffer<std::int32_t>& exponent) {
    layer.begin_backward();
    layer.backward(all, x, {data.data(), exponent.data(), 0, above.at}, gradients, clock);
    layer.end_backward(gradients);
  };
  run(forward_, input, above_forward_, exponent_forward_);
  run(reverse_, reversed_input_.data(), above_reverse_, exponent_reverse_);
  if (!signal_.empty()) join_signals();
  join_norms();
  if (!kept_dh_.empty()) join_gradients();
  clock.lap(Phase::kPointwise);
}

template <class T>
void BidirectionalLayer<T>::join_signals() {
  const std::int64_t n = rows();
  const SignalView<T> one = forward_.input_signal(), other = reverse_.input_signal();
  for (std::int64_t t = 0; t < steps(); ++t)
    for (std::int64_t b = 0; b < n; ++b) {
      const std::int64_t row = t * n + b;
      T* sum = signal_.data() + row * inputs_;
      std::copy_n(one.data + row * inputs_, inputs_, sum);
      signal_exponent_[row] = one.exponent[row];
      if (t >= lengths_[b]) continue;
      const std::int64_t reverse_row = mirrored(b, t) * n + b;
      signal_exponent_[row] = add_scaled_row(kernels_, sum, static_cast<T*>(nullptr), signal_exponent_[row],
                                             other.data + reverse_row * inputs_, other.exponent[reverse_row], inputs_);
    }
}

template <class T>
void BidirectionalLayer<T>::join_norms() {
  const std::int64_t n = rows();
  for (std::int64_t t = 0; t < steps(); ++t)
    for (std::int64_t b = 0; b < n; ++b) {
      const std::int64_t s = t < lengths_[b] ? mirrored(b, t) : t, row = t * n + b;  // behind the end both are zero
      const std::int32_t e = forward_.norm_exponent(t)[b], f = reverse_.norm_exponent(s)[b], most = std::max(e, f);
      const auto joined = [&](double x, double y) { return std::ldexp(x, 2 * (e - most)) + std::ldexp(y, 2 * (f - most)); };
      norm_exponent_[row] = most;
      sum_squares_dh_[row] = joined(forward_.sum_squares_dh(t)[b], reverse_.sum_squares_dh(s)[b]);
      if (!sum_squares_dc_.empty()) sum_squares_dc_[row] = joined(forward_.sum_squares_dc(t)[b], reverse_.sum_squares_dc(s)[b]);
    }
}

template <class T>
void BidirectionalLayer<T>::join_gradients() {
  const std::int64_t n = rows(), h = forward_.hidden();
  for (std::int64_t t = 0; t < steps(); ++t)
    for (std::int64_t b = 0; b < n; ++b) {
      const std::int64_t s = t < lengths_[b] ? mirrored(b, t) : t, row = t * n + b;
      T* to = kept_dh_.data() + row * 2 * h;
      const auto take = [&](const RecurrentLayer<T>& layer, std::int64_t step, T* half) {
        std::copy_n(layer.hidden_gradients() + (step * n + b) * h, h, half);
        const std::int32_t shift = layer.norm_exponent(step)[b] - norm_exponent_[row];
        if (shift != 0) kernels_.scale(h, shift, half);  // at most 0: the larger exponent is the common one
      };
      take(forward_, t, to);
      take(reverse_, s, to + h);
    }
}

template class BidirectionalLayer<float>;
template class BidirectionalLayer<double>;

}  // namespace vp
