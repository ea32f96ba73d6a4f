// The only door to threads in models/: a loop over independent items. TBB stays behind it.
//
// Which thread does which item never shows in a result: an item writes only what belongs to it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace vp {

class ThreadPool {
 public:
  // At most `threads` threads work at once, the caller's included.
  explicit ThreadPool(int threads);
  ~ThreadPool();
  int threads() const { return threads_; }

  // Runs task(0) .. task(n-1), each once, and returns when all are done; the first exception is passed on. Outer items may call for_each in
  // turn: a thread that waits in one loop takes no items of another (it could re-enter buffers that are in use). `ftz`: denormals are
  // flushed to zero in the tasks.
  void for_each(std::int64_t n, const std::function<void(std::int64_t)>& task, bool ftz = false);

  // The same for whole runs side by side: a thread that is done with its run helps in the loops of the others.
  void for_each_run(std::int64_t n, const std::function<void(std::int64_t)>& task);

 private:
  struct Impl;
  int threads_;
  std::unique_ptr<Impl> impl_;
};

// Of the oneTBB that is loaded, e.g. "2021.8".
std::string tbb_version();

// Flushes denormals to zero on this thread while it lives (MXCSR's FTZ and DAZ; no effect on other processors).
class FlushDenormals {
 public:
  explicit FlushDenormals(bool on);
  ~FlushDenormals();
  FlushDenormals(const FlushDenormals&) = delete;
  FlushDenormals& operator=(const FlushDenormals&) = delete;

 private:
  unsigned saved_ = 0;
  bool on_ = false;
};

}  // namespace vp
