#include "experiments/io/input_files.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <mutex>

namespace vp {
namespace {

thread_local InputRecorder* t_recorder = nullptr;

std::mutex g_mutex;
std::map<std::string, InputFile>& known_files() {  // guarded by g_mutex
  static std::map<std::string, InputFile> files;
  return files;
}

}  // namespace

InputRecorder::InputRecorder() : before_(t_recorder) { t_recorder = this; }
InputRecorder::~InputRecorder() { t_recorder = before_; }

std::vector<InputFile> InputRecorder::files() const {
  std::vector<InputFile> files;
  for (const auto& [path, file] : files_) files.push_back(file);
  return files;
}

void note_input(const std::string& path, std::string_view content) {
  if (t_recorder == nullptr) return;
  const InputFile file{.path = path, .bytes = content.size(), .hash = hash_text(content)};
  t_recorder->add(file);
  const std::lock_guard lock(g_mutex);
  known_files().insert_or_assign(path, file);
}

void note_inputs(std::span<const InputFile> files) {
  if (t_recorder == nullptr) return;
  for (const InputFile& file : files) t_recorder->add(file);
}

std::optional<InputFile> known_input(const std::string& path) {
  const std::lock_guard lock(g_mutex);
  const auto found = known_files().find(path);
  return found == known_files().end() ? std::nullopt : std::optional(found->second);
}

std::string hash_text(std::string_view bytes) { return fmt::format("{:016x}", XXH3_64bits(bytes.data(), bytes.size())); }

}  // namespace vp
