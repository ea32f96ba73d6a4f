// Which sample of the training split stands at a position of the training order.
#pragma once

#include <cstdint>

#include "models/base/random.h"

namespace vp {

// Every epoch is a permutation of its own of the split, drawn from the seed. A source without end (0 samples) counts on.
class SampleOrder {
 public:
  SampleOrder(std::uint64_t samples, std::uint64_t seed) : samples_(samples), seed_(seed) {}

  std::uint64_t at(std::uint64_t position) const {
    if (samples_ == 0) return position;
    return permuted(position % samples_, samples_, seed_, RandomUse::kOrder, position / samples_);
  }

 private:
  std::uint64_t samples_, seed_;
};

}  // namespace vp
