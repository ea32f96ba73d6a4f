#include "experiments/machine/processors.h"

#include <gtest/gtest.h>
#include <sched.h>

#include <filesystem>
#include <fstream>
#include <limits>
#include <optional>
#include <string>

#include "tests/experiments/io/temp_dir.h"

namespace vp {
namespace {

namespace fs = std::filesystem;
using test::TempDir;
using Limit = std::optional<std::int64_t>;

TEST(CpuMax, IsRoundedUpToWholeProcessors) {
  EXPECT_EQ(parse_cpu_max("100000 100000"), 1);
  EXPECT_EQ(parse_cpu_max("100001 100000"), 2);
  EXPECT_EQ(parse_cpu_max("150000 100000"), 2);
  EXPECT_EQ(parse_cpu_max("200000 100000"), 2);
  EXPECT_EQ(parse_cpu_max("1000 100000"), 1);
  EXPECT_EQ(parse_cpu_max("400000 50000"), 8);
  EXPECT_EQ(parse_cpu_max("99999999999999999999999 100000"), std::numeric_limits<std::int64_t>::max() / 100000 + 1);
}

TEST(CpuMax, OtherTextsAreNoLimit) {
  for (const char* text : {"max 100000", "max", "", " ", "150000", "0 100000", "150000 0", "-1 100000", "-150000 -100000", "150000  100000",
                           "1.5 1", "+150000 100000", "150000 100000 7", "150000 100000x", "x150000 100000", "0x20 1", "150000\t100000"})
    EXPECT_EQ(parse_cpu_max(text), std::nullopt) << '"' << text << '"';
}

// A machine's /proc and cgroup file systems in a directory of the test's own.
class Machine {
 public:
  void file(const std::string& path, const std::string& text) {
    fs::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path) << text;
  }
  Limit processors() const { return cgroup_processors(root_.path()); }
  // Version 2 alone, its root at /sys/fs/cgroup, this process in `path`.
  void unified(const std::string& path) {
    file("proc/self/cgroup", "0::" + path + "\n");
    file("proc/self/mountinfo",
         "22 27 0:21 / /proc rw,relatime - proc proc rw\n31 23 0:28 / /sys/fs/cgroup rw shared:9 - cgroup2 cgroup2 rw,nsdelegate\n");
  }

 private:
  TempDir root_;
};

TEST(Cgroup, TheTightestOfAllLevelsCounts) {
  Machine machine;
  machine.unified("/slice/job/step");
  EXPECT_EQ(machine.processors(), std::nullopt);
  machine.file("sys/fs/cgroup/slice/job/step/cpu.max", "max 100000\n");
  EXPECT_EQ(machine.processors(), std::nullopt);
  machine.file("sys/fs/cgroup/slice/cpu.max", "350000 100000\n");
  EXPECT_EQ(machine.processors(), 4);
  machine.file("sys/fs/cgroup/slice/job/cpu.max", "150000 100000\n");
  EXPECT_EQ(machine.processors(), 2);
  machine.file("sys/fs/cgroup/slice/job/step/cpu.max", "800000 100000\n");
  EXPECT_EQ(machine.processors(), 2);
  machine.file("sys/fs/cgroup/slice/job/step/cpu.max", "50000 100000\n");
  EXPECT_EQ(machine.processors(), 1);
}

TEST(Cgroup, TheRootAndNeighboursCountToo) {
  Machine machine;
  machine.unified("/job");
  machine.file("sys/fs/cgroup/other/cpu.max", "100000 100000\n");  // of somebody else
  machine.file("sys/fs/cgroup/job/below/cpu.max", "100000 100000\n");
  EXPECT_EQ(machine.processors(), std::nullopt);
  machine.file("sys/fs/cgroup/cpu.max", "300000 100000\n");  // a container with a name space of its own sees its limit here
  EXPECT_EQ(machine.processors(), 3);
  machine.unified("/");
  EXPECT_EQ(machine.processors(), 3);
}

TEST(Cgroup, VersionOne) {
  Machine machine;
  machine.file("proc/self/cgroup", "9:memory:/m\n4:cpu,cpuacct:/slice/job\n3:cpuset:/\n0::/\n");
  machine.file(
      "proc/self/mountinfo",
      "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
      "33 31 0:30 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n");
  const std::string cpu = "sys/fs/cgroup/cpu,cpuacct/";
  machine.file(cpu + "slice/job/cpu.cfs_quota_us", "-1\n");
  machine.file(cpu + "slice/job/cpu.cfs_period_us", "100000\n");
  machine.file("sys/fs/cgroup/cpuset/cpu.cfs_quota_us", "100000\n");  // another hierarchy
  machine.file("sys/fs/cgroup/cpuset/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(machine.processors(), std::nullopt);
  machine.file(cpu + "slice/cpu.cfs_quota_us", "250000\n");
  machine.file(cpu + "slice/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(machine.processors(), 3);
  machine.file(cpu + "slice/job/cpu.cfs_quota_us", "20000\n");
  machine.file(cpu + "slice/job/cpu.cfs_period_us", "10000\n");
  EXPECT_EQ(machine.processors(), 2);
}

TEST(Cgroup, AContainerSeesItsOwnGroupAtTheMountPoint) {
  Machine machine;
  machine.file("proc/self/cgroup", "4:cpu,cpuacct:/docker/abc/inner\n");
  machine.file("proc/self/mountinfo", "32 31 0:29 /docker/abc /sys/fs/cgroup/cpu ro - cgroup cgroup rw,cpu,cpuacct\n");
  machine.file("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "300000\n");
  machine.file("sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(machine.processors(), 3);
  machine.file("sys/fs/cgroup/cpu/inner/cpu.cfs_quota_us", "200000\n");
  machine.file("sys/fs/cgroup/cpu/inner/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(machine.processors(), 2);
  for (const char* elsewhere : {"/docker/abcdef", "/../other", "/"}) {  // not below the mount: what the mount shows counts
    machine.file("proc/self/cgroup", std::string("4:cpu,cpuacct:") + elsewhere + "\n");
    EXPECT_EQ(machine.processors(), 3) << elsewhere;
  }
}

TEST(Cgroup, WhatCannotBeReadIsNoLimit) {
  Machine machine;
  EXPECT_EQ(machine.processors(), std::nullopt);  // no /proc at all
  machine.unified("/job");
  machine.file("sys/fs/cgroup/job/cpu.max/is_a_directory", "");
  EXPECT_EQ(machine.processors(), std::nullopt);
  for (const char* text : {"", "\n", "0:", "::::", "0::", "0::job", "x", "0::/../..", "0:://"}) {
    machine.file("proc/self/cgroup", text);
    EXPECT_EQ(machine.processors(), std::nullopt) << text;
  }
  machine.unified("/job");
  for (const char* text : {"", " - ", "a - cgroup2", " - cgroup2 cgroup2 rw", "31 23 0:28 / - cgroup2 cgroup2 rw"}) {
    machine.file("proc/self/mountinfo", text);
    EXPECT_EQ(machine.processors(), std::nullopt) << text;
  }
}

TEST(Processors, TheFewestDecides) {
  struct Case {
    std::int64_t affinity;
    Limit quota;
    const char* slurm;
    int count;
    const char* rule;
  };
  for (const Case& c :
       {Case{8, {}, nullptr, 8, "affinity"}, Case{8, 2, nullptr, 2, "cgroup quota"}, Case{2, 8, nullptr, 2, "affinity"},
        Case{8, {}, "4", 4, "SLURM_CPUS_PER_TASK"}, Case{8, 3, "4", 3, "cgroup quota"}, Case{8, 6, "4", 4, "SLURM_CPUS_PER_TASK"},
        Case{2, {}, "4", 2, "affinity"}, Case{2, {}, "99999999999999999999", 2, "affinity"}, Case{2, 2, "2", 2, "affinity"},
        Case{8, {}, "", 8, "affinity"}, Case{4096, {}, nullptr, kMostThreads, "affinity"}}) {
    const Processors found = fewest_processors(c.affinity, c.quota, c.slurm);
    EXPECT_EQ(found.count, c.count) << c.rule;
    EXPECT_EQ(found.rule, c.rule);
    EXPECT_EQ(found.warning, "");
  }
}

TEST(Processors, AMalformedSlurmVariableIsIgnoredWithAWarning) {
  for (const char* text : {"0", "-1", "-99999999999999999999", "4x", " 4", "4 ", "two", "1.5", "+1", "1(x2)"}) {
    const Processors found = fewest_processors(8, std::nullopt, text);
    EXPECT_EQ(found.count, 8) << text;
    EXPECT_NE(found.warning.find(std::string("SLURM_CPUS_PER_TASK=\"") + text + "\""), std::string::npos) << found.warning;
  }
}

TEST(Processors, OfThisProcessAreNoMoreThanItsAffinity) {
  cpu_set_t mask;
  ASSERT_EQ(sched_getaffinity(0, sizeof(mask), &mask), 0);
  EXPECT_GE(usable_processors().count, 1);
  EXPECT_LE(usable_processors().count, CPU_COUNT(&mask));
  EXPECT_FALSE(usable_processors().rule.empty());
}

}  // namespace
}  // namespace vp
