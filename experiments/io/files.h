// Every byte that is read from or written to a disk goes through here. Errors are UserError(kInputOutput) with the path, what failed, and
// why. Thread-safety: the functions are safe on different paths; a DirectoryLock belongs to one thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace vp {

// The whole file; an input of the run whose InputRecorder lives on this thread. Refuses what is larger than `limit` bytes, a directory, a
// missing or unreadable file.
std::string read_file(const std::filesystem::path& path, std::uint64_t limit = std::uint64_t{4} << 30);

// Writes to a temporary name in the same directory, fsyncs, renames over `path`, fsyncs the directory. Either the old or the new content
// stands there afterwards, also after a full disk or kill -9; a failed write leaves no temporary file.
void write_file(const std::filesystem::path& path, std::string_view bytes);

// Unpacks gzip (RFC 1952, one or several members). `name` stands in messages. Refuses what is not gzip, is truncated, fails its checksum,
// or unpacks to more than `limit` bytes.
std::string gunzip(std::string_view bytes, const std::string& name, std::uint64_t limit);

// The whole file, unpacked if its content is gzip, whatever its name says. Refuses what is larger than `limit` bytes, or unpacks to more
// than these, or than 2^31.
std::string read_unpacked(const std::filesystem::path& path, std::uint64_t limit = std::uint64_t{4} << 30);

// An exclusive lock on a directory for one shard: the file DIR/.lock-<label>, held by flock and naming host and process id. The lock ends
// with the process however it dies, so a dead holder's lock is simply taken over. Throws UserError(kInputOutput) naming host and process id
// if another holds it.
class DirectoryLock {
 public:
  DirectoryLock(const std::filesystem::path& directory, const std::string& label);
  ~DirectoryLock();
  DirectoryLock(const DirectoryLock&) = delete;
  DirectoryLock& operator=(const DirectoryLock&) = delete;

 private:
  std::filesystem::path path_;
  int descriptor_ = -1;
};

}  // namespace vp
