// Google Benchmark over the case table (cases.h) for every backend: vpoint profile --benchmark_filter=onednn/product
// Counters: FLOPS (2 m n k per product; `170G/s` reads 170 GFLOP/s), elements per second for pointwise steps. One thread; data in cache.
#include "kernels/kernel_benchmark.h"

#include <benchmark/benchmark.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "kernels/backend.h"
#include "kernels/cases.h"
#include "kernels/losses.h"
#include "kernels/views.h"

namespace vp {
namespace {

// Reproducible values in [-1, 1), no two neighbours alike.
AlignedBuffer<float> filled(std::int64_t n) {
  AlignedBuffer<float> x(n);
  std::uint32_t state = 1;
  for (float& v : x.span()) {
    state = state * 1664525u + 1013904223u;
    v = static_cast<float>(state >> 8) * 0x1p-23f - 1.0f;
  }
  return x;
}

void count_elements(benchmark::State& state, std::int64_t per_call) {
  state.counters["elements"] = benchmark::Counter(static_cast<double>(per_call), benchmark::Counter::kIsIterationInvariantRate);
}

void run_product(benchmark::State& state, const std::string& backend_name, const ProductCase& test) {
  const auto backend = make_backend<float>(backend_name);
  const ProductShape& s = test.shape;
  ProductShape typical = s;
  if (test.typical_m != 0) typical.m = test.typical_m;
  const AlignedBuffer<float> a = filled(s.m * s.k), b = filled(s.k * s.n), bias = filled(s.n);
  AlignedBuffer<float> c(s.m * s.n);
  const auto weights = test.packed ? backend->make_weights(typical) : nullptr;
  const auto product = backend->make_product(s, weights.get());
  if (weights) weights->pack(b.data());
  for (auto _ : state) product->run(a.data(), test.packed ? nullptr : b.data(), s.bias ? bias.data() : nullptr, c.data());
  const double flops = 2.0 * static_cast<double>(s.m) * static_cast<double>(s.n) * static_cast<double>(s.k);
  state.counters["FLOPS"] = benchmark::Counter(flops, benchmark::Counter::kIsIterationInvariantRate);
  state.SetLabel(product->implementation());
}

// The input is not restored between calls: z becomes a slope, which is an ordinary input again (the cost does not depend on the value).
void run_rnn_forward(benchmark::State& state, const std::string& backend_name, const Activation& f, PointwiseCase test) {
  const auto backend = make_backend<float>(backend_name);
  const std::int64_t n = test.rows * test.hidden;
  AlignedBuffer<float> z = filled(n), h(n);
  for (auto _ : state) {
    backend->pointwise().rnn_forward(f, n, z.data(), h.data());
    benchmark::DoNotOptimize(h.data());
  }
  count_elements(state, n);
}

void run_rnn_backward(benchmark::State& state, const std::string& backend_name, PointwiseCase test) {
  const auto backend = make_backend<float>(backend_name);
  const std::int64_t n = test.rows * test.hidden;
  const AlignedBuffer<float> slope = filled(n), dh = filled(n);
  AlignedBuffer<float> dz(n);
  AlignedBuffer<double> squares(test.rows);
  for (auto _ : state) backend->pointwise().rnn_backward(test.rows, test.hidden, slope.data(), dh.data(), dz.data(), squares.data());
  count_elements(state, n);
}

void run_lstm_forward(benchmark::State& state, const std::string& backend_name, PointwiseCase test) {
  const auto backend = make_backend<float>(backend_name);
  const std::int64_t n = test.rows * test.hidden;
  AlignedBuffer<float> gates = filled(4 * n), c(n), tanh_c(n), h(n);
  const AlignedBuffer<float> c_prev = filled(n);
  for (auto _ : state)
    backend->pointwise().lstm_forward(test.rows, test.hidden, gates.data(), c_prev.data(), c.data(), tanh_c.data(), h.data());
  count_elements(state, n);
}

void run_lstm_backward(benchmark::State& state, const std::string& backend_name, PointwiseCase test) {
  const auto backend = make_backend<float>(backend_name);
  const std::int64_t n = test.rows * test.hidden;
  AlignedBuffer<float> gates = filled(4 * n), dc(n), dz(4 * n);
  for (float& g : gates.span()) g = 0.25f + 0.25f * g;  // below 0.5, so that dc, fed back into itself, stays bounded
  const AlignedBuffer<float> c_prev = filled(n), tanh_c = filled(n), dh = filled(n);
  AlignedBuffer<double> squares_dh(test.rows), squares_dc(test.rows);
  for (auto _ : state)
    backend->pointwise().lstm_backward(test.rows, test.hidden, gates.data(), c_prev.data(), tanh_c.data(), dh.data(), dc.data(), dz.data(),
                                       squares_dh.data(), squares_dc.data());
  count_elements(state, n);
}

void run_add_column_sums(benchmark::State& state, const std::string& backend_name, PointwiseCase test) {
  const auto backend = make_backend<float>(backend_name);
  const AlignedBuffer<float> a = filled(test.rows * test.hidden);
  AlignedBuffer<float> sums(test.hidden);
  for (auto _ : state) backend->pointwise().add_column_sums(test.rows, test.hidden, a.data(), sums.data());
  count_elements(state, test.rows * test.hidden);
}

void run_softmax(benchmark::State& state, LossCase test) {
  const AlignedBuffer<float> logits = filled(test.rows * test.classes);
  AlignedBuffer<float> dlogits(test.rows * test.classes);
  AlignedBuffer<double> loss(test.rows);
  const std::vector<std::int32_t> target(static_cast<std::size_t>(test.rows), 0);
  for (auto _ : state)
    softmax_cross_entropy(test.rows, test.classes, logits.data(), target.data(), 1.0f, dlogits.data(), loss.data());
  count_elements(state, test.rows * test.classes);
}

void register_pointwise(const std::string& backend, PointwiseCase test) {
  const std::string size = std::to_string(test.rows) + "x" + std::to_string(test.hidden);
  for (const Activation& f : activations())
    benchmark::RegisterBenchmark((backend + "/rnn_forward/" + std::string(f.name) + "/" + size).c_str(),
                                 [=, &f](benchmark::State& state) { run_rnn_forward(state, backend, f, test); });
  const auto add = [&](const char* name, auto run) {
    benchmark::RegisterBenchmark((backend + "/" + name + "/" + size).c_str(), [=](benchmark::State& state) { run(state, backend, test); });
  };
  add("rnn_backward", run_rnn_backward);
  add("lstm_forward", run_lstm_forward);
  add("lstm_backward", run_lstm_backward);
  add("add_column_sums", run_add_column_sums);
}

void register_all() {
  for (const std::string_view name : backend_names()) {
    const std::string backend(name);
    for (const ProductCase& test : product_cases())
      if (test.timed)
        benchmark::RegisterBenchmark((backend + "/product/" + case_name(test)).c_str(),
                                     [=](benchmark::State& state) { run_product(state, backend, test); });
    for (const PointwiseCase& test : kPointwiseCases)
      if (test.timed) register_pointwise(backend, test);
  }
  for (const LossCase& test : kLossCases)
    if (test.timed) {
      const std::string size = std::to_string(test.rows) + "x" + std::to_string(test.classes);
      benchmark::RegisterBenchmark(("losses/softmax_cross_entropy/" + size).c_str(),
                                   [=](benchmark::State& state) { run_softmax(state, test); });
    }
}

}  // namespace

int run_kernel_benchmark(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::AddCustomContext("instruction_set", instruction_set());
  benchmark::AddCustomContext("libraries", kernel_library_versions());
  register_all();
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}

}  // namespace vp
