// From result tables to the numbers a claim is about: the runs of a group, and one number for each (or, for slopes over runs, for each
// seed).
//
// Nothing is left out silently: a run whose rows lack a value is named. Thread-safety: pure function.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "experiments/claim.h"
#include "experiments/error.h"

namespace vp {

struct Observation {
  std::string seed;  // train.seed as text; empty if it stands for several seeds
  double value = 0;
};

struct ClaimGroup {
  std::int64_t runs = 0;
  std::vector<Observation> observations;   // in the order of runs.csv
  std::vector<std::string> without_value;  // run ids
  std::string note;                        // what best_over chose, how a slope was taken
};

// Errors: UserError(kUsage) at the claim's origin for unknown files and columns, columns that are not numbers, a group without runs or
// without values.
ClaimGroup evaluate_group(const Claim& claim, const ClaimFilter& filter, const ResultTables& tables);

// "FILE:LINE:COLUMN: claim "name": what".
UserError claim_error(const Claim& claim, const std::string& what);

}  // namespace vp
