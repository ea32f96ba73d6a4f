// Every cell with each of its options and activations: what checks, tests and benchmarks loop over. Thread-safety: the lists are constant.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "models/cells/cell_list.h"
#include "models/spec/fields.h"

namespace vp {

// A cell with options: what checks and tests loop over.
struct CellVariant {
  const CellEntry* entry;
  OptionsHandle options;
  std::string name;                // "gru", or "gru reset=before" where an option is not at its default
  std::string row;                 // of a table: the name, or "gru gate_activation" for all that stand there
  bool other_activations = false;  // than its own in gates and states
};

// Sets switches and words by their keys without the section, {"peepholes", "true"}; a key that the options do not have is left out.
using Choices = std::vector<std::pair<std::string_view, std::string_view>>;
void set_choices(OptionsHandle& options, const Choices& choices);

// Every cell at its defaults, and with each option that is a switch or one of several words at each other choice, one at a time; behind
// them those with other activations in all places at once, "gru activations".
std::span<const CellVariant> cell_variants();
// Each checked activation in each place of each cell by itself: "gru gate_activation=relu".
std::span<const CellVariant> activation_variants();
// What stands in the places for activations, in the order of the fields.
std::vector<std::string> activations_of(OptionsHandle options);
// By its name, out of both lists. Throws std::invalid_argument if there is none.
const CellVariant& find_cell_variant(std::string_view name);

}  // namespace vp
