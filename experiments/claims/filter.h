// The column = value pairs of a claim's groups. Thread-safety: pure functions.
#pragma once

#include <string>
#include <string_view>

#include "experiments/claims/check.h"

namespace vp {

// Numbers compare as numbers (1 meets 1.0), text as text; an empty cell meets only "".
bool meets(std::string_view cell, const SettingValue& wanted);

// "model.cell = "rnn", update = 0" for messages.
std::string filter_text(const ClaimFilter& filter);

}  // namespace vp
