#include "experiments/machine/build_info.h"

#include <elf.h>
#include <link.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <fstream>
#include <stdexcept>
#include <string_view>
#include <utility>

namespace vp {
namespace {

#if defined(__clang__)
constexpr std::string_view kCompiler = "Clang " __clang_version__;
#else
constexpr std::string_view kCompiler = "GCC " __VERSION__;
#endif

#ifdef VP_COMPILER_FLAGS
constexpr std::string_view kFlags = VP_COMPILER_FLAGS;
#else
constexpr std::string_view kFlags = "";
#endif

#ifdef VP_GIT_COMMIT
constexpr std::string_view kCommit = VP_GIT_COMMIT;
#else
constexpr std::string_view kCommit = "";
#endif

std::size_t padded(std::size_t size) { return (size + 3) & ~std::size_t{3}; }  // note entries are aligned to 4 bytes

std::string hexadecimal(std::string_view bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (const unsigned char byte : bytes) text += {kDigits[byte >> 4], kDigits[byte & 15]};
  return text;
}

// The build id in one note segment, in hexadecimal; empty if it is not there.
std::string build_id_in(std::string_view notes) {
  ElfW(Nhdr) note;
  while (notes.size() >= sizeof note) {
    std::memcpy(&note, notes.data(), sizeof note);
    const std::size_t name_end = sizeof note + padded(note.n_namesz), end = name_end + padded(note.n_descsz);
    if (end > notes.size()) break;
    if (note.n_type == NT_GNU_BUILD_ID && notes.substr(sizeof note, 4) == std::string_view("GNU\0", 4))
      return hexadecimal(notes.substr(name_end, note.n_descsz));
    notes.remove_prefix(end);
  }
  return "";
}

// Called for the program itself first; a return value other than 0 ends the walk over the loaded objects.
int find_build_id(dl_phdr_info* object, std::size_t, void* found) {
  for (int i = 0; i < object->dlpi_phnum; ++i) {
    const ElfW(Phdr)& segment = object->dlpi_phdr[i];
    if (segment.p_type != PT_NOTE) continue;
    const auto* start = reinterpret_cast<const char*>(object->dlpi_addr + segment.p_vaddr);
    std::string id = build_id_in({start, segment.p_memsz});
    if (!id.empty()) *static_cast<std::string*>(found) = std::move(id);
  }
  return 1;
}

}  // namespace

BuildInfo build_info() {
  BuildInfo info{.build_id = "", .compiler = std::string(kCompiler), .flags = std::string(kFlags), .git_commit = std::string(kCommit)};
  dl_iterate_phdr(find_build_id, &info.build_id);
  if (info.build_id.empty()) throw std::runtime_error("[build_info] this program has no build id: link it with -Wl,--build-id=sha1");
  return info;
}

std::string host_name() {
  std::array<char, 256> name{};
  if (::gethostname(name.data(), name.size() - 1) != 0) return "";
  return name.data();
}

std::string cpu_model() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    const std::size_t colon = line.find(": ");
    if (line.starts_with("model name") && colon != std::string::npos) return line.substr(colon + 2);
  }
  return "";
}

}  // namespace vp
