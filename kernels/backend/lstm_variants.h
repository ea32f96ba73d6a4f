// The variants of the LSTM that Greff et al. 2017 compare ("LSTM: A Search Space Odyssey", section 4), but for full gate recurrence; each
// goes with or without peepholes. To add one: a row here, and what it means in reference_backend.cpp and cell_kernels_simd.cpp.
// Thread-safety: constants.
#pragma once

#include <array>
#include <string_view>

namespace vp {

// What is left out or tied. A gate that is left out is 1, whatever its pre-activation, whose gradient is exactly zero.
struct LstmVariant {
  bool input_gate = true, forget_gate = true, output_gate = true;
  bool coupled = false;           // f = 1 - i
  bool input_activation = true;   // g = tanh(z_g); else g = z_g
  bool output_activation = true;  // h = o*tanh(c); else h = o*c

  bool operator==(const LstmVariant&) const = default;
};

struct LstmVariantEntry {
  std::string_view name;
  LstmVariant variant;
};

inline constexpr std::array<LstmVariantEntry, 7> kLstmVariants = {{
    {"plain", {}},
    {"no_input_gate", {.input_gate = false}},
    {"no_forget_gate", {.forget_gate = false}},  // the cell of Hochreiter & Schmidhuber 1997
    {"no_output_gate", {.output_gate = false}},
    {"coupled", {.coupled = true}},
    {"no_input_activation", {.input_activation = false}},
    {"no_output_activation", {.output_activation = false}},
}};

}  // namespace vp
