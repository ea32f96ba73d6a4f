#include "experiments/profile/command_profile.h"

#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <fstream>
#include <iterator>

#include "experiments/io/files.h"
#include "experiments/machine/instruction_set.h"
#include "experiments/machine/processors.h"
#include "experiments/profile/compare.h"
#include "experiments/profile/machine.h"
#include "experiments/profile/reporter.h"
#include "experiments/profile/session.h"
#include "experiments/profile/step.h"
#include "experiments/profile/updates.h"
#include "kernels/backend_list.h"
#include "kernels/bench/kernel_benchmark.h"
#include "kernels/onednn/rnn_primitives.h"
#include "models/base/suggest.h"

namespace vp {
namespace {

constexpr std::array kBenchmarkFlags = {"benchmark_list_tests",
                                        "benchmark_filter",
                                        "benchmark_min_time",
                                        "benchmark_min_warmup_time",
                                        "benchmark_repetitions",
                                        "benchmark_enable_random_interleaving",
                                        "benchmark_report_aggregates_only",
                                        "benchmark_display_aggregates_only",
                                        "benchmark_format",
                                        "benchmark_out",
                                        "benchmark_out_format",
                                        "benchmark_color",
                                        "benchmark_counters_tabular",
                                        "benchmark_context",
                                        "benchmark_time_unit",
                                        "benchmark_perf_counters",
                                        "v"};
constexpr std::array kOwnFlags = {"step", "backend", "threads", "isa", "compare", "help"};

// FLOPs: a reference step above it takes half a second or more, and is timed only if asked for by --backend.
constexpr double kSlowStep = 5e8;

// The value of --name=value; nothing if the flag is not there. --name alone is "true".
std::string flag_value(const std::vector<std::string>& flags, std::string_view name, std::string fallback) {
  for (const std::string& flag : flags) {
    if (flag == fmt::format("--{}", name)) fallback = "true";
    if (flag.starts_with(fmt::format("--{}=", name))) fallback = flag.substr(name.size() + 3);
  }
  return fallback;
}

void check_format(const std::vector<std::string>& flags, std::string_view name) {
  const std::vector<std::string> known = {"console", "json", "csv"};
  const std::string value = flag_value(flags, name, "console");
  if (std::ranges::find(known, value) == known.end())
    throw usage_error(fmt::format("--{}={}: no such format{}", name, value, suggestion(value, known)));
}

void check_flags(const std::vector<std::string>& flags) {
  std::vector<std::string> known;
  for (const char* name : kOwnFlags) known.push_back(fmt::format("--{}", name));
  for (const char* name : kBenchmarkFlags) known.push_back(fmt::format("--{}", name));
  for (const std::string& flag : flags) {
    const std::string name = flag.substr(0, flag.find('='));
    if (std::ranges::find(known, name) == known.end())
      throw usage_error(fmt::format("profile: no flag \"{}\"{}", name, suggestion(name, known)));
  }
  check_format(flags, "benchmark_format");
  check_format(flags, "benchmark_out_format");
  const std::string out = flag_value(flags, "benchmark_out", "");
  if (!out.empty() && !std::ofstream(out, std::ios::app)) throw io_error(fmt::format("--benchmark_out={}: cannot be written", out));
}

// backend_names() and oneDNN's recurrent primitives; or the one that was asked for.
std::vector<std::string> chosen_backends(const ProfileArguments& arguments) {
  std::vector<std::string> names;
  for (const std::string_view name : backend_names()) names.emplace_back(name);
  names.emplace_back(kPrimitiveName);
  if (arguments.backend.empty()) return names;
  if (std::ranges::find(names, arguments.backend) == names.end())
    throw usage_error(fmt::format("--backend {}: no such backend{}", arguments.backend, suggestion(arguments.backend, names)));
  return {arguments.backend};
}

std::vector<int> chosen_threads(const ProfileArguments& arguments) {
  if (!arguments.threads.empty()) return arguments.threads;
  const int processors = usable_processors().count;
  return processors == 1 ? std::vector<int>{1} : std::vector<int>{1, processors};
}

void add_steps(std::vector<TimedCase>& rows, const ProfileArguments& arguments, const StepShape& shape) {
  const std::vector<int> threads = chosen_threads(arguments);
  for (const std::string& backend : chosen_backends(arguments)) {
    if (backend == "reference" && arguments.backend.empty() && step_flops(shape) > kSlowStep) continue;
    for (const int count : threads) {
      if (count > 1 && (backend == kPrimitiveName || shape.cell == "dense")) continue;  // these know one thread only
      if (backend != kPrimitiveName) {
        rows.push_back(step_row(shape, backend, count));
      } else if (auto row = primitive_row(shape)) {
        rows.push_back(std::move(*row));
      }
    }
  }
}

void add_kernels(std::vector<TimedCase>& rows, const ProfileArguments& arguments) {
  const auto add = [&rows](std::vector<TimedCase> more) { std::ranges::move(more, std::back_inserter(rows)); };
  for (const std::string& backend : chosen_backends(arguments)) {
    if (backend == kPrimitiveName) continue;
    add(product_rows(backend));
    add(pointwise_rows(backend));
  }
  if (!arguments.backend.empty()) return;
  add(other_kernel_rows());
  add(update_rows());
}

void add_context(const LimitsByThreads& limits) {
  for (const auto& [key, value] : machine_context()) benchmark::AddCustomContext(key, value);
  for (const auto& [threads, limit] : limits) {
    benchmark::AddCustomContext(fmt::format("fma_peak_flops_per_s_threads_{}", threads), fmt::format("{:.5g}", limit.flops_per_second));
    benchmark::AddCustomContext(fmt::format("triad_bytes_per_s_threads_{}", threads), fmt::format("{:.5g}", limit.bytes_per_second));
  }
  benchmark::AddCustomContext("triad_array_bytes", fmt::format("{}", triad_array_bytes()));
  benchmark::AddCustomContext("flops_formula", kFlopsFormula);
  benchmark::AddCustomContext("bytes_model", kBytesModel);
}

// Ours stand first: the user's, behind them, win. 0.1 s a row keep the whole list within a few minutes.
std::vector<std::string> with_defaults(const ProfileArguments& arguments) {
  std::vector<std::string> flags = {"--benchmark_min_time=0.1"};
  if (!arguments.compare.empty()) flags.emplace_back("--benchmark_repetitions=9");  // at 5 to 5 the smallest p is 0.008
  flags.insert(flags.end(), arguments.flags.begin(), arguments.flags.end());
  return flags;
}

void initialize_benchmark(std::vector<std::string> flags) {
  static char name[] = "vpoint profile";  // the library keeps the pointer
  std::vector<char*> argv = {name};
  for (std::string& flag : flags) argv.push_back(flag.data());
  int argc = static_cast<int>(argv.size());
  benchmark::Initialize(&argc, argv.data());
  if (benchmark::ReportUnrecognizedArguments(argc, argv.data())) throw usage_error("profile: Google Benchmark does not know this flag");
}

std::vector<int> thread_counts(const std::vector<TimedCase>& rows) {
  std::vector<int> counts;
  for (const TimedCase& row : rows) counts.push_back(row.threads);
  std::ranges::sort(counts);
  counts.erase(std::unique(counts.begin(), counts.end()), counts.end());
  return counts;
}

std::size_t run_benchmarks(ProfileSession& session, const std::vector<std::string>& flags) {
  const auto display = make_reporter(flag_value(flags, "benchmark_format", "console"), session, Target::kDisplay);
  if (flag_value(flags, "benchmark_out", "").empty()) return benchmark::RunSpecifiedBenchmarks(display.get());
  const auto file = make_reporter(flag_value(flags, "benchmark_out_format", "json"), session, Target::kFile);
  return benchmark::RunSpecifiedBenchmarks(display.get(), file.get());
}

ExitCode print_outcome(ProfileSession& session, const RowSamples& old_run, const ProfileArguments& arguments) {
  const bool console = flag_value(arguments.flags, "benchmark_format", "console") == "console";
  if (!arguments.compare.empty()) fmt::print(console ? stdout : stderr, "\n{}", comparison_table(old_run, session.samples()));
  for (const std::string& warning : session.warnings()) fmt::print(stderr, "vpoint: warning: {}\n", warning);
  for (const auto& [row, fault] : session.faults()) fmt::print(stderr, "vpoint: {}: {}\n", row, fault);
  return session.faults().empty() ? ExitCode::kGood : ExitCode::kFailed;
}

}  // namespace

std::string profile_help() {
  return fmt::format(
      "Google Benchmark's flags work: --benchmark_filter=REGEX, --benchmark_format=json|csv, --benchmark_out=FILE, "
      "--benchmark_repetitions=N, ...\n"
      "Rows: <backend>/<kernel>/<shape>, optimizer/..., reduction/..., and step/<cell>/T..B..H..I../<backend>/threads:N, a whole training "
      "step (forward, loss at the\n"
      "last step, backward, weight gradients, SGD update). {0} is oneDNN's own lstm, lbr_gru or vanilla_rnn: forward_training and "
      "backward.\n"
      "Counters: FLOPS of matrix products ({1}); share_of_peak of the multiply-add rate of as many\nthreads, the best measured at the "
      "start; "
      "share_beside_peak: the same of the rate right before and after, median of {3} steps, for machines whose\n"
      "neighbours take a changing part of every core; bytes ({2});\n"
      "intensity = FLOPs / bytes. Every row is checked against the double-precision reference first: a wrong one, or one above the peak, "
      "is an error row and exit 1.",
      kPrimitiveName, kFlopsFormula, kBytesModel, kStepsBeside);
}

std::vector<TimedCase> profile_rows(const ProfileArguments& arguments) {
  std::vector<TimedCase> rows;
  if (arguments.steps.empty()) add_kernels(rows, arguments);
  for (const std::string& step : arguments.steps) add_steps(rows, arguments, parse_step(step));
  if (arguments.steps.empty())
    for (const StepShape& shape : goal_shapes()) add_steps(rows, arguments, shape);
  if (rows.empty()) throw usage_error(fmt::format("--backend {}: it has no such step", arguments.backend));
  return rows;
}

ExitCode time_rows(const std::vector<TimedCase>& rows, const ProfileArguments& arguments, MeasureLimits measure) {
  check_flags(arguments.flags);
  const RowSamples old_run = arguments.compare.empty() ? RowSamples() : read_samples(read_file(arguments.compare), arguments.compare);
  initialize_benchmark(with_defaults(arguments));
  const bool list = flag_value(arguments.flags, "benchmark_list_tests", "false") != "false";
  const LimitsByThreads limits = list ? LimitsByThreads() : measure(thread_counts(rows));
  if (!list) add_context(limits);
  ProfileSession session(limits, measure);
  benchmark::ClearRegisteredBenchmarks();
  for (const TimedCase& row : rows)
    benchmark::RegisterBenchmark(row.name.c_str(), [&](benchmark::State& state) { session.time_row(state, row); })
        ->UseRealTime()
        ->Unit(benchmark::kMicrosecond);
  const std::size_t matched = run_benchmarks(session, arguments.flags);
  if (matched == 0)
    throw usage_error(fmt::format("--benchmark_filter={}: no row of that name", flag_value(arguments.flags, "benchmark_filter", "")));
  return print_outcome(session, old_run, arguments);
}

ExitCode run_profile(const ProfileArguments& arguments) {
  check_flags(arguments.flags);
  if (!arguments.isa.empty()) limit_instruction_set(arguments.isa);  // the peak and the kernels are of one kind
  return time_rows(profile_rows(arguments), arguments, measure_limits);
}

}  // namespace vp
