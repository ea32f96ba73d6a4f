// English-like sentences with one word of praise and one of blame, of which one is meant and the other denied: "the film was not good but
// bad" and "the film was not bad but good" have the same words, and mean the opposite.
// Thread-safety: pure functions; the tables are built once.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>

#include "models/base/random.h"

namespace vp {

inline constexpr std::int64_t kLongestNegation = 40, kShortestLimit = 12;  // tokens: no sentence has more; every frame fits into the second

struct NegationSentence {
  std::array<std::int32_t, kLongestNegation> words;  // ids; `length` of them
  std::int64_t length = 0;
  bool is_praise = false;
};

// At most `longest` tokens, at least kShortestLimit. Praise and blame have probability 1/2 each whatever the words are: for every sentence,
// the one with its two judgements exchanged is equally likely.
NegationSentence draw_negation(RandomStream& random, std::int64_t longest);

// By id; 0 is the padding, which no sentence holds.
std::span<const std::string> negation_vocabulary();

}  // namespace vp
