// The recurrent cells one can choose. To add one: one file cell_<name>.cpp and one line in cell_list.cpp.
// Thread-safety: the list is constant.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "models/cell.h"
#include "models/fields.h"

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

}  // namespace vp
