// A whole training step as a row of `vpoint profile`: forward, loss at the last step, backward, weight gradients, SGD update; clipping and
// probes off; through BatchEngine<float>, as training does it, on random data that a copy brings in. Beside it oneDNN's own recurrent
// primitive on the same shape. Thread-safety: pure functions; a row's closures belong to one thread.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "kernels/bench/timed_case.h"

namespace vp {

struct StepShape {
  // One of cells(); mlp: L layers of H units; cnn: two convolutions of 3 x 3 with H and 2 H channels on images of I x I pixels, max pooling
  // of 2 x 2 behind each; or dense: the three products of a dense layer, B x H x I.
  std::string cell;
  std::int64_t steps = 0;   // T; 1 where there is no time
  std::int64_t rows = 0;    // B
  std::int64_t hidden = 0;  // H
  std::int64_t inputs = 0;  // I
  std::string activation = "tanh";
  std::int64_t outputs = 10;  // C of the softmax readout, which no counter counts
  std::int64_t shard_rows = 32;
  std::string variant;      // of cell_variants(), e.g. "lstm peepholes=true"; empty: the cell at its defaults
  std::int64_t layers = 1;  // L of an mlp
};

// E.g. "lstm:T=100,B=64,H=128,I=2", "lstm peepholes=true:T=..." or "mlp:L=30,B=64,H=256,I=256"; also activation=, C= and shard_rows=.
// UserError(kUsage) with the nearest names.
StepShape parse_step(const std::string& text);

// E.g. "step/lstm/T100B64H128I2": what differs from the defaults follows, as in "_relu_C2_shard16".
std::string step_name(const StepShape& shape);

// The rows of the table of goals.
std::span<const StepShape> goal_shapes();

// Matrix FLOPs of one step: see kFlopsFormula.
double step_flops(const StepShape& shape);
inline constexpr const char* kFlopsFormula =
    "2 G H B T (I + H) forward, 2 G H B (T - 1) H for dh, 2 G H B T (I + H) for dW; G = 4 gates of an LSTM, 3 of a GRU, 1 of an RNN; mlp: "
    "2 H B (I + (L - 1) H) forward and for dW, 2 H B (L - 1) H for dh; cnn: 2 x 9 per channel in and out and pixel, forward, for dW and, "
    "but for the first, for dx; readout, update and pointwise work are not counted";

// Bytes moved by one step: see kBytesModel.
double step_bytes(const StepShape& shape);
inline constexpr const char* kBytesModel =
    "4 bytes, once for each pass that touches an array: per sample and time step 2 I for x, 4 G H for gates and dz, 2 H for h and, with a "
    "cell state, 4 H for c and tanh c, or, in a GRU, 2 G H for the recurrent gradients and 4 H for the recurrent part of n and what passes "
    "W_hh by; mlp: 2 I, and 6 H for each layer; cnn: likewise with pixels times channels; per weight 3 for each shard and 3 for the "
    "update. "
    "Rows whose data stay in cache exceed 100 % of the triad";

// `backend`: of backend_names().
TimedCase step_row(const StepShape& shape, const std::string& backend, int threads);

// "onednn_primitive", one thread: weights reordered, forward_training, backward; no readout and no update. Nothing if oneDNN has no such
// cell.
std::optional<TimedCase> primitive_row(const StepShape& shape);
inline constexpr const char* kPrimitiveName = "onednn_primitive";

}  // namespace vp
