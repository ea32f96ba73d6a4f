// `vpoint check`, and what `vpoint run` says of an experiment's claims before the first run.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <optional>
#include <unordered_map>
#include <unordered_set>

#include "experiments/claims/check.h"
#include "experiments/claims/plan.h"
#include "experiments/cli/commands.h"
#include "experiments/config/changes.h"
#include "experiments/config/experiment_file.h"
#include "experiments/io/files.h"
#include "experiments/results/tables.h"
#include "experiments/sweep/runner.h"

namespace vp {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

void warn(const std::string& text) { fmt::print(stderr, "warning: {}\n", text); }

// --- before the first run ---

// What is wrong with the claims of the file as it stands, if the command line changed it; empty if nothing is, or it cannot be known: a
// file may need what the command line adds.
std::string problem_as_written(std::string_view text, const std::string& name) {
  std::optional<Experiment> written;
  try {
    written = load_experiment(text, name, {});
  } catch (const UserError&) {
    return "";
  }
  if (!written->changes.empty()) return "";  // config.toml of results: not the file that the claims were written in
  const PlannedRuns runs = planned_runs(*written);
  try {
    for (const Claim& claim : written->claims) check_planned_claim(claim, runs);
  } catch (const UserError& error) {
    return error.what();
  }
  return "";
}

// --- the tables of a directory ---

// A table that was not merged yet has no rows.
CsvDocument read_table(const fs::path& directory, const Experiment& experiment, const std::string& table) {
  const fs::path path = directory / (table + ".csv");
  const std::string header = header_line(table, key_columns(experiment), false);
  return parse_csv(fs::exists(path) ? read_file(path) : header, path.string());
}

ResultTables read_tables(const fs::path& directory, const Experiment& experiment) {
  ResultTables tables = {{"runs", read_table(directory, experiment, "runs")}};
  for (const Claim& claim : experiment.claims)
    if (!tables.contains(claim.file)) tables.emplace(claim.file, read_table(directory, experiment, claim.file));
  return tables;
}

// The rows of each run as its bundle should have them.
std::unordered_map<std::string, std::string> rows_by_run(const CsvDocument& table, const std::string& first_column) {
  std::unordered_map<std::string, std::string> rows;
  const std::size_t id = table.column("run_id"), first = table.column(first_column);
  for (const CsvRow& row : table.rows) {
    std::string& text = rows[row.fields[id]];
    for (std::size_t i = first; i < row.fields.size(); ++i) append_csv_field(i == first ? text : text += ',', row.fields[i]);
    text += '\n';
  }
  return rows;
}

// Finished runs whose rows in the merged tables are not those of their bundles, and runs of another grid that have rows there.
std::vector<std::string> stale_runs(const fs::path& directory, const ResultTables& tables, const Inventory& inventory) {
  std::map<std::string, std::unordered_map<std::string, std::string>> rows;
  for (const auto& [name, table] : tables) rows[name] = rows_by_run(table, bundle_columns(name).front().name);
  std::vector<std::string> stale;
  for (const std::string& id : inventory.finished) {
    const fs::path path = bundle_path(directory, id);
    const Bundle bundle = decode_bundle(read_file(path), path.string());
    const bool same = std::ranges::all_of(rows, [&](auto& table) { return table.second[id] == bundle.tables.at(table.first); });
    if (!same) stale.push_back(id);
  }
  std::unordered_set<std::string> of_grid(inventory.finished.begin(), inventory.finished.end());
  of_grid.insert(inventory.missing.begin(), inventory.missing.end());
  for (const auto& [id, text] : rows.at("runs"))
    if (!of_grid.contains(id)) stale.push_back(id);
  return stale;
}

void add_count(std::string& text, const std::vector<std::string>& ids, std::size_t all, std::string_view what) {
  if (ids.empty()) return;
  text += fmt::format("{}{} of {} runs {} {} ({})", text.empty() ? "" : "; ", ids.size(), all, ids.size() == 1 ? "is" : "are", what,
                      first_few(ids));
}

ClaimContext context_of(const fs::path& directory, const Experiment& experiment, const ResultTables& tables) {
  const Inventory inventory = look_at(directory, experiment);
  const std::vector<std::string> stale = stale_runs(directory, tables, inventory);
  ClaimContext context;
  add_count(context.incomplete, inventory.missing, experiment.runs.size(), "missing");
  add_count(context.incomplete, inventory.failed, experiment.runs.size(), "failed");
  add_count(context.incomplete, stale, experiment.runs.size(), "stale");
  add_count(context.incomplete, inventory.stale, experiment.runs.size(), "made from other data than stand there now");
  if (!stale.empty()) context.incomplete += ": the CSV files are of before; `vpoint merge` writes them";
  context.changes = changes_note(experiment.changes);
  return context;
}

std::vector<ClaimResult> judge_claims(const fs::path& directory) {
  const Experiment experiment = experiment_of(directory);
  std::vector<ClaimResult> results;
  if (experiment.claims.empty()) return results;
  const ResultTables tables = read_tables(directory, experiment);
  const ClaimContext context = context_of(directory, experiment, tables);
  for (const Claim& claim : experiment.claims) results.push_back(check_claim(claim, tables, context));
  return results;
}

// Published results are often read-only: their verdicts can be read all the same.
void write_claims(const fs::path& directory, std::span<const ClaimResult> results) {
  if (results.empty()) return;
  try {
    write_file(directory / "claims.csv", claims_csv(results));
  } catch (const UserError& error) {
    if (access(directory.c_str(), W_OK) == 0) throw;
    warn(fmt::format("claims.csv was not written: {}", error.what()));
  }
}

// --- what is printed ---

std::string figure(const std::optional<double>& value) { return value ? fmt::format("{:.4g}", *value) : "-"; }

Json to_json(const ClaimResult& r) {
  const auto number = [](const std::optional<double>& v) { return v ? Json(*v) : Json(nullptr); };
  return {{"claim", r.claim},
          {"text", r.text},
          {"metric", r.metric},
          {"runs", r.runs},
          {"runs_against", r.runs_against},
          {"estimate", number(r.estimate)},
          {"low", number(r.low)},
          {"high", number(r.high)},
          {"required", r.required},
          {"verdict", verdict_name(r.verdict)},
          {"holds", r.verdict == Verdict::kHolds},
          {"source", r.source},
          {"published", r.published},
          {"note", r.note}};
}

void print_claim(const ClaimResult& r) {
  fmt::print("{:15} {}: {} [{}, {}], required {}\n", verdict_name(r.verdict), r.claim, figure(r.estimate), figure(r.low), figure(r.high),
             r.required);
  const auto line = [](const std::string& label, const std::string& text) {
    if (!text.empty()) fmt::print("{:16}{}{}\n", "", label, text);
  };
  line("", r.text);
  line("source: ", r.source);
  line("published: ", r.published);
  line("note: ", r.note);
}

void print_claims(std::span<const ClaimResult> results, bool json) {
  Json out = Json::array();
  for (const ClaimResult& result : results) {
    if (json)
      out.push_back(to_json(result));
    else
      print_claim(result);
  }
  if (json) fmt::print("{}\n", out.dump(2));
}

}  // namespace

void check_planned_claims(const Experiment& experiment, std::string_view text, const std::string& name,
                          std::span<const std::string> overrides) {
  if (experiment.claims.empty()) return;
  const bool changed = !overrides.empty() || !experiment.changes.empty();
  if (!overrides.empty())
    if (const std::string problem = problem_as_written(text, name); !problem.empty()) throw usage_error(problem);
  const PlannedRuns runs = planned_runs(experiment);
  for (const Claim& claim : experiment.claims) {
    try {
      check_planned_claim(claim, runs);
    } catch (const UserError& error) {
      if (!changed) throw;
      warn(fmt::format("{}. The settings on the command line leave this claim without runs", error.what()));
    }
  }
}

std::vector<ClaimResult> check_claims(const fs::path& directory) {
  std::vector<ClaimResult> results = judge_claims(directory);
  write_claims(directory, results);
  return results;
}

ExitCode check_directory_claims(const fs::path& directory, bool json) {
  const std::vector<ClaimResult> results = judge_claims(directory);
  print_claims(results, json);
  if (!json && results.empty()) fmt::print("no claims in {}\n", (directory / "config.toml").string());
  std::fflush(stdout);
  write_claims(directory, results);
  const bool all_hold = std::ranges::all_of(results, [](const ClaimResult& r) { return r.verdict == Verdict::kHolds; });
  return all_hold ? ExitCode::kGood : ExitCode::kFailed;
}

}  // namespace vp
