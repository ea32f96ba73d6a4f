// Where the time goes: a stopwatch that books laps to phases. One read of the clock a lap (some 25 ns), so it stays on.
// Thread-safety: a clock and its PhaseSeconds belong to one shard slot.
#pragma once

#include <chrono>

#include "models/spec/report.h"

namespace vp {

class PhaseClock {
 public:
  explicit PhaseClock(PhaseSeconds& seconds) : seconds_(seconds), last_(Clock::now()) {}
  // Books the time since the last lap (or the start) to `phase`.
  void lap(Phase phase) {
    const auto now = Clock::now();
    seconds_[static_cast<std::size_t>(phase)] += std::chrono::duration<double>(now - last_).count();
    last_ = now;
  }

 private:
  using Clock = std::chrono::steady_clock;
  PhaseSeconds& seconds_;
  Clock::time_point last_;
};

}  // namespace vp
