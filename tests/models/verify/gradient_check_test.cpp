// The two steps of trust, case by case: the double reference's gradients equal central differences, and every backend's equal the double
// reference's.
#include <gtest/gtest.h>

#include "kernels/backend_list.h"
#include "models/verify/model_checks.h"

namespace vp::test {
namespace {

void expect_all_hold(const std::vector<Check>& checks) {
  EXPECT_FALSE(checks.empty());
  for (const Check& check : checks) {
    const Finding finding = run_check(check);
    EXPECT_TRUE(finding.holds()) << check.name << ": " << finding.fault;
  }
}

TEST(GradientChecks, BackwardEqualsCentralDifferences) { expect_all_hold(gradient_checks()); }

class FloatParity : public ::testing::TestWithParam<std::string_view> {};

TEST_P(FloatParity, EqualsTheDoubleReferenceAtOddSizes) { expect_all_hold(model_parity_checks(std::string(GetParam()))); }

TEST_P(FloatParity, EqualsTheDoubleReferenceAtFixedSizes) {
  for (const ModelCase& c : model_cases())
    for (const ModelSize& size : {ModelSize{17, 5, 5, 3}, ModelSize{32, 64, 5, 3}}) {
      if (c.seed % 4 != 0) continue;  // a quarter of them: these sizes are the slow ones
      const Finding finding = parity_finding(c, std::string(GetParam()), size);
      EXPECT_TRUE(finding.holds()) << c << " " << size.hidden << ": " << finding.fault;
    }
}

INSTANTIATE_TEST_SUITE_P(Backends, FloatParity, ::testing::ValuesIn(backend_names().begin(), backend_names().end()),
                         [](const auto& param) { return std::string(param.param); });

TEST(OptimizerChecks, FloatEqualsDoubleAndSpecialValuesPass) { expect_all_hold(optimizer_checks()); }

}  // namespace
}  // namespace vp::test
