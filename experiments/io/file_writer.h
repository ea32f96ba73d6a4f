// A file written piece by piece, with the promise of write_file(): under its name stands the old or the whole new content, never a part.
// Errors: UserError(kInputOutput) with path and reason. Thread-safety: none; one thread.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace vp {

class FileWriter {
 public:
  // Opens a temporary file next to `path`.
  explicit FileWriter(const std::filesystem::path& path);
  // Removes the temporary file unless commit() has been called.
  ~FileWriter();
  FileWriter(const FileWriter&) = delete;
  FileWriter& operator=(const FileWriter&) = delete;

  void append(std::string_view bytes);
  // Everything to the disk. Files that belong together: finish() all, then commit() all.
  void finish();
  // Renames over `path`. REQUIRES: finish().
  void commit();

 private:
  [[noreturn]] void fail(const std::string& what) const;
  void flush();

  std::filesystem::path path_, temporary_;
  int descriptor_ = -1;
  std::string buffer_;
};

}  // namespace vp
