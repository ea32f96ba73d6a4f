// The models that gradient checks and parity checks loop over: every cell of the list, in all its variants, with every activation in every
// place it takes one, times depth, readout, length and loss; feed-forward nets of every kind with every option; and every initialiser.
// Thread-safety: pure functions.
#pragma once

#include <ostream>
#include <string>
#include <vector>

#include "models/spec/batch_source.h"
#include "models/spec/spec.h"

namespace vp {

struct ModelCase {
  std::string cell = {}, activation = {};
  std::int64_t layers = 1;
  bool every_step = false;  // a readout, and a target, at every step
  std::int64_t steps = 1;
  TargetKind target = TargetKind::kClasses;
  std::string scheme = "pytorch";
  std::uint64_t seed = 0;
  std::string variant = {};  // options that are not at their defaults: of cell_variants(), or of a feed-forward kind; empty: none
  std::string kind = "sequence";
  std::string output = "task";
  // Forms of recurrence (models/recurrent/forms.h).
  std::string form = {};         // empty: many_to_one, or many_to_many where every_step
  bool variable_length = false;  // rows end at steps of their own
  bool tokens = false;           // an embedding in front
  bool bidirectional = false;
  bool teacher_forcing = true;
  std::int64_t reset_every = 0;
  double gain = 1.5;  // init.gain: large enough that recurrent terms matter
};

std::string name_of(const ModelCase& c);
inline std::ostream& operator<<(std::ostream& out, const ModelCase& c) { return out << name_of(c); }

// The rows of a table that the case counts for, e.g. "cell lstm", "loss softmax", "readout every step", "layers 2".
std::vector<std::string> subjects_of(const ModelCase& c);
std::string net_row(const ModelCase& c);  // the first of them: "cell lstm", "cell lstm gate_activation", "cnn"

// Those that a form of recurrence and its options bring, e.g. "form one_to_many free", "embedding"; none for plain cases.
std::vector<std::string> form_subjects(const ModelCase& c);
// Decisions come back as inputs: where one hangs by a hair, float may decide otherwise.
bool decides(const ModelCase& c);

std::vector<ModelCase> model_cases();
std::vector<ModelCase> form_cases();         // each cell in every form of recurrence and its options
std::vector<ModelCase> initializer_cases();  // one of each cell for every initialiser

RunSpec spec_of(const ModelCase& c, std::int64_t hidden);
void set_form(const ModelCase& c, ModelSpec& model);  // of spec_of(): what belongs to the form
SequenceShape shape_of(const ModelCase& c, std::int64_t inputs, std::int64_t outputs);

}  // namespace vp
