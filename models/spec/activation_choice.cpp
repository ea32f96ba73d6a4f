#include "models/spec/activation_choice.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <vector>

#include "kernels/activation/custom_activation.h"
#include "models/base/suggest.h"

namespace vp {
namespace {

constexpr std::size_t kShownBefore = 40, kShownAfter = 30;
constexpr std::size_t kKinksShown = 4;

// The neighbourhood of the place on a line of its own, and a mark below. Bytes that a terminal might take for orders are question marks.
std::string excerpt(std::string_view text, std::size_t position) {
  const std::size_t start = position > kShownBefore ? position - kShownBefore : 0;
  std::string part(text.substr(start, position - start + kShownAfter));
  std::ranges::replace_if(
      part, [](char c) { return c < ' ' || c > '~'; }, '?');
  const std::string before = start > 0 ? "..." : "", after = start + part.size() < text.size() ? "..." : "";
  return "\n  " + before + part + after + "\n  " + std::string(before.size() + position - start, ' ') + '^';
}

std::string suggested(const ExpressionError& error) {
  if (error.name.empty()) return "";
  std::vector<std::string> names = {"x"};
  for (const ExpressionFunction& f : expression_functions()) names.emplace_back(f.name);
  return suggestion(error.name, names);
}

std::string number(double x) {
  char text[32];
  std::snprintf(text, sizeof text, "%.6g", x);
  return text;
}

struct NamedFormula {
  std::string_view names;  // in lower case without '_' and '-', between spaces
  std::string_view formula;
};
constexpr std::array kFormulas = {
    NamedFormula{"swish silu", "x*sigmoid(x)"},
    NamedFormula{"mish", "x*tanh(log1p(exp(x)))"},
    NamedFormula{"selu", "1.0507009873554805*(max(x, 0) + 1.6732632423543772*(exp(min(x, 0)) - 1))"},
    NamedFormula{"celu", "max(x, 0) + exp(min(x, 0)) - 1"},
    NamedFormula{"hardsigmoid", "max(0, min(1, x/6 + 0.5))"},
    NamedFormula{"hardtanh htanh cliptanh", "max(-1, min(1, x))"},
    NamedFormula{"hardswish hardsilu", "x*max(0, min(1, x/6 + 0.5))"},
    NamedFormula{"relu6", "min(max(x, 0), 6)"},
    NamedFormula{"squaredrelu relusquared relu2", "max(x, 0)^2"},
    NamedFormula{"softsign", "x/(1 + abs(x))"},
    NamedFormula{"logsigmoid", "min(x, 0) - log1p(exp(-abs(x)))"},
    NamedFormula{"tanhshrink", "x - tanh(x)"},
    NamedFormula{"quickgelu", "x*sigmoid(1.702*x)"},
    NamedFormula{"gelutanh gelunew geluapproximate", "x/2*(1 + tanh(0.7978845608028654*(x + 0.044715*x^3)))"},
    NamedFormula{"lisht", "x*tanh(x)"},
    NamedFormula{"gaussian", "exp(-x^2)"},
    NamedFormula{"sine sin", "sin(x)"},
    NamedFormula{"exponential exp", "exp(x)"},
    NamedFormula{"square quadratic", "x^2"},
    NamedFormula{"identity none", "x"},
    NamedFormula{"logistic", "sigmoid(x)"},
};

}  // namespace

std::string formula_of_activation(std::string_view name) {
  std::string word;
  for (const char c : name)
    if (c != '_' && c != '-') word += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  if (word.empty() || word.find(' ') != std::string::npos) return "";
  const auto is_named = [&](const NamedFormula& f) {
    return (' ' + std::string(f.names) + ' ').find(' ' + word + ' ') != std::string::npos;
  };
  const auto found = std::ranges::find_if(kFormulas, is_named);
  return found == kFormulas.end() ? "" : "expr: " + std::string(found->formula);
}

FieldInfo activation_field(std::string_view key, std::string_view description) {
  FieldInfo info{.key = key,
                 .description = description,
                 .open_form = "expr: FORMULA",
                 .open_problem = custom_activation_problem,
                 .open_text_of = formula_of_activation};
  for (const Activation& f : activations()) info.choices.push_back(f.name);
  return info;
}

std::optional<std::string> custom_activation_problem(std::string_view text) {
  if (!is_expression(text)) return std::nullopt;
  ExpressionError error;
  ExpressionReport report;
  if (read_expression(text, error, report)) return report.problem.empty() ? "" : "not an activation: " + report.problem;
  return "column " + std::to_string(error.position + 1) + ": " + error.what + suggested(error) + excerpt(text, error.position);
}

std::string kinks_note(std::string_view activation) {
  ExpressionError error;
  ExpressionReport report;
  if (!is_expression(activation)) return "";
  const auto f = read_expression(activation, error, report);
  if (!f || report.kinks.empty()) return "";
  std::string text(activation);
  text += ": its slope jumps";
  for (std::size_t i = 0; i < std::min(kKinksShown, report.kinks.size()); ++i) {
    const ExpressionKink& kink = report.kinks[i];
    text += (i == 0 ? " at x = " : ", at x = ") + number(kink.x) + " from " + number(kink.left_slope) + " to " + number(kink.right_slope) +
            " (" + number(activate(*f, kink.x).slope) + " there)";
  }
  if (report.kinks.size() > kKinksShown) text += " and at " + std::to_string(report.kinks.size() - kKinksShown) + " more";
  return text;
}

}  // namespace vp
