#include "models/cells/cell_list.h"

#include <algorithm>

namespace vp {

// The list. Each stands in its own file as `CellEntry <name>_cell()`.
#define VP_CELLS(each) each(rnn) each(lstm) each(gru) each(mgu)

#define VP_DECLARE(name) CellEntry name##_cell();
VP_CELLS(VP_DECLARE)
#undef VP_DECLARE

std::span<const CellEntry> cells() {
#define VP_ENTRY(name) name##_cell(),
  static const CellEntry kCells[] = {VP_CELLS(VP_ENTRY)};
#undef VP_ENTRY
  return kCells;
}

const CellEntry* find_cell(std::string_view name) {
  const auto it = std::ranges::find(cells(), name, &CellEntry::name);
  return it == cells().end() ? nullptr : &*it;
}

}  // namespace vp
