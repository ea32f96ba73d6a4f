// From the settings of one grid point to a checked Config. Thread-safety: pure functions.
#pragma once

#include <string>

#include "experiments/config/config.h"
#include "experiments/config/grid.h"

namespace vp {

// Errors: UserError(kUsage) at the setting's origin for a wrong type, a value out of range, an unknown choice, a key of another task, cell
// or optimiser than the chosen ones, and for combinations that check_combinations() refuses. `file` is named where no setting is to blame.
Config resolve_point(const GridPoint& point, const std::string& file);

// checks.cpp: fields that are right by themselves but not together.
void check_combinations(const Config& config, const GridPoint& point, const std::string& file);

}  // namespace vp
