// What the native engine's classes need of its vector code, free of any instruction set. For use inside kernels/ only.
//
// Every output of a product is formed the same way whatever the blocking: k is cut into chunks of kChunk; within a chunk one chain of fused
// multiply-adds from 0 in the order of k; the sums of the chunks are added in order to what was there first (bias, C, or nothing). The
// pre-activations of a fused step are one product of [x, h_prev], k = I + H; of a GRU, which needs them apart, two. So bits depend neither
// on vector length, tile nor tail (on targets with FMA). Thread-safety: pure functions over the caller's arrays.
#pragma once

#include <cstdint>
#include <span>

#include "kernels/backend/backend.h"

namespace vp::native {

// A constant of the code, never of the machine: it defines the bits.
inline constexpr std::int64_t kChunk = 256;

// A (k, n) operand as panels of `panel` columns, one after the other, each stored k-major; the last is as wide as it
// needs in whole vectors (AVX-512: or half ones) and padded with zeros.
struct ProductRun {
  ProductShape shape;
  const float* panels;  // nullptr: b is plain, and packed a chunk at a time into workspace
  const float* a;
  const float* b;
  const float* bias;
  float* c;
  float* workspace;                  // product_workspace() floats
  std::span<const float> next = {};  // what will be needed after the product, fetched meanwhile
  bool next_changes = false;         // it will be written, not only read
};

struct FusedForward {
  std::int64_t rows, inputs, hidden;
  const Activation* activation;  // RNN
  const float* panels;           // a panel: (I + H) rows of weights, inputs first
  const float* bias;             // as wide as the panels; GRU: for each panel that of the input, then the recurrent one
  const float* x;
  const float* h_prev;
  const float* c_prev;
  float *gates, *c, *saved, *h;
  void* chunks;  // chunk_workspace() bytes
};

struct FusedBackwardRun {
  std::int64_t rows, hidden;
  const float* panels;  // W_hh (G*H, H)
  FusedBackward<float> step;
  double* chains_dh;  // (rows, 16): what RowSquares gathers, from panel to panel
  double* chains_dc;
  void* chunks;  // chunk_workspace() bytes
};

// The vector code of one instruction set; an object keeps the table it was made with, because layouts depend on it.
struct Kernels {
  std::int64_t lanes;  // floats in a vector
  std::int64_t panel;  // columns of a panel
  const char* name;    // "native:AVX3"
  std::int64_t (*product_workspace)(const ProductShape& shape, bool packed);
  void (*pack_product)(std::int64_t n, std::int64_t k, bool transposed, const float* weights, float* panels);
  void (*run_product)(const ProductRun& run);
  // The same for weights b that are not worth packing; no accumulate.
  std::int64_t (*in_place_workspace)(const ProductShape& shape);
  void (*run_in_place)(const ProductRun& run);
  // Panels of up to four vectors of `lanes` units: of an LSTM or a GRU the gates of one group of units, of an RNN four groups.
  void (*pack_forward)(const FusedShape& shape, const float* weight_ih, const float* weight_hh, const float* bias, float* panels,
                       float* packed_bias);
  std::int64_t (*chunk_workspace)(const FusedShape& shape);
  void (*rnn_forward)(const FusedForward& step);
  void (*lstm_forward)(const FusedForward& step);
  void (*gru_forward)(const FusedForward& step);
  void (*rnn_backward)(const FusedBackwardRun& run);
  void (*lstm_backward)(const FusedBackwardRun& run);
  void (*gru_backward)(const FusedBackwardRun& run);
};

// That of the instruction set in use now (force_simd_target()).
const Kernels& kernels();

inline std::int64_t round_up(std::int64_t n, std::int64_t to) { return (n + to - 1) / to * to; }

}  // namespace vp::native
