#include "models/spec/report.h"

#include <stdexcept>

namespace vp {

void append_note(std::string& note, std::string_view text) {
  if (text.empty()) return;
  if (!note.empty()) note += "; ";
  note += text;
}

std::string_view to_string(Outcome outcome) {
  switch (outcome) {
    case Outcome::kCompleted:
      return "completed";
    case Outcome::kSolved:
      return "solved";
    case Outcome::kDiverged:
      return "diverged";
    case Outcome::kFailed:
      return "failed";
  }
  throw std::invalid_argument("[to_string] outcome: no such value");
}

std::string_view to_string(Split split) {
  switch (split) {
    case Split::kTrain:
      return "train";
    case Split::kValidation:
      return "validation";
    case Split::kTest:
      return "test";
  }
  throw std::invalid_argument("[to_string] split: no such value");
}

std::string_view to_string(Phase phase) {
  switch (phase) {
    case Phase::kProduct:
      return "product";
    case Phase::kPointwise:
      return "pointwise";
    case Phase::kReduction:
      return "reduction";
    case Phase::kOptimizer:
      return "optimizer";
    case Phase::kProbe:
      return "probe";
    case Phase::kEvaluation:
      return "evaluation";
    case Phase::kInput:
      return "input";
    case Phase::kCount:
      break;
  }
  throw std::invalid_argument("[to_string] phase: no such value");
}

}  // namespace vp
