// One whole time step of a recurrent cell in one call: matrix product, gates, activation and state update while the block is still in
// registers or the first-level cache. What an engine may offer beside plain products; where it does not, the step is composed of Products
// and PointwiseKernels.
//
// All arrays are dense and row-major, the same ones and the same values (up to rounding) as in the composed step: backend.h says what they
// hold. Thread-safety: FusedWeights are shared: pack() while no step is under way, then read by any number of FusedSteps. A FusedStep
// belongs to one shard slot.
#pragma once

#include <cstdint>
#include <string>

#include "kernels/activation/activations.h"

namespace vp {

enum class FusedCell : std::uint8_t { kRnn, kLstm, kGru };

struct FusedShape {
  FusedCell cell = FusedCell::kRnn;
  const Activation* activation = nullptr;  // of the RNN
  std::int64_t rows = 0;                   // B of the shard
  std::int64_t inputs = 0;                 // I
  std::int64_t hidden = 0;                 // H
  std::int64_t gates() const { return cell == FusedCell::kLstm ? 4 : cell == FusedCell::kGru ? 3 : 1; }
  // Elements of the bias: the sum of the two (G*H); of a GRU, which needs them apart, that of the input and behind it the recurrent one.
  std::int64_t bias_size() const { return (cell == FusedCell::kGru ? 2 : 1) * gates() * hidden; }
};

// W_ih, W_hh and the bias of a layer as panels for both directions.
template <class T>
class FusedWeights {
 public:
  virtual ~FusedWeights() = default;
  // weight_ih (G*H, I), weight_hh (G*H, H), bias (bias_size()): copied. Once per update.
  virtual void pack(const T* weight_ih, const T* weight_hh, const T* bias) = 0;
};

// What backward sends through time, in and out of one step.
template <class T>
struct FusedBackward {
  const T* dr_next = nullptr;  // (B, G*H): dz of step t+1, of a GRU dr, as backward left it; nullptr at the last step: nothing comes
                               // through time
  const T* gates = nullptr;    // (B, G*H) of step t, as forward left them
  const T* h_prev = nullptr;   // (B, H) GRU
  const T* c_prev = nullptr;   // (B, H) LSTM
  const T* saved = nullptr;    // (B, H) LSTM: tanh(c_t); GRU: the recurrent part of n
  const T* above =
      nullptr;          // (B, H) what the readout or the next layer sends to this step, in units of the rows' exponents; may be nullptr
  T* dh = nullptr;      // (B, H) overwritten: dL/dh_t = dr_next W_hh (+ direct) + above; nullptr: not wanted
  T* dc = nullptr;      // (B, H) LSTM, in: from t+1; out: to t-1
  T* direct = nullptr;  // (B, H) GRU, in (if dr_next is): z_{t+1} dh_{t+1}; out: z_t dh_t, past W_hh to t-1
  T* dz = nullptr;      // (B, G*H) overwritten; not dr_next
  T* dr = nullptr;      // (B, G*H) GRU, overwritten; not dr_next
  double* sum_squares_dh = nullptr;  // (B) overwritten, in the order PointwiseKernels uses
  double* sum_squares_dc = nullptr;  // (B) LSTM
};

template <class T>
class FusedStep {
 public:
  virtual ~FusedStep() = default;
  // z = bias + W_ih x + W_hh h_prev; gates (B, G*H) is overwritten with what PointwiseKernels' forward leaves there. x (B, I), h_prev (B,
  // H) or nullptr: zero. c_prev, c: (B, H), LSTM only; saved: (B, H), LSTM and GRU.
  virtual void forward(const T* x, const T* h_prev, T* gates, const T* c_prev, T* c, T* saved, T* h) = 0;
  virtual void backward(const FusedBackward<T>& step) = 0;
  virtual std::string implementation() const = 0;
};

}  // namespace vp
