// Formulas drawn at random against a second reading of them: values and slopes by the rules of calculus, parsed by nobody.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <numbers>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "kernels/activation/expression.h"
#include "tests/compare.h"

namespace vp::test {
namespace {

// A value with its derivative.
struct Dual {
  double v, d;
};

double g_largest = 0;  // of any intermediate result: what rounding is relative to
Dual noted(Dual a) {
  const double most = std::max(std::abs(a.v), std::abs(a.d));
  g_largest = std::isfinite(a.v) && std::isfinite(a.d) ? std::max(g_largest, most) : std::numeric_limits<double>::infinity();
  return a;
}

struct Formula {
  std::string text;
  std::function<Dual(Dual)> f;
};

using Rule = std::function<Dual(Dual)>;
struct Function {
  const char* name;
  Rule rule;
};

double normal_density(double x) { return 2 / std::sqrt(std::numbers::pi) * std::exp(-x * x); }

const std::vector<Function>& functions() {
  static const std::vector<Function> kAll = {
      {"exp",
       [](Dual a) {
         return Dual{std::exp(a.v), std::exp(a.v) * a.d};
       }},
      {"log",
       [](Dual a) {
         return Dual{std::log(a.v), a.d / a.v};
       }},
      {"log1p",
       [](Dual a) {
         return Dual{std::log(1 + a.v), a.d / (1 + a.v)};
       }},
      {"sqrt",
       [](Dual a) {
         return Dual{std::pow(a.v, 0.5), 0.5 * std::pow(a.v, -0.5) * a.d};
       }},
      {"tanh",
       [](Dual a) {
         return Dual{std::tanh(a.v), (1 - std::tanh(a.v) * std::tanh(a.v)) * a.d};
       }},
      {"sigmoid",
       [](Dual a) {
         return Dual{1 / (1 + std::exp(-a.v)), a.d / (2 + std::exp(a.v) + std::exp(-a.v))};
       }},
      {"sin",
       [](Dual a) {
         return Dual{std::sin(a.v), std::cos(a.v) * a.d};
       }},
      {"cos",
       [](Dual a) {
         return Dual{std::cos(a.v), -std::sin(a.v) * a.d};
       }},
      {"atan",
       [](Dual a) {
         return Dual{std::atan(a.v), a.d / (1 + a.v * a.v)};
       }},
      {"erf",
       [](Dual a) {
         return Dual{std::erf(a.v), normal_density(a.v) * a.d};
       }},
      {"abs",
       [](Dual a) {
         return Dual{std::abs(a.v), a.v < 0 ? -a.d : a.d};
       }},
      {"relu",
       [](Dual a) {
         return a.v > 0 || std::isnan(a.v) ? a : Dual{0, 0};
       }},
  };
  return kAll;
}

// Along the grammar of expression.h; what was made before may come again, so that parts occur several times.
class Writer {
 public:
  explicit Writer(unsigned seed) : random_(seed) {}

  Formula sum(int depth) {
    Formula left = product(depth);
    for (int n = below(3); n > 0; --n) {
      const Formula right = product(depth);
      const bool plus = below(2) == 0;
      left = {left.text + (plus ? " + " : "-") + right.text, [l = left.f, r = right.f, plus](Dual x) {
                const Dual a = l(x), b = r(x);
                return noted(plus ? Dual{a.v + b.v, a.d + b.d} : Dual{a.v - b.v, a.d - b.d});
              }};
    }
    return left;
  }

 private:
  int below(int n) { return static_cast<int>(random_() % static_cast<unsigned>(n)); }

  Formula product(int depth) {
    Formula left = with_sign(depth);
    for (int n = below(3); n > 0; --n) {
      const Formula right = with_sign(depth);
      const bool times = below(3) != 0;
      left = {left.text + (times ? "*" : " / ") + right.text, [l = left.f, r = right.f, times](Dual x) {
                const Dual a = l(x), b = r(x);
                return noted(times ? Dual{a.v * b.v, a.d * b.v + a.v * b.d} : Dual{a.v / b.v, (a.d * b.v - a.v * b.d) / (b.v * b.v)});
              }};
    }
    return left;
  }

  Formula with_sign(int depth) {
    if (below(5) > 0) return power(depth);
    const Formula inner = with_sign(depth);
    return {"-" + inner.text, [f = inner.f](Dual x) {
              const Dual a = f(x);
              return Dual{-a.v, -a.d};
            }};
  }

  Formula power(int depth) {
    const Formula base = primary(depth);
    if (below(4) > 0) return base;
    static const std::vector<std::pair<const char*, double>> kExponents = {
        {"2", 2}, {"3", 3}, {"5", 5}, {"6", 6}, {"-1", -1}, {"-2", -2}, {"(1/2)", .5}, {"1.5", 1.5}, {"2^1", 2}, {"1", 1}, {"0.3", .3}};
    const auto& [text, k] = kExponents[below(static_cast<int>(kExponents.size()))];
    return {base.text + "^" + text, [f = base.f, k = k](Dual x) {
              const Dual a = f(x);
              if (a.v == 0 && k != std::floor(k))
                g_largest = std::numeric_limits<double>::infinity();  // made of a root, which has no slope at 0
              return noted({std::pow(a.v, k), k == 1 ? a.d : k * std::pow(a.v, k - 1) * a.d});
            }};
  }

  Formula primary(int depth) {
    Formula made = new_primary(depth);
    if (!pool_.empty() && below(4) == 0) made = pool_[below(static_cast<int>(pool_.size()))];
    pool_.push_back(made);
    return made;
  }

  Formula new_primary(int depth) {
    const int kind = depth == 0 ? below(5) : below(9);
    if (kind < 3) return {"x", [](Dual x) { return x; }};
    if (kind < 5) {
      static const std::vector<std::pair<const char*, double>> kNumbers = {{"2", 2}, {"0.5", .5},  {"8", 8}, {"1", 1},
                                                                           {"3", 3}, {".25", .25}, {"0", 0}, {"1e1", 10}};
      const auto& [text, c] = kNumbers[below(static_cast<int>(kNumbers.size()))];
      return {text, [c = c](Dual) { return Dual{c, 0}; }};
    }
    if (kind == 5) {
      const Formula inside = sum(depth - 1);
      return {"(" + inside.text + ")", inside.f};
    }
    if (kind == 6) {
      const Formula a = sum(depth - 1), b = sum(depth - 1);
      const bool most = below(2) == 0;
      return {(most ? "max(" : "min(") + a.text + ", " + b.text + ")", [f = a.f, g = b.f, most](Dual x) {
                const Dual p = f(x), q = g(x);
                if (std::isnan(p.v) || std::isnan(q.v)) return Dual{NAN, NAN};
                return most == (p.v > q.v) ? p : q;
              }};
    }
    const Function& f = functions()[below(static_cast<int>(functions().size()))];
    const Formula inside = sum(depth - 1);
    return {f.name + ("(" + inside.text) + ")", [rule = f.rule, g = inside.f](Dual x) { return noted(rule(g(x))); }};
  }

  std::mt19937 random_;
  std::vector<Formula> pool_;
};

TEST(ExpressionDefinition, RandomFormulasMeanWhatIsWritten) {
  int compared = 0, refused = 0;
  for (unsigned seed = 0; seed < 6000; ++seed) {
    const Formula formula = Writer(seed).sum(3);
    ExpressionError error;
    const auto program = parse_expression(formula.text, error);
    if (!program) {  // no x, a constant part that is no number, or too long
      ++refused;
      continue;
    }
    for (const double x : {-2.3, -0.71, 0.31, 1.93}) {
      g_largest = 1;
      const Dual expected = formula.f({x, 1});
      if (!std::isfinite(expected.v) || !std::isfinite(expected.d) || !(g_largest < 1e9)) continue;
      const auto actual = evaluate<double>(*program, x);
      // Slopes of abs, max and the like are a matter of choice at a tie, which rounding may make or break.
      const double tolerance = 1e-12 * g_largest * g_largest;
      if (!(tolerance < 1e-2)) continue;
      ASSERT_TRUE(near(actual.value, expected.v, tolerance)) << formula.text << " at " << x;
      ASSERT_TRUE(near(actual.slope, expected.d, tolerance)) << formula.text << " at " << x;
      ++compared;
    }
  }
  EXPECT_LT(refused, 2500);
  EXPECT_GT(compared, 5000);
}

// x^k for every whole, half and other exponent, at both signs of x where it is a number.
TEST(ExpressionDefinition, PowersAreTheirDefinition) {
  for (const double k :
       {-64.0, -7.0, -3.5, -3.0, -2.5, -1.0, -0.5, -0.3, 0.25, 0.5, 1.0, 1.5, 2.0, 2.5, 2.7, 3.0, 3.5, 4.0, 5.0, 6.0, 7.0, 9.0, 11.5, 64.0})
    for (const double x : {-1.3, -0.4, 0.4, 1.3}) {
      ExpressionError error;
      const auto program = parse_expression("x^" + std::to_string(k), error);
      ASSERT_TRUE(program) << k << ": " << error.what;
      const double value = std::pow(x, k), slope = k * std::pow(x, k - 1);
      const auto actual = evaluate<double>(*program, x);
      EXPECT_EQ(std::isnan(actual.value), std::isnan(value)) << x << "^" << k;
      if (std::isnan(value)) continue;
      EXPECT_TRUE(near(actual.value / value, 1, 1e-13)) << x << "^" << k;
      EXPECT_TRUE(near(actual.slope / slope, 1, 1e-13)) << x << "^" << k;
    }
}

// Inside of its domain, also close to its end, the slope of a function is the difference of its values.
TEST(ExpressionDefinition, SlopesAreDifferencesOnTheWholeDomain) {
  for (const ExpressionFunction& f : expression_functions()) {
    if (is_binary(f.op)) continue;
    ExpressionError error;
    const auto program = parse_expression(std::string(f.name) + "(x)", error);
    ASSERT_TRUE(program);
    for (const double x : {-7.3, -1.5, -0.9, -0.5, -0.01, 0.01, 0.5, 0.9, 1.5, 7.3}) {
      const double h = 1e-6, up = evaluate<double>(*program, x + h).value, down = evaluate<double>(*program, x - h).value;
      if (std::isnan(up) || std::isnan(down)) continue;
      EXPECT_TRUE(near(evaluate<double>(*program, x).slope, (up - down) / (2 * h), 1e-6 * (1 + std::abs(up - down) / h)))
          << f.name << " at " << x;
    }
  }
}

std::string times(std::size_t n, const std::string& part) {
  std::string all;
  for (std::size_t i = 0; i < n; ++i) all += part;
  return all;
}

// Limits are the last that is allowed: one less or more decides.
TEST(ExpressionDefinition, EverythingUpToTheLimitsIsTaken) {
  const auto takes = [](const std::string& text) {
    ExpressionError error;
    return parse_expression(text, error).has_value();
  };
  EXPECT_TRUE(takes(times(63, "(") + "x" + times(63, ")")));
  EXPECT_FALSE(takes(times(64, "(") + "x" + times(64, ")")));
  EXPECT_TRUE(takes("x^64") && takes("x^-64") && takes("x^63.5"));
  EXPECT_FALSE(takes("x^64.5") || takes("x^-65"));
  EXPECT_TRUE(takes("1e30*x") && takes("1e-30*x") && takes("0*x"));
  EXPECT_FALSE(takes("1.1e30*x") || takes("0.9e-30*x"));
  EXPECT_TRUE(takes("x" + std::string(999, ' ')));
  EXPECT_FALSE(takes("x" + std::string(1000, ' ')));
}

}  // namespace
}  // namespace vp::test
