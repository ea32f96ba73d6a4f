// The options of gated cells that may have other activations than sigmoid at their gates and tanh elsewhere: a name from the table, or a
// formula of the user's. At the defaults a cell runs the kernels made for it; else it is composed of activations, vector code on the fast
// engines, with their slopes kept for backward, and of plain loops. Thread-safety: pure functions.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>

#include "kernels/backend/backend.h"
#include "models/spec/activation_choice.h"

namespace vp {

struct GateActivations {
  std::string gate = "sigmoid", candidate = "tanh";

  bool operator==(const GateActivations&) const = default;
  void visit_fields(FieldVisitor& v) {
    v.field(activation_field("model.gate_activation", "activation of all gates; nothing keeps it between 0 and 1"), gate);
    v.field(activation_field("model.candidate_activation", "activation of what may be written into the state"), candidate);
  }
};

// values (n) = f(values), slopes (n) = f'(values). Not aliased.
template <class T>
void activate(const PointwiseKernels<T>& kernels, const Activation& f, std::int64_t n, T* values, T* slopes) {
  std::copy_n(values, n, slopes);
  kernels.rnn_forward(f, n, slopes, values);
}

// values (n) = f(values + addend), slopes (n) = f'(values + addend). None aliased.
template <class T>
void activate_sum(const PointwiseKernels<T>& kernels, const Activation& f, std::int64_t n, const T* addend, T* values, T* slopes) {
  for (std::int64_t i = 0; i < n; ++i) slopes[i] = values[i] + addend[i];
  kernels.rnn_forward(f, n, slopes, values);
}

}  // namespace vp
