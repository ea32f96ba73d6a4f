#include "experiments/profile/session.h"

#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <exception>
#include <string_view>

namespace vp {
namespace {

using benchmark::Counter;

constexpr double kLongEnough = 0.05;  // seconds: shorter ones are Google Benchmark's trial runs
constexpr double kShortest = 1e-3;    // seconds: the clock's error is far below 1 % from here on

// One run() took `seconds`. `limits`: of the row's number of threads.
void set_counters(benchmark::State& state, const TimedCase& row, double seconds, const MachineLimits& limits) {
  const auto rate = [&](const char* name, double per_run) { state.counters[name] = Counter(per_run, Counter::kIsIterationInvariantRate); };
  if (row.flops > 0) {
    rate("FLOPS", row.flops);
    state.counters["share_of_peak"] = row.flops / seconds / limits.flops_per_second;
  }
  if (row.bytes > 0) {
    state.counters["bytes"] = row.bytes;
    rate("bytes_per_s", row.bytes);
    state.counters["share_of_triad"] = row.bytes / seconds / limits.bytes_per_second;
  }
  if (row.flops > 0 && row.bytes > 0) state.counters["intensity"] = row.flops / row.bytes;
  if (row.update) rate("updates_per_s", 1);
}

// The median over steps of the rate of one by the mean of the peaks right before and after it. The best peak of a run says what the core
// can do alone; with a neighbour on it, code that does nothing but multiply-adds loses a third for seconds, and so does a step.
double share_beside_peak(const TimedCase& row, const TimedBody& body) {
  PeakMeter meter(row.threads);
  std::vector<double> shares;
  double before = meter.flops_per_second();
  for (int step = 0; step < kStepsBeside; ++step) {
    const auto start = std::chrono::steady_clock::now();
    body.run();
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    const double after = meter.flops_per_second();
    shares.push_back(row.flops / seconds / ((before + after) / 2));
    before = after;
  }
  std::ranges::nth_element(shares, shares.begin() + kStepsBeside / 2);
  return shares[kStepsBeside / 2];
}

void append_drift(std::vector<std::string>& warnings, int threads, std::string_view what, double start, double end) {
  const double change = end / start - 1;
  if (std::abs(change) > kDriftLimit)
    warnings.push_back(fmt::format("{} of {} thread{} changed by {:+.0f} % during the run: shares of it are that uncertain", what, threads,
                                   threads == 1 ? "" : "s", 100 * change));
}

}  // namespace

const std::string& ProfileSession::fault_of(const TimedCase& row) {
  const auto [entry, first_time] = checked_.try_emplace(row.name);
  if (first_time) try {
      entry->second = row.find_fault();
    } catch (const std::exception& error) {
      entry->second = error.what();
    }
  return entry->second;
}

const TimedBody& ProfileSession::prepared(const TimedCase& row) {
  if (current_ != row.name) {
    body_ = {};
    body_ = row.prepare();
    body_.run();  // first touch
    current_ = row.name;
  }
  return body_;
}

// A disturbance while the peak was measured makes it too low: it is measured again before a row is called impossible.
bool ProfileSession::is_beyond_peak(const TimedCase& row, double flops_per_second) {
  double& peak = limits_.at(row.threads).flops_per_second;
  for (int attempt = 0; attempt < 3 && flops_per_second > peak; ++attempt) peak = std::max(peak, measure_flops_per_second(row.threads));
  return flops_per_second > peak;
}

void ProfileSession::time_row(benchmark::State& state, const TimedCase& row) {
  if (const std::string& fault = fault_of(row); !fault.empty()) {
    faults_[row.name] = fault;
    state.SkipWithError(fault.c_str());
    return;
  }
  const TimedBody& body = prepared(row);
  const auto start = std::chrono::steady_clock::now();
  for (auto _ : state) body.run();
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  const double seconds_each = seconds / static_cast<double>(state.iterations()), flops_per_second = row.flops / seconds_each;
  if (seconds > kShortest && is_beyond_peak(row, flops_per_second)) {
    const std::string fault = fmt::format("{:.1f} GFLOP/s is more than the peak of {:.1f}: one of them is measured wrongly",
                                          flops_per_second * 1e-9, limits_.at(row.threads).flops_per_second * 1e-9);
    faults_[row.name] = fault;
    state.SkipWithError(fault.c_str());
    return;
  }
  set_counters(state, row, seconds_each, limits_.at(row.threads));
  if (row.update && row.flops > 0 && seconds > kLongEnough) state.counters["share_beside_peak"] = share_beside_peak(row, body);
  state.SetLabel(body.implementation);
}

const LimitsByThreads& ProfileSession::limits_at_end() {
  if (!end_.empty()) return end_;
  body_ = {}, current_.clear();
  std::vector<int> threads;
  for (const auto& [count, limits] : start_) threads.push_back(count);
  end_ = measure_(threads);
  for (const auto& [count, limits] : end_) {
    append_drift(warnings_, count, "the multiply-add peak", start_.at(count).flops_per_second, limits.flops_per_second);
    append_drift(warnings_, count, "the triad's bandwidth", start_.at(count).bytes_per_second, limits.bytes_per_second);
  }
  return end_;
}

}  // namespace vp
