#include "experiments/io/files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <new>
#include <stdexcept>
#include <system_error>
#include <utility>
#include <vector>

#include "experiments/io/error.h"
#include "experiments/io/input_files.h"

namespace vp {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kGzip = "\x1f\x8b";  // what such a file starts with
constexpr std::size_t kChunk = 1 << 18;         // bytes per read, write or inflate: large against the cost of a call, small against a cache

std::string_view remedy(int error) {
  switch (error) {
    case ENOENT:
    case ENOTDIR:
      return "check the path";
    case EACCES:
    case EPERM:
      return "check the permissions, or choose another place";
    case EROFS:
      return "choose a place that can be written";
    case ENOSPC:
    case EDQUOT:
      return "free some space and run again";
    case EFBIG:
      return "raise the file size limit (ulimit -f) and run again";
    case EMFILE:
    case ENFILE:
      return "raise the limit of open files (ulimit -n) and run again";
    case EISDIR:
      return "give the path of a file";
    case ENOLCK:
    case EOPNOTSUPP:
      return "this file system has no locks: choose a directory on another one";
    default:
      return "check the disk and run again";
  }
}

UserError file_error(const fs::path& path, std::string_view what, int error) {
  return io_error(fmt::format("{}: cannot {}: {}; {}", path.string(), what, std::generic_category().message(error), remedy(error)));
}

// A file descriptor that is closed at the end of its scope.
class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  bool valid() const { return number_ >= 0; }
  int number() const { return number_; }
  // Closes now: some file systems report a failed write only here. 0 or the error number.
  int close() { return ::close(std::exchange(number_, -1)) == 0 ? 0 : errno; }
  int release() { return std::exchange(number_, -1); }

 private:
  int number_;
};

template <class Call>
auto retry_interrupted(Call call) {
  auto result = call();
  while (result < 0 && errno == EINTR) result = call();
  return result;
}

// 0 or the error number.
int write_all(int descriptor, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = retry_interrupted([&] { return ::write(descriptor, bytes.data(), bytes.size()); });
    if (n < 0) return errno;
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return 0;
}

fs::path directory_of(const fs::path& path) { return path.has_parent_path() ? path.parent_path() : fs::path("."); }

// A new file in `directory`. The name holds process and thread; O_EXCL and the counter see to it that a file left by an earlier process of
// the same number (kill -9), or by one on another host of a shared file system, is neither opened nor a hindrance.
int open_temporary(const fs::path& directory, fs::path& name) {
  static std::atomic<std::uint64_t> counter{0};
  for (;;) {
    name = directory / fmt::format(".tmp-{}-{}-{}", ::getpid(), ::gettid(), counter++);
    const int descriptor = retry_interrupted([&] { return ::open(name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666); });
    if (descriptor >= 0 || errno != EEXIST) return descriptor;
  }
}

// Fills and publishes the temporary file. 0 or the error number.
int fill_and_rename(Descriptor& file, const fs::path& temporary, const fs::path& path, std::string_view bytes) {
  if (const int error = write_all(file.number(), bytes)) return error;
  if (retry_interrupted([&] { return ::fsync(file.number()); }) != 0) return errno;
  if (const int error = file.close()) return error;
  return ::rename(temporary.c_str(), path.c_str()) == 0 ? 0 : errno;
}

// So that the new name survives a power cut. EINVAL: a file system that has nothing to sync here.
void sync_directory(const fs::path& directory) {
  const Descriptor handle(retry_interrupted([&] { return ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); }));
  if (!handle.valid()) throw file_error(directory, "open the directory", errno);
  if (retry_interrupted([&] { return ::fsync(handle.number()); }) != 0 && errno != EINVAL)
    throw file_error(directory, "write the directory to disk", errno);
}

bool is_same_file(int descriptor, const fs::path& path) {
  struct stat opened, named;
  return ::fstat(descriptor, &opened) == 0 && ::stat(path.c_str(), &named) == 0 && opened.st_dev == named.st_dev &&
         opened.st_ino == named.st_ino;
}

std::string host_name() {
  char name[256] = {};
  return ::gethostname(name, sizeof(name) - 1) == 0 && name[0] != 0 ? name : "unknown-host";
}

// "host pid\n", as the holder wrote it.
UserError held_error(const fs::path& lock, int descriptor) {
  char text[320] = {};
  const ssize_t n = ::pread(descriptor, text, sizeof(text) - 1, 0);
  const std::string_view holder(text, static_cast<std::size_t>(std::max<ssize_t>(n, 0)));
  const auto space = holder.find(' ');
  const auto directory = directory_of(lock).string();
  if (space == std::string_view::npos)  // it has the lock and has not yet written its name
    return io_error(
        fmt::format("{}: another process has just started to work here ({}); wait for it to end, or choose another directory with --out",
                    directory, lock.filename().string()));
  const auto host = holder.substr(0, space);
  const auto process = holder.substr(space + 1, holder.find('\n') - space - 1);
  return io_error(fmt::format(
      "{}: process {} on host {} is working here (it holds {}); wait for it to end, stop it, or choose another directory with --out",
      directory, process, host, lock.filename().string()));
}

}  // namespace

std::string read_file(const fs::path& path, std::uint64_t limit) {
  const Descriptor file(retry_interrupted([&] { return ::open(path.c_str(), O_RDONLY | O_CLOEXEC); }));
  if (!file.valid()) throw file_error(path, "open", errno);
  std::string bytes;
  std::vector<char> chunk(kChunk);
  for (;;) {
    const ssize_t n = retry_interrupted([&] { return ::read(file.number(), chunk.data(), chunk.size()); });
    if (n < 0) throw file_error(path, "read", errno);
    if (n == 0) break;
    bytes.append(chunk.data(), static_cast<std::size_t>(n));
    if (bytes.size() > limit)
      throw io_error(fmt::format("{}: is larger than {} bytes, the most that is read here; check the path", path.string(), limit));
  }
  note_input(path.string(), bytes);
  return bytes;
}

void write_file(const fs::path& path, std::string_view bytes) {
  const fs::path directory = directory_of(path);
  fs::path temporary;
  Descriptor file(open_temporary(directory, temporary));
  if (!file.valid()) throw file_error(path, "write", errno);
  if (const int error = fill_and_rename(file, temporary, path, bytes)) {
    ::unlink(temporary.c_str());
    throw file_error(path, "write", error);
  }
  sync_directory(directory);
}

std::string read_unpacked(const fs::path& path, std::uint64_t limit) {
  std::string bytes = read_file(path, limit);
  constexpr std::uint64_t kMostUnpacked = std::uint64_t{1} << 31;
  return bytes.starts_with(kGzip) ? gunzip(bytes, path.string(), std::min(limit, kMostUnpacked)) : bytes;
}

std::string gunzip(std::string_view bytes, const std::string& name, std::uint64_t limit) {
  if (!bytes.starts_with(kGzip)) throw io_error(fmt::format("{}: is not a gzip file; check it, or get it again", name));
  z_stream stream{};
  if (inflateInit2(&stream, 16 + MAX_WBITS) != Z_OK) throw std::bad_alloc();  // 16: gzip only
  struct End {
    z_stream* stream;
    ~End() { inflateEnd(stream); }
  } end{&stream};
  std::string out;
  std::vector<char> chunk(kChunk);
  int status = Z_OK;
  while (status != Z_STREAM_END || !bytes.empty()) {
    if (status == Z_STREAM_END) {  // one more member, or the zeros that fill up a block of a tape
      if (bytes.find_first_not_of('\0') == std::string_view::npos) break;
      if (!bytes.starts_with(kGzip))
        throw io_error(fmt::format("{}: the gzip file is damaged ({} bytes behind its end are no gzip); get it again", name, bytes.size()));
      inflateReset(&stream);
    }
    // zlib counts in 32 bits; the input goes in in pieces.
    const auto piece = bytes.substr(0, kChunk);
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(piece.data()));
    stream.avail_in = static_cast<uInt>(piece.size());
    stream.next_out = reinterpret_cast<Bytef*>(chunk.data());
    stream.avail_out = static_cast<uInt>(chunk.size());
    status = inflate(&stream, Z_NO_FLUSH);
    if (status == Z_MEM_ERROR) throw std::bad_alloc();
    if (status == Z_BUF_ERROR) throw io_error(fmt::format("{}: the gzip file is truncated; get it again", name));
    if (status != Z_OK && status != Z_STREAM_END)
      throw io_error(
          fmt::format("{}: the gzip file is damaged ({}); get it again", name, stream.msg != nullptr ? stream.msg : "unknown fault"));
    bytes.remove_prefix(piece.size() - stream.avail_in);
    out.append(chunk.data(), chunk.size() - stream.avail_out);
    if (out.size() > limit)
      throw io_error(fmt::format("{}: unpacks to more than {} bytes, the most that is read here; check the path", name, limit));
  }
  return out;
}

DirectoryLock::DirectoryLock(const fs::path& directory, const std::string& label) : path_(directory / (".lock-" + label)) {
  if (label.find('/') != std::string::npos) throw std::invalid_argument("[DirectoryLock] label: expected no '/', got " + label);
  for (;;) {
    Descriptor file(retry_interrupted([&] { return ::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666); }));
    if (!file.valid()) throw file_error(path_, "create the lock", errno);
    if (retry_interrupted([&] { return ::flock(file.number(), LOCK_EX | LOCK_NB); }) != 0) {
      if (errno == EWOULDBLOCK) throw held_error(path_, file.number());
      throw file_error(path_, "lock", errno);
    }
    // The holder before us unlinks its file as it goes: then ours is a file without a name, which would keep nobody out.
    if (!is_same_file(file.number(), path_)) continue;
    const std::string holder = fmt::format("{} {}\n", host_name(), ::getpid());
    if (::ftruncate(file.number(), 0) != 0) throw file_error(path_, "write the lock", errno);
    if (const int error = write_all(file.number(), holder)) throw file_error(path_, "write the lock", error);
    descriptor_ = file.release();
    return;
  }
}

DirectoryLock::~DirectoryLock() {
  ::unlink(path_.c_str());  // while it is still locked
  ::close(descriptor_);
}

}  // namespace vp
