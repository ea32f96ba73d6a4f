// A [[claim]] table as the user wrote it: a statement about results that a machine can check (claims/check.h). Thread-safety: plain data.
#pragma once

#include <array>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "experiments/config/setting.h"

namespace vp {

// The result files a claim can look into: all but those that depend on the clock.
inline constexpr std::array<std::string_view, 7> kClaimTables = {"runs", "curves", "timesteps", "layers", "spectra", "traces", "metrics"};

enum class ClaimRelation { kWithin, kAtLeast, kAtMost };
enum class ClaimAggregate { kMean, kMedian, kSlope, kMin, kMax, kRange };  // the last three: of a run's rows
enum class ClaimCompare { kNone, kRatio, kDifference };
enum class ClaimUnit { kSeed, kRun };  // what counts as one observation

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

}  // namespace vp
