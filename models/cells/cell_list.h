// The recurrent cells one can choose. To add one: one file cell_<name>.cpp and one line in cell_list.cpp.
// Thread-safety: the list is constant.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "models/cells/cell.h"
#include "models/spec/fields.h"

namespace vp {

struct CellEntry {
  std::string_view name;
  std::string_view description;                  // its equations, with their source
  std::int64_t gates;                            // G: blocks of H rows in the weights
  bool has_cell_state;                           // c beside h
  bool takes_any_activation;                     // model.activation may be other than tanh
  std::span<const std::string_view> gate_names;  // as init.bias.<name>, in block order; empty string: a block without a bias key
  std::unique_ptr<Options> (*make_options)();
  std::unique_ptr<Cell<float>> (*make_float)(const Options& options, const Activation& activation);
  std::unique_ptr<Cell<double>> (*make_double)(const Options& options, const Activation& activation);
};

std::span<const CellEntry> cells();
const CellEntry* find_cell(std::string_view name);  // nullptr if there is none

// A cell with options: what checks and tests loop over.
struct CellVariant {
  const CellEntry* entry;
  OptionsHandle options;
  std::string name;                // "gru", or "gru reset=before" where an option is not at its default
  std::string row;                 // of a table: the name, or "gru gate_activation" for all that stand there
  bool other_activations = false;  // than its own in gates and states
};

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
