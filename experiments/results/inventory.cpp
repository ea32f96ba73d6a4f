// What is there of an experiment: bundles found, missing, damaged, of other builds, or of no run of this grid.
#include <algorithm>
#include <set>
#include <system_error>
#include <unordered_set>

#include "experiments/io/files.h"
#include "experiments/results/tables.h"

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
  Refused other_builds, other_inputs, other_schemas;
  std::set<InputFile> inputs;
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

void look_for_run(const std::filesystem::path& directory, const Run& config, const Provenance& expected, Findings& findings, Warn warn) {
  const std::string& id = config.id();
  const std::filesystem::path path = bundle_path(directory, id);
  const std::optional<Bundle> bundle = find_bundle(path, id, findings, warn);
  if (!bundle || lost_checkpoint(directory, config, *bundle)) {
    findings.inventory.missing.push_back(id);
    return;
  }
  Inventory& inventory = findings.inventory;
  inventory.finished.push_back(id);
  ++inventory.outcomes[bundle->outcome];
  if (bundle->outcome == Outcome::kFailed) inventory.failed.push_back(id);
  const Provenance& found = bundle->provenance;
  if (found.schema < kSchemaOfInputs) inventory.older.push_back(id);
  findings.inputs.insert(found.inputs.begin(), found.inputs.end());
  const std::string difference = provenance_difference(found, expected);
  if (!difference.empty()) findings.other_builds.add(path, difference);
  const std::string changed = bundle->outcome == Outcome::kFailed ? "" : changed_inputs(found.inputs);  // a failed run is done again
  if (changed.empty()) return;
  findings.other_inputs.add(path, changed);
  inventory.stale.push_back(id);
}

std::filesystem::path file_of_run(const std::filesystem::path& directory, std::string_view run_id, std::string_view suffix) {
  const std::string name(run_id), older = name.substr(std::min<std::size_t>(1, name.size()));
  const std::filesystem::path path = directory / (name + std::string(suffix)), older_path = directory / (older + std::string(suffix));
  std::error_code absent;
  const bool is_older = with_letter(older) == name && !std::filesystem::exists(path, absent) && std::filesystem::exists(older_path, absent);
  return is_older ? older_path : path;
}

}  // namespace

std::filesystem::path bundle_path(const std::filesystem::path& directory, std::string_view run_id) {
  return file_of_run(directory / "runs", run_id, kBundleSuffix);
}

std::filesystem::path checkpoint_path(const std::filesystem::path& directory, std::string_view run_id) {
  return file_of_run(directory / "checkpoints", run_id, ".safetensors");
}

std::string with_letter(std::string_view run_id) {
  const bool older = run_id.size() == 16 && run_id.find_first_not_of("0123456789abcdef") == std::string_view::npos;
  return (older ? "r" : "") + std::string(run_id);
}

std::string outcomes_text(const Inventory& inventory) {
  std::string text;
  for (const auto& [outcome, count] : inventory.outcomes)
    text += (text.empty() ? "" : ", ") + std::to_string(count) + ' ' + std::string(to_string(outcome));
  return text;
}

std::string older_note(std::size_t count) {
  if (count == 0) return "";
  return std::to_string(count) +
         " run(s) were made by an older version of this program: the content of their input files, and the C library "
         "and oneTBB they ran on, are not known";
}

std::vector<std::string> bundle_ids(const std::filesystem::path& directory) {
  std::vector<std::string> ids;
  std::error_code failure;
  const std::filesystem::path runs = directory / "runs";
  if (!std::filesystem::exists(runs, failure)) return ids;
  std::filesystem::directory_iterator entry(runs, failure);
  for (; !failure && entry != std::filesystem::directory_iterator(); entry.increment(failure)) {
    const std::filesystem::path& path = entry->path();
    if (path.extension() == kBundleSuffix) ids.push_back(with_letter(path.stem().string()));
  }
  if (failure) throw io_error(runs.string() + ": cannot be listed: " + failure.message());
  std::sort(ids.begin(), ids.end());
  return ids;
}

std::vector<std::string> foreign_ids(const std::filesystem::path& directory, const Experiment& experiment) {
  std::unordered_set<std::string> own;
  for (const Run& run : experiment.runs) own.insert(run.id());
  std::vector<std::string> ids = bundle_ids(directory);
  std::erase_if(ids, [&](const std::string& id) { return own.contains(id); });
  return ids;
}

Inventory take_inventory(const std::filesystem::path& directory, const Experiment& experiment, const Provenance& provenance,
                         bool allow_mixed, Warn warn) {
  Findings findings;
  for (const Outcome outcome : kOutcomes) findings.inventory.outcomes[outcome] = 0;
  for (const Run& run : experiment.runs) look_for_run(directory, run, provenance, findings, warn);
  findings.inventory.foreign = foreign_ids(directory, experiment);
  if (!findings.other_schemas.names.empty())
    throw usage_error(findings.other_schemas.reason + " (bundles: " + first_few(findings.other_schemas.names) +
                      "). Use the program that wrote them, another directory (--out), or start over with --fresh");
  if (!findings.other_builds.names.empty() && !allow_mixed)
    throw mixed_builds(directory, findings.other_builds.names, findings.other_builds.reason);
  if (!findings.other_inputs.names.empty() && !allow_mixed)
    throw mixed_inputs(directory, findings.other_inputs.names, findings.other_inputs.reason);
  findings.inventory.stale_because = findings.other_inputs.reason;
  findings.inventory.inputs.assign(findings.inputs.begin(), findings.inputs.end());
  return findings.inventory;
}

}  // namespace vp
