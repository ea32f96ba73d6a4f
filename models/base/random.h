// Counter-based random numbers (Philox 4x32-10, Salmon et al. 2011): what is drawn depends on (seed, stream, index) alone, never on the
// order of the calls or on threads. Thread-safety: every RandomStream is its caller's own.
#pragma once

#include <cstdint>

namespace vp {

// The purposes that random numbers serve. A new purpose is a new name at the end; the numbers of the old ones stay.
enum class RandomUse : std::uint32_t {
  kWeights = 1,
  kOrder = 2,
  kTrain = 3,
  kValidation = 4,
  kTest = 5,
  kSplit = 6,
  kPixels = 7,
  kDropout = 8
};

// The numbers that belong to item `index` of one purpose, e.g. to training sample 17, or to the weights of tensor 3.
class RandomStream {
 public:
  RandomStream(std::uint64_t seed, RandomUse use, std::uint64_t index) : seed_(seed), use_(use), index_(index) {}
  std::uint32_t bits();
  double uniform();  // in [0, 1), 32 random bits
  double uniform(double low, double high) { return low + (high - low) * uniform(); }
  double normal();                       // mean 0, variance 1 (Box-Muller; libm's log, sin and cos)
  std::uint64_t below(std::uint64_t n);  // uniform in [0, n), n >= 1, unbiased (Lemire 2019)

 private:
  std::uint64_t seed_;
  RandomUse use_;
  std::uint64_t index_;
  std::uint32_t block_ = 0;
  std::uint32_t words_[4] = {};
  int used_ = 4;
  double spare_ = 0;
  bool has_spare_ = false;
};

// Element i of a pseudo-random permutation of [0, n) chosen by (seed, use, round): a Feistel network with cycle walking, so that a shuffled
// epoch needs no memory and position i can be asked for directly. i < n.
std::uint64_t permuted(std::uint64_t i, std::uint64_t n, std::uint64_t seed, RandomUse use, std::uint64_t round);

}  // namespace vp
