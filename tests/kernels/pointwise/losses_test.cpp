// Losses against their definitions and their gradients against central differences; extreme and non-finite logits.
#include "kernels/pointwise/losses.h"

#include <array>
#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "kernels/verify/cases.h"
#include "kernels/verify/kernel_checks.h"
#include "kernels/verify/loss_runs.h"
#include "tests/compare.h"

namespace vp::test {
namespace {

TEST(Losses, GradientIsTheScaledCentralDifferenceOfTheRowLoss) {
  const double scale = 0.37, h = 1e-5;
  for (const LossCase& test : kLossCases) {
    for (const auto& loss : losses<double>(test.rows, test.classes)) {
      auto logits = converted<double>(random_floats(test.rows * test.classes, 9, -3, 3));
      std::vector<double> gradient(logits.size()), row(static_cast<std::size_t>(test.rows)), up(row), down(row);
      loss.run(test.rows, test.classes, logits.data(), scale, gradient.data(), row.data());
      for (std::size_t i = 0; i < logits.size(); ++i) {
        const double kept = logits[i];
        logits[i] = kept + h;
        loss.run(test.rows, test.classes, logits.data(), scale, nullptr, up.data());
        logits[i] = kept - h;
        loss.run(test.rows, test.classes, logits.data(), scale, nullptr, down.data());
        logits[i] = kept;
        double difference = 0;  // over all rows: an element moves its own row alone
        for (std::size_t r = 0; r < row.size(); ++r) difference += (up[r] - down[r]) / (2 * h);
        EXPECT_TRUE(near(gradient[i], scale * difference, 1e-9)) << loss.name << " of " << test.classes << " classes, element " << i;
      }
    }
  }
}

TEST(Losses, FloatMatchesDoubleForEveryCase) {
  for (const LossCase& test : kLossCases) {
    const auto in_float = losses<float>(test.rows, test.classes);
    const auto in_double = losses<double>(test.rows, test.classes);
    const auto logits = random_floats(test.rows * test.classes, 13, -5, 5);
    for (std::size_t i = 0; i < in_float.size(); ++i) {
      const auto wide = converted<double>(logits);
      std::vector<float> gradient(logits.size());
      std::vector<double> expected(logits.size()), row(static_cast<std::size_t>(test.rows)), expected_row(row);
      in_float[i].run(test.rows, test.classes, logits.data(), 0.25f, gradient.data(), row.data());
      in_double[i].run(test.rows, test.classes, wide.data(), 0.25, expected.data(), expected_row.data());
      EXPECT_TRUE((close<float, double>(gradient, expected, {.c = 1}))) << in_float[i].name;
      EXPECT_TRUE((close<double, double>(row, expected_row, {.c = 4}))) << in_float[i].name;
    }
  }
}

TEST(Losses, ValuesFollowTheirDefinitions) {
  const std::vector<double> logits{0.3, -1.2, 2.0};
  double loss = 0;
  const std::int32_t target = 1;
  softmax_cross_entropy<double>(1, 3, logits.data(), &target, 1, nullptr, &loss);
  EXPECT_TRUE(near(loss, -std::log(std::exp(-1.2) / (std::exp(0.3) + std::exp(-1.2) + std::exp(2.0))), 1e-14));
  const std::vector<double> targets{1, 0, 0.25};
  const auto s = [](double z) { return 1 / (1 + std::exp(-z)); };
  sigmoid_cross_entropy<double>(1, 3, logits.data(), targets.data(), 1, nullptr, &loss);
  const double soft = 0.25 * std::log(s(2.0)) + 0.75 * std::log(s(-2.0));
  EXPECT_TRUE(near(loss, -(std::log(s(0.3)) + std::log(s(1.2)) + soft) / 3, 1e-14));
  mean_squared_error<double>(1, 3, logits.data(), targets.data(), 1, nullptr, &loss);
  EXPECT_TRUE(near(loss, (0.7 * 0.7 + 1.2 * 1.2 + 1.75 * 1.75) / 3, 1e-14));
}

TEST(Losses, ExtremeLogitsAreStable) {
  double loss = 0;
  std::vector<float> d(3);
  const std::vector<float> huge{1000, -1000, 3e38f};
  for (const auto& [target, expected] : std::vector<std::pair<std::int32_t, double>>{{2, 0}, {0, 3e38}, {1, 3e38}}) {
    softmax_cross_entropy<float>(1, 3, huge.data(), &target, 1, d.data(), &loss);
    EXPECT_TRUE(near(loss / 3e38, expected / 3e38, 1e-7));
    EXPECT_TRUE(near(d[2], target == 2 ? 0 : 1, 0));
  }
  const std::vector<float> certain{40, 0, 0};  // the right answer: loss and gradient are small, not 0
  const std::int32_t first = 0;
  softmax_cross_entropy<float>(1, 3, certain.data(), &first, 1, d.data(), &loss);
  EXPECT_TRUE(near(loss / (2 * std::exp(-40.0)), 1, 1e-12));
  EXPECT_TRUE(near(d[0] / (-2 * std::exp(-40.0)), 1, 1e-6));
  for (const float label : {0.0f, 1.0f}) {
    const float right = label == 1 ? 80.0f : -80.0f, wrong = -right;
    float gradient = 0;
    sigmoid_cross_entropy<float>(1, 1, &right, &label, 1, &gradient, &loss);
    EXPECT_TRUE(near(loss / std::exp(-80.0), 1, 1e-12));
    EXPECT_TRUE(near(std::abs(gradient) / std::exp(-80.0), 1, 1e-6));
    sigmoid_cross_entropy<float>(1, 1, &wrong, &label, 1, &gradient, &loss);
    EXPECT_TRUE(near(loss, 80, 1e-12));
    EXPECT_TRUE(near(gradient, label == 1 ? -1 : 1, 0));
  }
}

TEST(Losses, NonFiniteLogitsGiveANonFiniteLossOfTheirRowAlone) {
  for (std::size_t i = 0; i < losses<float>(1, 1).size(); ++i)
    for (const LossCase& test : kLossCases) {
      const Finding finding = divergence_finding(i, test);
      EXPECT_TRUE(finding.holds()) << i << ": " << finding.fault;
    }
}

// What was in the place of the gradient before does not stay there.
TEST(Losses, ALogitThatIsNoNumberMakesTheGradientOfItsRowNoNumber) {
  const std::array<float, 6> logits = {0.5f, std::numeric_limits<float>::quiet_NaN(), 1.0f, 1.0f, 2.0f, 3.0f};
  const std::array<std::int32_t, 2> target = {0, 2};
  std::array<float, 6> gradient{};
  std::array<double, 2> loss{};
  softmax_cross_entropy<float>(2, 3, logits.data(), target.data(), 1.0f, gradient.data(), loss.data());
  EXPECT_TRUE(std::isnan(loss[0]));
  EXPECT_TRUE(std::isfinite(loss[1]));
  for (std::size_t i = 0; i < gradient.size(); ++i) EXPECT_EQ(std::isnan(gradient[i]), i < 3) << i;
}

}  // namespace
}  // namespace vp::test
