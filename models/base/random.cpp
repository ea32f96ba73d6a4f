#include "models/base/random.h"

#include <Random123/philox.h>

#include <Random123/uniform.hpp>
#include <bit>
#include <cmath>
#include <numbers>
#include <stdexcept>
#include <string>

namespace vp {
namespace {

using Philox = r123::Philox4x32;  // ten rounds

std::uint32_t low_word(std::uint64_t x) { return static_cast<std::uint32_t>(x); }
std::uint32_t high_word(std::uint64_t x) { return static_cast<std::uint32_t>(x >> 32); }

Philox::key_type philox_key(std::uint64_t seed) { return {{low_word(seed), high_word(seed)}}; }

// Feistel rounds. Four make a pseudo-random permutation of a large domain (Luby and Rackoff 1988). Small sets have halves of one or two
// bits: of the 24 orders of four elements, four rounds leave some 25 % too rare, eight 3 %, and with twelve 400,000 shuffles show no
// difference. (Feistel permutations of 16 elements and more are all even, so an order and its twin with the last two elements swapped do
// not both occur on a full domain; what falls on any n - 2 positions is not affected.)
constexpr std::uint32_t kFeistelRounds = 12;
// Marks the counters of permuted(), so that they never meet those of a RandomStream of the same seed and use.
constexpr std::uint32_t kPermutationMark = 0x80000000u;

// A permutation of [0, 4^half_bits): each round swaps the halves and adds (xor) a Philox word of the right half to the left one.
std::uint64_t feistel(std::uint64_t value, int half_bits, Philox::key_type key, RandomUse use, std::uint64_t round) {
  const std::uint64_t mask = (std::uint64_t{1} << half_bits) - 1;
  std::uint64_t left = value >> half_bits, right = value & mask;
  for (std::uint32_t k = 0; k < kFeistelRounds; ++k) {
    const std::uint32_t purpose = kPermutationMark | (k << 16) | static_cast<std::uint32_t>(use);
    const std::uint32_t word = Philox{}({{low_word(right), low_word(round), purpose, high_word(round)}}, key)[0];
    const std::uint64_t mixed = left ^ (word & mask);
    left = right;
    right = mixed;
  }
  return left << half_bits | right;
}

}  // namespace

std::uint32_t RandomStream::bits() {
  if (used_ == 4) {
    const auto block = Philox{}({{low_word(index_), high_word(index_), static_cast<std::uint32_t>(use_), block_}}, philox_key(seed_));
    for (int i = 0; i < 4; ++i) words_[i] = block[static_cast<std::size_t>(i)];
    ++block_;
    used_ = 0;
  }
  return words_[used_++];
}

double RandomStream::uniform() { return bits() * 0x1p-32; }

// Box and Muller 1958, on the same words and in the same order as r123::boxmuller, in double: the first of each pair is the sine.
double RandomStream::normal() {
  if (has_spare_) {
    has_spare_ = false;
    return spare_;
  }
  const double angle = std::numbers::pi * r123::uneg11<double>(bits());
  const double radius = std::sqrt(-2 * std::log(r123::u01<double>(bits())));  // u01 is never 0
  spare_ = radius * std::cos(angle);
  has_spare_ = true;
  return radius * std::sin(angle);
}

// Lemire 2019: the high half of word * n, rejecting the few low halves that would favour some values.
std::uint64_t RandomStream::below(std::uint64_t n) {
  __extension__ using Wide = unsigned __int128;
  if (n == 0) throw std::invalid_argument("[RandomStream::below] n: expected at least 1, got 0");
  const auto draw = [&] {
    const std::uint64_t high = bits();
    return Wide{high << 32 | bits()} * n;
  };
  Wide product = draw();
  const std::uint64_t favoured = (0 - n) % n;  // 2^64 mod n
  while (static_cast<std::uint64_t>(product) < favoured) product = draw();
  return static_cast<std::uint64_t>(product >> 64);
}

std::uint64_t permuted(std::uint64_t i, std::uint64_t n, std::uint64_t seed, RandomUse use, std::uint64_t round) {
  if (i >= n) throw std::invalid_argument("[permuted] i: expected below " + std::to_string(n) + ", got " + std::to_string(i));
  if (n == 1) return 0;
  const int half_bits = (std::bit_width(n - 1) + 1) / 2;  // 4^half_bits < 4 n: under four steps of the walk on average
  const auto key = philox_key(seed);
  do {
    i = feistel(i, half_bits, key, use, round);
  } while (i >= n);  // ends: the cycle that i lies on leads back to i itself
  return i;
}

}  // namespace vp
