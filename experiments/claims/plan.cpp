#include "experiments/claims/plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "experiments/claims/filter.h"
#include "experiments/config/visit.h"
#include "models/base/suggest.h"

namespace vp {
namespace {

using Rows = std::vector<const CsvRow*>;

// The keys that decide which rows the result files will have.
constexpr std::array<std::string_view, 9> kScheduleKeys = {"train.updates", "train.evaluate_every", "train.stop_at",
                                                           "probe.every",   "probe.timesteps",      "probe.timesteps_every",
                                                           "probe.layers",  "probe.spectra",        "probe.traces"};

// Columns of text that hold one of few words.
const std::map<std::string_view, std::vector<std::string>> kWords = {
    {"outcome", {"completed", "solved", "diverged", "failed"}},
    {"split", {"validation", "test"}},
    {"kind", {"singular_value", "log10_slope", "log10_step"}},
    {"metric", {"accuracy", "recall", "f1", "auc", "brier", "calibration_error", "mse"}},
};

std::set<std::string> keys_asked_for(const Experiment& experiment) {
  std::set<std::string> keys(kScheduleKeys.begin(), kScheduleKeys.end());
  for (const Claim& claim : experiment.claims) {
    keys.insert(claim.slope_over);
    for (const ClaimFilter* filter : {&claim.where, &claim.against})
      for (const auto& [key, value] : *filter) keys.insert(key);
  }
  return keys;
}

struct PlannedColumn {
  enum class Of { kKey, kResult, kRow };
  std::string name, type;
  Of of = Of::kKey;
};

// Looks at one claim; every fault ends it.
class PlannedClaim {
 public:
  PlannedClaim(const Claim& claim, const PlannedRuns& runs) : claim_(claim), runs_(runs) {}

  void check() const {
    check_numbers("metric", claim_.column);
    if (claim_.aggregate == ClaimAggregate::kSlope) check_numbers("over", claim_.slope_over);
    for (const std::string& key : claim_.best_over)
      if (std::ranges::find(runs_.keys, key, &KeyColumn::key) == runs_.keys.end())
        fail(value_place("best_over"), "best_over: no run of the grid has the key " + key);
    check_group("where", claim_.where);
    if (claim_.compare != ClaimCompare::kNone) check_group("against", claim_.against);
  }

 private:
  [[noreturn]] void fail(const Origin& origin, const std::string& what) const {
    throw usage_error(fmt::format("{}: claim \"{}\": {}", origin.place, claim_.name, what));
  }
  const Origin& key_place(const std::string& key) const {
    const auto place = claim_.places.find(key);
    return place == claim_.places.end() ? claim_.origin : place->second.first;
  }
  const Origin& value_place(const std::string& key) const {
    const auto place = claim_.places.find(key);
    return place == claim_.places.end() ? claim_.origin : place->second.second;
  }

  // In the order in which check_claim() looks: the metric's file, then runs.csv.
  std::vector<PlannedColumn> columns() const {
    std::vector<PlannedColumn> all;
    if (claim_.file != "runs")
      for (const ColumnInfo& c : bundle_columns(claim_.file)) all.push_back({c.name, c.type, PlannedColumn::Of::kRow});
    for (const KeyColumn& key : runs_.keys) all.push_back({key.key, key.type, PlannedColumn::Of::kKey});
    all.push_back({"run_id", "string", PlannedColumn::Of::kResult});
    for (const ColumnInfo& c : bundle_columns("runs")) all.push_back({c.name, c.type, PlannedColumn::Of::kResult});
    return all;
  }

  PlannedColumn column(const std::string& name, const Origin& origin, const std::string& what) const {
    const std::vector<PlannedColumn> all = columns();
    const auto found = std::ranges::find(all, name, &PlannedColumn::name);
    if (found != all.end()) return *found;
    std::vector<std::string> names;
    for (const PlannedColumn& c : all)
      if (std::ranges::find(names, c.name) == names.end()) names.push_back(c.name);
    const std::string files = claim_.file == "runs" ? "runs.csv" : claim_.file + ".csv or runs.csv";
    fail(origin, fmt::format("{}: there is no column {} in {}{}", what, shown_key(name), files, suggestion(shortened(name), names)));
  }

  void check_numbers(const std::string& key, const std::string& name) const {
    const std::string type = column(name, value_place(key), key).type;
    if (type != "number" && type != "integer") fail(value_place(key), fmt::format("{}: the column {} does not hold numbers", key, name));
  }

  void check_group(const std::string& head, const ClaimFilter& filter) const {
    ClaimFilter of_keys;
    for (const auto& [key, value] : filter) {
      const std::string whole = head + "." + key;
      const PlannedColumn found = column(key, key_place(whole), head);
      if (found.of == PlannedColumn::Of::kKey) {
        check_occurs(head, key, value);
        of_keys.emplace_back(key, value);
      } else {
        check_result_value(head, found, value);
      }
    }
    const Rows rows = rows_that_meet(of_keys);
    if (rows.empty()) fail(key_place(head + "." + filter.front().first), head + ": no run of the grid has all of " + filter_text(of_keys));
    check_table(rows);
    for (const auto& [key, value] : filter)
      if (key == "update" && claim_.file != "runs") check_update(head, value, rows);
    if (claim_.file == "runs" && claim_.aggregate == ClaimAggregate::kSlope) check_slope(head, rows);
  }

  Rows rows_that_meet(const ClaimFilter& filter) const {
    Rows rows;
    for (const CsvRow& row : runs_.table.rows)
      if (std::ranges::all_of(filter, [&](const auto& f) { return meets(cell(row, f.first), f.second); })) rows.push_back(&row);
    return rows;
  }
  const std::string& cell(const CsvRow& row, std::string_view key) const {
    static const std::string kUnset;
    const auto place = std::ranges::find(runs_.table.header, key);
    return place == runs_.table.header.end() ? kUnset : row.fields[static_cast<std::size_t>(place - runs_.table.header.begin())];
  }

  void check_occurs(const std::string& head, const std::string& key, const SettingValue& value) const {
    if (!rows_that_meet({{key, value}}).empty()) return;
    std::vector<std::string> known;
    for (const CsvRow& row : runs_.table.rows)
      if (const std::string& text = cell(row, key); !text.empty() && std::ranges::find(known, text) == known.end()) known.push_back(text);
    const std::string word = std::visit([](const auto& v) { return plain_text(v); }, value);
    fail(value_place(head + "." + key),
         fmt::format("{}: no run of the grid has {} = {}{}", head, key, shown(value), suggestion(shortened(word), known)));
  }

  // Of a column that the runs will fill: the value must be one that can stand there.
  void check_result_value(const std::string& head, const PlannedColumn& column, const SettingValue& value) const {
    const Origin& origin = value_place(head + "." + column.name);
    const std::string* text = std::get_if<std::string>(&value);
    const bool number = std::holds_alternative<double>(value) || std::holds_alternative<std::int64_t>(value);
    if (column.type != "string" && !number && !(text && text->empty()))
      fail(origin, fmt::format("{}: {} holds numbers, so it is never {}", head, column.name, shown(value)));
    const auto words = kWords.find(column.name);
    if (words == kWords.end() || (text && std::ranges::find(words->second, *text) != words->second.end())) return;
    fail(origin,
         fmt::format("{}: {} is never {}{}", head, column.name, shown(value), suggestion(text ? shortened(*text) : "", words->second)));
  }

  // Whether any of these runs writes rows of the metric's file.
  void check_table(const Rows& rows) const {
    const std::string key = "probe." + claim_.file;
    if (std::ranges::find(kScheduleKeys, key) == kScheduleKeys.end()) return;
    const auto writes = [&](const CsvRow* row) {
      const std::string& text = cell(*row, key);
      return text == "true" || parse_integer(text).value_or(0) > 0;
    };
    if (std::ranges::none_of(rows, writes))
      fail(value_place("metric"), fmt::format("metric: these runs will leave {}.csv empty; it needs {}", claim_.file, key));
  }

  static bool is_due(std::int64_t update, const std::string& every) {
    const std::int64_t step = parse_integer(every).value_or(0);
    return step > 0 && update % step == 0;
  }
  bool writes_at(const CsvRow& row, std::int64_t update) const {
    const std::int64_t last = parse_integer(cell(row, "train.updates")).value_or(0);
    if (update <= 0 || update >= last) return update == 0 || update == last;
    const bool evaluated = is_due(update, cell(row, "train.evaluate_every"));
    if (claim_.file == "curves" || claim_.file == "metrics") return evaluated;
    const bool may_end = evaluated && !cell(row, "train.stop_at").empty();
    return may_end || is_due(update, cell(row, "probe.every")) ||
           (claim_.file == "timesteps" && is_due(update, cell(row, "probe.timesteps_every")));
  }
  void check_update(const std::string& head, const SettingValue& value, const Rows& rows) const {
    const double* real = std::get_if<double>(&value);
    const std::int64_t* integer = std::get_if<std::int64_t>(&value);
    if (!real && !integer) return;
    const double update = real ? *real : static_cast<double>(*integer);
    const bool whole = update == std::floor(update) && std::abs(update) < 1e15;
    if (whole && std::ranges::any_of(rows, [&](const CsvRow* row) { return writes_at(*row, static_cast<std::int64_t>(update)); })) return;
    const bool evaluations = claim_.file == "curves" || claim_.file == "metrics";
    fail(value_place(head + ".update"),
         fmt::format("{}: {}.csv will have no row of update = {}, only of 0, of train.updates = {} and every {}", head, claim_.file,
                     shown(value), cell(*rows.front(), "train.updates"), evaluations ? "train.evaluate_every" : "probe.every"));
  }

  void check_slope(const std::string& head, const Rows& rows) const {
    if (std::ranges::find(runs_.table.header, claim_.slope_over) == runs_.table.header.end()) return;  // a result
    std::set<std::string> values;
    for (const CsvRow* row : rows) values.insert(cell(*row, claim_.slope_over));
    if (values.size() < 2)
      fail(value_place("over"), fmt::format("over: {} has one value in the runs of {}, so there is no slope", claim_.slope_over, head));
  }

  const Claim& claim_;
  const PlannedRuns& runs_;
};

}  // namespace

PlannedRuns planned_runs(const Experiment& experiment) {
  PlannedRuns planned;
  planned.keys = key_columns(experiment);
  const std::set<std::string> asked = keys_asked_for(experiment);
  std::map<std::string, std::size_t, std::less<>> index;
  for (const KeyColumn& key : planned.keys) {
    if (!asked.contains(key.key)) continue;
    index.emplace(key.key, planned.table.header.size());
    planned.table.header.push_back(key.key);
  }
  std::set<std::vector<std::string>> seen;
  for (Config config : experiment.runs) {
    std::vector<std::string> fields(index.size());
    for_each_field(config, [&](const FieldInfo& info, const auto& value) {
      if (const auto place = index.find(info.key); place != index.end()) fields[place->second] = plain_text(value);
    });
    if (seen.insert(fields).second) planned.table.rows.push_back({0, std::move(fields)});
  }
  return planned;
}

void check_planned_claim(const Claim& claim, const PlannedRuns& runs) { PlannedClaim(claim, runs).check(); }

}  // namespace vp
