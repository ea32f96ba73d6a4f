// A recurrent cell: the pointwise part of one time step, forward and, beside it, backward. The matrix products around it belong to
// StepProducts (models/recurrent).
//
// Forward: gates come in as pre-activations W_ih x_t + b + W_hh h_{t-1}, (B, G*H), or without the recurrent part where the cell wants that
// apart (Recurrence), and leave as whatever backward needs.
// Thread-safety: a cell is constant; many shards use it at once.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "kernels/backend/backend.h"
#include "models/spec/fields.h"

namespace vp {

// How W_hh h_{t-1} reaches a cell.
enum class Recurrence : std::uint8_t {
  kAdded,  // within the pre-activations, and both biases with it
  kApart,  // beside them: gates hold W_ih x_t + b_ih and recurrent W_hh h_{t-1} + b_hh, for a cell that treats the two differently
  kGated,  // apart, and the last block of W_hh multiplies, in place of h_{t-1}, an operand that the other blocks decide
  // Added, after each of the two products was normalised over its G*H elements (layer normalisation, Ba et al. 2016, eq. 4 and 20-21): z =
  // gain_ih * N(W_ih x_t) + gain_hh * N(W_hh h_{t-1}) + b. The cell state is not normalised. Never fused.
  kNormalised,
};

// A parameter vector of the cell's own, beside the weights: rnn.<name>_l{k} (blocks*H), drawn as a bias of the recurrent role is.
struct CellTensor {
  std::string_view name;
  std::int64_t blocks = 1;
};

// The arrays of step t. Those a cell does not use are nullptr.
template <class T>
struct CellForward {
  std::int64_t rows = 0, hidden = 0;
  T* gates = nullptr;             // (B, G*H)
  const T* h_prev = nullptr;      // (B, H)
  T* h = nullptr;                 // (B, H), overwritten
  const T* c_prev = nullptr;      // (B, H)
  T* c = nullptr;                 // (B, H), overwritten
  T* saved = nullptr;             // (B, S*H), overwritten: what else backward needs
  const T* const* own = nullptr;  // the cell's own tensors, in their order
  // Where the recurrence is apart or gated. R: its blocks that multiply h_{t-1}, all G or all but the last.
  const T* recurrent = nullptr;  // (B, R*H): W_hh h_{t-1} + b_hh
  T* operand = nullptr;          // (B, H), gated: overwritten by form_operand()
  const T* last = nullptr;       // (B, H), gated: the last block of W_hh times operand, + b_hh
};

template <class T>
struct CellBackward {
  std::int64_t rows = 0, hidden = 0;
  const T* gates = nullptr;          // (B, G*H), as forward left them
  const T* h_prev = nullptr;         // (B, H)
  const T* c_prev = nullptr;         // (B, H)
  const T* saved = nullptr;          // (B, S*H)
  const T* const* own = nullptr;     // the cell's own tensors, in their order
  const T* dh = nullptr;             // (B, H) total derivative of the loss with respect to h_t
  T* dc = nullptr;                   // (B, H) in: from step t+1; out: to step t-1
  T* dz = nullptr;                   // (B, G*H) overwritten: gradients of the pre-activations
  double* sum_squares_dh = nullptr;  // (B) overwritten: of dL/dh_t
  double* sum_squares_dc = nullptr;  // (B) overwritten: of dL/dc_t, the path through h_t included
  T* direct = nullptr;               // (B, H) overwritten: what of dL/dh_{t-1} comes past W_hh, where the cell has such a path
  T* dr = nullptr;                   // (B, R*H) overwritten: gradients of recurrent
  T* dlast = nullptr;                // (B, H) overwritten: gradients of last
  const T* doperand = nullptr;       // (B, H), for operand_backward(): dlast times the last block of W_hh
};

// Many rows at once, of a chunk of steps, M = steps * B, after they got their scale back.
template <class T>
struct CellOwnGradients {
  std::int64_t rows = 0, hidden = 0;  // M
  const T* dz = nullptr;              // (M, G*H)
  const T* c_prev = nullptr;          // (M, H)
  const T* c = nullptr;               // (M, H)
  T* const* own = nullptr;            // gradients of the cell's own tensors, added to
};

template <class T>
class Cell {
 public:
  virtual ~Cell() = default;
  virtual std::int64_t gates() const = 0;         // G
  virtual std::int64_t saved_blocks() const = 0;  // S
  virtual bool has_cell_state() const = 0;
  virtual Recurrence recurrence() const { return Recurrence::kAdded; }
  // h_t also depends on h_{t-1} past W_hh (and past c): backward fills `direct`.
  virtual bool has_direct_path() const { return false; }
  virtual std::vector<CellTensor> own_tensors() const { return {}; }
  virtual void add_own_gradients(const PointwiseKernels<T>&, const CellOwnGradients<T>&) const {}
  // Whether the block of the weights has any effect: a gate that is left out has none.
  virtual bool uses_block(std::int64_t) const { return true; }
  // What a fused step of an engine would have to do; rows, inputs and hidden are the layer's to fill in. nullopt: no engine knows this
  // cell.
  virtual std::optional<FusedShape> fused_shape() const { return std::nullopt; }
  virtual void forward(const PointwiseKernels<T>& kernels, const CellForward<T>& step) const = 0;
  virtual void backward(const PointwiseKernels<T>& kernels, const CellBackward<T>& step) const = 0;
  // Gated recurrence, before forward(): operand from gates, recurrent and h_prev. And after backward(), from doperand: the gradients of the
  // blocks that decide it, which backward() left open, and its share of `direct`, added.
  virtual void form_operand(const PointwiseKernels<T>&, const CellForward<T>&) const {}
  virtual void operand_backward(const PointwiseKernels<T>&, const CellBackward<T>&) const {}
  // What stands in the blocks of `gates` after forward, for traces: G names of static storage, or none.
  virtual std::span<const std::string_view> gate_names() const { return {}; }
  // Slope of the unit's output non-linearity over the largest slope that function has, for the probes: gates and saved of one row.
  virtual double relative_slope(const T* gates, const T* saved, std::int64_t hidden, std::int64_t unit) const = 0;
  virtual double max_slope() const { return 1; }  // that largest slope
};

// The option of cells that can have their products normalised.
inline FieldInfo layer_norm_field() {
  return {.key = "model.layer_norm",
          .description = "the products with x and with h are normalised over the units of a layer, with learnt gains (Ba et al. 2016)"};
}

// One line of the list of cells (cell_list.cpp): everything about a cell that is known before it is made.
struct CellEntry {
  std::string_view name;
  std::string_view description;                  // its equations, with their source
  std::int64_t gates;                            // G: blocks of H rows in the weights
  bool has_cell_state;                           // c beside h
  bool takes_any_activation;                     // model.activation may be other than tanh
  std::span<const std::string_view> gate_names;  // as init.bias.<name>, in block order; empty string: a block without a bias key
  std::unique_ptr<Options> (*make_options)();
  std::unique_ptr<Cell<float>> (*make_float)(const Options& options, const Activation& activation);
  std::unique_ptr<Cell<double>> (*make_double)(const Options& options, const Activation& activation);
};

}  // namespace vp
