// The functions that formulas may call, over every 4099th float bit pattern, on every instruction set this CPU has; every 256th holds as
// well, in minutes.
#include "kernels/activation/custom_activation.h"
#include "kernels/verify/special_values.h"
#include "tests/compare.h"
#include "tests/kernels/simd_targets.h"

namespace vp::test {
namespace {

std::vector<std::string> function_names() {
  std::vector<std::string> names;
  for (const Activation& f : expression_function_activations()) names.emplace_back(f.name.substr(0, f.name.find('(')));
  return names;
}

class EveryFunction : public ::testing::TestWithParam<std::string> {};

INSTANTIATE_TEST_SUITE_P(Table, EveryFunction, ::testing::ValuesIn(function_names()), [](const auto& param) { return param.param; });

TEST_P(EveryFunction, KeepsItsStatedBoundOnEveryTarget) {
  for (const Activation& f : expression_function_activations()) {
    if (f.name != GetParam() + "(x)") continue;
    for (const std::string_view target : simd_target_names()) {
      const WithTarget forced(target);
      const Finding finding = activation_finding(f, simd_pointwise(), 4099);
      EXPECT_TRUE(finding.holds()) << f.name << " on " << target << ": " << finding.worst << " of the bound; " << finding.fault;
      RecordProperty("worst_" + std::string(target), std::to_string(finding.worst));
    }
  }
}

}  // namespace
}  // namespace vp::test
