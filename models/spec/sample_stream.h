// The random numbers of one generated sample: they depend on the seed, the split and the number of the sample alone. Pure function.
#pragma once

#include <cstddef>
#include <cstdint>

#include "models/base/random.h"
#include "models/spec/batch_source.h"

namespace vp {

inline RandomStream sample_stream(std::uint64_t seed, Split split, std::uint64_t sample) {
  constexpr RandomUse kUses[] = {RandomUse::kTrain, RandomUse::kValidation, RandomUse::kTest};  // in the order of Split
  return RandomStream(seed, kUses[static_cast<std::size_t>(split)], sample);
}

}  // namespace vp
