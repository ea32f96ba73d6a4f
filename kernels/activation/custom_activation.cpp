#include "kernels/activation/custom_activation.h"

#include <array>
#include <stdexcept>
#include <utility>
#include <vector>

namespace vp {
namespace {

// Used by every check beside the table's rows: each form that is rewritten, each rule of a slope, and kinks. No more curved than the
// table's: the checks allow the rounding of a pre-activation to pass through slopes of about 1.
constexpr std::array<std::string_view, 4> kChecked = {
    "expr: x*tanh(log(1+exp(x)))",
    "expr: x*(1+erf(x/sqrt(2)))/2 - 0.2/(1+exp(2*x))",
    "expr: max(x, 0.1*x) + min(atan(x), 0.5) - relu(-x)/4 + abs(x)/9",
    "expr: x/sqrt(1+x^2) + sin(x/4)^2 + log1p(x^2)/9 - cos(x/4)*exp(-x^2/9)/5",
};

Activation make(Expression expression, const ExpressionReport& report) {
  auto owned = std::make_shared<const Expression>(std::move(expression));
  const std::string_view name = owned->text, formula = name.starts_with(kExpressionPrefix) ? name.substr(kExpressionPrefix.size()) : name;
  Activation activation{
      {.name = name, .formula = formula, .max_slope = report.max_slope, .value_bound_ulp = 0, .slope_bound_ulp = 0, .bounded = false}};
  activation.expression = std::move(owned);
  return activation;
}

}  // namespace

std::optional<Activation> read_expression(std::string_view text, ExpressionError& error, ExpressionReport& report) {
  const std::size_t start = is_expression(text) ? kExpressionPrefix.size() : 0;
  auto expression = parse_expression(text.substr(start), error);
  if (!expression) {
    error.position += start;
    return std::nullopt;
  }
  report = check_expression(*expression);
  expression->text = text;
  return make(std::move(*expression), report);
}

Activation resolve_activation(std::string_view text) {
  if (!is_expression(text)) {
    if (const Activation* row = find_activation(text)) return *row;
    throw std::invalid_argument("[activation] there is no \"" + std::string(text) + '"');
  }
  ExpressionError error;
  ExpressionReport report;
  auto activation = read_expression(text, error, report);
  if (!activation) throw std::invalid_argument("[activation] at byte " + std::to_string(error.position + 1) + ": " + error.what);
  if (!report.problem.empty()) throw std::invalid_argument("[activation] " + report.problem);
  return std::move(*activation);
}

std::span<const Activation> checked_activations() {
  static const std::vector<Activation> kAll = [] {
    std::vector<Activation> all(activations().begin(), activations().end());
    for (const std::string_view text : kChecked) all.push_back(resolve_activation(text));
    return all;
  }();
  return kAll;
}

std::span<const Activation> expression_function_activations() {
  static const std::vector<Activation> kAll = [] {
    std::vector<Activation> all;
    for (const ExpressionFunction& f : expression_functions()) {
      if (f.value_bound_ulp == 0) continue;
      ExpressionError error;
      Activation alone = make(parse_expression(std::string(f.name) + "(x)", error).value(), {});
      alone.value_bound_ulp = f.value_bound_ulp;
      alone.slope_bound_ulp = f.slope_bound_ulp;
      all.push_back(std::move(alone));
    }
    return all;
  }();
  return kAll;
}

}  // namespace vp
