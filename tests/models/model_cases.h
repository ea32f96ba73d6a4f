// The models that gradient checks and parity tests loop over: every cell of the list, with every activation it takes.
#pragma once

#include <ostream>
#include <string>
#include <vector>

#include "kernels/activations.h"
#include "models/batch_source.h"
#include "models/cell_list.h"
#include "models/spec.h"

namespace vp::test {

struct ModelCase {
  std::string cell, activation;
  std::int64_t layers;
  bool every_step;
  std::int64_t steps;
  TargetKind target;
};

inline std::ostream& operator<<(std::ostream& out, const ModelCase& c) {
  return out << c.cell << ' ' << c.activation << " L" << c.layers << (c.every_step ? " every step" : " last step") << " T" << c.steps
             << " target " << static_cast<int>(c.target);
}

inline std::vector<ModelCase> model_cases() {
  std::vector<ModelCase> cases;
  for (const CellEntry& cell : cells())
    for (const Activation& activation : activations()) {
      if (!cell.takes_any_activation && activation.name != "tanh") continue;
      for (const std::int64_t layers : {1, 2})
        for (const bool every_step : {false, true})
          for (const std::int64_t steps : {1, 3, 7}) {
            const auto target = static_cast<TargetKind>(cases.size() % 3);
            cases.push_back({std::string(cell.name), std::string(activation.name), layers, every_step, steps, target});
          }
    }
  return cases;
}

inline RunSpec spec_of(const ModelCase& c, std::int64_t hidden) {
  RunSpec spec;
  spec.model.cell = c.cell;
  spec.model.activation = c.activation;
  spec.model.layers = c.layers;
  spec.model.hidden = hidden;
  spec.model.form = c.every_step ? "many_to_many" : "many_to_one";
  spec.cell_options = OptionsHandle(find_cell(c.cell)->make_options());
  spec.init.gain = 1.5;  // large enough that recurrent terms matter
  return spec;
}

inline SequenceShape shape_of(const ModelCase& c, std::int64_t inputs, std::int64_t outputs) {
  return {
      .steps = c.steps, .inputs = inputs, .outputs = outputs, .target = c.target, .target_every_step = c.every_step, .correct_within = 0};
}

}  // namespace vp::test
