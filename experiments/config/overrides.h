// Command-line settings "key=value", "key=a,b,c", "train.seed=0..9" applied to an experiment file. Thread-safety: pure functions.
#pragma once

#include <span>
#include <string>

#include "experiments/config/document.h"

namespace vp {

// One after the other, the later one counts. A value replaces the setting and takes that key's axis out of every block; a list or range
// replaces the axis in every block that has it or, where none has, becomes the last axis of every block. Errors: UserError(kUsage) at
// "command line: <argument>".
void apply_overrides(std::span<const std::string> overrides, Document& document);

}  // namespace vp
