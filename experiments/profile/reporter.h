// How the rows of `vpoint profile` are written: Google Benchmark's console and JSON, and a CSV whose columns are the same for every row
// (Google Benchmark's own ends the process at the first row with another set of counters). Thread-safety: one thread.
#pragma once

#include <benchmark/benchmark.h>

#include <cstdint>
#include <memory>
#include <string_view>

#include "experiments/profile/session.h"

namespace vp {

enum class Target : std::uint8_t { kDisplay, kFile };

// format: console, json or csv. Behind the last row come the machine's limits as they are at the end. The display's also keeps the times,
// in session.samples().
std::unique_ptr<benchmark::BenchmarkReporter> make_reporter(std::string_view format, ProfileSession& session, Target target);

}  // namespace vp
