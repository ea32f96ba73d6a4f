// config.toml of the results. Thread-safety: pure functions.
#pragma once

#include <span>
#include <string>

#include "experiments/config/config.h"
#include "experiments/config/document.h"

namespace vp {

// The experiment as a TOML file that reads back to the same runs and claims, and that it reproduces byte for byte: every default is written
// out but for keys on an axis and options that not all runs have in common.
std::string resolved_toml(const Document& document, std::span<const Run> runs);

// Whether the values are integers that follow each other, and so many that they are written as a range: a long list of seeds stays
// readable, and below the size limit of experiment files.
bool is_range(const GridAxis& axis);

}  // namespace vp
