// A recurrent cell: the pointwise part of one time step, forward and, beside it, backward. The matrix products around it belong to
// RecurrentLayer.
//
// Forward: gates come in as pre-activations W_ih x_t + b + W_hh h_{t-1}, (B, G*H), and leave as whatever backward needs.
// Thread-safety: a cell is constant; many shards use it at once.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include "kernels/backend.h"
#include "models/fields.h"

namespace vp {

// The arrays of step t. Those a cell does not use are nullptr.
template <class T>
struct CellForward {
  std::int64_t rows = 0, hidden = 0;
  T* gates = nullptr;         // (B, G*H)
  const T* h_prev = nullptr;  // (B, H)
  T* h = nullptr;             // (B, H), overwritten
  const T* c_prev = nullptr;  // (B, H)
  T* c = nullptr;             // (B, H), overwritten
  T* saved = nullptr;         // (B, S*H), overwritten: what else backward needs
};

template <class T>
struct CellBackward {
  std::int64_t rows = 0, hidden = 0;
  const T* gates = nullptr;          // (B, G*H), as forward left them
  const T* h_prev = nullptr;         // (B, H)
  const T* c_prev = nullptr;         // (B, H)
  const T* saved = nullptr;          // (B, S*H)
  const T* dh = nullptr;             // (B, H) total derivative of the loss with respect to h_t
  T* dc = nullptr;                   // (B, H) in: from step t+1; out: to step t-1
  T* dz = nullptr;                   // (B, G*H) overwritten: gradients of the pre-activations
  double* sum_squares_dh = nullptr;  // (B) overwritten: of dL/dh_t
  double* sum_squares_dc = nullptr;  // (B) overwritten: of dL/dc_t, the path through h_t included
};

template <class T>
class Cell {
 public:
  virtual ~Cell() = default;
  virtual std::int64_t gates() const = 0;         // G
  virtual std::int64_t saved_blocks() const = 0;  // S
  virtual bool has_cell_state() const = 0;
  // What a fused step of an engine would have to do; rows, inputs and hidden are the layer's to fill in. nullopt: no engine knows this
  // cell.
  virtual std::optional<FusedShape> fused_shape() const { return std::nullopt; }
  virtual void forward(const PointwiseKernels<T>& kernels, const CellForward<T>& step) const = 0;
  virtual void backward(const PointwiseKernels<T>& kernels, const CellBackward<T>& step) const = 0;
  // What stands in the blocks of `gates` after forward, for traces: G names of static storage, or none.
  virtual std::span<const std::string_view> gate_names() const { return {}; }
  // Slope of the unit's output non-linearity over the largest slope that function has, for the probes: gates and saved of one row.
  virtual double relative_slope(const T* gates, const T* saved, std::int64_t hidden, std::int64_t unit) const = 0;
  virtual double max_slope() const { return 1; }  // that largest slope
};

template <class T>
std::unique_ptr<Cell<T>> make_rnn_cell(const Options& options, const Activation& activation);
template <class T>
std::unique_ptr<Cell<T>> make_lstm_cell(const Options& options, const Activation& activation);

}  // namespace vp
