// How many processors the process may use: the default number of threads, and with it how many runs go side by side.
//
// The fewest of three: the affinity mask (taskset, cpusets, most batch systems), the CPU quota of the process's cgroup and of every cgroup
// that holds it (containers), and SLURM_CPUS_PER_TASK. The machine's own processors count only as far as the mask has them.
// Thread-safety: all functions may be called from any thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace vp {

constexpr int kMostThreads = 1024;  // that --threads accepts

struct Processors {
  int count = 1;        // 1 .. kMostThreads
  std::string rule;     // what decided: "affinity", "cgroup quota" or "SLURM_CPUS_PER_TASK"
  std::string warning;  // about an environment that cannot be read; empty: none
};

// Of this process, looked up once. A warning goes to stderr then.
const Processors& usable_processors();

// The rule itself. quota: whole processors, empty for none. slurm: the value of SLURM_CPUS_PER_TASK, null if it is not set; what is not a
// positive whole number is ignored with a warning.
Processors fewest_processors(std::int64_t affinity, std::optional<std::int64_t> quota, const char* slurm);

// Processors of cgroup 2's cpu.max, "QUOTA PERIOD" in microseconds, rounded up: a quota of 1.5 keeps two threads at work, with one a third
// of it would be lost. Empty for "max" (no limit) and for what is not such a text.
std::optional<std::int64_t> parse_cpu_max(std::string_view text);

// The smallest quota on the way from the process's cgroups up to their roots, for versions 1 (cpu.cfs_quota_us, cpu.cfs_period_us) and 2;
// empty if there is none. root: where /proc and the cgroup file systems are looked for.
std::optional<std::int64_t> cgroup_processors(const std::filesystem::path& root = "/");

}  // namespace vp
