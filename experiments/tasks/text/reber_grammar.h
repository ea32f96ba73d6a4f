// The Reber grammar and its embedded form (Reber 1967; Smith & Zipser 1989; Hochreiter & Schmidhuber 1997, figures 3 and 4).
//
// A string of the plain grammar: B, then a walk over a graph with two equally likely ways on at every node, then E. The embedded form wraps
// one in a first and a last choice that are the same: B T <string> T E, or B P <string> P E. Thread-safety: a walk belongs to one thread.
#pragma once

#include <cstdint>
#include <span>

#include "models/base/random.h"

namespace vp {

inline constexpr std::int64_t kReberSymbols = 7;
enum ReberSymbol : std::int8_t { kB, kT, kP, kS, kX, kV, kE };
inline constexpr std::int64_t kShortestReber = 5, kShortestEmbeddedReber = 9;  // symbols, B and E with them

struct ReberArc {
  ReberSymbol symbol;
  std::int8_t to;  // node
};

class ReberWalk {
 public:
  explicit ReberWalk(bool is_embedded);
  bool at_end() const;
  std::span<const ReberArc> ways() const { return {ways_, static_cast<std::size_t>(count_)}; }  // one or two; none at the end
  ReberSymbol next(RandomStream& random);                                                       // takes one of them, equally likely

 private:
  void arrive(std::int8_t node);
  bool is_embedded_;
  ReberSymbol first_choice_ = kB;  // of the embedded form: T or P
  std::int8_t node_ = 0;
  ReberArc ways_[2] = {};
  std::int64_t count_ = 0;
};

// Draws strings until the length of one, in symbols, is accepted; returns its length and leaves `random` where walking it again with
// `random` gives the same string. Lengths above `longest` are never accepted.
template <class Accept>
std::int64_t find_reber_string(RandomStream& random, bool is_embedded, std::int64_t longest, Accept accept) {
  for (RandomStream start = random;; start = random) {
    ReberWalk walk(is_embedded);
    std::int64_t length = 0;
    for (; !walk.at_end(); ++length) walk.next(random);
    if (length > longest || !accept(length)) continue;
    random = start;
    return length;
  }
}

}  // namespace vp
