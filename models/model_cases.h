// The models that gradient checks and parity checks loop over: every cell of the list with every activation it takes, times depth, readout,
// length and loss; feed-forward nets of every kind with every option; and every initialiser. Thread-safety: pure functions.
#pragma once

#include <ostream>
#include <string>
#include <vector>

#include "models/batch_source.h"
#include "models/spec.h"

namespace vp {

struct ModelCase {
  std::string cell, activation;
  std::int64_t layers = 1;
  bool every_step = false;  // a readout, and a target, at every step
  std::int64_t steps = 1;
  TargetKind target = TargetKind::kClasses;
  std::string scheme = "pytorch";
  std::uint64_t seed = 0;
  std::string kind = "sequence";
  std::string variant;  // of a feed-forward net: "", or one of the options its kind has
};

std::string name_of(const ModelCase& c);
inline std::ostream& operator<<(std::ostream& out, const ModelCase& c) { return out << name_of(c); }

// The rows of a table that the case counts for, e.g. "cell lstm", "loss softmax", "readout every step", "layers 2".
std::vector<std::string> subjects_of(const ModelCase& c);

std::vector<ModelCase> model_cases();
std::vector<ModelCase> initializer_cases();  // one of each cell for every initialiser

RunSpec spec_of(const ModelCase& c, std::int64_t hidden);
SequenceShape shape_of(const ModelCase& c, std::int64_t inputs, std::int64_t outputs);

}  // namespace vp
