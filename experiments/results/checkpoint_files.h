// Checkpoints on disk: DIR/checkpoints/<run_id>.safetensors of runs with train.save_checkpoint, and the file of init.from_checkpoint.
// Thread-safety: safe for different runs; read_checkpoint() for any.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "experiments/config/config.h"
#include "experiments/results/results.h"
#include "models/safetensors/safetensors.h"
#include "models/spec/batch_source.h"

namespace vp {

// A safetensors file; beside UserError, what Safetensors::parse throws.
Safetensors read_safetensors(const std::filesystem::path& path);

// The file of config.run.init.from_checkpoint, read once a process; nullptr if none is set. UserError(kInputOutput) with the file's name if
// it cannot be read, breaks a rule of the format, or does not hold just the parameters of this model on samples of this shape.
std::shared_ptr<const Safetensors> read_checkpoint(const Config& config, const SequenceShape& shape);

// What the classes of a run are called stands in the metadata of its checkpoint. A sentence if those of `file` are others than `names`
// (each may be none), else empty.
inline constexpr std::string_view kClassesKey = "vanishing_point.classes";
std::string classes_text(std::span<const std::string> names);
std::string classes_difference(const Safetensors& file, std::span<const std::string> names);

// Whole or not at all; makes the directory.
void write_checkpoint(const std::filesystem::path& directory, std::string_view run_id, std::span<const std::byte> bytes);

}  // namespace vp
