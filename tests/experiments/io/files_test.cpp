#include "experiments/io/files.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <optional>
#include <thread>
#include <vector>

#include "tests/experiments/io/gzip.h"
#include "tests/experiments/io/temp_dir.h"
#include "tests/experiments/io/user_error.h"

namespace vp {
namespace {

namespace fs = std::filesystem;
using test::has;
using test::TempDir;
using Names = std::vector<std::string>;

std::string io_message(const std::function<void()>& call) { return test::user_error(ExitCode::kInputOutput, call); }

constexpr int kCannotTry = 77;  // exit code of a child that lacks a right the test needs

// Runs `body` in a child process and returns its exit code; the failures it prints are seen in the test's output.
int in_child(const std::function<void()>& body) {
  const pid_t child = ::fork();
  if (child == 0) {
    body();
    ::_exit(::testing::Test::HasFailure() ? 1 : 0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

std::string host_name() {
  char name[256] = {};
  ::gethostname(name, sizeof(name) - 1);
  return name;
}

// What a failed write must leave: the old file and nothing else.
void expect_write_fails(const TempDir& directory, std::string_view bytes, std::string_view reason) {
  const std::string message = io_message([&] { write_file(directory / "a.csv", bytes); });
  EXPECT_TRUE(has(message, {"a.csv", "cannot write", reason, ";"}));
  EXPECT_EQ(read_file(directory / "a.csv"), "old");
  EXPECT_EQ(directory.names(), Names{"a.csv"});
}

TEST(Files, WriteReplacesAndReadReturnsEveryByte) {
  const TempDir directory;
  const std::string bytes("a\0\r\n\xff", 5);
  write_file(directory / "a", "something longer than what follows");
  write_file(directory / "a", bytes);
  EXPECT_EQ(read_file(directory / "a"), bytes);
  write_file(directory / "empty", "");
  EXPECT_EQ(read_file(directory / "empty"), "");
  const std::string large(3000000, 'x');
  write_file(directory / "large", large);
  EXPECT_EQ(read_file(directory / "large"), large);
  EXPECT_EQ(directory.names(), (Names{"a", "empty", "large"}));
}

TEST(Files, ReadRefusesWhatIsMissingTooLargeOrADirectory) {
  const TempDir directory;
  directory.write("ten", "0123456789");
  EXPECT_EQ(read_file(directory / "ten", 10).size(), 10u);
  EXPECT_TRUE(has(io_message([&] { read_file(directory / "ten", 9); }), {"ten", "larger than 9 bytes"}));
  EXPECT_TRUE(has(io_message([&] { read_file(directory / "none"); }), {"none", "No such file or directory", "check the path"}));
  EXPECT_TRUE(has(io_message([&] { read_file(directory.path()); }), {directory.path().string(), "Is a directory"}));
}

TEST(Files, WriteNeedsADirectoryAndAPlaceForAFile) {
  const TempDir directory;
  EXPECT_TRUE(has(io_message([&] { write_file(directory / "no/where", "x"); }), {"no/where", "No such file or directory"}));
  fs::create_directory(directory / "taken");
  EXPECT_TRUE(has(io_message([&] { write_file(directory / "taken", "x"); }), {"taken", "Is a directory"}));
  EXPECT_EQ(directory.names(), Names{"taken"});
}

TEST(Files, ALongNameIsWrittenToo) {
  const TempDir directory;
  const std::string name(255, 'n');  // the longest a file may have: the temporary name must not be longer
  write_file(directory / name, "x");
  EXPECT_EQ(directory.names(), Names{name});
}

// Process and thread numbers come round again; what a killed process of the same numbers left must not be in the way.
TEST(Files, TemporaryFilesOfADeadProcessAreLeftAlone) {
  const TempDir directory;
  const std::string prefix = ".tmp-" + std::to_string(::getpid()) + "-" + std::to_string(::gettid()) + "-";
  for (int i = 0; i < 1000; ++i) directory.write(prefix + std::to_string(i), "stale");
  write_file(directory / "a", "new");
  EXPECT_EQ(read_file(directory / "a"), "new");
  EXPECT_EQ(directory.names().size(), 1001u);
  for (int i = 0; i < 1000; ++i) ASSERT_EQ(read_file(directory / (prefix + std::to_string(i))), "stale") << i;
}

TEST(Files, AWriteThatExceedsTheFileSizeLimitLeavesTheOldFile) {
  const TempDir directory;
  directory.write("a.csv", "old");
  const int code = in_child([&] {
    ::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{1000, 1000};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    expect_write_fails(directory, std::string(5000, 'x'), "File too large");
  });
  EXPECT_EQ(code, 0);
}

TEST(Files, AFullDiskLeavesTheOldFile) {
  const TempDir directory;
  const int code = in_child([&] {
    const int spaces = CLONE_NEWNS | (::geteuid() == 0 ? 0 : CLONE_NEWUSER);
    if (::unshare(spaces) != 0 || ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        ::mount("tmpfs", directory.path().c_str(), "tmpfs", 0, "size=64k") != 0)
      ::_exit(kCannotTry);
    directory.write("a.csv", "old");
    expect_write_fails(directory, std::string(1000000, 'x'), "No space left on device");
  });
  if (code == kCannotTry) GTEST_SKIP() << "no right to mount a small file system here";
  EXPECT_EQ(code, 0);
}

TEST(Files, AReadOnlyDirectoryIsNamed) {
  const TempDir directory;
  directory.write("a.csv", "old");
  ::chmod(directory.path().c_str(), 0555);
  const int code = in_child([&] {
    if (::geteuid() == 0 && ::setuid(65534) != 0) ::_exit(kCannotTry);
    expect_write_fails(directory, "new", "Permission denied");
    EXPECT_TRUE(has(io_message([&] { DirectoryLock lock(directory.path(), "1-of-1"); }),
                    {directory.path().string(), "Permission denied", "permissions"}));
  });
  ::chmod(directory.path().c_str(), 0755);
  if (code == kCannotTry) GTEST_SKIP() << "no other user to be";
  EXPECT_EQ(code, 0);
}

TEST(Files, ThreadsThatWriteOneFileNeverMix) {
  const TempDir directory;
  std::vector<std::thread> writers;
  for (int w = 0; w < 4; ++w)
    writers.emplace_back([&, w] {
      for (int i = 0; i < 20; ++i) write_file(directory / "a", std::string(100000, static_cast<char>('a' + w)));
    });
  for (auto& writer : writers) writer.join();
  const std::string bytes = read_file(directory / "a");
  EXPECT_EQ(bytes, std::string(100000, bytes.at(0)));
  EXPECT_EQ(directory.names(), Names{"a"});
}

TEST(Files, AKilledWriterLeavesOneOfTheTwoContents) {
  const TempDir directory;
  const std::string one(1000000, '1'), two(2000000, '2');
  write_file(directory / "a", one);
  for (int round = 0; round < 5; ++round) {
    const pid_t child = ::fork();
    if (child == 0)
      for (;;) {
        write_file(directory / "a", two);
        write_file(directory / "a", one);
      }
    std::this_thread::sleep_for(std::chrono::milliseconds(7 + 6 * round));
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    const std::string found = read_file(directory / "a");
    EXPECT_TRUE(found == one || found == two) << found.size() << " bytes";
  }
}

TEST(Gunzip, UnpacksOneAndSeveralMembers) {
  std::string large;
  for (int i = 0; i < 300000; ++i) large += std::to_string(i);
  EXPECT_EQ(gunzip(test::gzip("abc"), "x.gz", 100), "abc");
  EXPECT_EQ(gunzip(test::gzip(""), "x.gz", 100), "");
  EXPECT_EQ(gunzip(test::gzip("abc") + std::string(512, '\0'), "x.gz", 100), "abc") << "zeros up to a block's end, as on tapes";
  EXPECT_EQ(gunzip(test::gzip("abc") + test::gzip("") + test::gzip("de"), "x.gz", 100), "abcde");
  EXPECT_EQ(gunzip(test::gzip(large), "x.gz", large.size()), large);
}

TEST(Gunzip, RefusesATruncationAtEveryByte) {
  const std::string packed = test::gzip("hello hello hello hello");
  for (std::size_t size = 0; size < packed.size(); ++size) {
    const auto what = size < 2 ? "not a gzip file" : "truncated";
    EXPECT_TRUE(has(io_message([&] { gunzip(packed.substr(0, size), "x.gz", 100); }), {"x.gz", what, "get it again"})) << size;
  }
}

TEST(Gunzip, RefusesWhatIsNotGzipDamagedOrFollowedByOtherBytes) {
  EXPECT_TRUE(has(io_message([] { gunzip("PK\x03\x04", "x.gz", 100); }), {"x.gz", "not a gzip file"}));
  std::string packed = test::gzip("hello hello hello hello");
  EXPECT_TRUE(has(io_message([&] { gunzip(packed + "tail", "x.gz", 100); }), {"x.gz", "damaged", "4 bytes behind its end are no gzip"}));
  packed[packed.size() - 6] ^= 1;  // in the checksum
  EXPECT_TRUE(has(io_message([&] { gunzip(packed, "x.gz", 100); }), {"x.gz", "damaged", "incorrect data check"}));
}

TEST(Gunzip, StopsAtItsLimit) {
  const std::string packed = test::gzip(std::string(50000000, '\0'));
  EXPECT_TRUE(has(io_message([&] { gunzip(packed, "x.gz", 1000000); }), {"x.gz", "unpacks to more than 1000000 bytes"}));
  EXPECT_EQ(gunzip(test::gzip("abc"), "x.gz", 3), "abc");
  EXPECT_TRUE(has(io_message([] { gunzip(test::gzip("abc"), "x.gz", 2); }), {"more than 2 bytes"}));
}

TEST(DirectoryLock, ASecondHolderIsRefusedWithHostAndProcess) {
  const TempDir directory;
  std::optional<DirectoryLock> lock(std::in_place, directory.path(), "1-of-2");
  const DirectoryLock other_shard(directory.path(), "2-of-2");
  const int code = in_child([&] {
    const std::string message = io_message([&] { DirectoryLock second(directory.path(), "1-of-2"); });
    EXPECT_TRUE(has(message, {directory.path().string(), "process " + std::to_string(::getppid()), "host " + host_name(), "--out"}));
  });
  EXPECT_EQ(code, 0);
  lock.reset();
  EXPECT_EQ(directory.names(), Names{".lock-2-of-2"});
  lock.emplace(directory.path(), "1-of-2");
}

TEST(DirectoryLock, ADeadHoldersLockIsTakenOver) {
  const TempDir directory;
  int ready[2];
  ASSERT_EQ(::pipe(ready), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    DirectoryLock lock(directory.path(), "1-of-1");
    if (::write(ready[1], "x", 1) != 1) ::_exit(1);
    for (;;) ::pause();
  }
  char byte;
  ASSERT_EQ(::read(ready[0], &byte, 1), 1);
  EXPECT_TRUE(has(io_message([&] { DirectoryLock lock(directory.path(), "1-of-1"); }), {"process " + std::to_string(child)}));
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  EXPECT_EQ(directory.names(), Names{".lock-1-of-1"});  // kill -9 left it
  directory.write(".lock-1-of-1", "a-host-with-quite-a-long-name 4194304\n");
  const DirectoryLock lock(directory.path(), "1-of-1");
  EXPECT_EQ(read_file(directory / ".lock-1-of-1"), host_name() + " " + std::to_string(::getpid()) + "\n");
}

// Threads fight for one lock, whose file comes and goes: never do two hold it. A rival that has opened the file just before its holder
// unlinked it must notice: without that check two held it in 10 to 160 of 20,000 tries.
TEST(DirectoryLock, IsExclusiveWhileItsFileComesAndGoes) {
  const TempDir directory;
  std::atomic<int> holders{0}, taken{0}, shared{0};
  std::vector<std::thread> rivals;
  for (int r = 0; r < 4; ++r)
    rivals.emplace_back([&] {
      for (int i = 0; i < 2000; ++i) {
        try {
          const DirectoryLock lock(directory.path(), "x");
          shared += holders.fetch_add(1);
          ++taken;
          std::this_thread::yield();
          holders.fetch_sub(1);
        } catch (const UserError&) {
          std::this_thread::yield();
        }
      }
    });
  for (auto& rival : rivals) rival.join();
  EXPECT_GT(taken, 0);
  EXPECT_EQ(shared, 0);
  EXPECT_EQ(directory.names(), Names{});
}

}  // namespace
}  // namespace vp
