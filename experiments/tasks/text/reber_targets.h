// What the three Reber tasks share: one-hot symbols, and targets for the symbol after this one. Thread-safety: pure functions.
#pragma once

#include "experiments/tasks/task_support.h"
#include "experiments/tasks/text/reber_grammar.h"

namespace vp {

inline constexpr std::string_view kLegal = "legal", kNext = "next";  // task.targets

inline void visit_reber_targets(FieldVisitor& visitor, std::string& targets) {
  visitor.field({.key = "task.targets",
                 .description = "at every step, yes or no for each symbol: may it come next; or the class of the one that does",
                 .choices = {kLegal, kNext}},
                targets);
}

inline SequenceShape reber_shape(std::int64_t steps, const std::string& targets) {
  return {.steps = steps,
          .inputs = kReberSymbols,
          .outputs = kReberSymbols,
          .target = targets == kLegal ? TargetKind::kBinary : TargetKind::kClasses,
          .target_every_step = true};
}

// Row `row` of the inputs (T, B, 7).
inline void write_reber_input(ReberSymbol symbol, std::int64_t row, const SampleRows& out) {
  write_one_hot(out.inputs + row * kReberSymbols, kReberSymbols, symbol);
}

// Row `row` of the values (T, B, 7): 1 for every symbol that may come next.
inline void write_legal(std::span<const ReberArc> ways, std::int64_t row, const SampleRows& out) {
  float* to = out.values + row * kReberSymbols;
  std::fill_n(to, kReberSymbols, 0.0f);
  for (const ReberArc& way : ways) to[way.symbol] = 1;
}

}  // namespace vp
