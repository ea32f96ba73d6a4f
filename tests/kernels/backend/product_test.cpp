// Products of every backend against the double reference for every case of the table, shared weights on two threads, and refusals.
#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <filesystem>
#include <iterator>
#include <latch>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "kernels/backend/backend.h"
#include "kernels/backend_list.h"
#include "kernels/onednn/sequential_thread.h"
#include "kernels/verify/cases.h"
#include "kernels/verify/kernel_runs.h"
#include "tests/compare.h"

namespace vp::test {
namespace {

ProductShape with_rows(ProductShape shape, std::int64_t m) {
  shape.m = m;
  return shape;
}

// Independent of every backend: (a b)_ij read off the definition of the layouts.
std::vector<double> by_definition(const ProductShape& s, const ProductOperands& in) {
  std::vector<double> c;
  for (std::int64_t i = 0; i < s.m; ++i)
    for (std::int64_t j = 0; j < s.n; ++j) {
      double sum = s.accumulate ? in.c[static_cast<std::size_t>(i * s.n + j)] : 0;
      if (s.bias) sum += in.bias[static_cast<std::size_t>(j)];
      for (std::int64_t p = 0; p < s.k; ++p) {
        const std::int64_t at_a = s.transpose_a ? p * s.m + i : i * s.k + p, at_b = s.transpose_b ? j * s.k + p : p * s.n + j;
        sum += static_cast<double>(in.a[static_cast<std::size_t>(at_a)]) * static_cast<double>(in.b[static_cast<std::size_t>(at_b)]);
      }
      c.push_back(sum);
    }
  return c;
}

Bound bound_of(const ProductShape& s) { return {.c = product_bound(s)}; }

class FloatProduct : public ::testing::TestWithParam<std::string> {
 protected:
  const std::unique_ptr<Backend<float>> backend_ = make_backend<float>(GetParam());
};

INSTANTIATE_TEST_SUITE_P(Backends, FloatProduct, ::testing::Values("onednn", "native", "reference"),
                         [](const auto& param) { return param.param; });

TEST_P(FloatProduct, MatchesTheDefinitionForEveryCase) {
  for (const ProductCase& test : product_cases()) {
    const ProductOperands in(test.shape);
    const std::vector<float> c = multiply(*backend_, test, in);
    EXPECT_TRUE((close<float, double>(c, by_definition(test.shape, in), bound_of(test.shape)))) << case_name(test);
  }
}

// Outputs of readouts are narrow, and summed in chunks. Not so, they are off by 3.8 units of 2^-24 here, root mean square.
TEST_P(FloatProduct, LongNarrowSumsAreMadeInChunks) {
  for (const bool packed : {true, false}) {
    const ProductShape shape{.m = 32, .n = 3, .k = 2312, .transpose_b = true};
    ProductOperands in(shape);
    for (float& x : in.a) x = std::abs(x);
    for (float& x : in.b) x = std::abs(x);
    const std::vector<double> exact = by_definition(shape, in);
    const std::vector<float> c = multiply(*backend_, {.shape = shape, .packed = packed}, in);
    double squares = 0;
    for (std::size_t i = 0; i < c.size(); ++i) squares += std::pow((c[i] / exact[i] - 1) * 0x1p24, 2) / static_cast<double>(c.size());
    EXPECT_LT(std::sqrt(squares), 3) << (packed ? "packed" : "plain");
  }
}

TEST(DoubleReferenceProduct, MatchesTheDefinitionForEveryCase) {
  const auto backend = make_backend<double>("reference");
  for (const ProductCase& test : product_cases()) {
    const ProductOperands in(test.shape);
    const std::vector<double> c = multiply(*backend, test, in);
    EXPECT_TRUE((close<double, double>(c, by_definition(test.shape, in), bound_of(test.shape)))) << case_name(test);
  }
}

// Weights change once per update: what was packed before must not survive, in any layout a product holds, whether the product was made
// before the first pack() or after it.
TEST_P(FloatProduct, PackingAgainReplacesTheWeightsOfEveryProduct) {
  const ProductShape typical{.m = 32, .n = 65, .k = 33, .transpose_b = true};
  const std::vector<std::int64_t> rows{32, 1, 5, 31, 64};
  const auto first = random_floats(typical.n * typical.k, 76), second = random_floats(typical.n * typical.k, 77);
  for (std::size_t made_before = 0; made_before <= rows.size(); ++made_before) {
    const auto weights = backend_->make_weights(typical);
    std::vector<std::unique_ptr<Product<float>>> products;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      if (i == made_before) weights->pack(first.data());
      products.push_back(backend_->make_product(with_rows(typical, rows[i]), weights.get()));
    }
    if (made_before == rows.size()) weights->pack(first.data());
    for (const auto* b : {&first, &second}) {
      if (b == &second) weights->pack(second.data());
      for (std::size_t i = 0; i < rows.size(); ++i) {
        const ProductShape shape = with_rows(typical, rows[i]);
        ProductOperands in(shape);
        in.b = *b;
        products[i]->run(in.a.data(), nullptr, nullptr, in.c.data());
        EXPECT_TRUE((close<float, double>(in.c, by_definition(shape, in), bound_of(shape))))
            << (b == &first ? "first" : "second") << " weights, m = " << rows[i] << ", made before the first pack(): " << made_before;
      }
    }
  }
}

// Runs two products that share one PackedWeights on a thread each; how many results were wrong.
int wrong_results_of_two_threads(Backend<float>& backend, const ProductShape& shape, int repeats) {
  const auto weights = backend.make_weights(shape);
  const ProductOperands shared(shape);
  std::vector<std::unique_ptr<Product<float>>> products;
  for (int thread = 0; thread < 2; ++thread) products.push_back(backend.make_product(shape, weights.get()));
  weights->pack(shared.b.data());
  std::atomic<int> wrong = 0;
  std::latch start(2);
  const auto work = [&](std::size_t thread) {
    make_this_thread_sequential();
    ProductOperands in(shape, static_cast<std::uint32_t>(100 * thread));
    in.b = shared.b;
    const std::vector<double> expected = by_definition(shape, in);
    start.arrive_and_wait();
    for (int i = 0; i < repeats; ++i) {
      std::fill(in.c.begin(), in.c.end(), std::nanf(""));
      products[thread]->run(in.a.data(), nullptr, in.bias.data(), in.c.data());
      if (!close<float, double>(in.c, expected, bound_of(shape))) ++wrong;
    }
  };
  std::thread first(work, 0), second(work, 1);
  first.join();
  second.join();
  return wrong;
}

// The large shape spends its time in the arithmetic (a shared scratchpad shows), the small one in the call (shared arguments show).
TEST_P(FloatProduct, TwoThreadsShareOnePackedWeights) {
  const bool slow = GetParam() == "reference";
  EXPECT_EQ(wrong_results_of_two_threads(*backend_, {.m = 32, .n = 512, .k = 128, .transpose_b = true, .bias = true}, slow ? 3 : 300), 0);
  EXPECT_EQ(wrong_results_of_two_threads(*backend_, {.m = 2, .n = 8, .k = 8, .transpose_b = true, .bias = true}, 50'000), 0);
}

TEST_P(FloatProduct, RefusesImpossibleShapesAndForeignWeights) {
  const ProductShape good{.m = 4, .n = 3, .k = 2, .transpose_b = true};
  const auto with = [&](auto change) {
    ProductShape s = good;
    change(s);
    return s;
  };
  EXPECT_THROW(backend_->make_product(with([](auto& s) { s.m = 0; }), nullptr), std::invalid_argument);
  EXPECT_THROW(backend_->make_weights(with([](auto& s) { s.k = -1; })), std::invalid_argument);
  EXPECT_THROW(backend_->make_product(with([](auto& s) { s.accumulate = s.bias = true; }), nullptr), std::invalid_argument);
  const auto weights = backend_->make_weights(good);
  EXPECT_NO_THROW(backend_->make_product(with([](auto& s) { s.m = 9; }), weights.get()));
  EXPECT_THROW(backend_->make_product(with([](auto& s) { s.n = 4; }), weights.get()), std::invalid_argument);
  EXPECT_THROW(backend_->make_product(with([](auto& s) { s.transpose_b = false; }), weights.get()), std::invalid_argument);
}

template <class F>
std::string message_of(const F& f) {
  try {
    f();
  } catch (const std::invalid_argument& e) {
    return e.what();
  }
  return "nothing was thrown";
}

TEST(Backends, AreFoundByNameAndErrorsSayWhatWouldBeRight) {
  EXPECT_EQ(backend_names().front(), "onednn");
  for (const std::string_view name : backend_names()) EXPECT_EQ(make_backend<float>(name)->name(), name);
  EXPECT_EQ(make_backend<float>("auto")->name(), "onednn");
  EXPECT_EQ(make_backend<double>("auto")->name(), "reference");
  EXPECT_EQ(message_of([] { make_backend<float>("onednm"); }), "[backend] unknown name \"onednm\"; known: auto, onednn, native, reference");
  EXPECT_EQ(message_of([] { make_backend<double>("onednn"); }), "[backend] onednn has no double precision; use \"reference\" or \"auto\"");
  EXPECT_EQ(message_of([] { make_backend<float>("onednn")->make_product({.m = 4, .n = 0, .k = 2, .transpose_b = true}, nullptr); }),
            "[product] m, n, k: expected at least 1, got (m=4, n=0, k=2, B transposed)");
}

TEST(Backends, NameTheirLibrariesAndInstructionSets) {
  EXPECT_NE(kernel_library_versions().find("oneDNN "), std::string::npos);
  EXPECT_NE(kernel_library_versions().find(", Highway 1."), std::string::npos);
  EXPECT_NE(instruction_set().find('/'), std::string::npos);
  const auto backend = make_backend<float>("onednn");
  EXPECT_FALSE(backend->make_product({.m = 32, .n = 64, .k = 64}, nullptr)->implementation().empty());
}

// oneDNN's default is as many threads as OMP_NUM_THREADS or the machine says, on every thread that makes a primitive.
TEST(Backends, ProductsStartNoThreads) {
  const auto count_threads = [] {
    const std::filesystem::directory_iterator tasks("/proc/self/task");
    return std::distance(begin(tasks), end(tasks));
  };
  const auto backend = make_backend<float>("onednn");
  const ProductShape shape{.m = 256, .n = 256, .k = 256};
  ProductOperands in(shape);
  std::ptrdiff_t before = 0, after = 0;
  std::thread worker([&] {  // a thread of its own, on which nothing was made yet; OpenMP keeps the threads it has started
    before = count_threads();
    const auto product = backend->make_product(shape, nullptr);
    product->run(in.a.data(), in.b.data(), nullptr, in.c.data());
    after = count_threads();
  });
  worker.join();
  EXPECT_EQ(after, before);
}

}  // namespace
}  // namespace vp::test
