// The comparer of all checks, and the checks of special values: each must see what a broken kernel produces.
#include "kernels/verify/finding.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <stdexcept>

#include "kernels/backend_list.h"
#include "kernels/verify/kernel_checks.h"
#include "kernels/verify/special_values.h"

namespace vp::test {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN(), kInf = std::numeric_limits<double>::infinity();

Finding compared(const std::vector<double>& actual, const std::vector<double>& expected, double bound = 4) {
  return compare("x", actual, expected, bound);
}
Finding special(const std::vector<double>& actual, const std::vector<double>& expected) {
  return compare_special("x", actual, expected, 4);
}

TEST(Finding, WorstIsTheErrorOverWhatIsAllowed) {
  const Finding half = compared({1 + 2 * 0x1p-23, 1}, {1, 1});
  EXPECT_TRUE(half.holds());
  EXPECT_EQ(half.worst, 0.5);
  EXPECT_EQ(half.compared, 2);
  EXPECT_EQ(compare_within("x", std::vector<double>{3}, std::vector<double>{1}, 4).worst, 0.5);
}

TEST(Finding, SeesWhatIsWrong) {
  const std::vector<double> expected = {0.5, -0.25, 1.5, -2, 0.75};
  for (std::size_t i = 0; i < expected.size(); ++i)
    for (const double wrong : {-expected[i], 0.0, expected[i] + 9 * 0x1p-23, kNaN, kInf, -kInf}) {
      std::vector<double> actual = expected;
      actual[i] = wrong;
      const Finding finding = compared(actual, expected);
      EXPECT_FALSE(finding.holds()) << i << " " << wrong;
      EXPECT_GT(finding.worst, 1) << i << " " << wrong;
      EXPECT_NE(finding.fault.find("x: element " + std::to_string(i)), std::string::npos) << finding.fault;
    }
  EXPECT_TRUE(compared(expected, expected).holds());
  EXPECT_FALSE(compared({1, 2}, {2, 1}).holds());
  EXPECT_FALSE(compared({1}, {1, 2}).holds());
  EXPECT_FALSE(compared({kNaN}, {kNaN}).holds()) << "NaN equals nothing";
  EXPECT_FALSE(compared({1, kInf}, {1, kInf}).holds());
  EXPECT_TRUE(compared({0, 0}, {0, 0}).holds());
  EXPECT_FALSE(compared({0, 1e-40}, {0, 0}).holds()) << "a zero reference allows zeros only";
}

TEST(Finding, NothingComparedDoesNotHold) {
  EXPECT_FALSE(Finding().holds());
  EXPECT_FALSE(compared({}, {}).holds());
}

TEST(Finding, TheWorstAndTheFirstFaultStay) {
  Finding sum = compared({1}, {1});
  sum.add(compared({2}, {1}), "case a");
  sum.add(compared({4}, {1}), "case b");
  EXPECT_EQ(sum.compared, 3);
  EXPECT_EQ(sum.worst, compared({4}, {1}).worst);
  EXPECT_EQ(sum.fault.rfind("case a: x: element 0 is 2", 0), 0u) << sum.fault;
}

TEST(Finding, AnExceptionIsAFault) {
  const Check check{
      .topic = "t", .subjects = {"s"}, .name = "n", .run = []() -> Finding { throw std::runtime_error("h was written outside"); }};
  EXPECT_FALSE(run_check(check).holds());
  EXPECT_EQ(run_check(check).fault, "h was written outside");
}

TEST(SpecialComparison, NaNAndInfinitiesStandWhereTheyStandInTheReference) {
  EXPECT_TRUE(special({kNaN, kInf, -kInf, 1, -0.0}, {kNaN, kInf, -kInf, 1, 0}).holds());
  for (const double wrong : {0.0, kInf, 1.0}) EXPECT_FALSE(special({wrong, 1}, {kNaN, 1}).holds()) << wrong;
  for (const double wrong : {kNaN, -kInf, 3e38}) EXPECT_FALSE(special({wrong, 1}, {kInf, 1}).holds()) << wrong;
  for (const double wrong : {kNaN, kInf, 1.001}) EXPECT_FALSE(special({wrong, 1}, {1, 1}).holds()) << wrong;
}

TEST(SpecialComparison, BeyondFloatASumMayBeInfiniteOrRight) {
  EXPECT_TRUE(special({kInf, 1}, {1e60, 1}).holds());
  EXPECT_TRUE(special({1e60, 1}, {1e60, 1}).holds());
  for (const double wrong : {-kInf, kNaN, 1.001e60, 3e38}) EXPECT_FALSE(special({wrong, 1}, {1e60, 1}).holds()) << wrong;
  EXPECT_FALSE(special({kInf, 1.001}, {1e60, 1}).holds()) << "the scale is that of the numbers a float can hold";
}

// y = f(x0), z = x1 with one input: how a kernel that is broken in f is seen.
Finding finding_of(float (*actual)(float), double (*expected)(double)) {
  std::vector<float> x = {0.5f, -1.5f};
  const auto run = [&](const auto& f) { return Arrays{{"y", {static_cast<double>(f(x[0]))}}, {"z", {static_cast<double>(x[1])}}}; };
  return special_value_finding(
      {{"x", &x}}, [&] { return run(actual); }, [&] { return run(expected); }, 4);
}

TEST(SpecialValues, ASwallowedNaNIsSeenInTheKernelAndInTheReference) {
  const auto right = finding_of([](float x) { return 2 * x; }, [](double x) { return 2 * x; });
  EXPECT_TRUE(right.holds()) << right.fault;
  EXPECT_FALSE(finding_of([](float x) { return std::isnan(x) ? 0 : 2 * x; }, [](double x) { return 2 * x; }).holds());
  EXPECT_FALSE(finding_of([](float x) { return 2 * x; }, [](double x) { return std::isnan(x) ? 0 : 2 * x; }).holds());
  const auto both = finding_of([](float x) { return std::fmax(x, -9.0f); }, [](double x) { return std::fmax(x, -9.0); });
  EXPECT_NE(both.fault.find("swallows a NaN"), std::string::npos) << both.fault;
}

TEST(SpecialValues, LostInfinitiesDenormalsAndHugeNumbersAreSeen) {
  const auto right = [](double x) { return 2 * x; };
  EXPECT_FALSE(finding_of([](float x) { return std::isinf(x) ? 0 : 2 * x; }, right).holds());
  EXPECT_FALSE(finding_of([](float x) { return std::isinf(x) ? std::abs(x) : 2 * x; }, right).holds());
  EXPECT_FALSE(finding_of([](float x) { return std::abs(x) > 1e20f ? 1e20f : 2 * x; }, right).holds());
}

TEST(SpecialValues, AWrongActivationIsSeen) {
  static const PointwiseKernels<float> kTailIgnored = {.rnn_forward = [](const Activation& f, std::int64_t n, float* z, float* h) {
    make_backend<float>("reference")->pointwise().rnn_forward(f, n / 16 * 16, z, h);
  }};
  EXPECT_FALSE(activation_finding(*find_activation("tanh"), kTailIgnored, 1 << 20).holds());
  EXPECT_TRUE(activation_finding(*find_activation("tanh"), make_backend<float>("reference")->pointwise(), 1 << 20).holds());
}

class KernelChecks : public ::testing::TestWithParam<std::string_view> {};

INSTANTIATE_TEST_SUITE_P(Backends, KernelChecks, ::testing::ValuesIn(backend_names().begin(), backend_names().end()),
                         [](const auto& param) { return std::string(param.param); });

void expect_all_hold(const std::vector<Check>& checks) {
  EXPECT_FALSE(checks.empty());
  for (const Check& check : checks) {
    const Finding finding = run_check(check);
    EXPECT_TRUE(finding.holds()) << check.name << ": " << finding.fault;
  }
}

TEST_P(KernelChecks, SpecialValuesPassEveryKernel) { expect_all_hold(special_value_checks(std::string(GetParam()))); }

TEST(LossChecks, FloatEqualsDoubleAndSpecialValuesPass) { expect_all_hold(loss_checks()); }

TEST(LayerNormChecks, FloatEqualsDoubleAndSpecialValuesPass) { expect_all_hold(layer_norm_checks()); }

}  // namespace
}  // namespace vp::test
