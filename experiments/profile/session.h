// One run of `vpoint profile`: the machine's limits, the row that is set up at the moment, and what went wrong. Thread-safety: one thread.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "experiments/profile/compare.h"
#include "experiments/profile/machine.h"
#include "kernels/bench/timed_case.h"

namespace benchmark {
class State;
}

namespace vp {

inline constexpr double kDriftLimit = 0.10;  // between the limits at the start and at the end, before it is warned of
inline constexpr int kStepsBeside = 25;      // timed one by one between two measurements of the peak

class ProfileSession {
 public:
  // `limits`: what `measure` gave at the start.
  ProfileSession(LimitsByThreads limits, MeasureLimits measure) : measure_(measure), limits_(std::move(limits)), start_(limits_) {}

  // What Google Benchmark calls for a row, once for each of its trial runs and repetitions. A row with a fault becomes an error row.
  void time_row(benchmark::State& state, const TimedCase& row);

  // Measures the limits again, once, and notes what drifted.
  const LimitsByThreads& limits_at_end();
  const std::vector<std::string>& warnings() const { return warnings_; }
  const std::map<std::string, std::string>& faults() const { return faults_; }  // by row name
  RowSamples& samples() { return samples_; }

 private:
  const std::string& fault_of(const TimedCase& row);
  const TimedBody& prepared(const TimedCase& row);
  bool is_beyond_peak(const TimedCase& row, double flops_per_second);

  MeasureLimits measure_;
  LimitsByThreads limits_;  // the peak rises if a later measurement is higher
  LimitsByThreads start_, end_;
  std::map<std::string, std::string> checked_;  // row name, its fault or nothing
  std::map<std::string, std::string> faults_;
  std::string current_;  // row whose body is set up: one at a time, for the memory
  TimedBody body_;
  std::vector<std::string> warnings_;
  RowSamples samples_;
};

}  // namespace vp
