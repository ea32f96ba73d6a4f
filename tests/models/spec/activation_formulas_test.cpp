// The formulas that are suggested for functions of other libraries, against the definitions there.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "kernels/activation/custom_activation.h"
#include "models/spec/activation_choice.h"
#include "tests/compare.h"

namespace vp::test {
namespace {

struct Definition {
  const char* name;
  std::function<double(double)> f;
};

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }
double softplus(double x) { return std::log1p(std::exp(x)); }

TEST(ActivationFormulas, AreWhatTheirNamesMeanElsewhere) {
  const std::vector<Definition> definitions = {
      {"swish", [](double x) { return x * sigmoid(x); }},
      {"silu", [](double x) { return x * sigmoid(x); }},
      {"mish", [](double x) { return x * std::tanh(softplus(x)); }},
      {"selu", [](double x) { return 1.0507009873554805 * (x > 0 ? x : 1.6732632423543772 * std::expm1(x)); }},
      {"celu", [](double x) { return x > 0 ? x : std::expm1(x); }},
      {"hard_sigmoid", [](double x) { return std::clamp(x / 6 + 0.5, 0.0, 1.0); }},
      {"hardtanh", [](double x) { return std::clamp(x, -1.0, 1.0); }},
      {"hardswish", [](double x) { return x * std::clamp(x / 6 + 0.5, 0.0, 1.0); }},
      {"relu6", [](double x) { return std::clamp(x, 0.0, 6.0); }},
      {"squared_relu", [](double x) { return x > 0 ? x * x : 0; }},
      {"softsign", [](double x) { return x / (1 + std::abs(x)); }},
      {"log_sigmoid", [](double x) { return -softplus(-x); }},
      {"tanhshrink", [](double x) { return x - std::tanh(x); }},
      {"quick_gelu", [](double x) { return x * sigmoid(1.702 * x); }},
      {"gelu_tanh", [](double x) { return 0.5 * x * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x))); }},
      {"lisht", [](double x) { return x * std::tanh(x); }},
      {"gaussian", [](double x) { return std::exp(-x * x); }},
      {"sine", [](double x) { return std::sin(x); }},
      {"identity", [](double x) { return x; }},
      {"logistic", sigmoid},
  };
  for (const auto& [name, f] : definitions) {
    ExpressionError error;
    ExpressionReport report;
    const auto formula = read_expression(formula_of_activation(name), error, report);
    ASSERT_TRUE(formula) << name << ": " << error.what;
    for (double x = -9.3; x < 9; x += 0.37)
      EXPECT_TRUE(near(activate(*formula, x).value, f(x), 1e-14 * (1 + std::abs(f(x))))) << name << " at " << x;
  }
  EXPECT_EQ(formula_of_activation("tanh x"), "");
  EXPECT_EQ(formula_of_activation("wobble"), "");
  EXPECT_EQ(formula_of_activation(""), "");
}

}  // namespace
}  // namespace vp::test
