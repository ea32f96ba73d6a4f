// What is there of an experiment: bundles found, missing, damaged, of other builds, or of no run of this grid.
#include <algorithm>
#include <system_error>
#include <unordered_set>

#include "experiments/files.h"
#include "experiments/results_tables.h"

namespace vp {
namespace {

using Warn = void (*)(const std::string&);

// Bundles that this program may not go on from: their file names, and what is wrong with the first of them.
struct Refused {
  std::vector<std::string> names;
  std::string reason;

  void add(const std::filesystem::path& path, const std::string& why) {
    if (names.empty()) reason = why;
    names.push_back(path.filename().string());
  }
};

struct Findings {
  Inventory inventory;
  Refused other_builds, other_schemas;
};

void set_aside(const std::filesystem::path& path, const std::string& why, Inventory& inventory, Warn warn) {
  std::filesystem::path aside = path;
  aside += ".damaged";
  std::error_code failure;
  std::filesystem::rename(path, aside, failure);
  inventory.damaged.push_back(path.filename().string());
  const std::string what = failure ? "not set aside: " + failure.message() : "set aside as " + aside.filename().string();
  warn(why + "; " + what + ", this run will be done again");
}

// The run is finished if its bundle is sound; else its file, if there is one, is dealt with and nullopt comes back.
std::optional<Bundle> find_bundle(const std::filesystem::path& path, const std::string& id, Findings& findings, Warn warn) {
  std::error_code absent;
  if (!std::filesystem::exists(path, absent)) return std::nullopt;
  const std::string bytes = read_file(path);  // a file that cannot be read is not damaged: that error ends the command
  try {
    Bundle bundle = decode_bundle(bytes, path.string());
    if (bundle.run_id != id) throw io_error(path.string() + ": holds another run than its name says");
    return bundle;
  } catch (const UserError& error) {
    if (error.code() == ExitCode::kUsage) {
      findings.other_schemas.add(path, error.what());
    } else {
      set_aside(path, error.what(), findings.inventory, warn);
    }
    return std::nullopt;
  }
}

// A run that should have left a checkpoint, whose checkpoint somebody has removed since.
bool lost_checkpoint(const std::filesystem::path& directory, const Config& config, const Bundle& bundle) {
  std::error_code absent;
  return config.run.train.save_checkpoint && bundle.outcome != Outcome::kFailed &&
         !std::filesystem::exists(checkpoint_path(directory, bundle.run_id), absent);
}

void look_for_run(const std::filesystem::path& directory, const Config& config, const Provenance& expected, Findings& findings, Warn warn) {
  const std::string id = run_id(config);
  const std::filesystem::path path = bundle_path(directory, id);
  const std::optional<Bundle> bundle = find_bundle(path, id, findings, warn);
  if (!bundle || lost_checkpoint(directory, config, *bundle)) {
    findings.inventory.missing.push_back(id);
    return;
  }
  findings.inventory.finished.push_back(id);
  if (bundle->outcome == Outcome::kFailed) findings.inventory.failed.push_back(id);
  const std::string difference = provenance_difference(bundle->provenance, expected);
  if (!difference.empty()) findings.other_builds.add(path, difference);
}

}  // namespace

std::filesystem::path bundle_path(const std::filesystem::path& directory, std::string_view run_id) {
  return directory / "runs" / (std::string(run_id) + std::string(kBundleSuffix));
}

std::vector<std::string> bundle_ids(const std::filesystem::path& directory) {
  std::vector<std::string> ids;
  std::error_code failure;
  const std::filesystem::path runs = directory / "runs";
  if (!std::filesystem::exists(runs, failure)) return ids;
  std::filesystem::directory_iterator entry(runs, failure);
  for (; !failure && entry != std::filesystem::directory_iterator(); entry.increment(failure)) {
    const std::filesystem::path& path = entry->path();
    if (path.extension() == kBundleSuffix) ids.push_back(path.stem().string());
  }
  if (failure) throw io_error(runs.string() + ": cannot be listed: " + failure.message());
  std::sort(ids.begin(), ids.end());
  return ids;
}

std::vector<std::string> foreign_ids(const std::filesystem::path& directory, const Experiment& experiment) {
  std::unordered_set<std::string> own;
  for (const Config& config : experiment.runs) own.insert(run_id(config));
  std::vector<std::string> ids = bundle_ids(directory);
  std::erase_if(ids, [&](const std::string& id) { return own.contains(id); });
  return ids;
}

Inventory take_inventory(const std::filesystem::path& directory, const Experiment& experiment, const Provenance& provenance,
                         bool allow_mixed, Warn warn) {
  Findings findings;
  for (const Config& config : experiment.runs) look_for_run(directory, config, provenance, findings, warn);
  findings.inventory.foreign = foreign_ids(directory, experiment);
  if (!findings.other_schemas.names.empty())
    throw usage_error(findings.other_schemas.reason + " (bundles: " + first_few(findings.other_schemas.names) +
                      "). Use the program that wrote them, another directory (--out), or start over with --fresh");
  if (!findings.other_builds.names.empty() && !allow_mixed)
    throw mixed_builds(directory, findings.other_builds.names, findings.other_builds.reason);
  return findings.inventory;
}

}  // namespace vp
