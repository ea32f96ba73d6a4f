#include "models/activation_choice.h"

#include <algorithm>
#include <cstdio>
#include <vector>

#include "kernels/custom_activation.h"
#include "models/suggest.h"

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

}  // namespace

FieldInfo activation_field(std::string_view key, std::string_view description) {
  FieldInfo info{.key = key, .description = description, .open_form = "expr: FORMULA", .open_problem = custom_activation_problem};
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
