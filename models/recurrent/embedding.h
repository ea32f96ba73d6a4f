// Token ids to rows of a table, as torch.nn.Embedding; no one-hot vector is ever made. Thread-safety: an InputVectors belongs to one shard
// slot; the functions are pure.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "kernels/backend/normal_range.h"
#include "kernels/memory/aligned_buffer.h"
#include "models/model/scaled_rows.h"
#include "models/recurrent/recurrent_layer.h"
#include "models/spec/padding.h"

namespace vp {

// out (count, width): row i is row tokens[i] of table (V, width).
template <class T>
void embed(std::int64_t count, std::int64_t width, const std::int32_t* tokens, const T* table, T* out) {
  for (std::int64_t i = 0; i < count; ++i) std::copy_n(table + tokens[i] * width, width, out + i * width);
}

// gradients (V, width) += each row of signal.data (count, width), brought to its true scale, at its token. In the order of the rows, last
// first, as the way back meets them: one order, however the steps are cut into segments. Returns how many elements left the range of T.
template <class T>
std::int64_t add_embedding_gradients(std::int64_t count, std::int64_t width, const std::int32_t* tokens, SignalView<T> signal,
                                     T* gradients) {
  std::int64_t lost = 0;
  for (std::int64_t i = count - 1; i >= 0; --i) {
    const std::int32_t exponent = signal.exponent[i];
    if (exponent == kNoSignal) continue;
    const T* row = signal.data + i * width;
    T* sum = gradients + tokens[i] * width;
    for (std::int64_t j = 0; j < width; ++j) {
      const T own = exponent == 0 ? row[j] : scaled_normal(row[j], exponent);
      lost += (own == 0 && row[j] != 0) || (std::isinf(own) && std::isfinite(row[j]));
      sum[j] += own;
    }
  }
  return lost;
}

// What the first layer of a shard reads: the input as it is, or the vectors of its tokens.
template <class T>
class InputVectors {
 public:
  // width: of an embedding, whose table stands at `offset` of the flat parameters; 0: there is none.
  InputVectors(std::int64_t steps, std::int64_t rows, std::int64_t width, std::int64_t offset)
      : rows_(rows), width_(width), offset_(offset), vectors_(width > 0 ? steps * rows * width : 0) {}

  // (T, B, width): `input`, or the vectors of tokens (T, B), zero behind the rows' ends.
  const T* read(const T* input, const AlignedBuffer<std::int32_t>& tokens, const AlignedBuffer<std::int32_t>& lengths,
                const T* parameters) {
    if (vectors_.empty()) return input;
    embed(tokens.size(), width_, tokens.data(), parameters + offset_, vectors_.data());
    clear_padding(lengths.span(), width_, vectors_.span());
    return vectors_.data();
  }
  // signal: of the steps of the segment. Segments in descending order. Returns how many elements left the range of T.
  std::int64_t backward(Segment segment, const AlignedBuffer<std::int32_t>& tokens, SignalView<T> signal, T* gradients) const {
    if (vectors_.empty()) return 0;
    const std::int64_t first = segment.first * rows_;
    return add_embedding_gradients(segment.steps * rows_, width_, tokens.data() + first, signal, gradients + offset_);
  }

 private:
  std::int64_t rows_, width_, offset_;
  AlignedBuffer<T> vectors_;  // (T, B, width) or empty
};

}  // namespace vp
