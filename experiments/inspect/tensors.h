// The tensors `vpoint inspect` reads and writes (design: checkpoints and tensors), as named arrays of a file that is already in memory.
//
// Faults are UserError(kInputOutput): file, tensor, what is wrong, what would be right. Thread-safety: pure functions.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "models/safetensors/safetensors.h"
#include "models/spec/spec.h"
#include "models/training/inspection.h"

namespace vp {

// Input: `input` (T, B, I), of an mlp (B, I) or the same, of a cnn (B, C, Y, X), F32 or F64, or with model.embedding (T, B), I64 or I32;
// optional `lengths` (B), I64 or I32; `target`: classes, I64 or I32, (B) or (T, B), or values, F32 or F64, (B, C) or (T, B, C); optional
// `h0`, `c0` (L*D, B, H), D directions; all parameters by their state-dict names, or none. model.form says which target is expected,
// model.output what values mean. C comes from the readout's weight or from values; else `classes` must say it.
template <class T>
GivenBatch<T> read_batch(const Safetensors& tensors, const std::string& file, const RunSpec& spec, std::optional<std::int64_t> classes);

// Output: `loss`, `logits`, `hidden`, `grad.<parameter>`, `grad.hidden.l{k}`, `grad.h0` and `grad.c0` where those were given, in the
// precision of the pass (of feed-forward layers without the step: (B, H), or (B, C, Y, X)); `log10_norm.hidden.l{k}` and
// `log10_norm.cell.l{k}` (T) and the loss in F64.
template <class T>
class InspectionTensors {
 public:
  InspectionTensors(const RunSpec& spec, const GivenBatch<T>& batch, const Inspection<T>& inspection);  // which outlive it
  std::span<const TensorView> views() const { return views_; }
  // "grad.h0 (3 of 60 elements)": those that hold values that are not finite.
  std::vector<std::string> not_finite() const;

 private:
  void add(std::string name, std::vector<std::int64_t> shape, std::span<const T> values);

  const Inspection<T>& inspection_;
  std::int64_t steps_;
  std::vector<TensorView> views_;
};

}  // namespace vp
