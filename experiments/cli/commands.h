// What the subcommands of vpoint do, but for `run` (runner.h). Each prints its result to stdout and returns the exit code; faults are
// UserErrors.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "experiments/claims/check.h"
#include "experiments/config/config.h"
#include "experiments/io/error.h"
#include "experiments/results/results.h"

namespace vp {

// Which claims can be known to be wrong before the first run (claims/plan.h); `text` and `name` are of the file. Errors: UserError(kUsage),
// unless it is the overrides that took a claim's runs away, which is said on stderr.
void check_planned_claims(const Experiment& experiment, std::string_view text, const std::string& name,
                          std::span<const std::string> overrides);
// Verdicts on what is merged in a directory, and claims.csv; that it cannot be written because the directory is read-only is said on
// stderr.
std::vector<ClaimResult> check_claims(const std::filesystem::path& directory);

// For commands that take results as they are: says on stderr what is not known of them, or is not as it was.
Inventory look_at(const std::filesystem::path& directory, const Experiment& experiment);
ExitCode print_status(const std::filesystem::path& directory, bool json);  // kInterrupted while runs are missing, kFailed if one failed
ExitCode merge_directory(const std::filesystem::path& directory, bool allow_mixed);  // kInterrupted while runs are missing
ExitCode check_directory_claims(const std::filesystem::path& directory, bool json);  // as check_claims(); kFailed unless all hold
// report.html, or `out` if that is not empty, of the runs that have finished; without `out` claims.csv as well.
ExitCode write_report(const std::filesystem::path& directory, const std::filesystem::path& out);

std::vector<std::string> list_names();  // what print_list knows
ExitCode print_list(const std::string& what, bool json);

}  // namespace vp
