// [[claim]] tables to claims and back. Thread-safety: pure functions.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "experiments/config/claim.h"
#include "experiments/config/toml.h"

namespace vp {

// What may stand in a [[claim]] table: type, choices and meaning, for the parser and `vpoint list claims`.
struct ClaimKey {
  std::string name, description;
};
const std::vector<ClaimKey>& claim_keys();

// Errors: UserError(kUsage) for unknown keys, missing ones, wrong types, impossible combinations, two claims of one name. Whether the
// columns and groups exist is seen by claim_problem() (claims/plan.h), which has the runs.
std::vector<Claim> parse_claims(std::span<const TomlSection> sections);

// A [[claim]] table that reads back to the same claim.
std::string claim_toml(const Claim& claim);

}  // namespace vp
