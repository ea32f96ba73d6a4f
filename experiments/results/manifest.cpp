// The result directory as a whole: whose it is, and what its manifest says.
#include <fmt/chrono.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <nlohmann/json.hpp>
#include <set>
#include <system_error>

#include "experiments/io/files.h"
#include "experiments/machine/build_info.h"
#include "experiments/results/tables.h"

namespace vp {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr std::array<std::string_view, 12> kMergedFiles = {"runs.csv",    "curves.csv",      "timesteps.csv", "layers.csv",
                                                           "timings.csv", "spectra.csv",     "traces.csv",    "metrics.csv",
                                                           "classes.csv", "predictions.csv", "claims.csv",    "datapackage.json"};
constexpr std::string_view kProgram = "vanishing-point";

bool is_there(const fs::path& path) {
  std::error_code failure;
  const bool there = fs::exists(path, failure);
  if (failure) throw io_error(path.string() + ": " + failure.message());
  return there;
}

// The experiment a manifest names; nullopt if the file is not a manifest of this program.
std::optional<std::string> experiment_named_in(const fs::path& manifest) {
  const Json json = Json::parse(read_file(manifest), nullptr, false);
  if (!json.is_object() || !json.contains("program") || json["program"] != kProgram) return std::nullopt;
  if (!json.contains("experiment") || !json["experiment"].is_string()) return std::nullopt;
  return json["experiment"].get<std::string>();
}

// Files of names that would be overwritten.
std::vector<std::string> files_of_our_names(const fs::path& directory) {
  std::vector<std::string> names;
  for (const std::string_view name : {"manifest.json", "config.toml"})
    if (is_there(directory / name)) names.emplace_back(name);
  for (const std::string_view name : kMergedFiles)
    if (is_there(directory / name)) names.emplace_back(name);
  return names;
}

// The files are listed before the manifest is read: another shard that is just starting here writes its manifest first, so files of its own
// that are seen have one.
void refuse_other_owners(const fs::path& directory, const Experiment& experiment) {
  const std::vector<std::string> names = files_of_our_names(directory);
  const fs::path manifest = directory / "manifest.json";
  const auto owner = is_there(manifest) ? experiment_named_in(manifest) : std::nullopt;
  const std::string remedy = "Choose another directory (--out)";
  if (!owner && !names.empty())
    throw usage_error(directory.string() + ": holds files that would be overwritten, and no manifest.json says whose they are: " +
                      first_few(names) + ". " + remedy + " or move them away");
  if (owner && *owner != experiment.name)
    throw usage_error(directory.string() + ": holds the results of experiment \"" + *owner + "\", not of \"" + experiment.name + "\". " +
                      remedy);
}

void refuse_foreign_bundles(const fs::path& directory, const Experiment& experiment) {
  const std::vector<std::string> ids = foreign_ids(directory, experiment);
  if (!ids.empty())
    throw usage_error(directory.string() + ": holds " + std::to_string(ids.size()) + " run(s) that are not in this grid: " +
                      first_few(ids) + ". Keep them by choosing another directory (--out), or delete them with --fresh");
}

void remove_file(const fs::path& path) {
  std::error_code failure;
  fs::remove(path, failure);
  if (failure) throw io_error(path.string() + ": cannot be removed: " + failure.message());
}

void remove_results(const fs::path& directory) {
  for (const std::string& id : bundle_ids(directory)) {
    remove_file(bundle_path(directory, id));
    remove_file(checkpoint_path(directory, id));
  }
  for (const std::string_view name : kMergedFiles) remove_file(directory / name);
}

void make_directories(const fs::path& directory) {
  std::error_code failure;
  fs::create_directories(directory / "runs", failure);
  if (!failure && !fs::is_directory(directory / "runs", failure)) failure = std::make_error_code(std::errc::not_a_directory);
  if (failure) throw io_error(directory.string() + ": cannot be made a result directory: " + failure.message());
}

// run.ftz may be an axis of the grid; runs.csv then says it for each run.
Json flushes_denormals(const Experiment& experiment) {
  const auto ftz = [](const Config& config) { return config.run.engine.ftz; };
  const auto count = std::count_if(experiment.runs.begin(), experiment.runs.end(), ftz);
  if (count > 0 && count < std::ssize(experiment.runs)) return "by run";
  return count > 0;
}

Json known(const std::string& text) { return text.empty() ? Json(nullptr) : Json(text); }

Json inputs_json(std::span<const InputFile> inputs) {
  Json list = Json::array();
  for (const InputFile& file : inputs) list.push_back({{"path", file.path}, {"bytes", file.bytes}, {"xxh3_64", file.hash}});
  return list;
}

// Of a manifest of this build and instruction set that stands there already; a resume looks at the code of the runs that are left alone.
std::set<std::string> kept_implementations(const fs::path& manifest, const Provenance& provenance) {
  if (!is_there(manifest)) return {};
  const Json json = Json::parse(read_file(manifest), nullptr, false);
  if (!json.is_object() || json.value("build", Json()) != provenance.build || json.value("isa", Json()) != provenance.isa) return {};
  std::set<std::string> names;
  for (const Json& name : json.value("implementations", Json::array()))
    if (name.is_string()) names.insert(name.get<std::string>());
  return names;
}

std::string manifest_text(const Experiment& experiment, const Provenance& provenance, std::int64_t threads,
                          const std::set<std::string>& implementations, std::span<const InputFile> inputs) {
  static const std::time_t start = std::time(nullptr);
  const BuildInfo build = build_info();
  Json json;
  json["program"] = kProgram;
  json["schema"] = provenance.schema;
  json["experiment"] = experiment.name;
  json["title"] = known(experiment.title);
  json["build"] = provenance.build;
  json["git_commit"] = known(build.git_commit);
  json["compiler"] = build.compiler;
  json["compiler_flags"] = known(build.flags);
  json["libraries"] = provenance.libraries;
  json["isa"] = provenance.isa;
  json["implementations"] = implementations;
  json["inputs"] = inputs_json(inputs);
  json["flush_to_zero"] = flushes_denormals(experiment);
  if (const auto notes = activation_notes(experiment.runs); !notes.empty()) json["notes"] = notes;
  json["cpu"] = known(cpu_model());
  json["host"] = known(host_name());
  json["threads"] = threads;
  json["date"] = fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(start));
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + '\n';
}

}  // namespace

void prepare_directory(const fs::path& directory, const Experiment& experiment, const Provenance& provenance, std::int64_t threads,
                       bool fresh, std::span<const std::string> implementations, std::span<const InputFile> inputs) {
  std::set<std::string> names(implementations.begin(), implementations.end());
  if (!fresh) names.merge(kept_implementations(directory / "manifest.json", provenance));
  const std::string manifest = manifest_text(experiment, provenance, threads, names, inputs);
  refuse_other_owners(directory, experiment);
  if (!fresh) refuse_foreign_bundles(directory, experiment);
  make_directories(directory);
  if (fresh) remove_results(directory);
  write_file(directory / "manifest.json", manifest);  // first: from here on the directory is claimed
  write_file(directory / "config.toml", experiment.resolved_toml);
}

void write_manifest(const fs::path& directory, const Experiment& experiment, const Provenance& provenance, std::int64_t threads,
                    std::span<const std::string> implementations, std::span<const InputFile> inputs) {
  const fs::path path = directory / "manifest.json";
  std::set<std::string> names = kept_implementations(path, provenance);
  names.insert(implementations.begin(), implementations.end());
  write_file(path, manifest_text(experiment, provenance, threads, names, inputs));
}

}  // namespace vp
