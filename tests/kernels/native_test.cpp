// The native engine: fused time steps against the double reference and, bit for bit, against the same engine's products and pointwise
// steps; long sums; the same bits on AVX2 and AVX-512.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <stdexcept>
#include <string>
#include <vector>

#include "kernels/backend.h"
#include "kernels/cases.h"
#include "tests/compare.h"
#include "tests/kernels/random_data.h"
#include "tests/kernels/simd_targets.h"

namespace vp::test {
namespace {

struct FusedCase {
  std::int64_t rows, inputs, hidden;
};

// Around the vector widths, the panels (64, 32 columns), the row blocks (6, 3), and one with several chunks of k forward and backward.
std::vector<FusedCase> fused_cases() {
  std::vector<FusedCase> cases{{32, 32, 32}, {20, 6, 50}, {6, 2, 128}, {5, 300, 270}, {2, 1, 20}};
  for (std::size_t i = 0; i < kOddSizes.size(); ++i)
    cases.push_back({kOddSizes[(i * 2 + 3) % kOddSizes.size()], kOddSizes[(i * 4 + 5) % kOddSizes.size()], kOddSizes[i]});
  return cases;
}

// What goes into the step, in float; the double reference gets the same numbers.
struct FusedInput {
  FusedShape shape;
  bool first_step = false;  // h_prev is zero
  bool last_step = false;   // nothing comes through time
  bool above = true;
  std::vector<float> weight_ih, weight_hh, bias, x, h_prev, c_prev, dz_next, signal, dc;

  explicit FusedInput(const FusedShape& s) : shape(s) {
    const std::int64_t width = s.gates() * s.hidden, n = s.rows * s.hidden;
    const float scale = 1 / std::sqrt(static_cast<float>(s.hidden)), scale_ih = 2 / std::sqrt(static_cast<float>(s.inputs));
    weight_ih = random_floats(width * s.inputs, 1, -scale_ih, scale_ih);
    weight_hh = random_floats(width * s.hidden, 2, -scale, scale);
    bias = random_floats(width, 3);
    x = random_floats(s.rows * s.inputs, 4);
    h_prev = random_floats(n, 5);
    c_prev = random_floats(n, 6, -2, 2);
    dz_next = random_floats(s.rows * width, 7);
    signal = random_floats(n, 8);
    dc = random_floats(n, 9);
  }
  bool lstm() const { return shape.cell == FusedCell::kLstm; }
};

std::string name_of(const FusedInput& in) {
  const FusedShape& s = in.shape;
  return (in.lstm() ? "lstm" : "rnn " + std::string(s.activation->name)) + " B=" + std::to_string(s.rows) +
         " I=" + std::to_string(s.inputs) + " H=" + std::to_string(s.hidden) + (in.first_step ? " first" : "") +
         (in.last_step ? " last" : "") + (in.above ? "" : " nothing above");
}

// The arrays of one step forward and backward. Floats start one element past their allocation and are checked for writes outside.
template <class T>
struct StepArrays {
  std::vector<T> weight_ih, weight_hh, bias, x, h_prev, c_prev, dz_next, signal;
  Guarded<T> gates, c, saved, h, dc, dh, dz;
  std::vector<double> squares_dh, squares_dc;

  explicit StepArrays(const FusedInput& in)
      : weight_ih(converted<T>(in.weight_ih)),
        weight_hh(converted<T>(in.weight_hh)),
        bias(converted<T>(in.bias)),
        x(converted<T>(in.x)),
        h_prev(converted<T>(in.h_prev)),
        c_prev(converted<T>(in.c_prev)),
        dz_next(converted<T>(in.dz_next)),
        signal(converted<T>(in.signal)),
        gates(unset(in.dz_next.size()), 1),
        c(unset(in.h_prev.size()), 1),
        saved(unset(in.h_prev.size()), 1),
        h(unset(in.h_prev.size()), 1),
        dc(converted<T>(in.dc), 1),
        dh(unset(in.h_prev.size()), 1),
        dz(unset(in.dz_next.size()), 1),
        squares_dh(static_cast<std::size_t>(in.shape.rows), -1),
        squares_dc(squares_dh) {}

  static std::vector<T> unset(std::size_t n) { return std::vector<T>(n, std::numeric_limits<T>::quiet_NaN()); }

  using Named = std::vector<std::pair<std::string, std::vector<double>>>;
  Named results(bool lstm) const {
    Named out;
    const auto add = [&](const char* name, const Guarded<T>& array) {
      EXPECT_TRUE(array.guards_intact()) << name << " was written outside";
      out.emplace_back(name, std::vector<double>(array.span().begin(), array.span().end()));
    };
    add("gates", gates), add("h", h), add("dh", dh), add("dz", dz);
    out.emplace_back("squares_dh", squares_dh);
    if (!lstm) return out;
    add("c", c), add("saved", saved), add("dc", dc);
    out.emplace_back("squares_dc", squares_dc);
    return out;
  }
};
using Named = StepArrays<float>::Named;

void run_once(FusedStep<float>& step, const FusedInput& in, StepArrays<float>& a) {
  const bool lstm = in.lstm();
  step.forward(a.x.data(), in.first_step ? nullptr : a.h_prev.data(), a.gates.data(), lstm ? a.c_prev.data() : nullptr,
               lstm ? a.c.data() : nullptr, lstm ? a.saved.data() : nullptr, a.h.data());
  step.backward({.dz_next = in.last_step ? nullptr : a.dz_next.data(),
                 .gates = a.gates.data(),
                 .c_prev = lstm ? a.c_prev.data() : nullptr,
                 .saved = lstm ? a.saved.data() : nullptr,
                 .above = in.above ? a.signal.data() : nullptr,
                 .dh = a.dh.data(),
                 .dc = lstm ? a.dc.data() : nullptr,
                 .dz = a.dz.data(),
                 .sum_squares_dh = a.squares_dh.data(),
                 .sum_squares_dc = lstm ? a.squares_dc.data() : nullptr});
}

// The second run of a step, so that nothing of the first may stay in its workspace.
Named run_fused(Backend<float>& backend, const FusedInput& in) {
  StepArrays<float> before(in), a(in);
  const auto weights = backend.make_fused_weights(in.shape);
  const auto step = backend.make_fused_step(in.shape, *weights);
  weights->pack(a.weight_ih.data(), a.weight_hh.data(), a.bias.data());
  run_once(*step, in, before);
  run_once(*step, in, a);
  return a.results(in.lstm());
}

template <class T>
void multiply(Backend<T>& backend, const ProductShape& shape, const T* a, const T* b, const T* bias, T* c) {
  const auto weights = backend.make_weights(shape);
  const auto product = backend.make_product(shape, weights.get());
  weights->pack(b);
  product->run(a, nullptr, bias, c);
}

template <class T>
Named run_composed(Backend<T>& backend, const FusedInput& in) {
  StepArrays<T> a(in);
  const auto& [cell, activation, rows, inputs, hidden] = in.shape;
  const std::int64_t width = in.shape.gates() * hidden, n = rows * hidden;
  T *const gates = a.gates.data(), *const dh = a.dh.data();
  multiply(backend, {.m = rows, .n = width, .k = inputs, .transpose_b = true, .bias = true}, a.x.data(), a.weight_ih.data(), a.bias.data(),
           gates);
  if (!in.first_step)
    multiply<T>(backend, {.m = rows, .n = width, .k = hidden, .transpose_b = true, .accumulate = true}, a.h_prev.data(), a.weight_hh.data(),
                nullptr, gates);
  const PointwiseKernels<T>& kernels = backend.pointwise();
  if (in.lstm()) kernels.lstm_forward(rows, hidden, gates, a.c_prev.data(), a.c.data(), a.saved.data(), a.h.data());
  if (!in.lstm()) kernels.rnn_forward(*activation, n, gates, a.h.data());
  std::fill_n(dh, n, T(0));
  if (!in.last_step) multiply<T>(backend, {.m = rows, .n = hidden, .k = width}, a.dz_next.data(), a.weight_hh.data(), nullptr, dh);
  for (std::int64_t i = 0; in.above && i < n; ++i) dh[i] += a.signal[static_cast<std::size_t>(i)];
  if (in.lstm())
    kernels.lstm_backward(rows, hidden, gates, a.c_prev.data(), a.saved.data(), dh, a.dc.data(), a.dz.data(), a.squares_dh.data(),
                          a.squares_dc.data());
  if (!in.lstm()) kernels.rnn_backward(rows, hidden, gates, dh, a.dz.data(), a.squares_dh.data());
  return a.results(in.lstm());
}

// body(input) for every size, cell and (at sizes of the table) activation, with and without neighbours in time and above.
template <class Body>
void for_every_fused_case(const Body& body) {
  for (const FusedCase& c : fused_cases()) {
    for (const Activation& f : activations()) {
      FusedInput in({.cell = FusedCell::kRnn, .activation = &f, .rows = c.rows, .inputs = c.inputs, .hidden = c.hidden});
      body(in);
    }
    FusedInput in({.cell = FusedCell::kLstm, .rows = c.rows, .inputs = c.inputs, .hidden = c.hidden});
    for (int variant = 0; variant < 5; ++variant) {
      in.first_step = variant == 1 || variant == 4;
      in.last_step = variant == 2 || variant == 4;
      in.above = variant < 3;
      body(in);
    }
  }
}

::testing::AssertionResult same_bits(const Named& a, const Named& b) {
  if (a.size() != b.size()) return ::testing::AssertionFailure() << "sizes differ";
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i].second.size() != b[i].second.size()) return ::testing::AssertionFailure() << a[i].first << ": sizes differ";
    for (std::size_t j = 0; j < a[i].second.size(); ++j)
      if (std::memcmp(&a[i].second[j], &b[i].second[j], sizeof(double)) != 0)
        return ::testing::AssertionFailure() << a[i].first << " " << j << ": " << a[i].second[j] << " and " << b[i].second[j];
  }
  return ::testing::AssertionSuccess();
}

// Activations keep 8 ULP; a sum's rounding gathers with the square root of its length, and passes through slopes up to 1.13.
void expect_close(const Named& actual, const Named& expected, const FusedInput& in) {
  ASSERT_EQ(actual.size(), expected.size());
  const double terms = static_cast<double>(std::max(in.shape.inputs + in.shape.hidden, in.shape.gates() * in.shape.hidden));
  for (std::size_t i = 0; i < actual.size(); ++i) {
    const std::vector<float> as_float = converted<float>(actual[i].second);  // results are floats; squares lose nothing that is compared
    EXPECT_TRUE((close<float, double>(as_float, expected[i].second, {.c = 8, .growth = std::sqrt(terms)})))
        << name_of(in) << ": " << actual[i].first;
  }
}

class NativeFused : public ::testing::Test {
 protected:
  const std::unique_ptr<Backend<float>> native_ = make_backend<float>("native");
  const std::unique_ptr<Backend<double>> oracle_ = make_backend<double>("reference");
};

TEST_F(NativeFused, MatchesTheDoubleReferenceForEveryCase) {
  for_every_fused_case([&](const FusedInput& in) { expect_close(run_fused(*native_, in), run_composed(*oracle_, in), in); });
}

TEST_F(NativeFused, GivesTheBitsOfTheComposedStep) {
  for_every_fused_case(
      [&](const FusedInput& in) { EXPECT_TRUE(same_bits(run_fused(*native_, in), run_composed(*native_, in))) << name_of(in); });
}

TEST_F(NativeFused, EveryUsableTargetMatchesTheDoubleReference) {
  for (const std::string_view target : simd_target_names()) {
    const WithTarget forced(target);
    for_every_fused_case([&](const FusedInput& in) {
      if (in.shape.hidden > 127) return;
      expect_close(run_fused(*native_, in), run_composed(*oracle_, in), in);
    });
  }
}

TEST_F(NativeFused, DhIsLeftOutWhereItIsNotWanted) {
  const FusedInput in({.cell = FusedCell::kLstm, .rows = 7, .inputs = 3, .hidden = 33});
  StepArrays<float> a(in);
  const auto weights = native_->make_fused_weights(in.shape);
  weights->pack(a.weight_ih.data(), a.weight_hh.data(), a.bias.data());
  const auto step = native_->make_fused_step(in.shape, *weights);
  step->forward(a.x.data(), a.h_prev.data(), a.gates.data(), a.c_prev.data(), a.c.data(), a.saved.data(), a.h.data());
  step->backward({a.dz_next.data(), a.gates.data(), a.c_prev.data(), a.saved.data(), a.signal.data(), nullptr, a.dc.data(), a.dz.data(),
                  a.squares_dh.data(), a.squares_dc.data()});
  const Named with_dh = run_fused(*native_, in), without = a.results(true);
  for (std::size_t i = 0; i < with_dh.size(); ++i) {
    const bool wanted = with_dh[i].first != "dh";
    EXPECT_TRUE(!wanted || same_bits({with_dh[i]}, {without[i]})) << with_dh[i].first;
  }
}

TEST_F(NativeFused, PackingAgainReplacesTheWeights) {
  const FusedInput first({.cell = FusedCell::kLstm, .rows = 5, .inputs = 7, .hidden = 17});
  FusedInput second = first;
  for (std::vector<float>* w : {&second.weight_ih, &second.weight_hh, &second.bias}) std::reverse(w->begin(), w->end());
  const auto weights = native_->make_fused_weights(first.shape);
  const auto step = native_->make_fused_step(first.shape, *weights);
  for (const FusedInput* in : {&first, static_cast<const FusedInput*>(&second)}) {
    StepArrays<float> a(*in);
    weights->pack(a.weight_ih.data(), a.weight_hh.data(), a.bias.data());
    step->forward(a.x.data(), a.h_prev.data(), a.gates.data(), a.c_prev.data(), a.c.data(), a.saved.data(), a.h.data());
    const std::vector<double> h(a.h.span().begin(), a.h.span().end());
    EXPECT_TRUE(same_bits({{"h", h}}, {run_fused(*native_, *in)[1]}));
  }
}

TEST_F(NativeFused, RefusesImpossibleShapesAndForeignWeights) {
  const FusedShape good{.cell = FusedCell::kLstm, .rows = 4, .inputs = 3, .hidden = 5};
  FusedShape bad = good;
  bad.hidden = 0;
  EXPECT_THROW(native_->make_fused_weights(bad), std::invalid_argument);
  bad = good;
  bad.cell = FusedCell::kRnn;  // without an activation
  EXPECT_THROW(native_->make_fused_weights(bad), std::invalid_argument);
  const auto weights = native_->make_fused_weights(good);
  FusedShape other = good;
  other.rows = 9;
  EXPECT_NO_THROW(native_->make_fused_step(other, *weights));
  other.inputs = 4;
  EXPECT_THROW(native_->make_fused_step(other, *weights), std::invalid_argument);
}

// ---- products beyond the case table: more than one chunk of k

std::vector<ProductCase> long_products() {
  std::vector<ProductCase> cases;
  for (const std::int64_t k : {255, 256, 257, 512, 700})
    for (int variant = 0; variant < 24; ++variant)
      cases.push_back({.shape = {.m = 13,
                                 .n = variant % 5 == 0 ? 2 : 70,
                                 .k = k,
                                 .transpose_a = (variant & 1) != 0,
                                 .transpose_b = (variant & 2) != 0,
                                 .accumulate = variant / 8 == 1,
                                 .bias = variant / 8 == 2},
                       .packed = (variant & 4) != 0});
  for (const std::int64_t m :
       {5, 50, 97})  // weight gradients wide enough for both operands to be packed, groups of rows and what is left of them
    cases.push_back({.shape = {.m = m, .n = 259, .k = 300, .transpose_a = true, .accumulate = true}});
  return cases;
}

struct Operands {
  std::vector<float> a, b, bias, c;
  explicit Operands(const ProductShape& s)
      : a(random_floats(s.m * s.k, 1)), b(random_floats(s.k * s.n, 2)), bias(random_floats(s.n, 3)), c(random_floats(s.m * s.n, 4)) {}
};

// One sum as the header of native_kernels.h defines it.
float chunked_sum(const ProductShape& s, const Operands& in, std::int64_t i, std::int64_t j) {
  bool empty = !s.accumulate && !s.bias;
  float total = s.accumulate ? in.c[static_cast<std::size_t>(i * s.n + j)] : s.bias ? in.bias[static_cast<std::size_t>(j)] : 0;
  for (std::int64_t first = 0; first < s.k; first += 256) {
    const bool goes_on = first == 0 && !s.transpose_a;
    float chain = goes_on ? total : 0;
    for (std::int64_t p = first; p < std::min(first + 256, s.k); ++p)
      chain = std::fma(in.a[static_cast<std::size_t>(s.transpose_a ? p * s.m + i : i * s.k + p)],
                       in.b[static_cast<std::size_t>(s.transpose_b ? j * s.k + p : p * s.n + j)], chain);
    total = goes_on || empty ? chain : total + chain;
    empty = false;
  }
  return total;
}

std::vector<float> multiply(Backend<float>& backend, const ProductCase& test) {
  const Operands in(test.shape);
  Guarded<float> c(in.c, 1);
  const auto weights = test.packed ? backend.make_weights(test.shape) : nullptr;
  const auto product = backend.make_product(test.shape, weights.get());
  if (weights) weights->pack(in.b.data());
  product->run(in.a.data(), test.packed ? nullptr : in.b.data(), test.shape.bias ? in.bias.data() : nullptr, c.data());
  EXPECT_TRUE(c.guards_intact()) << case_name(test);
  return {c.span().begin(), c.span().end()};
}

std::vector<ProductCase> all_products() {
  std::vector<ProductCase> cases = product_cases();
  for (const ProductCase& c : long_products()) cases.push_back(c);
  return cases;
}

TEST(NativeProduct, IsTheChunkedSumBitForBitOnEveryTargetWithFma) {
  int checked = 0;
  for (const std::string_view target : simd_target_names()) {
    if (target.starts_with("SS") || target == "SCALAR") continue;  // no FMA
    const WithTarget forced(target);
    ++checked;
    const auto backend = make_backend<float>("native");
    for (const ProductCase& test : all_products()) {
      const ProductShape& s = test.shape;
      const Operands in(s);
      std::vector<float> expected;
      for (std::int64_t i = 0; i < s.m; ++i)
        for (std::int64_t j = 0; j < s.n; ++j) expected.push_back(chunked_sum(s, in, i, j));
      const std::vector<float> actual = multiply(*backend, test);
      EXPECT_EQ(std::memcmp(actual.data(), expected.data(), expected.size() * sizeof(float)), 0) << target << " " << case_name(test);
    }
  }
  if (checked == 0) GTEST_SKIP() << "this CPU has no instruction set with FMA";
}

TEST(NativeProduct, EveryUsableTargetMatchesTheDoubleReference) {
  const auto oracle = make_backend<double>("reference");
  for (const std::string_view target : simd_target_names()) {
    const WithTarget forced(target);
    const auto backend = make_backend<float>("native");
    for (const ProductCase& test : all_products()) {
      const ProductShape& s = test.shape;
      const Operands in(s);
      const auto a = converted<double>(in.a), b = converted<double>(in.b), bias = converted<double>(in.bias);
      auto expected = converted<double>(in.c);
      oracle->make_product(s, nullptr)->run(a.data(), b.data(), s.bias ? bias.data() : nullptr, expected.data());
      EXPECT_TRUE((close<float, double>(multiply(*backend, test), expected, {.c = 4, .growth = std::sqrt(static_cast<double>(s.k))})))
          << target << " " << case_name(test);
    }
  }
}

TEST(NativeTargets, FusedStepsGiveTheSameBitsOnAvx2AndAvx512) {
  const std::vector<std::string_view> usable = simd_target_names();
  const std::string_view best = usable.front();
  if (best == "AVX2" || std::count(usable.begin(), usable.end(), "AVX2") == 0) GTEST_SKIP() << "only one of them here; best: " << best;
  const auto backend = make_backend<float>("native");
  const auto on = [&](std::string_view target, const FusedInput& in) {
    const WithTarget forced(target);
    return run_fused(*backend, in);
  };
  for_every_fused_case([&](const FusedInput& in) { EXPECT_TRUE(same_bits(on("AVX2", in), on(best, in))) << name_of(in); });
}

TEST(NativeTargets, AnObjectKeepsTheInstructionSetItWasMadeWith) {
  const ProductShape shape{.m = 5, .n = 33, .k = 17, .transpose_b = true};
  const auto backend = make_backend<float>("native");
  const Operands in(shape);
  for (const std::string_view target : simd_target_names()) {
    std::unique_ptr<PackedWeights<float>> weights;
    {
      const WithTarget forced(target);
      weights = backend->make_weights(shape);
    }
    const auto product = backend->make_product(shape, weights.get());
    EXPECT_EQ(product->implementation(), "native:" + std::string(target));
    weights->pack(in.b.data());
    std::vector<float> c(in.c.size());
    product->run(in.a.data(), nullptr, nullptr, c.data());
    EXPECT_TRUE((close<float, float>(c, multiply(*backend, {.shape = shape}), {.c = 8})));
  }
}

}  // namespace
}  // namespace vp::test
