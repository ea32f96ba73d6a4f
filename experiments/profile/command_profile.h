// `vpoint profile`: every row under Google Benchmark, held against the machine's limits of the same run, and checked before it is timed.
// Thread-safety: one thread; Google Benchmark's flags and list of rows belong to the process.
#pragma once

#include <string>
#include <vector>

#include "experiments/io/error.h"
#include "experiments/profile/machine.h"
#include "kernels/bench/timed_case.h"

namespace vp {

struct ProfileArguments {
  std::vector<std::string> steps;  // --step; empty: the kernels and the table of goals
  std::vector<int> threads;        // --threads; empty: 1, and usable_processors()
  std::string backend;             // --backend; empty: every one
  std::string isa;                 // --isa; empty: the best
  std::string compare;             // --compare; empty: nothing
  std::vector<std::string> flags;  // Google Benchmark's
};

std::string profile_help();  // what the options do not say: names, counters, formulas

// kFailed if a row is wrong or beyond the peak. UserError for bad arguments.
ExitCode run_profile(const ProfileArguments& arguments);

// The rows that the arguments ask for.
std::vector<TimedCase> profile_rows(const ProfileArguments& arguments);

// Times given rows against limits that `measure` gives at the start and again at the end.
ExitCode time_rows(const std::vector<TimedCase>& rows, const ProfileArguments& arguments, MeasureLimits measure);

}  // namespace vp
