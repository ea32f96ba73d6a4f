// What `vpoint profile` holds every row against: the machine's multiply-add peak and memory bandwidth, measured in the same run, and what
// the machine is. Thread-safety: one thread.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace vp {

class ThreadPool;

// Of a number of threads together; the best of many short blocks, since a disturbance can only slow a block down.
struct MachineLimits {
  double flops_per_second = 0;  // multiply-adds from registers, float
  double bytes_per_second = 0;  // a = b + 3 c, 12 bytes an element
};

// By thread count. Takes about a second for each.
using LimitsByThreads = std::map<int, MachineLimits>;
LimitsByThreads measure_limits(std::span<const int> threads);
using MeasureLimits = LimitsByThreads (*)(std::span<const int> threads);
double measure_flops_per_second(int threads);

// Multiply-adds of `threads` threads, some 2 ms at a time, to be measured right beside something else: on a machine that is shared, a
// neighbour on the same core takes a part of it that changes from second to second.
class PeakMeter {
 public:
  explicit PeakMeter(int threads);
  ~PeakMeter();
  double flops_per_second();  // of one block

 private:
  std::unique_ptr<ThreadPool> pool_;
};

// The three arrays of the triad together, in bytes: twice the last-level cache, from 64 MiB to 1 GiB, at most a quarter of the memory.
std::int64_t triad_array_bytes();

// Name and value: CPU, caches, instruction sets, compiler, flags, libraries, oneDNN's implementations, frequency governor, address
// randomisation.
std::vector<std::pair<std::string, std::string>> machine_context();

}  // namespace vp
