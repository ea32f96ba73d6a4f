// The points of a grid, in order. Thread-safety: pure functions.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

#include "experiments/config/document.h"

namespace vp {

// The settings of one point: those of the file, replaced by those of the axes where both have a key. Points into a Document.
struct GridPoint {
  std::vector<const Setting*> settings;

  const Setting* find(std::string_view key) const;  // nullptr: the default
};

// Number of points, equal ones counted twice. Errors: UserError(kUsage) for more than kMaxGridPoints, at the longest axis.
std::uint64_t count_points(const Document& document);

// Block after block, axes in their order, the last one fastest. REQUIRES count_points() did not throw.
void for_each_point(const Document& document, const std::function<void(const GridPoint&)>& visit);

}  // namespace vp
