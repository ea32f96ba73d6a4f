// From result tables to the numbers a claim is about: the runs of a group, and one number for each seed (or, with unit = "run", each run).
//
// Nothing is left out silently: a run whose rows lack a value is named. Thread-safety: pure function.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "experiments/claims/check.h"
#include "experiments/io/error.h"

namespace vp {

struct Observation {
  std::string seed;  // train.seed as text; empty for one slope through the runs of several seeds
  double value = 0;
};

struct ClaimGroup {
  std::int64_t runs = 0;
  std::int64_t seeds = 0;                  // different ones among the runs that have a value
  std::vector<Observation> observations;   // in the order of runs.csv
  std::vector<std::string> without_value;  // run ids
  std::string note;                        // what best_over chose, how a slope was taken
  std::string empty;                       // why there is no observation
  bool filter_is_configuration = true;     // the filter looks at configuration keys alone, so the grid decides which runs meet it
};

// Errors: UserError(kUsage) at the claim's origin for unknown files and columns, and columns that are not numbers.
ClaimGroup evaluate_group(const Claim& claim, const ClaimFilter& filter, const ResultTables& tables);

// "FILE:LINE:COLUMN: claim "name": what".
UserError claim_error(const Claim& claim, const std::string& what);

}  // namespace vp
