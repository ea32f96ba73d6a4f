// [[claim]] tables to claims and back. Thread-safety: pure functions.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "experiments/claim.h"
#include "experiments/config_toml.h"

namespace vp {

// Errors: UserError(kUsage) for unknown keys, missing ones, wrong types, impossible combinations, two claims of one name. Whether the
// columns exist is seen by check_claim(), which has the result files.
std::vector<Claim> parse_claims(std::span<const TomlSection> sections);

// A [[claim]] table that reads back to the same claim.
std::string claim_toml(const Claim& claim);

}  // namespace vp
