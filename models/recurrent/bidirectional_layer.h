// Two recurrent layers over the same sequences, one from the first step on, one from the last step back (Schuster & Paliwal 1997); their
// outputs stand side by side. As PyTorch's bidirectional modules on packed sequences: the way back starts at each row's own last step.
//
// The reverse layer is an ordinary one whose rows are read backwards: its step s is step n-1-s of a row of n steps. All steps are held.
// Thread-safety: belongs to one shard slot.
#pragma once

#include <cstdint>
#include <set>
#include <string>

#include "kernels/memory/aligned_buffer.h"
#include "models/model/layer.h"
#include "models/recurrent/recurrent_layer.h"

namespace vp {

template <class T>
class BidirectionalLayer final : public Layer<T> {
 public:
  // lengths (B): steps of each row, read by every pass.
  BidirectionalLayer(Backend<T>& backend, const Cell<T>& cell, const LayerWeights<T>& forward, const LayerWeights<T>& reverse,
                     std::int64_t steps, std::int64_t rows, const std::int32_t* lengths);

  void forward(const T* input, PhaseClock& clock);      // (T, B, I)
  const T* outputs() const { return outputs_.data(); }  // (T, B, 2H); zero behind a row's end
  void final_states(T* states) const;                   // (B, 2H) overwritten: of each direction, where it ends
  // After forward(). above: as RecurrentLayer::backward() takes it, with width 2H; where it stands at steps of rows' own, each half belongs
  // to the end of its direction.
  void backward(const T* input, SignalView<T> above, T* gradients, PhaseClock& clock);
  SignalView<T> input_signal() const { return {signal_.data(), signal_exponent_.data(), 0}; }

  RecurrentLayer<T>& direction(bool reverse) { return reverse ? reverse_ : forward_; }
  const RecurrentLayer<T>& direction(bool reverse) const { return reverse ? reverse_ : forward_; }
  void measure_activations(bool on);
  void keep_hidden_gradients();

  // layer.h: h_t is what stands side by side at step t of the sequence.
  std::int64_t steps() const override { return forward_.steps(); }
  std::int64_t rows() const override { return forward_.rows(); }
  std::int64_t hidden() const override { return 2 * forward_.hidden(); }
  const double* sum_squares_dh(std::int64_t t) const override { return sum_squares_dh_.data() + t * rows(); }
  const double* sum_squares_dc(std::int64_t t) const override { return sum_squares_dc_.data() + t * rows(); }
  const std::int32_t* norm_exponent(std::int64_t t) const override { return norm_exponent_.data() + t * rows(); }
  const Moments& activations(std::int64_t t, std::int64_t row) const override { return activations_[t * rows() + row]; }
  const T* hidden_gradients() const override { return kept_dh_.data(); }
  const T* kept_hidden_states() const override { return outputs_.data(); }
  std::int64_t lost_in_scaling() const override { return forward_.lost_in_scaling() + reverse_.lost_in_scaling(); }
  std::set<std::string> implementations() const { return forward_.implementations(); }

 private:
  // Step s of the reverse layer that is step t of row b, and the other way round; only for t < lengths_[b].
  std::int64_t mirrored(std::int64_t b, std::int64_t t) const { return lengths_[b] - 1 - t; }
  void split(SignalView<T> above);
  void join_signals();
  void join_norms();
  void join_gradients();

  const PointwiseKernels<T>& kernels_;
  const std::int32_t* lengths_;  // (B)
  const std::int64_t inputs_;
  RecurrentLayer<T> forward_, reverse_;
  bool measure_ = false;
  AlignedBuffer<T> reversed_input_;                                  // (T, B, I)
  AlignedBuffer<T> outputs_;                                         // (T, B, 2H)
  AlignedBuffer<T> above_forward_, above_reverse_;                   // (T, B, H), each in its layer's own steps
  AlignedBuffer<std::int32_t> exponent_forward_, exponent_reverse_;  // (T, B)
  AlignedBuffer<T> signal_;                                          // (T, B, I) or empty
  AlignedBuffer<std::int32_t> signal_exponent_;                      // (T, B)
  AlignedBuffer<double> sum_squares_dh_, sum_squares_dc_;            // (T, B)
  AlignedBuffer<std::int32_t> norm_exponent_;                        // (T, B)
  AlignedBuffer<Moments> activations_;                               // (T, B) or empty
  AlignedBuffer<T> kept_dh_;                                         // (T, B, 2H) or empty
};

}  // namespace vp
