// Rows of `vpoint profile` for what happens to parameters once per update: optimisers and the reduction of shard gradients. Thread-safety:
// pure functions.
#pragma once

#include <vector>

#include "kernels/bench/timed_case.h"

namespace vp {

// optimizer/<name>/<parameters> for every optimiser, reduction/<parts>x<parameters>; bytes: each array once for a read and once for a
// write.
std::vector<TimedCase> update_rows();

}  // namespace vp
