#include "experiments/config/grid.h"

#include <fmt/format.h>

#include <algorithm>

#include "experiments/config/error.h"
#include "experiments/config/visit.h"

namespace vp {

namespace {

// Stops counting soon after the limit, so that nothing overflows.
std::uint64_t count_block(const GridBlock& block) {
  std::uint64_t points = 1;
  for (const GridAxis& axis : block) {
    points *= axis.values.size();
    if (points > kMaxGridPoints) return points;
  }
  return points;
}

[[noreturn]] void fail_size(const Document& document) {
  const GridAxis* longest = nullptr;
  for (const GridBlock& block : document.grid)
    for (const GridAxis& axis : block)
      if (!longest || axis.values.size() > longest->values.size()) longest = &axis;
  const std::string message = fmt::format("the grid has more than {} points", kMaxGridPoints);
  if (!longest) fail_at({document.file}, message);
  fail_at(longest->origin, fmt::format("{}; {} alone has {} values", message, shown_key(longest->key), longest->values.size()));
}

void visit_block(const Document& document, const GridBlock& block, const std::function<void(const GridPoint&)>& visit) {
  GridPoint point;
  for (const Setting& setting : document.settings) {
    const bool varied = std::any_of(block.begin(), block.end(), [&](const GridAxis& axis) { return axis.key == setting.key; });
    if (!varied) point.settings.push_back(&setting);
  }
  const std::size_t first_axis = point.settings.size();
  for (const GridAxis& axis : block) point.settings.push_back(&axis.values.front());

  std::vector<std::size_t> digits(block.size(), 0);
  while (true) {
    visit(point);
    std::size_t a = block.size();
    while (a > 0 && digits[a - 1] + 1 == block[a - 1].values.size()) {
      --a;
      digits[a] = 0;
      point.settings[first_axis + a] = &block[a].values.front();
    }
    if (a == 0) return;
    point.settings[first_axis + a - 1] = &block[a - 1].values[++digits[a - 1]];
  }
}

}  // namespace

const Setting* GridPoint::find(std::string_view key) const {
  for (const Setting* setting : settings)
    if (setting->key == key) return setting;
  return nullptr;
}

std::uint64_t count_points(const Document& document) {
  if (document.grid.empty()) return 1;
  std::uint64_t points = 0;
  for (const GridBlock& block : document.grid) {
    points += count_block(block);
    if (points > kMaxGridPoints) fail_size(document);
  }
  return points;
}

void for_each_point(const Document& document, const std::function<void(const GridPoint&)>& visit) {
  if (document.grid.empty()) visit_block(document, {}, visit);
  for (const GridBlock& block : document.grid) visit_block(document, block, visit);
}

}  // namespace vp
