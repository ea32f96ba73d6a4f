// Everything `vpoint verify` checks, and what it finds on the machine it runs on. The checks themselves are in kernels/ and models/, each
// beside what it checks and driven by its list. Thread-safety: one thread calls; checks run on a pool.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "kernels/verify/finding.h"

namespace vp {

// A group of rows and what it allows; figures are multiples of that.
struct VerifyTopic {
  std::string_view name, claim, allowed;
};
std::span<const VerifyTopic> verify_topics();

// In the order of the topics. threads: counts that must give the same bits.
std::vector<Check> verify_checks(const std::vector<int>& threads);

// One subject of a topic, over all its cases. The fault is that of the first wrong case.
struct VerifyRow {
  std::string topic, subject;
  std::int64_t cases = 0;
  Finding finding;
};

// Runs every check, in parallel but for those that are to be alone; `done` is called after each, from any thread.
std::vector<VerifyRow> run_checks(std::span<const Check> checks, int threads, const std::function<void()>& done);

struct VerifyMachine {
  std::vector<std::pair<std::string, std::string>> facts;  // CPU, processors, instruction sets, libraries, oneDNN's implementations, ...
  std::vector<std::string> warnings;                       // what is right but slow: oneDNN's plain `ref` code
};
VerifyMachine verify_machine();

}  // namespace vp
