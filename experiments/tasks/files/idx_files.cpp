#include "experiments/tasks/files/idx_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <span>
#include <system_error>
#include <vector>

#include "experiments/io/error.h"
#include "experiments/io/files.h"

namespace vp {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kLargestFile = std::uint64_t{2} << 30;  // bytes, unpacked; MNIST's own largest has 47 million
constexpr std::string_view kPacked = ".gz";

// Where files are looked for.
struct Place {
  fs::path directory;
  std::string start;  // of their names

  std::string shown(std::string_view file) const { return (directory / (start + std::string(file))).string(); }
};

Place place_of(const fs::path& path) {
  std::error_code fault;  // e.g. a directory that may not be entered: listing it says it best
  if (fs::is_directory(path, fault)) return {path, ""};
  if (fs::exists(path, fault))
    throw io_error(fmt::format("{}: is a file; set task.path to the directory that holds the four files of the data set", path.string()));
  const fs::path directory = path.has_parent_path() ? path.parent_path() : ".";
  if (path.has_filename() && fs::is_directory(directory, fault)) return {directory, path.filename().string()};
  return {path, ""};
}

// What kind of file a name stands for.
struct Role {
  IdxPart part;
  IdxKind kind;

  std::string usual_name() const {
    return fmt::format("{}-{}-idx{}-ubyte", part == IdxPart::kTrain ? "train" : "t10k", kind_word(), dimensions());
  }

  // What stands before a name of this role; nullopt for other names.
  std::optional<std::string> prefix_of(std::string_view name) const {
    if (name.ends_with(kPacked)) name.remove_suffix(kPacked.size());
    static constexpr std::string_view kTrain[] = {"train"}, kTest[] = {"t10k", "test"};
    for (const std::string_view word : part == IdxPart::kTrain ? std::span<const std::string_view>(kTrain) : kTest)
      for (const char dot : {'-', '.'}) {
        const std::string ending = fmt::format("{}-{}{}idx{}-ubyte", word, kind_word(), dot, dimensions());
        if (!name.ends_with(ending)) continue;
        const std::string_view prefix = name.substr(0, name.size() - ending.size());
        if (prefix.empty() || prefix.back() == '-' || prefix.back() == '_') return std::string(prefix);
      }
    return std::nullopt;
  }

 private:
  std::string_view kind_word() const { return kind == IdxKind::kImages ? "images" : "labels"; }
  int dimensions() const { return kind == IdxKind::kImages ? 3 : 1; }
};

std::vector<fs::path> entries_of(const fs::path& directory) {
  std::vector<fs::path> entries;
  std::error_code fault;
  fs::directory_iterator entry(directory, fault);
  for (; !fault && entry != fs::directory_iterator(); entry.increment(fault)) entries.push_back(entry->path());
  if (fault)
    throw io_error(fmt::format("{}: cannot be listed: {}; set task.path to the directory that holds the four files of the data set",
                               directory.string(), fault.message()));
  std::ranges::sort(entries);
  return entries;
}

// Files of the role, those in a folder of the role's name included.
std::vector<fs::path> candidates(const Place& place, const Role& role) {
  std::vector<fs::path> found;
  for (const fs::path& entry : entries_of(place.directory)) {
    const std::string name = entry.filename().string();
    std::error_code fault;
    if (!name.starts_with(place.start) || !role.prefix_of(name)) continue;
    if (!fs::is_directory(entry, fault))
      found.push_back(entry);
    else
      for (const fs::path& inner : entries_of(entry))
        if (role.prefix_of(inner.filename().string())) found.push_back(inner);
  }
  return found;
}

IdxFile read_packed_or_not(const fs::path& path, const Role& role) {
  return {path.string(), *role.prefix_of(path.filename().string()), std::make_unique<const std::string>(read_unpacked(path, kLargestFile))};
}

}  // namespace

IdxFile read_idx_file(const fs::path& path, IdxPart part, IdxKind kind) {
  const Place place = place_of(path);
  const Role role{part, kind};
  std::optional<IdxFile> file;
  for (const fs::path& candidate : candidates(place, role)) {
    IdxFile next = read_packed_or_not(candidate, role);
    if (!file) {
      file = std::move(next);
    } else if (next.prefix != file->prefix || *next.bytes != *file->bytes) {
      throw io_error(
          fmt::format("{} and {} could both be meant; leave the files of one data set in the directory, or give the beginning of "
                      "their names as well, as in task.path = \"{}\"",
                      file->name, next.name, (place.directory / "emnist-letters").string()));
    }
  }
  if (file) return std::move(*file);
  throw io_error(
      fmt::format("{}: there is no such file, nor {}.gz; install the Debian package dataset-fashion-mnist, or set task.path to a directory "
                  "with the four files of MNIST's format",
                  place.shown(role.usual_name()), role.usual_name()));
}

}  // namespace vp
