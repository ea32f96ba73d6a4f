#include "experiments/profile/machine.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/personality.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <functional>
#include <numeric>
#include <set>

#include "experiments/machine/build_info.h"
#include "experiments/machine/library_versions.h"
#include "kernels/backend/backend.h"
#include "kernels/backend_list.h"
#include "kernels/bench/machine_peak.h"
#include "kernels/memory/aligned_buffer.h"
#include "kernels/verify/cases.h"
#include "models/base/parallel.h"

namespace vp {
namespace {

constexpr std::int64_t kMiB = 1 << 20;
constexpr std::int64_t kRounds = 100000;  // of multiply-adds an item: some 0.2 ms with AVX-512
constexpr int kItemsPerThread = 8;        // a block of about 2 ms: items are taken as threads get free, so that all of them are at work
constexpr double kPeakSeconds = 0.4;      // some 200 blocks: on a busy machine, most of them are disturbed
constexpr std::int64_t kSlice = 1 << 16;  // elements of a triad an item
constexpr int kPasses = 5;

template <class Work>
double seconds_of(const Work& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

double block_flops_per_second(ThreadPool& pool) {
  const std::int64_t items = pool.threads() * kItemsPerThread;
  std::vector<double> flops(static_cast<std::size_t>(items));
  const auto work = [&](std::int64_t item) { flops[item] = run_multiply_adds(kRounds); };
  const double seconds = seconds_of([&] { pool.for_each(items, std::cref(work)); });
  return std::accumulate(flops.begin(), flops.end(), 0.0) / seconds;
}

double best_flops_per_second(ThreadPool& pool) {
  double best = 0;
  const auto start = std::chrono::steady_clock::now();
  while (std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() < kPeakSeconds)
    best = std::max(best, block_flops_per_second(pool));
  return best;
}

struct TriadArrays {
  explicit TriadArrays(std::int64_t n) : size(n), a(n), b(n), c(n) {}
  std::int64_t size;
  AlignedBuffer<float> a, b, c;
};

double best_bytes_per_second(ThreadPool& pool, TriadArrays& arrays) {
  const std::int64_t items = (arrays.size + kSlice - 1) / kSlice;
  const auto work = [&](std::int64_t item) {
    const std::int64_t first = item * kSlice;
    run_triad(std::min(kSlice, arrays.size - first), arrays.b.data() + first, arrays.c.data() + first, arrays.a.data() + first);
  };
  double best = 0;
  for (int pass = 0; pass < kPasses; ++pass) {
    const double seconds = seconds_of([&] { pool.for_each(items, std::cref(work)); });
    best = std::max(best, kTriadBytes * static_cast<double>(arrays.size) / seconds);
  }
  return best;
}

std::string first_line(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

std::string caches() {
  std::string text;
  for (int i = 0; i < 8; ++i) {
    const std::string directory = fmt::format("/sys/devices/system/cpu/cpu0/cache/index{}/", i);
    const std::string size = first_line(directory + "size");
    if (size.empty()) continue;
    const std::string type = first_line(directory + "type");
    text += fmt::format("{}L{}{} {}", text.empty() ? "" : ", ", first_line(directory + "level"),
                        type == "Unified" ? ""
                        : type == "Data"  ? "d"
                                          : "i",
                        size);
  }
  return text.empty() ? "unknown" : text;
}

std::string address_randomisation() {
  const int flags = personality(0xffffffff);  // asks, changes nothing
  if (flags != -1 && (flags & ADDR_NO_RANDOMIZE) != 0) return "off for this process";
  const std::string setting = first_line("/proc/sys/kernel/randomize_va_space");
  return setting == "0" ? "off" : setting.empty() ? "unknown" : "on";
}

std::string onednn_implementations() {
  const auto backend = make_backend<float>("onednn");
  std::set<std::string> names;
  for (const ProductCase& test : typical_products()) names.insert(backend->make_product(test.shape, nullptr)->implementation());
  return fmt::format("{}", fmt::join(names, ", "));
}

std::string or_unknown(std::string text) { return text.empty() ? "unknown" : text; }

}  // namespace

std::int64_t triad_array_bytes() {
  const long level3 = sysconf(_SC_LEVEL3_CACHE_SIZE), level2 = sysconf(_SC_LEVEL2_CACHE_SIZE), pages = sysconf(_SC_PHYS_PAGES),
             page = sysconf(_SC_PAGESIZE);
  const std::int64_t wanted = std::clamp<std::int64_t>(2 * std::max({level3, level2, 0L}), 64 * kMiB, 1024 * kMiB);
  const std::int64_t quarter = static_cast<std::int64_t>(pages) * page / 4;
  return quarter > 0 ? std::min(wanted, quarter) : wanted;
}

double measure_flops_per_second(int threads) {
  ThreadPool pool(threads);
  return best_flops_per_second(pool);
}

PeakMeter::PeakMeter(int threads) : pool_(std::make_unique<ThreadPool>(threads)) {}
PeakMeter::~PeakMeter() = default;
double PeakMeter::flops_per_second() { return block_flops_per_second(*pool_); }

LimitsByThreads measure_limits(std::span<const int> threads) {
  TriadArrays arrays(triad_array_bytes() / static_cast<std::int64_t>(3 * sizeof(float)));
  LimitsByThreads limits;
  for (const int count : threads) {
    ThreadPool pool(count);
    limits[count] = {.flops_per_second = best_flops_per_second(pool), .bytes_per_second = best_bytes_per_second(pool, arrays)};
  }
  return limits;
}

std::vector<std::pair<std::string, std::string>> machine_context() {
  const BuildInfo build = build_info();
  return {{"cpu", or_unknown(cpu_model())},
          {"cache_sizes", caches()},
          {"instruction_set", instruction_set()},
          {"compiler", build.compiler},
          {"flags", or_unknown(build.flags)},
          {"git_commit", or_unknown(build.git_commit)},
          {"libraries", library_versions()},
          {"onednn_implementations", onednn_implementations()},
          {"governor", or_unknown(first_line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"))},
          {"aslr", address_randomisation()}};
}

}  // namespace vp
