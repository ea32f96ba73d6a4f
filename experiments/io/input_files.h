// What a run reads, known by content: path, size and hash of every file that read_file() reads while an InputRecorder lives.
//
// Readers of data need not know of it. Data that are kept for later runs (ReadOnce) keep the record of their files, so that each run has
// the whole list whoever read them first. Thread-safety: a recorder sees what its own thread reads; the functions may be called by any
// thread.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace vp {

struct InputFile {
  std::string path;         // as it was given
  std::uint64_t bytes = 0;  // on disk: of a .gz, before it is unpacked
  std::string hash;         // XXH3-64 of these bytes, 16 hexadecimal digits
  auto operator<=>(const InputFile&) const = default;
};

class InputRecorder {
 public:
  InputRecorder();  // from here on; the recorder of this thread that was there before waits
  ~InputRecorder();
  InputRecorder(const InputRecorder&) = delete;
  InputRecorder& operator=(const InputRecorder&) = delete;

  void add(const InputFile& file) { files_.insert_or_assign(file.path, file); }
  std::vector<InputFile> files() const;  // by path, each once

 private:
  std::map<std::string, InputFile> files_;
  InputRecorder* const before_;
};

// To the recorder of this thread, if there is one.
void note_input(const std::string& path, std::string_view content);
void note_inputs(std::span<const InputFile> files);

// What this process read at `path`, if it did: its runs go by that, whatever has happened to the file since.
std::optional<InputFile> known_input(const std::string& path);

std::string hash_text(std::string_view bytes);  // as InputFile::hash

}  // namespace vp
