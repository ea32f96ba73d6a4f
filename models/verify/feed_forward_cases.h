// The feed-forward nets among the models of model_cases.h: every activation at several depths, and every option of each kind.
// Thread-safety: pure functions.
#pragma once

#include <cstdint>
#include <vector>

#include "models/verify/model_cases.h"

namespace vp {

// ModelCase::steps: of a sample that an mlp takes in at once, or the height of a cnn's image.
std::vector<ModelCase> feed_forward_cases();
// Of c.kind and c.variant: small enough that the reference is fast, odd enough that no vector is full.
OptionsHandle feed_forward_options(const ModelCase& c, std::int64_t hidden);

}  // namespace vp
