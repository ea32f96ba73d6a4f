// The fused pointwise steps: the double reference against central differences, the float paths against the double reference for every case
// of the table at several alignments, and the same bits on AVX2 and AVX-512.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <numeric>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "kernels/backend/backend.h"
#include "kernels/backend_list.h"
#include "kernels/verify/cases.h"
#include "kernels/verify/kernel_runs.h"
#include "tests/compare.h"
#include "tests/kernels/simd_targets.h"

namespace vp::test {
namespace {

void expect_close(const Arrays& actual, const Arrays& expected, Bound bound, const std::string& what) {
  ASSERT_EQ(actual.size(), expected.size());
  for (std::size_t i = 0; i < actual.size(); ++i) {
    const std::vector<float> as_float = converted<float>(actual[i].second);  // results are floats; squares lose nothing that is compared
    EXPECT_TRUE((close<float, double>(as_float, expected[i].second, bound))) << what << ": " << actual[i].first;
  }
}

std::string describe(const StepInput& in, std::size_t offset) {
  return std::to_string(in.rows) + "x" + std::to_string(in.hidden) + " at offset " + std::to_string(offset);
}

class FloatPointwise : public ::testing::TestWithParam<std::string> {
 protected:
  const std::unique_ptr<Backend<float>> fast_ = make_backend<float>(GetParam());
  const std::unique_ptr<Backend<double>> oracle_ = make_backend<double>("reference");

  // body(input, offset) for every case of the table, at aligned and misaligned starts.
  static void for_every_case(const std::function<void(const StepInput&, std::size_t)>& body) {
    for (const PointwiseCase& c : kPointwiseCases)
      for (const std::size_t offset : {0, 1, 3})
        body(StepInput(c.rows, c.hidden, static_cast<std::uint32_t>(c.rows * 1000 + c.hidden)), offset);
  }
};

INSTANTIATE_TEST_SUITE_P(Backends, FloatPointwise, ::testing::Values("onednn", "reference"), [](const auto& param) { return param.param; });

// Bounds: the ULP the activations state (at most 8), and a few roundings more.
TEST_P(FloatPointwise, RnnStepMatchesTheDoubleReferenceForEveryActivation) {
  for_every_case([&](const StepInput& in, std::size_t offset) {
    for (const Activation& f : activations())
      expect_close(run_rnn(fast_->pointwise(), f, in, offset), run_rnn(oracle_->pointwise(), f, in, 0), {.c = 8},
                   std::string(f.name) + " " + describe(in, offset));
  });
}

TEST_P(FloatPointwise, LstmStepMatchesTheDoubleReference) {
  for_every_case([&](const StepInput& in, std::size_t offset) {
    expect_close(run_lstm(fast_->pointwise(), in, offset), run_lstm(oracle_->pointwise(), in, 0), {.c = 8}, describe(in, offset));
  });
}

TEST_P(FloatPointwise, ColumnSumsMatchTheDoubleReference) {
  for_every_case([&](const StepInput& in, std::size_t offset) {
    const double growth = static_cast<double>(in.rows);
    expect_close(run_column_sums(fast_->pointwise(), in, offset), run_column_sums(oracle_->pointwise(), in, 0), {.c = 1, .growth = growth},
                 describe(in, offset));
  });
}

// All of one sign, so that the rounding of a single chain of additions in float would add up: 85 eps.
TEST_P(FloatPointwise, ColumnSumsOfManyRowsRoundOnce) {
  StepInput in(1024, 69, 1);
  std::ranges::fill(in.dh, 0.7f);
  std::ranges::fill(in.sums, 0.0f);
  expect_close(run_column_sums(fast_->pointwise(), in, 1), run_column_sums(oracle_->pointwise(), in, 0), {.c = 1}, describe(in, 1));
}

TEST_P(FloatPointwise, RowSumsOfSquaresAreRightFrom1e18DownTo1eMinus18) {
  const std::int64_t rows = 3, hidden = 127;
  for (const float magnitude : {1e-18f, 1e-3f, 1.0f, 1e18f}) {
    std::vector<float> dh = random_floats(rows * hidden, 7), slope(dh.size(), 1.0f), dz(dh.size());
    for (float& v : dh) v *= magnitude;
    std::vector<double> squares(rows);
    fast_->pointwise().rnn_backward(rows, hidden, slope.data(), dh.data(), dz.data(), squares.data());
    for (std::int64_t row = 0; row < rows; ++row) {
      long double expected = 0;
      for (std::int64_t j = 0; j < hidden; ++j) {
        const long double v = dh[static_cast<std::size_t>(row * hidden + j)];
        expected += v * v;
      }
      EXPECT_TRUE(near(squares[static_cast<std::size_t>(row)] / static_cast<double>(expected), 1, 1e-14)) << magnitude << " row " << row;
    }
  }
}

TEST_P(FloatPointwise, NaNInOneElementReachesWhatDependsOnItAndNothingElse) {
  StepInput in(2, 17, 3);
  in.gates[5] = std::numeric_limits<float>::quiet_NaN();  // row 0, input gate, unit 5
  for (const auto& [name, values] : run_lstm(fast_->pointwise(), in, 1)) {
    if (name == "c" || name == "h" || name == "tanh_c") {
      EXPECT_TRUE(std::isnan(values[5])) << name;
      EXPECT_EQ(std::count_if(values.begin(), values.end(), [](double v) { return std::isnan(v); }), 1) << name;
    }
  }
}

// ---- the double reference against central differences

constexpr double kStep = 1e-6;

// d loss / d x by central differences, element by element; `loss` reads x.
std::vector<double> central_differences(std::vector<double>& x, const std::function<double()>& loss) {
  std::vector<double> gradient(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double kept = x[i];
    x[i] = kept + kStep;
    const double up = loss();
    x[i] = kept - kStep;
    const double down = loss();
    x[i] = kept;
    gradient[i] = (up - down) / (2 * kStep);
  }
  return gradient;
}

void expect_gradient(const std::vector<double>& actual, const std::vector<double>& expected, const std::string& what) {
  // Truncation about kStep^2, rounding about eps / kStep: 1e-9 in all, of values up to 1.
  ASSERT_EQ(actual.size(), expected.size());
  for (std::size_t i = 0; i < actual.size(); ++i) EXPECT_TRUE(near(actual[i], expected[i], 4e-9)) << what << " element " << i;
}

double dot(const std::vector<double>& a, const std::vector<double>& b) { return std::inner_product(a.begin(), a.end(), b.begin(), 0.0); }

class ReferenceGradient : public ::testing::Test {
 protected:
  const std::unique_ptr<Backend<double>> backend_ = make_backend<double>("reference");
  const PointwiseKernels<double>& kernels_ = backend_->pointwise();
  const std::int64_t rows_ = 3, hidden_ = 7, n_ = rows_ * hidden_;
  const StepInput in_{rows_, hidden_, 11};
};

TEST_F(ReferenceGradient, RnnBackwardIsTheDerivativeOfItsForward) {
  for (const Activation& f : activations()) {
    std::vector<double> z = converted<double>(in_.z), h(z.size()), slope = z, dz(z.size()), squares(static_cast<std::size_t>(rows_));
    const std::vector<double> dh = converted<double>(in_.dh);
    kernels_.rnn_forward(f, n_, slope.data(), h.data());
    kernels_.rnn_backward(rows_, hidden_, slope.data(), dh.data(), dz.data(), squares.data());
    const auto loss = [&] {
      std::vector<double> scratch = z, out(z.size());
      kernels_.rnn_forward(f, n_, scratch.data(), out.data());
      return dot(dh, out);
    };
    expect_gradient(dz, central_differences(z, loss), std::string(f.name));
  }
}

// loss = <dh, h> + <dc, c>: dh arrives from the layer above, dc from the next step.
TEST_F(ReferenceGradient, LstmBackwardIsTheDerivativeOfItsForward) {
  const std::vector<double> dh = converted<double>(in_.dh), dc = converted<double>(in_.dc);
  std::vector<double> z = converted<double>(in_.gates), c_prev = converted<double>(in_.c_prev);
  std::vector<double> gates = z, c(dh.size()), tanh_c(dh.size()), h(dh.size());
  std::vector<double> dz(z.size()), dc_prev = dc, squares_dh(static_cast<std::size_t>(rows_)), squares_dc(squares_dh);
  kernels_.lstm_forward(rows_, hidden_, gates.data(), c_prev.data(), c.data(), tanh_c.data(), h.data());
  kernels_.lstm_backward(rows_, hidden_, gates.data(), c_prev.data(), tanh_c.data(), dh.data(), dc_prev.data(), dz.data(),
                         squares_dh.data(), squares_dc.data());

  const auto loss = [&] {
    std::vector<double> scratch = z, cell(dh.size()), squashed(dh.size()), out(dh.size());
    kernels_.lstm_forward(rows_, hidden_, scratch.data(), c_prev.data(), cell.data(), squashed.data(), out.data());
    return dot(dh, out) + dot(dc, cell);
  };
  expect_gradient(dz, central_differences(z, loss), "dz");
  expect_gradient(dc_prev, central_differences(c_prev, loss), "dc");

  // The total derivative with respect to c_t, path through h_t included, as a function of c alone: h = o tanh(c).
  std::vector<double> cell = c;
  const auto loss_of_cell = [&] {
    double sum = dot(dc, cell);
    for (std::size_t i = 0; i < cell.size(); ++i) {
      const std::size_t row = i / static_cast<std::size_t>(hidden_), unit = i % static_cast<std::size_t>(hidden_);
      sum += dh[i] * gates[(row * 4 + 3) * static_cast<std::size_t>(hidden_) + unit] * std::tanh(cell[i]);
    }
    return sum;
  };
  const std::vector<double> total = central_differences(cell, loss_of_cell);
  for (std::size_t row = 0; row < static_cast<std::size_t>(rows_); ++row) {
    const auto first = static_cast<std::ptrdiff_t>(row) * hidden_;
    const auto squared = [&](const std::vector<double>& x) {
      return std::inner_product(x.begin() + first, x.begin() + first + hidden_, x.begin() + first, 0.0);
    };
    EXPECT_TRUE(near(squares_dc[row], squared(total), 1e-7));
    EXPECT_TRUE(near(squares_dh[row], squared(dh), 1e-14));
  }
}

TEST_F(ReferenceGradient, LstmForwardFollowsItsEquations) {
  std::vector<double> gates = converted<double>(in_.gates), c_prev = converted<double>(in_.c_prev), c(c_prev.size()), tanh_c(c), h(c);
  const std::vector<double> z = gates;
  kernels_.lstm_forward(rows_, hidden_, gates.data(), c_prev.data(), c.data(), tanh_c.data(), h.data());
  const auto sigmoid = [](double v) { return 1 / (1 + std::exp(-v)); };
  for (std::int64_t i = 0; i < n_; ++i) {
    const double* const zi = z.data() + (i / hidden_) * 4 * hidden_ + i % hidden_;
    const double cell = sigmoid(zi[hidden_]) * c_prev[static_cast<std::size_t>(i)] + sigmoid(zi[0]) * std::tanh(zi[2 * hidden_]);
    EXPECT_TRUE(near(c[static_cast<std::size_t>(i)], cell, 1e-14));
    EXPECT_TRUE(near(h[static_cast<std::size_t>(i)], sigmoid(zi[3 * hidden_]) * std::tanh(cell), 1e-14));
  }
}

// ---- instruction sets

bool same_bits(const Arrays& a, const Arrays& b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i)
    if (a[i].second.size() != b[i].second.size() ||
        std::memcmp(a[i].second.data(), b[i].second.data(), a[i].second.size() * sizeof(double)) != 0)
      return false;
  return true;
}

TEST(PointwiseTargets, Avx2AndAvx512GiveTheSameBits) {
  const std::vector<std::string_view> usable = simd_target_names();
  const std::string_view best = usable.front();
  if (best == "AVX2" || std::count(usable.begin(), usable.end(), "AVX2") == 0) GTEST_SKIP() << "only one of them here; best: " << best;
  const auto backend = make_backend<float>("onednn");
  const PointwiseKernels<float>& kernels = backend->pointwise();
  const auto on = [](std::string_view target, const auto& run) {
    const WithTarget forced(target);
    return run();
  };
  for (const PointwiseCase& c : kPointwiseCases) {
    StepInput in(c.rows, c.hidden, 21);
    for (float& z : in.z) z *= 20;  // into the tails
    for (const Activation& f : activations()) {
      const auto run = [&] { return run_rnn(kernels, f, in, 1); };
      EXPECT_TRUE(same_bits(on("AVX2", run), on(best, run))) << f.name << " " << describe(in, 1);
    }
    const auto lstm = [&] { return run_lstm(kernels, in, 1); };
    EXPECT_TRUE(same_bits(on("AVX2", lstm), on(best, lstm))) << "lstm " << describe(in, 1);
    const auto sums = [&] { return run_column_sums(kernels, in, 1); };
    EXPECT_TRUE(same_bits(on("AVX2", sums), on(best, sums))) << "column sums " << describe(in, 1);
  }
}

TEST(PointwiseTargets, EveryUsableTargetMatchesTheDoubleReference) {
  const auto fast = make_backend<float>("onednn");
  const auto oracle = make_backend<double>("reference");
  for (const std::string_view target : simd_target_names()) {
    const WithTarget forced(target);
    for (const PointwiseCase& c : kPointwiseCases) {
      const StepInput in(c.rows, c.hidden, 31);
      const std::string what = std::string(target) + " " + describe(in, 1);
      expect_close(run_lstm(fast->pointwise(), in, 1), run_lstm(oracle->pointwise(), in, 0), {.c = 8}, what);
      for (const Activation& f : activations())
        expect_close(run_rnn(fast->pointwise(), f, in, 1), run_rnn(oracle->pointwise(), f, in, 0), {.c = 8}, what);
    }
  }
}

TEST(PointwiseTargets, ForcingOneTakesEffectAndAnUnknownOneIsRefused) {
  const std::string best(simd_target_name());
  for (const std::string_view target : simd_target_names()) {
    const WithTarget forced(target);
    EXPECT_EQ(simd_target_name(), target);
  }
  EXPECT_EQ(simd_target_name(), best);
  EXPECT_THROW(force_simd_target("AVX9"), std::invalid_argument);
}

// An element's bits depend on its inputs alone, not on where in a vector or a tail it stands.
TEST(PointwiseTargets, BitsDoNotDependOnThePosition) {
  const auto backend = make_backend<float>("onednn");
  const std::vector<float> x = random_floats(100, 41, -5, 5);
  for (const Activation& f : activations()) {
    std::vector<float> slope = x, value(x.size());
    backend->pointwise().rnn_forward(f, 100, slope.data(), value.data());
    for (std::size_t i = 0; i < x.size(); ++i) {
      float one_slope = x[i], one_value = 0;
      backend->pointwise().rnn_forward(f, 1, &one_slope, &one_value);
      EXPECT_EQ(std::memcmp(&one_slope, &slope[i], sizeof(float)), 0) << f.name << " " << i;
      EXPECT_EQ(std::memcmp(&one_value, &value[i], sizeof(float)), 0) << f.name << " " << i;
    }
  }
}

TEST_P(FloatPointwise, ScalingIsExactAndCountsWhatItLoses) {
  const PointwiseKernels<float>& kernels = fast_->pointwise();
  float row[] = {1.5f, -3e-20f, 0.0f, 2e30f};
  EXPECT_EQ(kernels.scale(4, -20, row), 0);
  EXPECT_EQ(kernels.scale(4, 20, row), 0);
  EXPECT_EQ(row[0], 1.5f);
  EXPECT_EQ(row[1], -3e-20f);
  EXPECT_EQ(kernels.scale(4, 100, row), 1);  // 2e30 overflows, zero stays zero
  float small[] = {1e-30f, 1.0f};
  EXPECT_EQ(kernels.scale(2, -120, small), 1);
  float at_the_end[] = {0x1p-100f, 0x1.8p-100f, -0x1.fffffep-101f};
  EXPECT_EQ(kernels.scale(3, -26, at_the_end), 1);  // 2^-126 is the smallest normal number
  EXPECT_EQ(at_the_end[0], 0x1p-126f);
  EXPECT_EQ(at_the_end[2], 0.0f);
}

// Every shift that means anything, over numbers from end to end of the range, NaN and infinities, in whole vectors and in part.
TEST_P(FloatPointwise, ScalingIsExactWithinTheNormalRangeAndZeroBelow) {
  const auto scaled = [](float x, std::int32_t shift) {
    return std::ldexp(std::abs(static_cast<double>(x)), shift) < 0x1p-126 ? std::copysign(0.0f, x) : std::ldexp(x, shift);
  };
  std::vector<float> numbers = {0.0f, -0.0f, std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()};
  for (int exponent = -149; exponent < 128; exponent += 3)
    numbers.push_back(std::ldexp(exponent % 2 == 0 ? 1.2345678f : -1.9999999f, exponent));
  for (std::int32_t shift = -320; shift <= 320; ++shift) {
    std::vector<float> actual = numbers;
    std::int64_t lost = 0;
    for (const float x : numbers) lost += (x != 0 && scaled(x, shift) == 0) || (std::isfinite(x) && std::isinf(scaled(x, shift)));
    EXPECT_EQ(fast_->pointwise().scale(static_cast<std::int64_t>(actual.size()), shift, actual.data()), lost) << shift;
    for (std::size_t i = 0; i < numbers.size(); ++i) {
      const float expected = scaled(numbers[i], shift);
      EXPECT_EQ(std::memcmp(&actual[i], &expected, sizeof expected), 0) << numbers[i] << " * 2^" << shift << " gave " << actual[i];
    }
  }
}

}  // namespace
}  // namespace vp::test
