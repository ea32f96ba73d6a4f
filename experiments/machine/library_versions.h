// The libraries below this program that touch numbers, as results know them. Thread-safety: pure functions of the process.
#pragma once

#include <string>

namespace vp {

// E.g. "oneDNN 2.6.3, Highway 1.0.3, oneTBB 2021.8, glibc 2.36, libm 0123456789abcdef".
std::string library_versions();

// A hash of the bits that the C library's mathematical functions give for some thousand fixed numbers. It tells glibc's variants for
// processors with and without FMA apart, which have one version number and differ in the last bit (GLIBC_TUNABLES chooses among them too).
std::string libm_fingerprint();

}  // namespace vp
