// A statement about results that a machine can check: [[claim]] tables and their verdicts.
//
// For every run of a group the metric becomes one number per run (aggregate over that run's rows of the metric's file, where there are
// many). Runs of one seed share data and draws, so they are averaged: a seed is one observation (with unit = "run", a run is). The estimate
// is the mean (or median) over observations, or the ratio or difference of two groups; the 95 % interval is over observations (Student t,
// for a ratio by Fieller; in pairs where both groups hold the same seeds). Thread-safety: pure functions.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "experiments/config/claim.h"
#include "experiments/io/csv.h"
#include "experiments/results/claim_result.h"

namespace vp {

// What is known of the results beside their tables.
struct ClaimContext {
  std::string incomplete;  // what is missing, failed or stale in the directory; empty: nothing
  std::string changes;     // what the command line changed of the experiment file; empty: nothing
};

// Some of them as parsed CSV, by name; runs is always there.
using ResultTables = std::map<std::string, CsvDocument, std::less<>>;

// Errors: UserError(kUsage) at the claim's origin for an unknown file or column, or a group that no run of a whole, unchanged directory is
// in: an empty group never holds silently.
ClaimResult check_claim(const Claim& claim, const ResultTables& tables, const ClaimContext& context = {});

// CSV text of claims.csv.
std::string claims_csv(std::span<const ClaimResult> results);

}  // namespace vp
