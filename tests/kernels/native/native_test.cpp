// The native engine: fused time steps against the double reference and, bit for bit, against the same engine's products and pointwise
// steps; long sums; the same bits on AVX2 and AVX-512.
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <new>
#include <stdexcept>
#include <string>
#include <vector>

#include "kernels/backend/backend.h"
#include "kernels/backend_list.h"
#include "kernels/verify/cases.h"
#include "kernels/verify/fused_runs.h"
#include "tests/compare.h"
#include "tests/kernels/simd_targets.h"

namespace vp::test {
namespace {

template <class Body>
void for_every_fused_case(const Body& body) {
  for (const FusedCase& size : fused_cases())
    for (const FusedInput& in : fused_inputs(size)) body(in);
}

::testing::AssertionResult same_bits(const Arrays& a, const Arrays& b) {
  if (a.size() != b.size()) return ::testing::AssertionFailure() << "sizes differ";
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i].second.size() != b[i].second.size()) return ::testing::AssertionFailure() << a[i].first << ": sizes differ";
    for (std::size_t j = 0; j < a[i].second.size(); ++j)
      if (std::memcmp(&a[i].second[j], &b[i].second[j], sizeof(double)) != 0)
        return ::testing::AssertionFailure() << a[i].first << " " << j << ": " << a[i].second[j] << " and " << b[i].second[j];
  }
  return ::testing::AssertionSuccess();
}

void expect_close(const Arrays& actual, const Arrays& expected, const FusedInput& in) {
  ASSERT_EQ(actual.size(), expected.size());
  for (std::size_t i = 0; i < actual.size(); ++i) {
    const std::vector<float> as_float = converted<float>(actual[i].second);  // results are floats; squares lose nothing that is compared
    EXPECT_TRUE((close<float, double>(as_float, expected[i].second, {.c = fused_bound(in.shape)})))
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
  FusedArrays<float> a(in);
  const auto weights = native_->make_fused_weights(in.shape);
  weights->pack(a.weight_ih.data(), a.weight_hh.data(), a.bias.data());
  const auto step = native_->make_fused_step(in.shape, *weights);
  step->forward(a.x.data(), a.h_prev.data(), a.gates.data(), a.c_prev.data(), a.c.data(), a.saved.data(), a.h.data());
  step->backward({.dr_next = a.dr_next.data(),
                  .gates = a.gates.data(),
                  .c_prev = a.c_prev.data(),
                  .saved = a.saved.data(),
                  .above = a.signal.data(),
                  .dc = a.dc.data(),
                  .dz = a.dz.data(),
                  .sum_squares_dh = a.squares_dh.data(),
                  .sum_squares_dc = a.squares_dc.data()});
  const Arrays with_dh = run_fused(*native_, in), without = a.results(in.shape.cell);
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
    FusedArrays<float> a(*in);
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
  for (const std::int64_t m : {11, 24})
    for (const std::int64_t n : {20, 32})  // AVX-512: one vector and a half, or two, where rows of A are operands of multiply-adds
      for (const bool transpose_a : {false, true}) cases.push_back({.shape = {.m = m, .n = n, .k = 35, .transpose_a = transpose_a}});
  return and_used_once(std::move(cases));
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
    float chain = 0;
    for (std::int64_t p = first; p < std::min(first + 256, s.k); ++p)
      chain = std::fma(in.a[static_cast<std::size_t>(s.transpose_a ? p * s.m + i : i * s.k + p)],
                       in.b[static_cast<std::size_t>(s.transpose_b ? j * s.k + p : p * s.n + j)], chain);
    total = empty ? chain : total + chain;
    empty = false;
  }
  return total;
}

std::vector<float> multiply(Backend<float>& backend, const ProductCase& test, bool next_changes = false) {
  const Operands in(test.shape);
  Guarded<float> c(in.c, 1);
  const auto weights = test.packed ? backend.make_weights(test.shape) : nullptr;
  const auto product = backend.make_product(test.shape, weights.get());
  if (weights) weights->pack(in.b.data());
  const ProductShape next_shape{.m = test.shape.m, .n = 128, .k = 100, .used_once = true};  // large enough to be fetched
  const auto next = backend.make_weights(next_shape);
  const std::vector<float> next_values = random_floats(next_shape.n * next_shape.k, 5);
  next->pack(next_values.data());
  product->followed_by(next.get());
  if (next_changes) product->followed_by_change(next_values);
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
      EXPECT_EQ(multiply(*backend, test, true), actual) << case_name(test);
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

// A copy of `content` with a page behind it that nobody may read: a read past its end stops the program, be it by a masked load or by
// assembly, which sanitizers do not see.
class Fenced {
 public:
  explicit Fenced(const std::vector<float>& content) {
    const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    const std::size_t bytes = content.size() * sizeof(float), room = (bytes + page - 1) / page * page;
    bytes_ = room + page;
    memory_ = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory_ == MAP_FAILED) throw std::bad_alloc();
    char* const fence = static_cast<char*>(memory_) + room;
    data_ = reinterpret_cast<float*>(fence - bytes);
    std::copy(content.begin(), content.end(), data_);
    if (mprotect(fence, page, PROT_NONE) != 0) throw std::runtime_error("mprotect");
  }
  ~Fenced() { munmap(memory_, bytes_); }
  Fenced(const Fenced&) = delete;
  Fenced& operator=(const Fenced&) = delete;
  float* data() const { return data_; }

 private:
  void* memory_;
  std::size_t bytes_;
  float* data_;
};

TEST(NativeProduct, ReadsNothingBehindItsOperands) {
  for (const std::string_view target : simd_target_names()) {
    const WithTarget forced(target);
    const auto backend = make_backend<float>("native");
    for (const ProductCase& test : all_products()) {
      SCOPED_TRACE(case_name(test));
      const Operands in(test.shape);
      const Fenced a(in.a), b(in.b), bias(in.bias), c(in.c);
      const auto weights = test.packed ? backend->make_weights(test.shape) : nullptr;
      if (weights) weights->pack(b.data());
      const auto product = backend->make_product(test.shape, weights.get());
      product->run(a.data(), test.packed ? nullptr : b.data(), test.shape.bias ? bias.data() : nullptr, c.data());
      EXPECT_EQ(std::vector<float>(c.data(), c.data() + in.c.size()), multiply(*backend, test));
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
