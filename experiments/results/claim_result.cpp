#include "experiments/results/claim_result.h"

#include <stdexcept>

namespace vp {

std::string_view verdict_name(Verdict verdict) {
  switch (verdict) {
    case Verdict::kHolds:
      return "holds";
    case Verdict::kFails:
      return "fails";
    case Verdict::kInconclusive:
      return "inconclusive";
    case Verdict::kIncomplete:
      return "incomplete";
  }
  return "";
}

}  // namespace vp
