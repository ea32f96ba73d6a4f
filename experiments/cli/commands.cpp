#include "experiments/cli/commands.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "experiments/config/experiment_file.h"
#include "experiments/results/provenance.h"
#include "experiments/results/results.h"

namespace vp {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

void warn(const std::string& text) { fmt::print(stderr, "warning: {}\n", text); }

}  // namespace

Inventory look_at(const fs::path& directory, const Experiment& experiment) {
  Inventory inventory = take_inventory(directory, experiment, current_provenance(), true, warn);
  if (!inventory.older.empty()) warn(older_note(inventory.older.size()));
  if (!inventory.stale.empty())
    warn(fmt::format("{} of {} runs were made from other data than stand there now: {}", inventory.stale.size(), experiment.runs.size(),
                     inventory.stale_because));
  return inventory;
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

}  // namespace vp
