#include "experiments/claims/check.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "experiments/claims/group.h"
#include "experiments/claims/statistics.h"
#include "experiments/results/tables.h"

namespace vp {
namespace {

void add_note(std::string& note, const std::string& text) {
  if (text.empty()) return;
  note += (note.empty() ? "" : "; ") + text;
}

// The numbers of one or two groups; those of two are in the same order of seeds if they are pairs.
struct Samples {
  std::vector<double> a, b;
  bool paired = false;
};

std::map<std::string, double> by_seed(const ClaimGroup& group) {
  std::map<std::string, double> values;
  for (const Observation& o : group.observations) values[o.seed] = o.value;
  return values;
}

// Pairs: both groups hold the same seeds.
Samples samples_of(const Claim& claim, const ClaimGroup& a, const ClaimGroup& b) {
  const auto of_a = by_seed(a), of_b = by_seed(b);
  const bool same = std::equal(of_a.begin(), of_a.end(), of_b.begin(), of_b.end(), [](auto& x, auto& y) { return x.first == y.first; });
  Samples samples;
  samples.paired = claim.unit == ClaimUnit::kSeed && same && !of_a.contains("");
  if (samples.paired) {
    for (const auto& [seed, value] : of_a) samples.a.push_back(value);
    for (const auto& [seed, value] : of_b) samples.b.push_back(value);
  } else {
    for (const Observation& o : a.observations) samples.a.push_back(o.value);
    for (const Observation& o : b.observations) samples.b.push_back(o.value);
  }
  return samples;
}

std::optional<double> estimate(const Claim& claim, const Samples& s) {
  const auto center = claim.aggregate == ClaimAggregate::kMedian ? median : mean;
  const double a = center(s.a);
  if (claim.compare == ClaimCompare::kNone) return a;
  const double b = center(s.b);
  if (claim.compare == ClaimCompare::kDifference) return a - b;
  if (b == 0) return std::nullopt;
  return a / b;
}

std::optional<Interval> interval(const Claim& claim, const Samples& s) {
  const bool medians = claim.aggregate == ClaimAggregate::kMedian;
  switch (claim.compare) {
    case ClaimCompare::kNone:
      return medians ? median_interval(s.a, 0.95) : mean_interval(s.a);
    case ClaimCompare::kDifference:
      return medians ? median_difference_interval(s.a, s.b) : difference_interval(s.a, s.b, s.paired);
    case ClaimCompare::kRatio:
      return medians ? median_ratio_interval(s.a, s.b) : ratio_interval(s.a, s.b, s.paired);
  }
  return std::nullopt;
}

std::string counted(std::size_t n, const std::string& noun) { return fmt::format("{} {}{}", n, noun, n == 1 ? "" : "s"); }

std::string reason_for_no_interval(const Claim& claim, const Samples& s) {
  const bool compared = claim.compare != ClaimCompare::kNone;
  const std::size_t n = compared ? std::min(s.a.size(), s.b.size()) : s.a.size();
  const std::size_t needed = claim.aggregate != ClaimAggregate::kMedian ? 2 : compared ? 7 : 6;
  if (n < needed) return fmt::format("no interval: {}, {} needed", counted(n, "independent value"), needed);
  return "no interval: the denominator is not clearly away from zero";
}

double tolerance(const Claim& claim) {
  return claim.relative_tolerance ? *claim.relative_tolerance * std::abs(claim.value) : claim.tolerance;
}

// Written so that NaN does not meet it.
bool meets_relation(const Claim& claim, double x) {
  switch (claim.relation) {
    case ClaimRelation::kWithin:
      return std::abs(x - claim.value) <= tolerance(claim);
    case ClaimRelation::kAtLeast:
      return x >= claim.value;
    case ClaimRelation::kAtMost:
      return x <= claim.value;
  }
  return false;
}

std::string required_text(const Claim& claim) {
  std::string text = claim.by_interval ? "whole interval " : "";
  if (claim.relation == ClaimRelation::kAtLeast) return text + "at least " + fmt::format("{}", claim.value);
  if (claim.relation == ClaimRelation::kAtMost) return text + "at most " + fmt::format("{}", claim.value);
  if (claim.relative_tolerance) return text + fmt::format("within {:g} % of {}", 100 * *claim.relative_tolerance, claim.value);
  return text + fmt::format("within {} of {}", claim.tolerance, claim.value);
}

std::string metric_text(const Claim& claim) {
  std::string text = claim.file + "." + claim.column;
  if (claim.aggregate == ClaimAggregate::kSlope) text = "slope of " + text + " over " + claim.slope_over;
  if (claim.aggregate == ClaimAggregate::kMedian) text = "median of " + text;
  if (claim.aggregate == ClaimAggregate::kMin) text = "smallest " + text;
  if (claim.aggregate == ClaimAggregate::kMax) text = "largest " + text;
  if (claim.aggregate == ClaimAggregate::kRange) text = "range of " + text;
  if (claim.compare == ClaimCompare::kRatio) text = "ratio of " + text;
  if (claim.compare == ClaimCompare::kDifference) text = "difference of " + text;
  return text;
}

std::string text_of_size(const Claim& claim, const ClaimGroup& group) {
  const std::size_t with_value = static_cast<std::size_t>(group.runs) - group.without_value.size();
  if (claim.unit == ClaimUnit::kRun) return counted(with_value, "run");
  return fmt::format("{} ({})", counted(static_cast<std::size_t>(group.seeds), "seed"), counted(with_value, "run"));
}

// "3 seeds (9 runs) against 3 seeds (3 runs), in pairs"
std::string size_note(const Claim& claim, const ClaimGroup& group, const ClaimGroup& against, const Samples& samples) {
  std::string note = text_of_size(claim, group);
  if (claim.compare == ClaimCompare::kNone) return note;
  note += " against " + text_of_size(claim, against);
  return note + (samples.paired ? ", in pairs" : ", not in pairs");
}

std::string missing_values(const ClaimGroup& group) {
  if (group.without_value.empty()) return "";
  return fmt::format("{} of {} runs have no value ({})", group.without_value.size(), group.runs, first_few(group.without_value));
}

void refuse_empty_group(const Claim& claim, const ClaimGroup& group, const ClaimContext& context) {
  const bool explained = !context.incomplete.empty() || !context.changes.empty() || !group.filter_is_configuration;
  if (!group.empty.empty() && group.runs == 0 && !explained) throw claim_error(claim, group.empty);
}

void note_group(const ClaimGroup& group, const std::string& prefix, std::string& note) {
  add_note(note, group.note.empty() ? "" : prefix + group.note);
  add_note(note, group.empty.empty() ? "" : prefix + group.empty);
  add_note(note, missing_values(group));
}

// Some value of the interval meets the relation.
bool touches_relation(const Claim& claim, double low, double high) {
  switch (claim.relation) {
    case ClaimRelation::kWithin:
      return low <= claim.value + tolerance(claim) && high >= claim.value - tolerance(claim);
    case ClaimRelation::kAtLeast:
      return high >= claim.value;
    case ClaimRelation::kAtMost:
      return low <= claim.value;
  }
  return false;
}

Verdict verdict_by_interval(const Claim& claim, const ClaimResult& result) {
  if (!result.low || !result.high) return Verdict::kInconclusive;
  if (meets_relation(claim, *result.estimate) && meets_relation(claim, *result.low) && meets_relation(claim, *result.high))
    return Verdict::kHolds;
  return touches_relation(claim, *result.low, *result.high) ? Verdict::kInconclusive : Verdict::kFails;
}

Verdict verdict(const Claim& claim, const ClaimResult& result, bool complete) {
  if (!complete && !claim.allow_incomplete) return Verdict::kIncomplete;
  if (!result.estimate) return Verdict::kInconclusive;
  if (claim.by_interval) return verdict_by_interval(claim, result);
  return meets_relation(claim, *result.estimate) ? Verdict::kHolds : Verdict::kFails;
}

// Estimate, interval and verdict of groups that have values.
void judge(const Claim& claim, const Samples& samples, bool complete, ClaimResult& result) {
  result.estimate = estimate(claim, samples);
  if (!result.estimate) add_note(result.note, "no ratio: the denominator is 0");
  if (const auto bounds = interval(claim, samples)) {
    result.low = bounds->low;
    result.high = bounds->high;
  } else {
    add_note(result.note, reason_for_no_interval(claim, samples));
  }
  result.verdict = verdict(claim, result, complete);
}

}  // namespace

ClaimResult check_claim(const Claim& claim, const ResultTables& tables, const ClaimContext& context) {
  const bool compared = claim.compare != ClaimCompare::kNone;
  const ClaimGroup group = evaluate_group(claim, claim.where, tables);
  const ClaimGroup against = compared ? evaluate_group(claim, claim.against, tables) : ClaimGroup();
  refuse_empty_group(claim, group, context);
  refuse_empty_group(claim, against, context);
  const Samples samples = samples_of(claim, group, against);

  ClaimResult result;
  result.claim = claim.name;
  result.text = claim.text;
  result.metric = metric_text(claim);
  result.runs = group.runs;
  result.runs_against = against.runs;
  result.required = required_text(claim);
  result.source = claim.source;
  result.published = claim.published;
  result.note = size_note(claim, group, against, samples);
  note_group(group, "", result.note);
  note_group(against, "against: ", result.note);
  const bool complete = context.incomplete.empty() && group.without_value.empty() && against.without_value.empty();
  if (group.empty.empty() && against.empty.empty()) judge(claim, samples, complete, result);
  add_note(result.note, context.incomplete);
  add_note(result.note, context.changes);
  return result;
}

std::string claims_csv(std::span<const ClaimResult> results) { return header_of<ClaimResult>() + rows_text(results); }

}  // namespace vp
