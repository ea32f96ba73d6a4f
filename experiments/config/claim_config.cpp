#include "experiments/config/claim_config.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "experiments/config/error.h"
#include "experiments/config/keys.h"
#include "experiments/config/visit.h"
#include "models/base/suggest.h"

namespace vp {

namespace {

template <class Enum>
using Names = std::vector<std::pair<std::string, Enum>>;

const Names<ClaimRelation> kRelations = {
    {"within", ClaimRelation::kWithin}, {"at_least", ClaimRelation::kAtLeast}, {"at_most", ClaimRelation::kAtMost}};
const Names<ClaimAggregate> kAggregates = {{"mean", ClaimAggregate::kMean},   {"median", ClaimAggregate::kMedian},
                                           {"slope", ClaimAggregate::kSlope}, {"min", ClaimAggregate::kMin},
                                           {"max", ClaimAggregate::kMax},     {"range", ClaimAggregate::kRange}};
const Names<ClaimCompare> kCompares = {{"ratio", ClaimCompare::kRatio}, {"difference", ClaimCompare::kDifference}};
const Names<bool> kBy = {{"estimate", false}, {"interval", true}};
const Names<ClaimUnit> kUnits = {{"seed", ClaimUnit::kSeed}, {"run", ClaimUnit::kRun}};

template <class Enum>
std::string choices(const Names<Enum>& names) {
  std::string text;
  for (const auto& [name, value] : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

template <class Enum>
const std::string& name_of(const Names<Enum>& names, Enum value) {
  return std::find_if(names.begin(), names.end(), [&](const auto& n) { return n.second == value; })->first;
}

std::vector<std::string> key_names() {
  std::vector<std::string> names;
  for (const ClaimKey& key : claim_keys()) names.push_back(key.name);
  return names;
}

// Reads one table; each key is asked for once, and check_keys() finds those nobody asks for.
class ClaimReader {
 public:
  explicit ClaimReader(const TomlSection& section) : section_(section) {}

  Claim read() const {
    check_keys();
    Claim claim;
    claim.origin = section_.origin;
    claim.name = required_text("name");
    if (const TomlEntry* entry = find("text")) claim.text = text(*entry);
    read_metric(claim);
    read_groups(claim);
    read_aggregate(claim);
    read_relation(claim);
    read_remarks(claim);
    for (const TomlEntry& entry : section_.entries) claim.places[entry.key] = {entry.origin, entry.value_origin};
    return claim;
  }

 private:
  void check_keys() const {
    const std::vector<std::string> known = key_names();
    for (const TomlEntry& entry : section_.entries) {
      const std::string head = entry.key.substr(0, entry.key.find('.'));
      const bool is_filter = head == "where" || head == "against";
      if (!is_filter && std::find(known.begin(), known.end(), entry.key) == known.end())
        fail_at(entry.origin, fmt::format("[[claim]] has no key {}{}", shown_key(entry.key),
                                          suggestion(std::string_view(entry.key).substr(0, kMaxSuggestedBytes), known)));
      if (is_filter && entry.key == head && entry.form != TomlEntry::Form::kEmptyTable)
        fail_at(entry.value_origin, head + R"(: expected a table, as in { "model.cell" = "lstm" })");
    }
  }

  const TomlEntry* find(std::string_view key) const {
    for (const TomlEntry& entry : section_.entries)
      if (entry.key == key) return &entry;
    return nullptr;
  }

  const TomlEntry& required(const std::string& key, const std::string& example) const {
    const TomlEntry* entry = find(key);
    if (!entry) fail_at(section_.origin, fmt::format("[[claim]] needs {} = {}", key, example));
    return *entry;
  }

  static const SettingValue& scalar(const TomlEntry& entry) {
    if (entry.form != TomlEntry::Form::kScalar) fail_at(entry.value_origin, shown_key(entry.key) + ": expected one value");
    return entry.values.front().value;
  }

  static const std::string& text(const TomlEntry& entry) {
    const std::string* value = std::get_if<std::string>(&scalar(entry));
    if (!value) fail_at(entry.value_origin, fmt::format("{}: expected text in quotes, got {}", entry.key, shown(scalar(entry))));
    return *value;
  }

  std::string required_text(const std::string& key) const {
    const TomlEntry& entry = required(key, "\"...\"");
    if (text(entry).empty()) fail_at(entry.value_origin, key + ": the text is empty");
    return text(entry);
  }

  static double number(const TomlEntry& entry) {
    const SettingValue& value = scalar(entry);
    const std::int64_t* integer = std::get_if<std::int64_t>(&value);
    const double* real = std::get_if<double>(&value);
    if ((!integer && !real) || (real && !std::isfinite(*real)))
      fail_at(entry.value_origin, fmt::format("{}: expected a finite number, got {}", entry.key, shown(value)));
    return integer ? static_cast<double>(*integer) : *real;
  }

  static double tolerance(const TomlEntry& entry) {
    const double value = number(entry);
    if (value < 0) fail_at(entry.value_origin, fmt::format("{}: expected a number of at least 0, got {}", entry.key, shown(scalar(entry))));
    return value;
  }

  template <class Enum>
  static Enum choice(const TomlEntry& entry, const Names<Enum>& names) {
    std::vector<std::string> known;
    for (const auto& [name, value] : names) {
      if (text(entry) == name) return value;
      known.push_back(name);
    }
    fail_at(entry.value_origin, fmt::format("{}: there is no {}{}", entry.key, shown(scalar(entry)),
                                            suggestion(std::string_view(text(entry)).substr(0, kMaxSuggestedBytes), known)));
  }

  void read_metric(Claim& claim) const {
    const TomlEntry& entry = required("metric", "\"runs.COLUMN\"");
    const std::string metric = required_text("metric");
    const std::size_t dot = metric.find('.');
    claim.file = metric.substr(0, dot);
    if (dot != std::string::npos) claim.column = metric.substr(dot + 1);
    const bool known = std::ranges::find(kClaimTables, claim.file) != kClaimTables.end();
    if (!known || claim.column.empty())
      fail_at(entry.value_origin,
              fmt::format("metric: expected FILE.COLUMN, FILE one of {}, got {}", fmt::join(kClaimTables, ", "), shown(scalar(entry))));
  }

  ClaimFilter filter(const std::string& head) const {
    ClaimFilter filter;
    for (const TomlEntry& entry : section_.entries) {
      if (!entry.key.starts_with(head + ".")) continue;
      const std::string column = entry.key.substr(head.size() + 1);
      for (const auto& [earlier, value] : filter)
        if (earlier == column) fail_at(entry.origin, fmt::format("{}: {} stands here a second time", head, shown_key(column)));
      filter.emplace_back(column, scalar(entry));
    }
    return filter;
  }

  void read_groups(Claim& claim) const {
    claim.where = filter("where");
    claim.against = filter("against");
    const TomlEntry* compare = find("compare");
    const bool has_against = !claim.against.empty() || find("against");
    if (compare) claim.compare = choice(*compare, kCompares);
    if (compare && !has_against) fail_at(compare->origin, "compare needs a second group: add against = { ... }");
    if (has_against && !compare) fail_at(section_.origin, "against needs compare = \"ratio\" or compare = \"difference\"");
    const TomlEntry* best = find("best_over");
    if (best) read_best_over(*best, claim);
  }

  static void read_best_over(const TomlEntry& entry, Claim& claim) {
    const std::string expected = "best_over: expected a list of keys, as in [\"train.learning_rate\"]";
    if (entry.form != TomlEntry::Form::kList || entry.values.empty()) fail_at(entry.value_origin, expected);
    for (const TomlValue& value : entry.values) {
      const std::string* key = std::get_if<std::string>(&value.value);
      if (!key) fail_at(value.origin, expected + ", got " + shown(value.value));
      if (!is_known_key(*key)) fail_unknown_key(*key, value.origin);
      if (std::find(claim.best_over.begin(), claim.best_over.end(), *key) != claim.best_over.end())
        fail_at(value.origin, fmt::format("best_over: {} stands twice in this list", *key));
      claim.best_over.push_back(*key);
    }
  }

  void read_aggregate(Claim& claim) const {
    if (const TomlEntry* entry = find("aggregate")) claim.aggregate = choice(*entry, kAggregates);
    const TomlEntry* over = find("over");
    const bool slope = claim.aggregate == ClaimAggregate::kSlope;
    if (claim.file == "runs" && claim.aggregate >= ClaimAggregate::kMin)
      fail_at(find("aggregate")->value_origin,
              fmt::format("aggregate = \"{}\" looks at a run's rows of a file, and in runs.csv it has one; "
                          "use mean or median",
                          name_of(kAggregates, claim.aggregate)));
    if (slope && !over) fail_at(find("aggregate")->origin, "aggregate = \"slope\" needs over = \"COLUMN\", the column on the x axis");
    if (over && !slope) fail_at(over->origin, "over is used by aggregate = \"slope\" only");
    if (over) claim.slope_over = required_text("over");
  }

  void read_relation(Claim& claim) const {
    claim.relation = choice(required("relation", "\"within\", \"at_least\" or \"at_most\""), kRelations);
    claim.value = number(required("value", "NUMBER"));
    if (const TomlEntry* entry = find("by")) claim.by_interval = choice(*entry, kBy);
    const TomlEntry* absolute = find("tolerance");
    const TomlEntry* relative = find("relative_tolerance");
    if (claim.relation != ClaimRelation::kWithin) {
      if (const TomlEntry* extra = absolute ? absolute : relative)
        fail_at(extra->origin, extra->key + " is used by relation = \"within\" only");
      return;
    }
    if (absolute && relative) fail_at(relative->origin, "tolerance and relative_tolerance exclude each other: give one");
    if (!absolute && !relative) fail_at(section_.origin, "relation = \"within\" needs tolerance = NUMBER or relative_tolerance = SHARE");
    if (absolute) claim.tolerance = tolerance(*absolute);
    if (relative) claim.relative_tolerance = tolerance(*relative);
  }

  static bool flag(const TomlEntry& entry) {
    const bool* value = std::get_if<bool>(&scalar(entry));
    if (!value) fail_at(entry.value_origin, fmt::format("{}: expected true or false, got {}", entry.key, shown(scalar(entry))));
    return *value;
  }

  // A number stands there as it is written in CSV files.
  static std::string number_or_text(const TomlEntry& entry) {
    return std::holds_alternative<std::string>(scalar(entry)) ? text(entry) : plain_text(number(entry));
  }

  void read_remarks(Claim& claim) const {
    if (const TomlEntry* entry = find("unit")) claim.unit = choice(*entry, kUnits);
    if (const TomlEntry* entry = find("allow_incomplete")) claim.allow_incomplete = flag(*entry);
    if (const TomlEntry* entry = find("source")) claim.source = text(*entry);
    if (const TomlEntry* entry = find("published")) claim.published = number_or_text(*entry);
  }

  const TomlSection& section_;
};

std::string filter_toml(const ClaimFilter& filter) {
  std::string text = "{";
  for (const auto& [column, value] : filter) text += (text.size() > 1 ? ", " : " ") + toml_text(column) + " = " + toml_text(value);
  return text + " }";
}

std::string list_toml(const std::vector<std::string>& values) {
  std::string text;
  for (const std::string& value : values) text += (text.empty() ? "" : ", ") + toml_text(value);
  return "[" + text + "]";
}

Origin name_origin(const TomlSection& section) {
  for (const TomlEntry& entry : section.entries)
    if (entry.key == "name") return entry.value_origin;
  return section.origin;
}

}  // namespace

const std::vector<ClaimKey>& claim_keys() {
  static const std::vector<ClaimKey> keys = {
      {"name", "text, required: what the claim is called; once in a file"},
      {"text", "text: the statement in plain words"},
      {"metric", fmt::format("text, required: FILE.COLUMN of the results, as in \"runs.gradient_slope\"; FILE is one of {}",
                             fmt::join(kClaimTables, ", "))},
      {"where",
       "table, default {}: the group; columns of FILE or of runs.csv and the value each must have, as in { model.cell = \"lstm\" }"},
      {"against", "table: the second group, for compare"},
      {"compare", choices(kCompares) + ": what is estimated of two groups"},
      {"aggregate", choices(kAggregates) + "; default mean: what becomes of a run's rows, and of the seeds (median: their median)"},
      {"over", "text: the column on the x axis of aggregate = \"slope\""},
      {"best_over", "list of keys: each group keeps the setting of these with the lowest mean validation loss; of equal ones the first"},
      {"relation", choices(kRelations) + "; required"},
      {"value", "number, required: the bound"},
      {"tolerance", "number: of relation = \"within\", in units of the metric"},
      {"relative_tolerance", "number: the same as a share of |value|"},
      {"by", choices(kBy) + "; default estimate: what must meet the relation; an interval that straddles the bound is inconclusive"},
      {"unit",
       choices(kUnits) +
           "; default seed: runs of one seed are averaged, and the interval is over seeds; run: every run draws its own settings, and "
           "the interval is over runs"},
      {"allow_incomplete", "true or false, default false: judge the runs that have a value where others are missing, failed or stale"},
      {"source", "text: the paper, table or equation that the claim is about"},
      {"published", "number or text: the value there, with its unit if it has one"},
  };
  return keys;
}

std::vector<Claim> parse_claims(std::span<const TomlSection> sections) {
  std::vector<Claim> claims;
  for (const TomlSection& section : sections) {
    if (!section.repeated) fail_at(section.origin, "[claim]: write [[claim]], there may be more than one");
    Claim claim = ClaimReader(section).read();
    for (const Claim& earlier : claims)
      if (earlier.name == claim.name)
        fail_at(name_origin(section),
                fmt::format("a claim of the name {} stands already at {}", shown(SettingValue(claim.name)), earlier.origin.place));
    claims.push_back(std::move(claim));
  }
  return claims;
}

std::string claim_toml(const Claim& claim) {
  std::string text = "[[claim]]\n";
  const auto line = [&](const char* key, const std::string& value) { text += fmt::format("{} = {}\n", key, value); };
  line("name", toml_text(claim.name));
  if (!claim.text.empty()) line("text", toml_text(claim.text));
  line("metric", toml_text(claim.file + "." + claim.column));
  if (!claim.where.empty()) line("where", filter_toml(claim.where));
  if (claim.compare != ClaimCompare::kNone) {
    line("against", filter_toml(claim.against));
    line("compare", toml_text(name_of(kCompares, claim.compare)));
  }
  line("aggregate", toml_text(name_of(kAggregates, claim.aggregate)));
  if (!claim.slope_over.empty()) line("over", toml_text(claim.slope_over));
  if (!claim.best_over.empty()) line("best_over", list_toml(claim.best_over));
  line("relation", toml_text(name_of(kRelations, claim.relation)));
  line("value", toml_text(claim.value));
  if (claim.relation == ClaimRelation::kWithin)
    line(claim.relative_tolerance ? "relative_tolerance" : "tolerance", toml_text(claim.relative_tolerance.value_or(claim.tolerance)));
  line("by", toml_text(name_of(kBy, claim.by_interval)));
  if (claim.unit != ClaimUnit::kSeed) line("unit", toml_text(name_of(kUnits, claim.unit)));
  if (claim.allow_incomplete) line("allow_incomplete", "true");
  if (!claim.source.empty()) line("source", toml_text(claim.source));
  if (!claim.published.empty()) line("published", toml_text(claim.published));
  return text;
}

}  // namespace vp
