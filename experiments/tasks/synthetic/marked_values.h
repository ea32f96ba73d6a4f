// Sequences of a value and a marker per step, of which two steps are marked: the generator that the adding and the multiplication problem
// share (Hochreiter & Schmidhuber 1997, sections 5.4 and 5.5). Thread-safety: pure functions.
#pragma once

#include <algorithm>
#include <cstdint>

#include "experiments/tasks/task_support.h"

namespace vp {

// One row of SampleRows with two inputs: value and marker of step t.
struct MarkedRow {
  float* first;
  std::int64_t stride;
  std::int64_t steps;
  float& value(std::int64_t t) const { return first[t * stride]; }
  float& marker(std::int64_t t) const { return first[t * stride + 1]; }
};

// The values of the two marked steps.
struct MarkedPair {
  float first, second;
};

// Values uniform in [low, 1), no marks.
inline void fill_values(RandomStream& random, double low, const MarkedRow& row) {
  for (std::int64_t t = 0; t < row.steps; ++t) {
    row.value(t) = static_cast<float>(random.uniform(low, 1));
    row.marker(t) = 0;
  }
}

inline MarkedPair mark(const MarkedRow& row, std::int64_t first, std::int64_t second) {
  row.marker(first) = row.marker(second) = 1;
  return {row.value(first), row.value(second)};
}

// Hochreiter & Schmidhuber's form: values uniform in [low, 1), the first mark in the first ten steps, the second on one of the first
// T/2 - 1 steps that are still unmarked; markers 1 there, -1 at the first and the last step, else 0. Where the first step is marked, its
// value becomes `neutral`. Needs at least 4 steps.
inline MarkedPair fill_marked_early(RandomStream& random, double low, float neutral, const MarkedRow& row) {
  const std::int64_t half = row.steps / 2;
  const std::int64_t first = draw(random, std::min<std::int64_t>(10, half));
  std::int64_t second = draw(random, half - 1);
  if (second >= first) ++second;  // counts unmarked steps only
  fill_values(random, low, row);
  row.marker(0) = row.marker(row.steps - 1) = -1;
  if (first == 0 || second == 0) row.value(0) = neutral;
  return mark(row, first, second);
}

}  // namespace vp
