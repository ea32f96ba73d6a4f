// Output layers with their losses: softmax and sigmoid cross-entropy, mean squared error. Thread-safety: pure functions.
//
// Every function takes logits (rows, C), adds nothing, and overwrites: row_loss (rows), the loss of each row in double, and, unless dlogits
// is nullptr, dlogits (rows, C) = scale * d row_loss / d logits. The batch mean is the caller's: scale = 1/B.
// A row whose logits are not finite gets a loss that is not finite: divergence is data.
#pragma once

#include <cstdint>

namespace vp {

// row_loss = -log softmax(logits)[target]; target (rows), each in [0, C). Stable for any finite logits (log-sum-exp).
template <class T>
void softmax_cross_entropy(std::int64_t rows, std::int64_t classes, const T* logits, const std::int32_t* target, T scale, T* dlogits,
                           double* row_loss);

// row_loss = mean over C of log(1 + exp(-s*logit)), s = +1 where target (rows, C) is 1, -1 where it is 0 (targets between are allowed).
template <class T>
void sigmoid_cross_entropy(std::int64_t rows, std::int64_t outputs, const T* logits, const T* target, T scale, T* dlogits,
                           double* row_loss);

// row_loss = mean over C of (logit - target)^2; target (rows, C).
template <class T>
void mean_squared_error(std::int64_t rows, std::int64_t outputs, const T* logits, const T* target, T scale, T* dlogits, double* row_loss);

}  // namespace vp
