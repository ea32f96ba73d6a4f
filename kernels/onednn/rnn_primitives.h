// oneDNN's own recurrent primitives, whole sequences in one call: the rival that `vpoint profile` shows beside our training steps. Not used
// for training. Thread-safety: one thread; a primitive is made and run under one OpenMP thread.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "kernels/activation/activations.h"

namespace vp {

struct RnnPrimitiveShape {
  std::string_view cell;                                     // "lstm", "gru" (PyTorch's form) or "rnn"
  const Activation* activation = nullptr;                    // of the RNN
  std::int64_t steps = 0, rows = 0, inputs = 0, hidden = 0;  // T, B, I, H
};

// One layer, one direction, zero initial states. forward_training and backward; never forward_inference, which dies with SIGFPE where 2.6.3
// and 3.7.2 fall back to plain code.
class RnnPrimitive {
 public:
  virtual ~RnnPrimitive() = default;
  // weight_ih (G*H, I), weight_hh (G*H, H), bias (G*H): reordered for both directions. The biases of a GRU are four: r, z, and of n that of
  // the input and the recurrent one.
  virtual void pack(const float* weight_ih, const float* weight_hh, const float* bias) = 0;
  // x (T, B, I); dh_last (B, H): what the loss sends to the last step's output. Overwrites the gradients.
  virtual void run(const float* x, const float* dh_last) = 0;
  virtual std::span<const float> last_hidden() const = 0;  // (B, H)
  // In the layouts of pack(). Slow: for checks.
  virtual void copy_gradients(float* weight_ih, float* weight_hh, float* bias) = 0;
  virtual std::string implementation() const = 0;
};

// oneDNN has the LSTM, the GRU, and the RNN of tanh, relu and sigmoid.
bool has_rnn_primitive(std::string_view cell, const Activation& activation);
// REQUIRES: has_rnn_primitive().
std::unique_ptr<RnnPrimitive> make_rnn_primitive(const RnnPrimitiveShape& shape);

// Keeps oneDNN to AVX2 from now on; false if it is too late, because something of it has run already.
bool limit_onednn_to_avx2();

}  // namespace vp
