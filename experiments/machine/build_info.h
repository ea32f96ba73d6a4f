// What program this is and on what machine it runs: for the manifest and for the provenance of bundles.
// Thread-safety: pure functions of the process and the machine.
#pragma once

#include <string>

namespace vp {

struct BuildInfo {
  std::string build_id;    // the linker's hash over the whole program (ELF note NT_GNU_BUILD_ID), 40 hexadecimal digits
  std::string compiler;    // e.g. "GCC 12.2.0"
  std::string flags;       // as the build was told; empty if it did not say
  std::string git_commit;  // empty if built outside of a checkout
};

// Throws std::runtime_error if the program was linked without --build-id: its results could not be told from those of another build.
BuildInfo build_info();

std::string host_name();
std::string cpu_model();  // as the kernel calls it; empty where it does not say

}  // namespace vp
