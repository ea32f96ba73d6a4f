#include "experiments/machine/processors.h"

#include <fmt/format.h>
#include <sched.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <fstream>
#include <limits>
#include <sstream>
#include <system_error>
#include <thread>
#include <vector>

namespace vp {
namespace {

namespace fs = std::filesystem;
using Limit = std::optional<std::int64_t>;  // whole processors; empty: none

// A text of digits alone as a positive number; what is larger than the type is its largest.
Limit positive(std::string_view text) {
  constexpr std::uint64_t most = std::numeric_limits<std::int64_t>::max();
  std::uint64_t value = 0;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, value);
  if (rest != end || error == std::errc::invalid_argument) return std::nullopt;
  if (error == std::errc::result_out_of_range) value = most;
  return value > 0 ? Limit(std::min(value, most)) : std::nullopt;
}

Limit quota_processors(std::string_view quota, std::string_view period) {
  const Limit used = positive(quota), of = positive(period);
  if (!used || !of) return std::nullopt;
  return *used / *of + (*used % *of != 0);
}

Limit smaller(Limit a, Limit b) { return a && b ? std::min(*a, *b) : a ? a : b; }

// The first line; empty if there is none.
std::string first_line(const fs::path& path) {
  std::string line;
  std::ifstream in(path);
  std::getline(in, line);
  return line;
}

std::vector<std::string> lines_of(const fs::path& path) {
  std::vector<std::string> lines;
  std::ifstream in(path);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

bool has_word(std::string_view list, std::string_view word) {
  return ("," + std::string(list) + ",").find("," + std::string(word) + ",") != std::string::npos;
}

// A cgroup file system: `root` is the cgroup that is seen at `point`.
struct CgroupMount {
  std::string root, point;
  bool unified;  // version 2
};

// From lines of mountinfo: "36 35 0:28 /root /point options [tags] - type source options".
std::vector<CgroupMount> cgroup_mounts(const fs::path& mountinfo) {
  std::vector<CgroupMount> mounts;
  for (const std::string& line : lines_of(mountinfo)) {
    const std::size_t dash = line.find(" - ");
    if (dash == std::string::npos) continue;
    std::istringstream left(line.substr(0, dash)), right(line.substr(dash + 3));
    std::string skipped, root, point, type, source, options;
    left >> skipped >> skipped >> skipped >> root >> point;
    right >> type >> source >> options;
    if (type == "cgroup2" || (type == "cgroup" && has_word(options, "cpu"))) mounts.push_back({root, point, type == "cgroup2"});
  }
  return mounts;
}

Limit own_limit(const fs::path& directory, bool unified) {
  if (unified) return parse_cpu_max(first_line(directory / "cpu.max"));
  return quota_processors(first_line(directory / "cpu.cfs_quota_us"), first_line(directory / "cpu.cfs_period_us"));
}

// Of a cgroup and all above it. A path that does not lie below the mount's root is that of another name space: the mount itself counts.
Limit limit_upwards(const fs::path& root, const CgroupMount& mount, std::string_view path) {
  const std::string_view top = mount.root == "/" ? "" : std::string_view(mount.root);
  const bool below = path.starts_with(top) && (path.size() == top.size() || path[top.size()] == '/');
  std::string rest(below ? path.substr(top.size()) : "");
  if (rest.find("/..") != std::string::npos) rest.clear();
  Limit limit;
  while (true) {
    limit = smaller(limit, own_limit(root / fs::path(mount.point + rest).relative_path(), mount.unified));
    if (rest.empty()) return limit;
    rest.erase(rest.rfind('/'));
  }
}

std::int64_t affinity_processors() {
  for (int bits = 1024; bits <= 1 << 20; bits *= 2) {  // the kernel refuses a mask that is smaller than its own
    cpu_set_t* mask = CPU_ALLOC(bits);
    if (mask == nullptr) break;
    const std::size_t size = CPU_ALLOC_SIZE(bits);
    const int count = sched_getaffinity(0, size, mask) == 0 ? CPU_COUNT_S(size, mask) : 0;
    CPU_FREE(mask);
    if (count > 0) return count;
  }
  return std::max(1u, std::thread::hardware_concurrency());
}

}  // namespace

std::optional<std::int64_t> parse_cpu_max(std::string_view text) {
  const std::size_t blank = text.find(' ');
  if (blank == std::string_view::npos) return std::nullopt;
  return quota_processors(text.substr(0, blank), text.substr(blank + 1));
}

std::optional<std::int64_t> cgroup_processors(const fs::path& root) {
  Limit limit;
  const std::vector<CgroupMount> mounts = cgroup_mounts(root / "proc/self/mountinfo");
  for (const std::string& line : lines_of(root / "proc/self/cgroup")) {  // "4:cpu,cpuacct:/path"; "0::/path" in version 2
    const std::size_t first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const bool unified = controllers.empty();
    if (!unified && !has_word(controllers, "cpu")) continue;
    for (const CgroupMount& mount : mounts)
      if (mount.unified == unified) limit = smaller(limit, limit_upwards(root, mount, std::string_view(line).substr(second + 1)));
  }
  return limit;
}

Processors fewest_processors(std::int64_t affinity, std::optional<std::int64_t> quota, const char* slurm) {
  Processors found;
  std::int64_t count = affinity;
  found.rule = "affinity";
  const auto take = [&](Limit limit, const char* rule) {
    if (limit && *limit < count) count = *limit, found.rule = rule;
  };
  take(quota, "cgroup quota");
  const std::string_view text = slurm == nullptr ? "" : slurm;
  const Limit tasks = positive(text);
  if (!text.empty() && !tasks)
    found.warning =
        fmt::format("SLURM_CPUS_PER_TASK=\"{}\" is not a positive whole number and is ignored; --threads N sets the threads", text);
  take(tasks, "SLURM_CPUS_PER_TASK");
  found.count = static_cast<int>(std::clamp<std::int64_t>(count, 1, kMostThreads));
  return found;
}

const Processors& usable_processors() {
  static const Processors found = [] {
    Processors processors = fewest_processors(affinity_processors(), cgroup_processors(), std::getenv("SLURM_CPUS_PER_TASK"));
    if (!processors.warning.empty()) fmt::print(stderr, "warning: {}\n", processors.warning);
    return processors;
  }();
  return found;
}

}  // namespace vp
