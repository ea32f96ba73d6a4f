// Experiments from files on disk. Thread-safety: pure functions of what stands there.
#pragma once

#include <filesystem>
#include <span>
#include <string>

#include "experiments/config/config.h"

namespace vp {

// The experiment a TOML file describes, after overrides (load_experiment).
Experiment read_experiment(const std::filesystem::path& file, std::span<const std::string> overrides);
// The experiment whose results a directory holds, from its config.toml.
Experiment experiment_of(const std::filesystem::path& directory);

}  // namespace vp
