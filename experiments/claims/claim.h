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

#include "experiments/config/setting.h"
#include "experiments/io/csv.h"

namespace vp {

enum class ClaimRelation { kWithin, kAtLeast, kAtMost };
enum class ClaimAggregate { kMean, kMedian, kSlope, kMin, kMax, kRange };  // the last three: of a run's rows
enum class ClaimCompare { kNone, kRatio, kDifference };
enum class ClaimUnit { kSeed, kRun };  // what counts as one observation
enum class Verdict { kHolds, kFails, kInconclusive, kIncomplete };

// Column = value pairs that a row must all meet. A key is a column of the metric's file or of runs.csv; numbers compare as numbers.
using ClaimFilter = std::vector<std::pair<std::string, SettingValue>>;

struct Claim {
  std::string name;     // unique in its file
  std::string text;     // the statement in plain words
  std::string file;     // one of kClaimTables (from metric = "runs.gradient_slope")
  std::string column;   // of that file
  ClaimFilter where;    // group
  ClaimFilter against;  // second group; only with compare
  ClaimCompare compare = ClaimCompare::kNone;
  ClaimAggregate aggregate = ClaimAggregate::kMean;
  std::string slope_over;  // kSlope: the column on the x axis (e.g. "update", "t", "init.recurrent.gain"): least squares
  std::vector<std::string>
      best_over;  // keys (e.g. train.learning_rate) of which each group keeps the value with the lowest mean final validation loss
  ClaimRelation relation = ClaimRelation::kWithin;
  double value = 0;
  double tolerance = 0;                      // kWithin: absolute, or
  std::optional<double> relative_tolerance;  // a share of |value|
  bool by_interval = false;                  // the whole interval must meet the relation, not only the estimate
  Origin origin;
  ClaimUnit unit = ClaimUnit::kSeed;
  bool allow_incomplete = false;  // judged on the runs that have a value, where others are missing
  std::string source;             // paper, table or equation
  std::string published;          // the value there, as text
  // Where the file has the key and its value: "metric", "over", "best_over", "where.model.cell".
  std::map<std::string, std::pair<Origin, Origin>, std::less<>> places;
};

struct ClaimResult {
  std::string claim, text, metric;
  std::int64_t runs = 0, runs_against = 0;
  std::optional<double> estimate, low, high;  // 95 %; absent with fewer than two observations
  std::string required;                       // e.g. "within 0.05 of 0.301", "at least 0.8"
  Verdict verdict = Verdict::kIncomplete;
  std::string source, published;
  std::string note;  // how many seeds and runs, what was chosen, what is missing
};

// What is known of the results beside their tables.
struct ClaimContext {
  std::string incomplete;  // what is missing, failed or stale in the directory; empty: nothing
  std::string changes;     // what the command line changed of the experiment file; empty: nothing
};

// The result files a claim can look into: all but those that depend on the clock.
inline constexpr std::array<std::string_view, 7> kClaimTables = {"runs", "curves", "timesteps", "layers", "spectra", "traces", "metrics"};

// Some of them as parsed CSV, by name; runs is always there.
using ResultTables = std::map<std::string, CsvDocument, std::less<>>;

// "holds", "fails", "inconclusive" (by the interval, and it straddles the bound or there is none), "incomplete" (runs or values are
// missing).
std::string_view verdict_name(Verdict verdict);

// Errors: UserError(kUsage) at the claim's origin for an unknown file or column, or a group that no run of a whole, unchanged directory is
// in: an empty group never holds silently.
ClaimResult check_claim(const Claim& claim, const ResultTables& tables, const ClaimContext& context = {});

// CSV text of claims.csv.
std::string claims_csv(std::span<const ClaimResult> results);

}  // namespace vp
