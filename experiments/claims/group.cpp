#include "experiments/claims/group.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <unordered_map>

#include "experiments/claims/check.h"
#include "experiments/claims/filter.h"
#include "experiments/claims/statistics.h"
#include "experiments/results/tables.h"
#include "models/base/suggest.h"

namespace vp {
namespace {

using RunRows = std::vector<std::size_t>;  // indices into the rows of a table

std::optional<std::size_t> find_column(const CsvDocument& table, std::string_view name) {
  const auto place = std::find(table.header.begin(), table.header.end(), name);
  if (place == table.header.end()) return std::nullopt;
  return static_cast<std::size_t>(place - table.header.begin());
}

const CsvDocument& metric_table(const Claim& claim, const ResultTables& tables) {
  if (const auto table = tables.find(claim.file); table != tables.end()) return table->second;
  const std::vector<std::string> known(kClaimTables.begin(), kClaimTables.end());
  throw claim_error(claim, "unknown file \"" + claim.file + "\"" + suggestion(claim.file, known));
}

// A column of the metric's file, or else of runs.csv.
struct Column {
  std::string name;
  bool of_run = false;
  std::size_t index = 0;
};

// The two tables a claim looks into, joined by run_id.
class Join {
 public:
  Join(const Claim& claim, const ResultTables& tables) : claim_(claim), runs_(tables.at("runs")), rows_(metric_table(claim, tables)) {
    if (&runs_ == &rows_) return;
    const std::size_t id = rows_.column("run_id");
    for (std::size_t i = 0; i < rows_.rows.size(); ++i) rows_of_[rows_.rows[i].fields[id]].push_back(i);
  }

  const CsvDocument& runs() const { return runs_; }

  Column column(const std::string& name) const {
    const bool one_table = &runs_ == &rows_;
    if (const auto own = find_column(rows_, name); own && !one_table && name != "run_id") return {name, false, *own};
    return run_column(name, rows_);
  }
  // `also`: a table whose columns could have been meant as well.
  Column run_column(const std::string& name, const CsvDocument& also) const {
    if (const auto index = find_column(runs_, name)) return {name, true, *index};
    std::vector<std::string> known = also.header;
    if (&also != &runs_) known.insert(known.end(), runs_.header.begin(), runs_.header.end());
    throw claim_error(claim_, "unknown column \"" + name + "\"" + suggestion(name, known));
  }

  // Rows of the metric's file that belong to a run; where that is runs.csv, the run itself.
  RunRows rows_of(std::size_t run) const {
    if (&runs_ == &rows_) return {run};
    const auto place = rows_of_.find(id_of(run));
    return place == rows_of_.end() ? RunRows() : place->second;
  }

  const std::string& id_of(std::size_t run) const { return runs_.rows[run].fields[runs_.column("run_id")]; }
  const std::string& run_cell(const Column& column, std::size_t run) const { return runs_.rows[run].fields[column.index]; }
  const std::string& cell(const Column& column, std::size_t run, std::size_t row) const {
    return column.of_run ? run_cell(column, run) : rows_.rows[row].fields[column.index];
  }

  // Empty cells are absent; text is a mistake in the claim.
  std::optional<double> number(const Column& column, std::size_t run, std::size_t row) const {
    const std::string& text = cell(column, run, row);
    if (text.empty()) return std::nullopt;
    const auto value = parse_number(text);
    if (!value) throw claim_error(claim_, "column " + column.name + " does not hold numbers but, for example, \"" + text + "\"");
    return value;
  }

 private:
  const Claim& claim_;
  const CsvDocument& runs_;
  const CsvDocument& rows_;
  std::unordered_map<std::string, RunRows> rows_of_;
};

// Whether runs.csv has the column from the run's results, not from its configuration.
bool is_run_result(const std::string& name) {
  const auto is_named = [&](const ColumnInfo& column) { return column.name == name; };
  return std::ranges::any_of(table_columns("runs"), is_named);
}

// A filter in two parts: what a run must meet, and what each of its rows must meet.
struct Filter {
  std::vector<std::pair<Column, SettingValue>> of_run, of_row;
  bool is_configuration = true;  // what a run must meet

  Filter(const Join& join, const ClaimFilter& filter) {
    for (const auto& [key, value] : filter) {
      Column column = join.column(key);
      is_configuration = is_configuration && !(column.of_run && is_run_result(key));
      (column.of_run ? of_run : of_row).emplace_back(std::move(column), value);
    }
  }
  bool run_meets(const Join& join, std::size_t run) const {
    return std::all_of(of_run.begin(), of_run.end(), [&](const auto& f) { return meets(join.run_cell(f.first, run), f.second); });
  }
  bool row_meets(const Join& join, std::size_t run, std::size_t row) const {
    return std::all_of(of_row.begin(), of_row.end(), [&](const auto& f) { return meets(join.cell(f.first, run, row), f.second); });
  }
};

// --- best_over ---

// A diverged run, or one without a validation loss, makes its whole setting the worst.
double validation_loss(const Join& join, const Column& loss, const Column& outcome, std::size_t run) {
  constexpr double kWorst = std::numeric_limits<double>::infinity();
  if (join.run_cell(outcome, run) == "diverged") return kWorst;
  return join.number(loss, run, run).value_or(kWorst);
}

struct Setting {
  std::string text;  // "train.learning_rate = 0.003"
  RunRows runs;
  double mean_loss = 0;
};

// Runs by their values of the keys, in order of appearance.
std::vector<Setting> settings_of(const Claim& claim, const Join& join, const RunRows& runs) {
  std::vector<Setting> settings;
  for (const std::size_t run : runs) {
    std::string text;
    for (const std::string& key : claim.best_over)
      text += (text.empty() ? "" : ", ") + key + " = " + join.run_cell(join.run_column(key, join.runs()), run);
    const auto known = std::find_if(settings.begin(), settings.end(), [&](const Setting& s) { return s.text == text; });
    (known == settings.end() ? settings.emplace_back(Setting{text, {}, 0}) : *known).runs.push_back(run);
  }
  return settings;
}

// The runs of the setting with the lowest mean validation loss; of equals, the first.
RunRows keep_best(const Claim& claim, const Join& join, const RunRows& runs, std::string& note) {
  std::vector<Setting> settings = settings_of(claim, join, runs);
  const Column loss = join.run_column("validation_loss", join.runs()), outcome = join.run_column("outcome", join.runs());
  for (Setting& setting : settings) {
    std::vector<double> losses;
    for (const std::size_t run : setting.runs) losses.push_back(validation_loss(join, loss, outcome, run));
    setting.mean_loss = mean(losses);
  }
  const auto lower = [](const Setting& a, const Setting& b) { return a.mean_loss < b.mean_loss; };
  const Setting& best = *std::min_element(settings.begin(), settings.end(), lower);
  note = fmt::format("best {} of {} by validation loss ({:.4g})", best.text, settings.size(), best.mean_loss);
  return best.runs;
}

// --- one number per run ---

struct Points {
  std::vector<double> x, y;  // x only for slopes
};

// Of the rows that meet the filter; nullopt if there are none or one of them lacks a value.
std::optional<Points> points_of(const Claim& claim, const Join& join, const Filter& filter, std::size_t run) {
  const Column y_column = join.column(claim.column);
  const bool slope = claim.aggregate == ClaimAggregate::kSlope;
  const Column x_column = slope ? join.column(claim.slope_over) : Column();
  Points points;
  for (const std::size_t row : join.rows_of(run)) {
    if (!filter.row_meets(join, run, row)) continue;
    const auto y = join.number(y_column, run, row);
    const auto x = slope ? join.number(x_column, run, row) : 0.0;
    if (!x || !y) return std::nullopt;
    points.y.push_back(*y);
    if (slope) points.x.push_back(*x);
  }
  if (points.y.empty()) return std::nullopt;
  return points;
}

std::optional<double> aggregate(ClaimAggregate how, const Points& points) {
  switch (how) {
    case ClaimAggregate::kMean:
      return mean(points.y);
    case ClaimAggregate::kMedian:
      return median(points.y);
    case ClaimAggregate::kSlope:
      return least_squares_slope(points.x, points.y);
    case ClaimAggregate::kMin:
      return std::ranges::min(points.y);
    case ClaimAggregate::kMax:
      return std::ranges::max(points.y);
    case ClaimAggregate::kRange:
      return std::ranges::max(points.y) - std::ranges::min(points.y);
  }
  return std::nullopt;
}

std::string seed_of(const Join& join, std::size_t run) {
  const auto column = find_column(join.runs(), "train.seed");
  return column ? join.runs().rows[run].fields[*column] : "";
}

// Runs of one seed share data and draws: their mean is one observation.
void average_seeds(ClaimGroup& group) {
  std::vector<Observation> seeds;
  std::map<std::string, std::vector<double>> values;
  for (const Observation& o : group.observations) {
    if (!values.contains(o.seed)) seeds.push_back(o);
    values[o.seed].push_back(o.value);
  }
  for (Observation& seed : seeds) seed.value = mean(values[seed.seed]);
  group.observations = std::move(seeds);
}

void observe_each_run(const Claim& claim, const Join& join, const Filter& filter, const RunRows& runs, ClaimGroup& group) {
  for (const std::size_t run : runs) {
    const auto points = points_of(claim, join, filter, run);
    const auto value = points ? aggregate(claim.aggregate, *points) : std::nullopt;
    if (value) {
      group.observations.push_back({seed_of(join, run), *value});
    } else {
      group.without_value.push_back(join.id_of(run));
    }
  }
  std::set<std::string> seeds;
  for (const Observation& o : group.observations) seeds.insert(o.seed);
  group.seeds = std::ssize(seeds);
  if (claim.unit == ClaimUnit::kSeed) average_seeds(group);
}

// One slope for each seed, as observations; false if a seed's runs do not give one.
bool observe_seeds(const std::map<std::string, Points>& by_seed, ClaimGroup& group) {
  for (const auto& [seed, points] : by_seed) {
    const auto slope = least_squares_slope(points.x, points.y);
    if (!slope) return false;
    group.observations.push_back({seed, *slope});
  }
  return true;
}

// A slope over runs: one through the runs of each seed; where there is one seed, or a seed has too few points, or seeds do not count, one
// through all runs.
void observe_slope_over_runs(const Claim& claim, const Join& join, const Filter& filter, const RunRows& runs, ClaimGroup& group) {
  std::map<std::string, Points> by_seed;
  Points all;
  for (const std::size_t run : runs) {
    const auto points = points_of(claim, join, filter, run);
    if (!points) {
      group.without_value.push_back(join.id_of(run));
      continue;
    }
    for (Points* target : {&by_seed[seed_of(join, run)], &all}) {
      target->x.push_back(points->x[0]);
      target->y.push_back(points->y[0]);
    }
  }
  group.seeds = std::ssize(by_seed);
  if (claim.unit == ClaimUnit::kSeed && by_seed.size() > 1 && observe_seeds(by_seed, group)) return;
  group.observations.clear();
  const auto slope = least_squares_slope(all.x, all.y);
  if (slope) group.observations.push_back({"", *slope});
  if (slope && claim.unit == ClaimUnit::kSeed && by_seed.size() > 1)
    group.note += std::string(group.note.empty() ? "" : "; ") + "a seed has too few points: one slope over all runs";
}

std::string reason_for_no_value(const Claim& claim, const ClaimFilter& filter) {
  const std::string metric = claim.file + "." + claim.column;
  if (claim.aggregate == ClaimAggregate::kSlope) return metric + " gives no slope over " + claim.slope_over + " for " + filter_text(filter);
  return "no run has a value of " + metric + " for " + filter_text(filter);
}

}  // namespace

UserError claim_error(const Claim& claim, const std::string& what) {
  return usage_error(claim.origin.place + ": claim \"" + claim.name + "\": " + what);
}

ClaimGroup evaluate_group(const Claim& claim, const ClaimFilter& filter_settings, const ResultTables& tables) {
  const Join join(claim, tables);
  const Filter filter(join, filter_settings);
  RunRows runs;
  for (std::size_t run = 0; run < join.runs().rows.size(); ++run)
    if (filter.run_meets(join, run)) runs.push_back(run);
  ClaimGroup group;
  group.filter_is_configuration = filter.is_configuration;
  if (runs.empty()) {
    group.empty = "no run meets " + filter_text(filter_settings);
    return group;
  }
  if (!claim.best_over.empty()) runs = keep_best(claim, join, runs, group.note);
  group.runs = std::ssize(runs);
  const bool over_runs = claim.file == "runs" && claim.aggregate == ClaimAggregate::kSlope;
  (over_runs ? observe_slope_over_runs : observe_each_run)(claim, join, filter, runs, group);
  if (group.observations.empty()) group.empty = reason_for_no_value(claim, filter_settings);
  return group;
}

}  // namespace vp
