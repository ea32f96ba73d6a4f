// One row of `vpoint profile`: what is timed, what it does, and how it is checked before anybody believes its time. Plain data and
// closures. Thread-safety: the closures are called by one thread.
#pragma once

#include <functional>
#include <string>

namespace vp {

// A row that is set up and ready to run. The closure owns its arrays.
struct TimedBody {
  std::function<void()> run;   // once: what one iteration times
  std::string implementation;  // what the engine calls its code; may be empty
};

struct TimedCase {
  std::string name;                         // as --benchmark_filter sees it
  double flops = 0;                         // of matrix products in one run(); 0: none, and the row has no such counters
  double bytes = 0;                         // moved by one run() in the stated model; 0: no model
  int threads = 1;                          // that run() works with
  bool update = false;                      // run() is a training update
  std::function<std::string()> find_fault;  // compares the results with the reference: what is wrong, or nothing
  std::function<TimedBody()> prepare;
};

}  // namespace vp
