#include "experiments/config/experiment_file.h"

#include <fmt/format.h>

#include "experiments/config/toml.h"
#include "experiments/io/error.h"
#include "experiments/io/files.h"

namespace vp {

namespace fs = std::filesystem;

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

}  // namespace vp
