// How far long work is: a bar with rate and time left on a terminal, as much of it as fits the width, else plain lines, at most one every
// few seconds.
//
// Thread-safety: advance() and finish_run() may be called from any thread; printing is serialised. Goes to stderr, results never do.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <string>

namespace vp {

// What is counted: a sweep's runs and their updates, or something else.
struct ProgressWords {
  const char* runs = "runs";
  const char* updates = "updates";
};

class Progress {
 public:
  // total_updates: of all runs that are to be done. quiet: prints nothing. The bar is taken away at the end of its life.
  Progress(std::int64_t runs, std::int64_t total_updates, bool quiet, ProgressWords words = {});
  ~Progress();
  void advance(std::int64_t updates);
  // A run ended: `left_over` updates of it will not be made (it diverged or was solved early).
  void finish_run(std::int64_t left_over);
  // A line of its own, above the bar.
  void message(const std::string& line);

 private:
  using Clock = std::chrono::steady_clock;
  void print(bool force);
  std::string status_line(double seconds, std::size_t width) const;

  std::int64_t runs_, total_;
  bool quiet_, terminal_;
  ProgressWords words_;
  std::atomic<std::int64_t> done_{0}, runs_done_{0};
  Clock::time_point start_ = Clock::now();
  std::atomic<std::int64_t> next_print_ms_{0};
  std::mutex mutex_;
};

}  // namespace vp
