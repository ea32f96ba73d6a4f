// What the subcommands of vpoint do, but for `run` (runner.h). Each prints its result to stdout and returns the exit code; faults are
// UserErrors.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "experiments/config.h"
#include "experiments/error.h"

namespace vp {

// The experiment a TOML file describes, after overrides (load_experiment).
Experiment read_experiment(const std::filesystem::path& file, std::span<const std::string> overrides);
// The experiment whose results a directory holds, from its config.toml.
Experiment experiment_of(const std::filesystem::path& directory);

ExitCode print_status(const std::filesystem::path& directory, bool json);  // kInterrupted while runs are missing, kFailed if one failed
ExitCode merge_directory(const std::filesystem::path& directory, bool allow_mixed);  // kInterrupted while runs are missing
ExitCode check_directory_claims(const std::filesystem::path& directory, bool json);  // writes claims.csv; kFailed if one does not hold
void write_claims(const std::filesystem::path& directory);                           // claims.csv, if the experiment has claims
// report.html, or `out` if that is not empty, of the runs that have finished; without `out` claims.csv as well.
ExitCode write_report(const std::filesystem::path& directory, const std::filesystem::path& out);

std::vector<std::string> list_names();  // what print_list knows
ExitCode print_list(const std::string& what, bool json);

}  // namespace vp
