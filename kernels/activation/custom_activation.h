// Activations of the user's own: model.activation = "expr: x*tanh(log(1+exp(x)))". Grammar and bounds: expression.h; what is refused
// because it has no slope: expression_check.h. Thread-safety: pure functions.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "kernels/activation/activations.h"
#include "kernels/activation/expression.h"
#include "kernels/activation/expression_check.h"

namespace vp {

inline constexpr std::string_view kExpressionPrefix = "expr:";
inline bool is_expression(std::string_view activation) { return activation.starts_with(kExpressionPrefix); }

// Reads what stands behind "expr:". The name is `text` as it stands: another spacing is another name. nullopt, with `error` filled in
// (positions count from the start of `text`), where it is no formula. The report says whether it is fit to train with; max_slope was
// measured there. ULP bounds are 0 and bounded is false: not known.
std::optional<Activation> read_expression(std::string_view text, ExpressionError& error, ExpressionReport& report);

// The row of that name, or a custom activation. std::invalid_argument where it is neither, or not fit.
Activation resolve_activation(std::string_view text);

// The table's and some custom ones that use every operation between them: what checks and benchmarks loop over.
std::span<const Activation> checked_activations();

// Every function that a formula may call, alone, with its ULP bounds: "log(x)" is an activation that no model would be given.
std::span<const Activation> expression_function_activations();

}  // namespace vp
