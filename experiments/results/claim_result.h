// The verdict on one claim: a row of claims.csv. Thread-safety: plain data.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "models/spec/columns.h"

namespace vp {

enum class Verdict { kHolds, kFails, kInconclusive, kIncomplete };

// "holds", "fails", "inconclusive" (by the interval, and it straddles the bound or there is none), "incomplete" (runs or values are
// missing).
std::string_view verdict_name(Verdict verdict);

struct ClaimResult {
  std::string claim, text, metric;
  std::int64_t runs = 0, runs_against = 0;
  std::optional<double> estimate, low, high;  // 95 %; absent with fewer than two observations
  std::string required;                       // e.g. "within 0.05 of 0.301", "at least 0.8"
  Verdict verdict = Verdict::kIncomplete;
  std::string source, published;
  std::string note;  // how many seeds and runs, what was chosen, what is missing

  template <class Visitor>
  void visit_columns(Visitor& v) const {
    constexpr std::string_view kOfMetric = "that of the metric";
    v({.name = "claim", .meaning = "name of the claim in config.toml", .is_key = true}, claim);
    v({.name = "text", .meaning = "the statement in words"}, text);
    v({.name = "metric", .meaning = "file and column that it is about"}, metric);
    v({.name = "runs", .unit = "runs", .meaning = "in the group"}, runs);
    v({.name = "runs_against", .unit = "runs", .meaning = "in the group it is compared with; 0 without one"}, runs_against);
    v({.name = "estimate", .unit = kOfMetric, .meaning = "what the aggregate says, or the ratio or difference of two"}, estimate);
    v({.name = "low", .unit = kOfMetric, .meaning = "lower end of the 95 % interval over seeds; absent with too few of them"}, low);
    v({.name = "high", .unit = kOfMetric, .meaning = "upper end of the 95 % interval over seeds; absent with too few of them"}, high);
    v({.name = "required", .meaning = "what the estimate, or the whole interval, must be"}, required);
    v({.name = "verdict",
       .meaning = "holds, fails, inconclusive (the interval straddles the bound) or incomplete (runs or values are missing)"},
      verdict_name(verdict));
    v({.name = "source", .meaning = "paper, table or equation that the claim is about, as the experiment gives it"}, source);
    v({.name = "published", .meaning = "the value there"}, published);
    v({.name = "note",
       .meaning = "how many seeds and runs, what was chosen, what is missing, why there is no interval, what the command line changed",
       .is_note = true},
      note);
  }
};

}  // namespace vp
