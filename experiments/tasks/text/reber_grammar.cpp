#include "experiments/tasks/text/reber_grammar.h"

namespace vp {
namespace {

struct Node {
  std::int64_t count;
  ReberArc ways[2];
};

// 0 to 7 are the plain grammar. The embedded form starts at 8, goes through 0 to 7 and on to 10, by the symbol that it came in with.
constexpr std::int8_t kInner = 0, kInnerEnd = 7, kOuter = 8, kAfterInner = 10, kOuterEnd = 11;
constexpr Node kNodes[] = {
    {1, {{kB, 1}}},          {2, {{kT, 2}, {kP, 3}}}, {2, {{kS, 2}, {kX, 4}}}, {2, {{kT, 3}, {kV, 5}}},
    {2, {{kX, 3}, {kS, 6}}}, {2, {{kP, 4}, {kV, 6}}}, {1, {{kE, kInnerEnd}}},  {0, {}},
    {1, {{kB, 9}}},          {2, {{kT, 0}, {kP, 0}}}, {1, {{kE, kOuterEnd}}},  {0, {}},
};
constexpr std::int8_t kChoice = 9;

}  // namespace

ReberWalk::ReberWalk(bool is_embedded) : is_embedded_(is_embedded) { arrive(is_embedded ? kOuter : kInner); }

bool ReberWalk::at_end() const { return count_ == 0; }

ReberSymbol ReberWalk::next(RandomStream& random) {
  const ReberArc way = ways_[count_ == 1 ? 0 : random.below(2)];
  if (node_ == kChoice) first_choice_ = way.symbol;
  arrive(way.to);
  return way.symbol;
}

void ReberWalk::arrive(std::int8_t node) {
  node_ = node;
  const Node& here = kNodes[node];
  count_ = here.count;
  ways_[0] = here.ways[0];
  ways_[1] = here.ways[1];
  if (node != kInnerEnd || !is_embedded_) return;
  count_ = 1;
  ways_[0] = {first_choice_, kAfterInner};
}

}  // namespace vp
