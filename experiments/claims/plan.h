// What of a claim can be seen to be wrong before any run: against the grid and the dictionary of the result files. Thread-safety: pure
// functions.
#pragma once

#include <vector>

#include "experiments/claims/check.h"
#include "experiments/config/config.h"
#include "experiments/io/csv.h"
#include "experiments/results/tables.h"

namespace vp {

// The runs of an experiment as far as its claims look at their configuration: what runs.csv will have there, equal rows once.
struct PlannedRuns {
  std::vector<KeyColumn> keys;  // all of runs.csv
  CsvDocument table;            // the columns that claims ask for
};
PlannedRuns planned_runs(const Experiment& experiment);

// Errors: UserError(kUsage) at the key or value of the claim: no such file or column, a metric that is not a number, a value that no run or
// row will have, a group that no run will be in, a table that these runs will leave empty.
void check_planned_claim(const Claim& claim, const PlannedRuns& runs);

}  // namespace vp
