// Do models learn by the right gradients? The double reference against central differences, every backend against the double reference,
// gradient norms against a closed form, optimisers against double. Driven by the lists of cells, activations, initialisers, optimisers and
// backends: what is in a list is checked. Thread-safety: pure functions; the checks may run at once.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "kernels/verify/finding.h"
#include "models/verify/model_cases.h"

namespace vp {

// Sizes of a model and its shard.
struct ModelSize {
  std::int64_t hidden, rows, inputs, outputs;
};

// Step one of trust: every parameter's gradient of the double reference against the central difference of its loss. Targets are random, so
// that what comes down to each step is not uniform.
Finding gradient_finding(const ModelCase& c);
Finding gradient_finding(RunSpec spec, const SequenceShape& shape);

// Step two: loss, logits and parameter gradients of a float backend against the double reference with the same weights.
Finding parity_finding(const ModelCase& c, const std::string& backend, const ModelSize& size);

// Linear recurrence with weights g times orthogonal: |dL/dh_t| = g^(T-1-t) |dL/dh_{T-1}| exactly, whatever the range of float.
Finding scaled_norm_finding(const std::string& backend, double gain, std::int64_t steps);

// Two layers whose gradient falls beyond the range of float, but not of double: rescaling rows by powers of two is invisible.
Finding rescaling_finding(const std::string& cell, const std::string& backend);

// The same through the layers of a linear mlp with weights g times orthogonal.
Finding layer_norm_finding(const std::string& backend, double gain, std::int64_t layers);

// 80 sigmoid layers against double, with and without shortcuts, where signals of different scale are added.
Finding deep_sigmoid_finding(const std::string& backend, bool residual);

std::vector<Check> gradient_checks();
std::vector<Check> model_parity_checks(const std::string& backend);  // at odd sizes drawn from the counter-based generator
std::vector<Check> scaled_norm_checks(const std::string& backend, std::int64_t steps);
std::vector<Check> optimizer_checks();  // three updates in float and double, and special values

}  // namespace vp
