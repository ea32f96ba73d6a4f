#include "experiments/commands.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <system_error>

#include "experiments/claim.h"
#include "experiments/config_toml.h"
#include "experiments/files.h"
#include "experiments/results.h"
#include "experiments/runner.h"

namespace vp {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

void warn(const std::string& text) { fmt::print(stderr, "warning: {}\n", text); }

CsvDocument read_table(const fs::path& directory, const std::string& table) {
  const fs::path path = directory / (table + ".csv");
  return parse_csv(read_file(path), path.string());
}

// For commands that take results as they are: says what is not known of them, or is not as it was.
Inventory look_at(const fs::path& directory, const Experiment& experiment) {
  Inventory inventory = take_inventory(directory, experiment, current_provenance(), true, warn);
  if (!inventory.older.empty()) warn(older_note(inventory.older.size()));
  if (!inventory.stale.empty())
    warn(fmt::format("{} of {} runs were made from other data than stand there now: {}", inventory.stale.size(), experiment.runs.size(),
                     inventory.stale_because));
  return inventory;
}

std::vector<ClaimResult> check_claims(const fs::path& directory) {
  const Experiment experiment = experiment_of(directory);
  if (experiment.claims.empty()) return {};
  const Inventory inventory = look_at(directory, experiment);
  if (!inventory.missing.empty())
    warn(fmt::format("{} of {} runs are missing: the claims are judged on the others", inventory.missing.size(), experiment.runs.size()));
  ResultTables tables = {{"runs", read_table(directory, "runs")}};
  for (const Claim& claim : experiment.claims)
    if (!tables.contains(claim.file)) tables.emplace(claim.file, read_table(directory, claim.file));
  std::vector<ClaimResult> results;
  for (const Claim& claim : experiment.claims) results.push_back(check_claim(claim, tables));
  write_file(directory / "claims.csv", claims_csv(results));
  return results;
}

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
          {"holds", r.holds},
          {"note", r.note}};
}

void print_claim(const ClaimResult& r) {
  fmt::print("{:15} {}: {} [{}, {}], required {}\n                {}\n", r.holds ? "holds" : "DOES NOT HOLD", r.claim, figure(r.estimate),
             figure(r.low), figure(r.high), r.required, r.text);
  if (!r.note.empty()) fmt::print("                note: {}\n", r.note);
}

}  // namespace

Experiment read_experiment(const fs::path& file, std::span<const std::string> overrides) {
  return load_experiment(read_file(file, kMaxExperimentBytes), file.string(), overrides);
}

Experiment experiment_of(const fs::path& directory) {
  const fs::path path = directory / "config.toml";
  if (!fs::exists(path))
    throw io_error(fmt::format("{}: no config.toml, so no results of an experiment; `vpoint run FILE.toml --out {}` makes them",
                               directory.string(), directory.string()));
  return read_experiment(path, {});
}

ExitCode print_status(const fs::path& directory, bool json) {
  const Experiment experiment = experiment_of(directory);
  const Inventory inventory = look_at(directory, experiment);
  if (json) {
    Json out = {{"experiment", experiment.name}, {"runs", experiment.runs.size()}, {"finished", inventory.finished.size()},
                {"missing", inventory.missing},  {"failed", inventory.failed},     {"damaged", inventory.damaged},
                {"stale", inventory.stale}};
    for (const auto& [outcome, count] : inventory.outcomes) out["outcomes"][to_string(outcome)] = count;
    fmt::print("{}\n", out.dump(2));
  } else {
    fmt::print("{}: {} of {} runs finished, {} missing, {}\n", experiment.name, inventory.finished.size(), experiment.runs.size(),
               inventory.missing.size(), outcomes_text(inventory));
    for (const std::string& id : inventory.missing) fmt::print("missing {}\n", id);
    for (const std::string& id : inventory.failed) fmt::print("failed  {}\n", id);
    for (const std::string& id : inventory.stale) fmt::print("stale   {}\n", id);
  }
  if (!inventory.failed.empty()) return ExitCode::kFailed;
  return inventory.missing.empty() ? ExitCode::kGood : ExitCode::kInterrupted;
}

ExitCode merge_directory(const fs::path& directory, bool allow_mixed) {
  const Experiment experiment = experiment_of(directory);
  const std::int64_t merged = merge_results(directory, experiment, allow_mixed, warn);
  const auto all = static_cast<std::int64_t>(experiment.runs.size());
  fmt::print("{}: merged {} of {} runs into {}\n", experiment.name, merged, all, directory.string());
  if (merged == all) return ExitCode::kGood;
  warn(fmt::format("{} runs are missing; `vpoint run` goes on where it stopped", all - merged));
  return ExitCode::kInterrupted;
}

ExitCode check_directory_claims(const fs::path& directory, bool json) {
  const std::vector<ClaimResult> results = check_claims(directory);
  bool all_hold = true;
  Json out = Json::array();
  for (const ClaimResult& result : results) {
    all_hold = all_hold && result.holds;
    if (json)
      out.push_back(to_json(result));
    else
      print_claim(result);
  }
  if (json) fmt::print("{}\n", out.dump(2));
  if (!json && results.empty()) fmt::print("no claims in {}\n", (directory / "config.toml").string());
  return all_hold ? ExitCode::kGood : ExitCode::kFailed;
}

void write_claims(const fs::path& directory) { check_claims(directory); }

}  // namespace vp
