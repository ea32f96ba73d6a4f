// Every kernel of every backend against the double-precision reference: the case table, special values, activations bit pattern by bit
// pattern. What is in a list (activations, cases, backends) is checked; there is nothing to add here. Thread-safety: pure functions.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "kernels/verify/cases.h"
#include "kernels/verify/finding.h"

namespace vp {

// How a kernel's subject is called, e.g. "rnn step relu on onednn".
std::string rnn_step_name(const std::string& backend, const Activation& f);

// Products of the table and `more` (odd and random shapes), pointwise steps at several alignments, convolution and pooling, fused
// steps where the backend has them.
std::vector<Check> kernel_parity_checks(const std::string& backend, std::span<const ProductCase> more);
std::vector<Check> special_value_checks(const std::string& backend);

// Whether each infinite or NaN logit gives its row, and no other, a loss that is not finite. i: of losses().
Finding divergence_finding(std::size_t i, const LossCase& test);

// What does not depend on the backend.
std::vector<Check> loss_checks();
std::vector<Check> layer_norm_checks();
std::vector<Check> activation_checks(
    std::uint32_t stride);  // every stride-th float; exp, which losses and activations stand on, among them

}  // namespace vp
