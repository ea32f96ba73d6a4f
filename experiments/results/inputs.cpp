// Input files of results: what is written of them, and whether two runs read the same.

#include <fmt/format.h>

#include <system_error>

#include "experiments/io/files.h"
#include "experiments/results/tables.h"

namespace vp {
namespace {

// As it is now, or as this process read it; nullopt if it cannot be read. A pipe or a terminal is not read again.
std::optional<InputFile> present_input(const std::string& path) {
  if (const auto known = known_input(path)) return known;
  std::error_code fault;
  if (!std::filesystem::is_regular_file(path, fault)) return std::nullopt;
  try {
    const InputRecorder recorder;
    read_file(path);
    return recorder.files().front();
  } catch (const UserError&) {
    return std::nullopt;
  }
}

std::string difference(const InputFile& found, const InputFile& expected) {
  if (found == expected) return "";
  return fmt::format("{}: xxh3-64 {} ({} bytes) instead of {} ({} bytes)", found.path, found.hash, found.bytes, expected.hash,
                     expected.bytes);
}

std::string paths_text(std::span<const InputFile> inputs) {
  std::string text;
  for (const InputFile& file : inputs) text += (text.empty() ? "" : ", ") + file.path;
  return text.empty() ? "no file" : text;
}

// What a configuration says of files to read.
std::string input_settings(const Config& config) {
  std::string text;
  for (const auto& [key, value] : field_texts(config))
    if (key.starts_with("task.") || key == "init.from_checkpoint") text += key + '=' + value + '\n';
  return text;
}

}  // namespace

std::string inputs_text(std::span<const InputFile> inputs) {
  std::string text;
  for (const InputFile& file : inputs) text += fmt::format("{}{} xxh3-64 {}", text.empty() ? "" : "; ", file.path, file.hash);
  return text;
}

std::string changed_inputs(std::span<const InputFile> inputs) {
  for (const InputFile& file : inputs) {
    const auto present = present_input(file.path);
    if (present && *present != file) return difference(file, *present);
  }
  return "";
}

std::string InputsSeen::add(const Config& config, std::span<const InputFile> inputs) {
  for (const InputFile& file : inputs) {
    const InputFile& first = by_path_.try_emplace(file.path, file).first->second;
    if (first != file) return difference(file, first);
  }
  const std::vector<InputFile> list(inputs.begin(), inputs.end());
  const auto& first = by_settings_.try_emplace(input_settings(config), list).first->second;
  return first == list ? "" : paths_text(list) + " instead of " + paths_text(first) + ", though the settings are the same";
}

}  // namespace vp
