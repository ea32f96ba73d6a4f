#include "experiments/io/file_writer.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "experiments/io/error.h"

namespace vp {

namespace {
constexpr std::size_t kBufferBytes = std::size_t{1} << 20;  // few system calls, little memory
}  // namespace

FileWriter::FileWriter(const std::filesystem::path& path) : path_(path) {
  std::string name = (path.parent_path() / ".tmp-XXXXXX").string();
  descriptor_ = ::mkostemp(name.data(), O_CLOEXEC);
  if (descriptor_ < 0) fail("cannot be written");
  temporary_ = name;
  if (::fchmod(descriptor_, 0644) != 0) fail("cannot be written");  // mkostemp's 0600 would lock out the readers of a shared directory
}

FileWriter::~FileWriter() {
  if (descriptor_ >= 0) ::close(descriptor_);
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

void FileWriter::append(std::string_view bytes) {
  buffer_ += bytes;
  if (buffer_.size() >= kBufferBytes) flush();
}

void FileWriter::flush() {
  std::string_view rest = buffer_;
  while (!rest.empty()) {
    const ssize_t written = ::write(descriptor_, rest.data(), rest.size());
    if (written < 0 && errno != EINTR) fail("cannot be written");
    if (written > 0) rest.remove_prefix(static_cast<std::size_t>(written));
  }
  buffer_.clear();
}

void FileWriter::finish() {
  flush();
  if (::fsync(descriptor_) != 0) fail("cannot be written");
  const int descriptor = std::exchange(descriptor_, -1);
  if (::close(descriptor) != 0) fail("cannot be written");
}

void FileWriter::commit() {
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) fail("cannot be replaced");
  temporary_.clear();
  const std::filesystem::path parent = path_.has_parent_path() ? path_.parent_path() : ".";
  const int directory = ::open(parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (directory < 0) fail("its directory cannot be opened");
  const bool synced = ::fsync(directory) == 0 || errno == EINVAL;  // some network file systems cannot sync directories
  ::close(directory);
  if (!synced) fail("its directory cannot be synced");
}

void FileWriter::fail(const std::string& what) const { throw io_error(path_.string() + ": " + what + ": " + std::strerror(errno)); }

}  // namespace vp
