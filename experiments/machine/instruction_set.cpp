#include "experiments/machine/instruction_set.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "experiments/io/error.h"
#include "kernels/onednn/rnn_primitives.h"
#include "kernels/pointwise/pointwise_simd.h"
#include "models/base/suggest.h"

namespace vp {

void limit_instruction_set(const std::string& isa) {
  std::vector<std::string> known;
  for (const std::string_view name : simd_target_names()) known.emplace_back(name);
  if (std::ranges::find(known, isa) == known.end())
    throw usage_error(fmt::format("--isa {}: not on this machine{}", isa, suggestion(isa, known)));
  force_simd_target(isa);
  if (isa == "AVX2" && !limit_onednn_to_avx2()) throw usage_error("--isa AVX2: oneDNN has run already and cannot be limited any more");
}

}  // namespace vp
