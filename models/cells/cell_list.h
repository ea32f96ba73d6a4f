// The recurrent cells one can choose. To add one: one file <name>.cpp with `CellEntry <name>_cell()` and its name in cell_list.cpp.
// Thread-safety: the list is constant.
#pragma once

#include <span>
#include <string_view>

#include "models/cells/cell.h"

namespace vp {

std::span<const CellEntry> cells();
const CellEntry* find_cell(std::string_view name);  // nullptr if there is none

}  // namespace vp
