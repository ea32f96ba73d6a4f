#include "models/cell_list.h"

#include <algorithm>
#include <array>

namespace vp {
namespace {

std::unique_ptr<Options> no_options() { return std::make_unique<NoOptions>(); }

constexpr std::array<std::string_view, 1> kRnnGates = {""};
constexpr std::array<std::string_view, 4> kLstmGates = {"input_gate", "forget_gate", "", "output_gate"};

const std::array<CellEntry, 2> kCells = {{
    {"rnn", "h = f(W_ih x + b + W_hh h), f = model.activation (Elman 1990)", 1, false, true, kRnnGates, no_options, make_rnn_cell<float>,
     make_rnn_cell<double>},
    {"lstm", "c = f*c + i*g, h = o*tanh(c); i, f, o sigmoid gates (Hochreiter & Schmidhuber 1997; Gers 2000)", 4, true, false, kLstmGates,
     no_options, make_lstm_cell<float>, make_lstm_cell<double>},
}};

}  // namespace

std::span<const CellEntry> cells() { return kCells; }

const CellEntry* find_cell(std::string_view name) {
  const auto it = std::ranges::find(kCells, name, &CellEntry::name);
  return it == kCells.end() ? nullptr : &*it;
}

}  // namespace vp
