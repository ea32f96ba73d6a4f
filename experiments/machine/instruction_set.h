// --isa: keeps the whole process to one instruction set. Thread-safety: one thread, before any kernel has run.
#pragma once

#include <string>

namespace vp {

// The project's own kernels and oneDNN alike. UserError (kUsage) if this machine or build does not have it, or oneDNN has run already.
void limit_instruction_set(const std::string& isa);

}  // namespace vp
