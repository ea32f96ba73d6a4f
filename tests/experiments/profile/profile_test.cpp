// vpoint profile: the numbers it derives, the checks that stand before every time, and what a wrong row does to the exit code.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>
#include <sstream>

#include "experiments/io/files.h"
#include "experiments/profile/command_profile.h"
#include "experiments/profile/compare.h"
#include "experiments/profile/machine.h"
#include "experiments/profile/step.h"
#include "experiments/profile/updates.h"
#include "kernels/backend_list.h"
#include "kernels/bench/kernel_benchmark.h"
#include "kernels/bench/machine_peak.h"
#include "kernels/pointwise/pointwise_simd.h"
#include "kernels/verify/kernel_check.h"
#include "tests/compare.h"
#include "tests/experiments/io/temp_dir.h"
#include "tests/experiments/io/user_error.h"

namespace vp::test {
namespace {

// --- FLOPs, bytes, names -------------------------------------------------------------------------------------------------------------

TEST(ProfileStep, FlopsCountForwardDhAndDw) {
  StepShape s{.cell = "lstm", .steps = 2, .rows = 3, .hidden = 5, .inputs = 7};
  EXPECT_EQ(step_flops(s), 2880 + 600 + 2880);  // 2*4*5*3*2*(7+5), 2*4*5*3*1*5, 2*4*5*3*2*(7+5)
  s.cell = "rnn";
  EXPECT_EQ(step_flops(s), (2880 + 600 + 2880) / 4);
  s.cell = "gru";
  EXPECT_EQ(step_flops(s), (2880 + 600 + 2880) * 3 / 4);
  s.cell = "rnn";
  s.steps = 1;
  EXPECT_EQ(step_flops(s), 360 + 0 + 360);  // one step sends nothing back through time
  EXPECT_EQ(step_flops({.cell = "dense", .steps = 1, .rows = 3, .hidden = 5, .inputs = 7}), 3 * 2 * 3 * 5 * 7);
}

TEST(ProfileStep, BytesFollowTheStatedModel) {
  const StepShape one{.cell = "lstm", .steps = 1, .rows = 1, .hidden = 1, .inputs = 1};
  EXPECT_EQ(step_bytes(one), 4 * ((2 + 16 + 2 + 4) + 4 * (1 + 1 + 2) * (3 + 3)));
  const StepShape gru{.cell = "gru", .steps = 1, .rows = 1, .hidden = 1, .inputs = 1};
  EXPECT_EQ(step_bytes(gru), 4 * ((2 + 12 + 2 + 6 + 4) + 3 * (1 + 1 + 2) * (3 + 3)));
  const StepShape rnn{.cell = "rnn", .steps = 10, .rows = 64, .hidden = 1, .inputs = 1};
  EXPECT_EQ(step_bytes(rnn), 4 * (640 * (2 + 4 + 2) + (1 + 1 + 2) * (3 * 2 + 3)));  // two shards of 32 rows
}

TEST(ProfileStep, ReadsAShape) {
  const StepShape s = parse_step("rnn:T=100,B=64,H=128,I=2,activation=relu,C=3,shard_rows=16");
  EXPECT_EQ(s.cell, "rnn");
  EXPECT_EQ(s.steps, 100);
  EXPECT_EQ(s.rows, 64);
  EXPECT_EQ(s.hidden, 128);
  EXPECT_EQ(s.inputs, 2);
  EXPECT_EQ(step_name(s), "step/rnn/T100B64H128I2_relu_C3_shard16");
  EXPECT_EQ(step_name(parse_step("lstm:T=28,B=128,H=128,I=28")), "step/lstm/T28B128H128I28");
  EXPECT_EQ(step_name(parse_step("dense:B=64,H=256,I=128")), "step/dense/B64H256I128");
  // A formula's own commas end nothing; what comes behind it is read.
  const StepShape formula = parse_step("rnn:T=1,B=2,H=3,activation=expr: max(x, min(0, 0.1*x)),I=4");
  EXPECT_EQ(formula.inputs, 4);
  EXPECT_NE(step_name(formula).find("max(x, min(0, 0.1*x))"), std::string::npos) << step_name(formula);
  const StepShape variant = parse_step("lstm peepholes=true:T=1,B=2,H=3,I=4");
  EXPECT_EQ(variant.cell, "lstm");
  EXPECT_EQ(step_name(variant), "step/lstm_peepholes=true/T1B2H3I4");
}

TEST(ProfileStep, RefusesBadShapesAndNamesTheNearest) {
  const auto message = [](const std::string& text) { return user_error(ExitCode::kUsage, [&] { parse_step(text); }); };
  EXPECT_TRUE(has(message("lstn:T=1,B=1,H=1,I=1"), {"lstn", "did you mean lstm?"}));
  EXPECT_TRUE(has(message("lstm:T=1,B=1,H=1"), {"T, B, H and I are needed"}));
  EXPECT_TRUE(has(message("lstm:T=1,B=1,H=1,I=1,shardrows=3"), {"shardrows", "did you mean shard_rows?"}));
  EXPECT_TRUE(has(message("rnn:T=1,B=1,H=1,I=1,activation=thanh"), {"did you mean tanh?"}));
  EXPECT_TRUE(has(message("lstm:T=1,B=1,H=1,I=1,activation=relu"), {"lstm takes no activation"}));
  for (const char* value : {"0", "-1", "1.5", "", "99999999999999999999", "x"})
    EXPECT_TRUE(has(message(std::string("lstm:T=") + value + ",B=1,H=1,I=1"), {"expected a whole number"})) << value;
  EXPECT_TRUE(has(message("lstm:T,B=1,H=1,I=1"), {"T has no value"}));
  EXPECT_TRUE(has(message("dense:T=2,B=1,H=1,I=1"), {"dense has no T"}));
}

TEST(ProfileArguments, RefusesUnknownFlagsAndNames) {
  const auto message = [](const ProfileArguments& a) { return user_error(ExitCode::kUsage, [&] { run_profile(a); }); };
  EXPECT_TRUE(has(message({.flags = {"--benchmark_filtre=x"}}), {"--benchmark_filtre", "did you mean --benchmark_filter"}));
  EXPECT_TRUE(has(message({.flags = {"--benchmark_format=jsn"}}), {"did you mean json?"}));
  EXPECT_TRUE(has(message({.backend = "onednm"}), {"did you mean onednn?"}));
  EXPECT_TRUE(has(message({.isa = "AVX9"}), {"AVX9"}));
  user_error(ExitCode::kInputOutput, [] { run_profile({.flags = {"--benchmark_out=/no/such/directory/x.json"}}); });
}

// --- the machine ---------------------------------------------------------------------------------------------------------------------

TEST(MachinePeak, MultiplyAddsAreCountedOnEveryTarget) {
  double before = std::numeric_limits<double>::infinity();
  for (const std::string_view name : simd_target_names()) {  // the best first: lanes do not grow
    force_simd_target(name);
    const double per_round = run_multiply_adds(1000) / 1000;
    EXPECT_GE(per_round, 2 * 12) << name;
    EXPECT_LE(per_round, before) << name;
    EXPECT_EQ(run_multiply_adds(3), 3 * per_round) << name;
    before = per_round;
  }
  force_simd_target("");
}

TEST(MachinePeak, TriadAddsThreeTimesC) {
  for (const std::int64_t n : {1, 7, 16, 33, 127}) {
    const AlignedBuffer<float> b = benchmark_values(n), c = benchmark_values(n + 1);
    AlignedBuffer<float> a(n);
    run_triad(n, b.data(), c.data() + 1, a.data());
    std::vector<double> expected;
    for (std::int64_t i = 0; i < n; ++i) expected.push_back(static_cast<double>(b[i]) + 3 * static_cast<double>(c[i + 1]));
    EXPECT_TRUE((close<float, double>(std::as_const(a).span(), expected, {.c = 2}))) << n;
  }
}

TEST(MachinePeak, RateIsFinitePositiveAndOfThisPlanet) {
  const double one = measure_flops_per_second(1);
  EXPECT_GT(one, 1e8);
  EXPECT_LT(one, 1e12);  // 32 lanes, 3 units, 5 GHz: 0.96e12
  EXPECT_GE(triad_array_bytes(), 1 << 20);
  EXPECT_LE(triad_array_bytes(), std::int64_t{1} << 30);
}

// --- comparison of two runs ----------------------------------------------------------------------------------------------------------

TEST(MannWhitney, ExactValues) {
  const auto p = [](std::vector<double> a, std::vector<double> b) { return mann_whitney(a, b).value(); };
  EXPECT_TRUE(near(p({1, 2, 3}, {4, 5, 6}), 2.0 / 20, 1e-12));
  EXPECT_TRUE(near(p({4, 5, 6}, {1, 2, 3}), 2.0 / 20, 1e-12));
  EXPECT_TRUE(near(p({1, 3, 5}, {2, 4, 6}), 2 * 7.0 / 20, 1e-12));  // U = 3; 1 + 1 + 2 + 3 of 20 orders have U <= 3
  EXPECT_TRUE(near(p({1, 2, 3, 4, 5}, {6, 7, 8, 9, 10}), 2.0 / 252, 1e-12));
  EXPECT_TRUE(near(p({1}, {2, 3}), 2.0 / 3, 1e-12));
  EXPECT_TRUE(near(p({2}, {1, 3}), 1, 1e-12));
}

TEST(MannWhitney, TiesAndLargeSamplesUseTheNormalDistribution) {
  // Ranks 1.5 1.5 3.5 | 3.5 5.5 5.5: U = 0.5, variance 9/12 (7 - 18/30) = 4.8, z = 3.5 / sqrt(4.8).
  EXPECT_TRUE(near(mann_whitney(std::vector<double>{1, 1, 2}, std::vector<double>{2, 3, 3}).value(), 0.1101489, 1e-6));
  EXPECT_EQ(mann_whitney(std::vector<double>{1, 1}, std::vector<double>{1, 1}), 1.0);
  std::vector<double> low, high;
  for (int i = 0; i < 30; ++i) low.push_back(i), high.push_back(i + 0.5);
  EXPECT_GT(mann_whitney(low, high).value(), 0.5);
  for (double& x : high) x += 20;
  EXPECT_LT(mann_whitney(low, high).value(), 1e-4);
  EXPECT_EQ(mann_whitney(low, {}), std::nullopt);
}

constexpr const char* kOldRun = R"({"context": {}, "benchmarks": [
  {"name": "a", "run_name": "a", "run_type": "iteration", "real_time": 2.0, "time_unit": "us"},
  {"name": "a", "run_name": "a", "run_type": "iteration", "real_time": 3.0, "time_unit": "us"},
  {"name": "a_mean", "run_name": "a", "run_type": "aggregate", "real_time": 9.0, "time_unit": "us"},
  {"name": "b", "run_name": "b", "run_type": "iteration",
   "error_occurred": true, "error_message": "wrong", "real_time": 0.0, "time_unit": "us"},
  {"name": "machine/fma_peak/threads:1", "run_name": "machine/fma_peak/threads:1",
   "run_type": "iteration", "real_time": 0.0, "time_unit": "us"}]})";

TEST(Comparison, ReadsRepetitionsOnly) {
  const RowSamples samples = read_samples(kOldRun, "old.json");
  ASSERT_EQ(samples.size(), 1u);
  EXPECT_TRUE((close<double, double>(samples.at("a"), std::vector<double>{2e-6, 3e-6}, {})));
  for (const char* text : {"", "[]", "{}", R"({"benchmarks": [{"name": "a"}]})", R"({"benchmarks": 3})"})
    EXPECT_TRUE(has(user_error(ExitCode::kInputOutput, [&] { read_samples(text, "old.json"); }), {"old.json"})) << text;
}

// The units of Google Benchmark's JSON.
TEST(Comparison, ReadsTimesInEveryUnit) {
  for (const auto& [unit, seconds] : {std::pair{"ns", 1e-9}, {"us", 1e-6}, {"ms", 1e-3}, {"s", 1.0}}) {
    const std::string text = fmt::format(
        R"({{"benchmarks": [{{"name": "a", "run_name": "a", "run_type": "iteration", "real_time": 2.0, "time_unit": "{}"}}]}})", unit);
    EXPECT_TRUE(near(read_samples(text, "old.json").at("a").at(0), 2 * seconds, 1e-15 * seconds)) << unit;
  }
}

TEST(Comparison, SaysSlowerOnlyWhereTheTestDoes) {
  const std::vector<double> base = {1.00, 1.01, 1.02, 1.03, 1.04, 1.05, 1.06};
  std::vector<double> twice = base, jitter = base;
  for (double& x : twice) x *= 2;
  for (std::size_t i = 0; i < jitter.size(); ++i) jitter[i] += 0.004;
  const auto line = [](const RowSamples& old_run, const RowSamples& now) {
    const std::string table = comparison_table(old_run, now);
    return table.substr(table.find('\n') + 1);
  };
  EXPECT_TRUE(has(line({{"r", base}}, {{"r", twice}}), {"2.000", "slower"}));
  EXPECT_TRUE(has(line({{"r", twice}}, {{"r", base}}), {"0.500", "faster"}));
  EXPECT_TRUE(has(line({{"r", base}}, {{"r", jitter}}), {"no difference shown"}));
  EXPECT_TRUE(has(line({{"r", base}}, {{"q", base}}), {"only in the old run: r", "only in this run: q"}));
}

// --- checks before a time is believed -----------------------------------------------------------------------------------------------

TEST(KernelCheck, MismatchIsFound) {
  const std::vector<float> right = {1, 2, 3};
  const std::vector<double> expected = {1, 2, 3};
  EXPECT_EQ(mismatch("x", right, expected, 4), "");
  std::vector<float> wrong = right;
  wrong[1] = 2.001f;
  EXPECT_TRUE(has(mismatch("x", wrong, expected, 4), {"x: element 1"}));
  wrong[1] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_TRUE(has(mismatch("x", wrong, expected, 4), {"element 1"}));
  EXPECT_TRUE(has(mismatch("x", std::vector<float>(3), std::vector<double>(3), 4), {"zero everywhere"}));
  EXPECT_TRUE(has(mismatch("x", std::vector<float>(2), expected, 4), {"sizes differ"}));
}

// The reference's products with one element that is off by 0.1 %.
class WrongBackend final : public Backend<float> {
 public:
  std::string_view name() const override { return "wrong"; }
  const PointwiseKernels<float>& pointwise() const override { return right_->pointwise(); }
  std::unique_ptr<PackedWeights<float>> make_weights(const ProductShape& typical) override { return right_->make_weights(typical); }
  std::unique_ptr<Product<float>> make_product(const ProductShape& shape, PackedWeights<float>* weights) override {
    return std::make_unique<WrongProduct>(right_->make_product(shape, weights), shape.m * shape.n - 1);
  }

  std::unique_ptr<ConvolutionWeights<float>> make_convolution_weights(const ConvolutionShape& shape) override {
    return right_->make_convolution_weights(shape);
  }
  std::unique_ptr<Convolution<float>> make_convolution(const ConvolutionShape& shape, ConvolutionWeights<float>& weights) override {
    return right_->make_convolution(shape, weights);
  }
  std::unique_ptr<Pooling<float>> make_pooling(const PoolingShape& shape) override { return right_->make_pooling(shape); }

 private:
  class WrongProduct final : public Product<float> {
   public:
    WrongProduct(std::unique_ptr<Product<float>> right, std::int64_t last) : right_(std::move(right)), last_(last) {}
    void run(const float* a, const float* b, const float* bias, float* c) override {
      right_->run(a, b, bias, c);
      c[last_] += 1e-2f;
    }
    std::string implementation() const override { return "wrong"; }

   private:
    std::unique_ptr<Product<float>> right_;
    std::int64_t last_;
  };
  std::unique_ptr<Backend<float>> right_ = make_backend<float>("reference");
};

TEST(KernelCheck, AWrongProductIsFoundAndARightOneIsNot) {
  WrongBackend wrong;
  const auto right = make_backend<float>("reference");
  for (const ProductCase& test : product_cases()) {
    if (!test.timed) continue;
    EXPECT_EQ(product_fault(*right, test), "") << case_name(test);
    EXPECT_TRUE(has(product_fault(wrong, test), {"the reference says"})) << case_name(test);
  }
}

TEST(KernelCheck, PlainCodeOfOneDnnIsRefused) {
  EXPECT_TRUE(has(slow_implementation("onednn", "ref:any"), {"ref:any"}));
  EXPECT_TRUE(has(slow_implementation("onednn", "jit:avx2, ref:any, jit:avx2"), {"ref:any"}));
  EXPECT_EQ(slow_implementation("onednn", "brg:avx512_core"), "");
  EXPECT_EQ(slow_implementation("reference", "reference"), "");
}

// What is timed agrees with the reference: each kernel, each engine, and steps of the table of goals up to H = 64.
TEST(ProfileRows, AreAllRight) {
  std::set<std::string> names;
  for (const TimedCase& row : profile_rows({})) {
    EXPECT_TRUE(names.insert(row.name).second) << row.name << " twice";
    EXPECT_TRUE(row.flops > 0 || row.bytes > 0) << row.name;
    if (row.flops > 2e9) continue;
    EXPECT_EQ(row.find_fault(), "") << row.name;
  }
  EXPECT_TRUE(names.contains("onednn/lstm_forward/32x128"));
  EXPECT_TRUE(names.contains("step/lstm/T100B64H128I2/onednn/threads:1"));
  EXPECT_TRUE(names.contains("step/lstm/T100B64H128I2/onednn_primitive/threads:1"));
  EXPECT_TRUE(names.contains("step/dense/B64H256I256/onednn/threads:1"));
  EXPECT_TRUE(names.contains("optimizer/adam/65536"));
}

// --- a run ---------------------------------------------------------------------------------------------------------------------------

LimitsByThreads fixed_limits(std::span<const int> threads) {
  LimitsByThreads limits;
  for (const int count : threads) limits[count] = {.flops_per_second = 1e12, .bytes_per_second = 1e10};
  return limits;
}

TimedCase some_row(const std::string& name, double flops, const std::string& fault) {
  return {.name = name,
          .flops = flops,
          .bytes = 8,
          .find_fault = [fault] { return fault; },
          .prepare = [] { return TimedBody{.run = [] {}, .implementation = "nothing"}; }};
}

ProfileArguments quick(const std::filesystem::path& out, const std::string& format = "json") {
  return {.flags = {"--benchmark_min_time=0.001", "--benchmark_filter=.*", "--benchmark_repetitions=1", "--benchmark_out=" + out.string(),
                    "--benchmark_out_format=" + format}};
}

TEST(ProfileRun, ARightRowIsGood) {
  const TempDir directory;
  const auto out = directory.path() / "out.json";
  EXPECT_EQ(time_rows({some_row("right", 1, "")}, quick(out), fixed_limits), ExitCode::kGood);
  const std::string json = read_file(out);
  EXPECT_TRUE(has(json, {"\"right/real_time\"", "share_of_peak", "share_of_triad", "machine/fma_peak/threads:1", "\"aslr\"", "\"governor\"",
                         "\"label\": \"nothing\""}));
  EXPECT_EQ(read_samples(json, "out.json").size(), 1u);
}

TEST(ProfileRun, AStepIsAlsoHeldAgainstThePeakBesideIt) {
  const TempDir directory;
  const auto out = directory.path() / "out.json";
  ProfileArguments arguments = quick(out);
  arguments.flags[0] = "--benchmark_min_time=0.1";  // shorter ones are taken for trial runs
  for (const bool update : {false, true}) {
    TimedCase row = some_row("row", run_multiply_adds(1000), "");
    row.prepare = [] { return TimedBody{.run = [] { run_multiply_adds(1000); }, .implementation = "multiply-adds"}; };
    row.update = update;
    EXPECT_EQ(time_rows({row}, arguments, fixed_limits), ExitCode::kGood);
    EXPECT_EQ(has(read_file(out), {"share_beside_peak"}), update);
  }
}

TEST(ProfileRun, AWrongRowIsAnErrorRowAndTheExitCodeTells) {
  const TempDir directory;
  const auto out = directory.path() / "out.json";
  EXPECT_EQ(time_rows({some_row("right", 1, ""), some_row("wrong", 1, "gradient of everything: element 0")}, quick(out), fixed_limits),
            ExitCode::kFailed);
  const std::string json = read_file(out);
  EXPECT_TRUE(has(json, {"gradient of everything: element 0"}));
  EXPECT_EQ(read_samples(json, "out.json").count("wrong/real_time"), 0u);  // no time for it
  EXPECT_EQ(read_samples(json, "out.json").count("right/real_time"), 1u);
}

TEST(ProfileRun, ACheckThatThrowsIsAnErrorRow) {
  const TempDir directory;
  TimedCase row = some_row("throws", 1, "");
  row.find_fault = []() -> std::string { throw std::runtime_error("no such shape"); };
  EXPECT_EQ(time_rows({row}, quick(directory.path() / "out.json"), fixed_limits), ExitCode::kFailed);
  EXPECT_TRUE(has(read_file(directory.path() / "out.json"), {"no such shape"}));
}

TEST(ProfileRun, ARowAboveThePeakIsAnErrorRow) {
  const TempDir directory;
  EXPECT_EQ(time_rows({some_row("impossible", 1e15, "")}, quick(directory.path() / "out.json"), fixed_limits), ExitCode::kFailed);
  EXPECT_TRUE(has(read_file(directory.path() / "out.json"), {"more than the peak"}));
}

TEST(ProfileRun, CsvHasTheSameColumnsInEveryRow) {
  const TempDir directory;
  const auto out = directory.path() / "out.csv";
  TimedCase update = some_row("update", 1, "");
  update.update = true;
  EXPECT_EQ(time_rows({some_row("no flops", 0, ""), update, some_row("wrong", 1, "it is wrong")}, quick(out, "csv"), fixed_limits),
            ExitCode::kFailed);
  std::istringstream lines(read_file(out));
  int count = 0;
  for (std::string line; std::getline(lines, line); ++count) EXPECT_EQ(std::ranges::count(line, ','), 14) << line;
  EXPECT_EQ(count, 1 + 3 + 2);
}

TEST(ProfileRun, AFilterThatMatchesNothingIsBadUsage) {
  const TempDir directory;
  ProfileArguments arguments = quick(directory.path() / "out.json");
  arguments.flags.emplace_back("--benchmark_filter=xyz");
  EXPECT_TRUE(has(user_error(ExitCode::kUsage, [&] { time_rows({some_row("a", 1, "")}, arguments, fixed_limits); }), {"xyz"}));
}

}  // namespace
}  // namespace vp::test
