// Formulas: what is refused, and where; values and slopes against C++; the vector program against the scalar one on every instruction set.
#include "kernels/activation/expression.h"

#include <chrono>
#include <cmath>
#include <functional>
#include <numbers>
#include <stdexcept>
#include <string>
#include <vector>

#include "kernels/activation/custom_activation.h"
#include "kernels/activation/expression_check.h"
#include "kernels/activation/expression_simd.h"
#include "kernels/verify/random_data.h"
#include "tests/compare.h"
#include "tests/kernels/simd_targets.h"

namespace vp::test {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN(), kInf = std::numeric_limits<double>::infinity();

struct Refused {
  std::string text;
  std::size_t position;
  std::string what;
};

std::string times(std::size_t n, const std::string& part) {
  std::string all;
  for (std::size_t i = 0; i < n; ++i) all += part;
  return all;
}

TEST(ExpressionParser, RefusesWithThePlace) {
  const std::vector<Refused> cases = {
      {"9^(9^9)", 1, "an exponent is at most 64"},
      {"x^(9^(9^9))", 4, "an exponent is at most 64"},
      {"9^64", 1, "a constant"},
      {"1e999999999999*x", 0, "a number is 0 or from 1e-30 to 1e30"},
      {"1e400*x", 0, "a number is 0 or"},
      {"1e-400*x", 0, "a number is 0 or"},
      {times(8000, "(") + "x" + times(8000, ")"), 1000, "too long"},
      {times(100000, "("), 1000, "too long"},
      {times(10000, "x"), 1000, "too long"},
      {times(100, "(") + "x" + times(100, ")"), 64, "nested deeper than 64"},
      {times(100, "-") + "x", 64, "nested deeper than 64"},
      {"2" + times(100, "^1") + "*x", 128, "nested deeper than 64"},
      {times(100, "sin(") + "x" + times(100, ")"), 256, "nested deeper than 64"},
      {"I*x", 0, "there is no variable \"I\""},
      {"x*y", 2, "there is no variable \"y\""},
      {"floor(x)", 0, "there is no function \"floor\""},
      {"tan(x)", 0, "there is no function \"tan\""},
      {"log(-1)*x", 0, "a constant"},
      {"1/0*x", 1, "a constant"},
      {"{x}", 0, "\"{\" stands where"},
      {"x # c", 2, "\"#\" is not an operator"},
      {"x^x", 1, "an exponent is a constant"},
      {"x^65", 1, "an exponent is at most 64"},
      {"x>0", 1, "there are no comparisons"},
      {"x!", 1, "\"!\" is not an operator"},
      {"2x", 1, "an operator is missing"},
      {"x y", 2, "an operator is missing"},
      {"x(2)", 1, "an operator is missing"},
      {"2**3*x", 1, "powers are written with ^"},
      {"x**2", 1, "powers are written with ^"},
      {"tanh(x", 4, "this \"(\" is not closed"},
      {"tanh x", 0, "tanh is a function"},
      {"tanh()", 5, "\")\" stands where"},
      {"max(x)", 0, "max takes two arguments"},
      {"max(x,1,2)", 7, "\",\" stands where"},
      {"sin(x,1)", 5, "\",\" stands where"},
      {"x)", 1, "\")\" without \"(\""},
      {"", 0, "the formula ends"},
      {"   ", 3, "the formula ends"},
      {"x+", 2, "the formula ends"},
      {"+x", 0, "\"+\" stands where"},
      {".", 0, "not a number"},
      {"x*\xc3\xa4", 2, "byte 0xc3"},
      {std::string("x\0+1", 4), 1, "unexpected byte 0x00"},
      {"3", 0, "does not depend on x"},
      {" x^0", 1, "does not depend on x"},
      {"1e31*x", 0, "a number is 0 or"},
      {"exp(1e3)*x", 0, "a constant"},
  };
  for (const Refused& c : cases) {
    ExpressionError error;
    EXPECT_FALSE(parse_expression(c.text, error).has_value()) << c.text.substr(0, 40);
    EXPECT_EQ(error.position, c.position) << c.text.substr(0, 40) << ": " << error.what;
    EXPECT_NE(error.what.find(c.what), std::string::npos) << c.text.substr(0, 40) << ": " << error.what;
  }
}

Expression parsed(const std::string& text) {
  ExpressionError error;
  auto f = parse_expression(text, error);
  if (!f) ADD_FAILURE() << text << ": " << error.position << ": " << error.what;
  return f.value_or(Expression{});
}

struct Meaning {
  std::string text;
  std::function<double(double)> value;
};

const std::vector<Meaning>& meanings() {
  static const std::vector<Meaning> kAll = {
      {"x", [](double x) { return x; }},
      {"-x^2", [](double x) { return -(x * x); }},
      {"x^2^2", [](double x) { return x * x * x * x; }},
      {"2^3^2*x", [](double x) { return 512 * x; }},
      {"x^-2", [](double x) { return 1 / (x * x); }},
      {"x^2.5", [](double x) { return std::pow(x, 2.5); }},
      {"x^0.5", [](double x) { return std::sqrt(x); }},
      {"x^0.3", [](double x) { return std::pow(x, 0.3); }},
      {"x^13", [](double x) { return std::pow(x, 13); }},
      {"1-2-3*x/2/5", [](double x) { return -1 - 0.3 * x; }},
      {"x-1-2", [](double x) { return x - 3; }},
      {"8/x/2", [](double x) { return 4 / x; }},
      {"2--x", [](double x) { return 2 + x; }},
      {"(x+1)*(x-1)", [](double x) { return x * x - 1; }},
      {"exp(x)+log(x)", [](double x) { return std::exp(x) + std::log(x); }},
      {"log1p(x)*sqrt(x)", [](double x) { return std::log1p(x) * std::sqrt(x); }},
      {"tanh(x)-sigmoid(x)", [](double x) { return std::tanh(x) - 1 / (1 + std::exp(-x)); }},
      {"sin(x)/cos(x)", [](double x) { return std::tan(x); }},
      {"atan(x)*erf(x)", [](double x) { return std::atan(x) * std::erf(x); }},
      {"abs(x-1)+relu(x-2)", [](double x) { return std::abs(x - 1) + std::max(x - 2, 0.0); }},
      {"max(x,2)*min(3,x)", [](double x) { return std::max(x, 2.0) * std::min(3.0, x); }},
      {"x*tanh(log(1+exp(x)))", [](double x) { return x * std::tanh(std::log1p(std::exp(x))); }},
      {"log(exp(2*x)+1)", [](double x) { return std::log1p(std::exp(2 * x)); }},
      {"log1p(exp(-x))", [](double x) { return std::log1p(std::exp(-x)); }},
      {"1/(1+exp(-x))", [](double x) { return 1 / (1 + std::exp(-x)); }},
      {"x/(exp(x)+1)", [](double x) { return x / (1 + std::exp(x)); }},
      {"exp(3*x)/(1+exp(3*x))", [](double x) { return 1 / (1 + std::exp(-3 * x)); }},
      {"1.5e-1*x+.5", [](double x) { return 0.15 * x + 0.5; }},
      {"sin(x)^2+cos(x)^2+x", [](double x) { return 1 + x; }},
  };
  return kAll;
}

TEST(Expression, ValueAndSlopeMeanWhatIsWritten) {
  for (const Meaning& m : meanings()) {
    const Expression f = parsed(m.text);
    for (const double x : {0.3071, 0.99, 1.7003, 2.4, 3.1}) {
      const auto r = evaluate(f, x);
      const double expected = m.value(x), h = 1e-6, slope = (m.value(x + h) - m.value(x - h)) / (2 * h);
      EXPECT_TRUE(near(r.value, expected, 1e-14 * (1 + std::abs(expected)))) << m.text << " at " << x;
      EXPECT_TRUE(near(r.slope, slope, 1e-8 * (1 + std::abs(slope)))) << m.text << "' at " << x;
    }
  }
}

TEST(Expression, FormsThatOverflowAsWrittenDoNot) {
  EXPECT_EQ(evaluate(parsed("log(1+exp(x))"), 1e4).value, 1e4);
  EXPECT_EQ(evaluate(parsed("log(1+exp(x))"), 1e4).slope, 1);
  EXPECT_EQ(evaluate(parsed("log(exp(x)+1)"), 1e4).value, 1e4);
  EXPECT_EQ(evaluate(parsed("log(exp(x)+1)"), 1e4).slope, 1);
  EXPECT_EQ(evaluate(parsed("1/(1+exp(-x))"), -1e4).slope, 0);
  EXPECT_EQ(evaluate(parsed("x*tanh(log(1+exp(x)))"), 1e4).slope, 1);
}

TEST(Expression, AConstantHasNoSlopeToMultiplyInfinityWith) {
  EXPECT_EQ(evaluate(parsed("0.1*x"), kInf).slope, 0.1);
  EXPECT_EQ(evaluate(parsed("x/4-x/5"), kInf).slope, 0.25 - 1 / 5.0);
}

TEST(Expression, SlopesAtKinksAreThoseThatAreStated) {
  const auto slope = [](const char* text, double x) { return evaluate(parsed(text), x).slope; };
  EXPECT_EQ(slope("abs(x)", 0), 0);
  EXPECT_EQ(slope("relu(x)", 0), 0);
  EXPECT_EQ(slope("max(x,0)", 0), 0);
  EXPECT_EQ(slope("max(0,x)", 0), 1);
  EXPECT_EQ(slope("max(x,0.01*x)", 0), 0.01);
  EXPECT_EQ(slope("min(x,0)", 0), 0);
  EXPECT_EQ(slope("min(0,x)", 0), 1);
}

TEST(Expression, NaNStaysNaN) {
  for (const Meaning& m : meanings()) {
    const auto r = evaluate(parsed(m.text), kNaN);
    EXPECT_TRUE(std::isnan(r.value) && std::isnan(r.slope)) << m.text;
    const Expression f = parsed(m.text);
    float z = std::nanf(""), slope = 0, h = 0;
    expression_rows(f, 1, 1, &z, 0, 0, &slope, &h);
    EXPECT_TRUE(std::isnan(h) && std::isnan(slope)) << m.text;
  }
}

TEST(Expression, EqualPartsAreComputedOnce) {
  EXPECT_EQ(parsed("sin(x)*sin(x)+sin(x)").steps.size(), 3u);
  EXPECT_EQ(parsed("2*3*x+sqrt(4)").steps.size(), 2u);
  EXPECT_EQ(parsed("x").steps.size(), 0u);
}

// ---- the vector program

TEST(ExpressionProgram, VectorsMatchTheReferenceOnEveryTarget) {
  for (const std::string_view target : simd_target_names()) {
    const WithTarget forced(target);
    for (const Meaning& m : meanings()) {
      const Expression f = parsed(m.text);
      for (const std::int64_t n : {1, 3, 17, 255, 256, 257, 1000}) {
        std::vector<float> z = random_floats(n, 7), h(z.size()), slope(z.size());
        for (float& v : z) v = std::abs(v) + 0.25f;  // inside every domain
        expression_rows(f, 1, n, z.data(), 0, 0, slope.data(), h.data());
        std::vector<double> value, gradient;
        for (const float v : z) {
          const auto r = evaluate(f, static_cast<double>(v));
          value.push_back(r.value), gradient.push_back(r.slope);
        }
        EXPECT_TRUE((close<float, double>(h, value, {.c = 16}))) << m.text << " on " << target;
        EXPECT_TRUE((close<float, double>(slope, gradient, {.c = 32}))) << m.text << "' on " << target;
      }
    }
  }
}

TEST(ExpressionProgram, RowsWithGapsAreTheSameBits) {
  const Expression f = parsed("x*tanh(log(1+exp(x)))");
  const std::int64_t rows = 23, width = 37, z_stride = 41, stride = 53;
  const std::vector<float> z = random_floats(rows * z_stride, 3);
  std::vector<float> h(rows * stride, -7.0f), slope(rows * stride, -7.0f);
  expression_rows(f, rows, width, z.data(), z_stride, stride, slope.data(), h.data());
  for (std::int64_t r = 0; r < rows; ++r)
    for (std::int64_t j = 0; j < stride; ++j) {
      float value = -7, d = -7;
      if (j < width) expression_rows(f, 1, 1, &z[static_cast<std::size_t>(r * z_stride + j)], 0, 0, &d, &value);
      ASSERT_EQ(h[static_cast<std::size_t>(r * stride + j)], value) << r << ", " << j;
      ASSERT_EQ(slope[static_cast<std::size_t>(r * stride + j)], d) << r << ", " << j;
    }
}

// ---- the check of differentiability

TEST(ExpressionCheck, RefusesWhatIsNotDifferentiableWithPointAndNumbers) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"log(x)", "value at x = -8 is nan"},
      {"1/x", "value at x = 0 is inf"},
      {"1/(x-0.3)", "x = 0.3"},
      {"sin(x)/cos(x)", "x = -7.85398"},
      {"sqrt(x)", "value at x = -8 is nan"},
      {"sqrt(abs(x))", "not differentiable at x = 0"},
      {"sqrt((x-0.3)^2)", "not differentiable at x = 0.3: the slope there is "},
      {"sqrt((x-1/128)^2)", "not differentiable at x = 0.0078125"},
      {"abs(x-0.3)/(x-0.3)", "its value jumps at x = 0.3, from -1 to 1"},
      {"atan(1/(x-0.3))", "its value jumps at x = 0.3"},
      {"tanh(1e12*(x-0.3))", "its value jumps at x = 0.3"},
      {"sqrt(abs(x-0.3))", "not differentiable at x = 0.3"},
      {"exp(exp(x))", "too steep: its slope at x = 4.1875 is 2.6"},
      {"1e29*exp(x)", "its value at x = 2.3125 is "},
      {"1e20*(1e20+x)/1e30/1e10", "a part of it leaves the range of a float at x = -8"},
      {"sin(1e9*x)", "x = -8"},
      {"x^0.3", "value at x = -8 is nan"},
      {"relu(x-20)", "its slope is 0 on all of"},
  };
  for (const auto& [text, part] : cases) {
    const std::string problem = check_expression(parsed(text)).problem;
    EXPECT_NE(problem.find(part), std::string::npos) << text << ": " << problem;
  }
}

TEST(ExpressionCheck, AllowsSmoothOnesAndKinksOfAbsAndItsLike) {
  for (const char* text :
       {"x", "sin(30*x)", "tanh(50*x)", "exp(-x^2)", "x^3", "x/(1+x^2)", "erf(9*x)", "1e6*x", "log(x+8.5)", "x^2.5+0*x^2"}) {
    const ExpressionReport report = check_expression(parsed(text == std::string("x^2.5+0*x^2") ? "(x^2+1)^2.5" : text));
    EXPECT_EQ(report.problem, "") << text;
    EXPECT_TRUE(report.kinks.empty()) << text;
  }
  const ExpressionReport report = check_expression(parsed("max(x, 0.1*x) + abs(x-0.7)"));
  EXPECT_EQ(report.problem, "");
  ASSERT_EQ(report.kinks.size(), 2u);
  EXPECT_TRUE(near(report.kinks[0].x, 0, 1e-6) && near(report.kinks[0].left_slope, -0.9, 1e-12) &&
              near(report.kinks[0].right_slope, 0, 1e-12));
  EXPECT_TRUE(near(report.kinks[1].x, 0.7, 1e-6) && near(report.kinks[1].left_slope, 0, 1e-12) &&
              near(report.kinks[1].right_slope, 2, 1e-12));
  EXPECT_EQ(report.max_slope, 2);
  EXPECT_TRUE(near(check_expression(parsed("3*tanh(x)")).max_slope, 3, 1e-12));
}

TEST(ExpressionCheck, EveryCheckedActivationIsFit) {
  std::size_t custom = 0;
  for (const Activation& f : checked_activations()) custom += f.expression ? 1 : 0;
  EXPECT_EQ(custom + activations().size(), checked_activations().size());
  EXPECT_GE(custom, 4u);
  EXPECT_THROW(resolve_activation("expr: 1/x"), std::invalid_argument);
  EXPECT_THROW(resolve_activation("expr: tahn(x)"), std::invalid_argument);
  EXPECT_THROW(resolve_activation("tahn"), std::invalid_argument);
  EXPECT_EQ(resolve_activation("relu").name, "relu");
  EXPECT_EQ(resolve_activation("expr: 2*x").name, "expr: 2*x");
}

// ---- hostile texts

std::string mutated(std::string text, std::uint32_t& state) {
  static const std::string kBytes = "x0123456789.e+-*/^(),<#! sincosabmxtlogrelu\xff";
  const auto draw = [&](std::size_t n) {
    state = state * 1664525u + 1013904223u;
    return static_cast<std::size_t>(state >> 8) % n;
  };
  for (std::size_t edits = 1 + draw(2); edits > 0; --edits) {
    const std::size_t at = draw(text.size() + 1);
    const std::size_t kind = draw(4);
    if (kind == 0) text.insert(at, 1, kBytes[draw(kBytes.size())]);
    if (kind == 1 && at < text.size()) text[at] = static_cast<char>(draw(256));
    if (kind == 2 && at < text.size()) text.erase(at, 1 + draw(3));
    if (kind == 3) text.insert(at, text.substr(draw(text.size() + 1), draw(60)));
  }
  return text;
}

TEST(ExpressionFuzz, TenThousandTextsAreReadOrRefusedAndEndSoon) {
  std::uint32_t state = 20261;
  std::size_t read = 0, refused = 0, fit = 0;
  for (std::size_t i = 0; i < 10000; ++i) {
    std::string text = i % 5 == 4 ? "" : meanings()[i % meanings().size()].text;
    for (std::size_t round = 0; round < (i % 5 == 4 ? 40 : 1); ++round) text = mutated(text, state);
    ExpressionError error;
    const auto f = parse_expression(text, error);
    if (!f) {
      ++refused;
      ASSERT_FALSE(error.what.empty()) << text;
      ASSERT_LE(error.position, text.size()) << text;
      continue;
    }
    ++read;
    ASSERT_LE(f->registers, Expression::kMaxRegisters);
    std::vector<float> z = {-2.0f, 0.0f, 0.5f, 3.0f, static_cast<float>(kInf)}, h(z.size()), slope(z.size());
    expression_rows(*f, 1, 5, z.data(), 0, 0, slope.data(), h.data());
    fit += i % 10 == 0 && check_expression(*f).problem.empty() ? 1 : 0;
  }
  EXPECT_GT(read, 1000u);
  EXPECT_GT(refused, 1000u);
  EXPECT_GT(fit, 20u);
}

TEST(ExpressionFuzz, TheLongestProgramsAreCheckedOrRefused) {
  std::string longest = "x";
  while (longest.size() + 9 < Expression::kMaxBytes) longest += "+sin(" + std::to_string(longest.size() % 97) + "*x)";
  std::string powers = "x";
  for (int i = 0; powers.size() + 12 < Expression::kMaxBytes; ++i) powers += "*(x+" + std::to_string(i) + ")^63";
  for (const std::string& text : {longest, powers}) {
    ExpressionError error;
    const auto f = parse_expression(text, error);
    if (f) check_expression(*f);
    EXPECT_TRUE(f.has_value() || error.what.find("too many") != std::string::npos) << error.what;
  }
}

}  // namespace
}  // namespace vp::test
