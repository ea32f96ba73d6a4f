// How weights are drawn. To add a scheme: one row in initializers.cpp.
// Thread-safety: pure functions; what is drawn depends on (seed, tensor, element) alone.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "models/spec/spec.h"

namespace vp {

enum class WeightRole : std::uint8_t { kInput, kRecurrent, kReadout, kEmbedding, kHidden };

struct InitializerEntry {
  std::string_view name;
  std::string_view description;  // distribution with its standard deviation or range, and source
  bool takes_std;                // init.<role>.std replaces its spread
};

std::span<const InitializerEntry> initializers();
const InitializerEntry* find_initializer(std::string_view name);  // nullptr if there is none

// A weight matrix (units, fan_in). Recurrent weights come one (H, H) gate block at a time.
struct WeightShape {
  std::int64_t units, fan_in;
  std::int64_t fan_out;  // outputs that an input reaches: the units, or O k k of a convolution's (O, I k k)
  std::int64_t hidden;   // what PyTorch's default takes its range from: H for recurrent layers, fan_in for linear ones
};

// Drawn in double. `index` numbers the matrix within the model. PyTorch's default for an embedding is N(0, 1).
void initialize_weights(const InitSpec& init, WeightRole role, const WeightShape& shape, std::uint64_t seed, std::uint64_t index,
                        std::span<double> weights);

// A bias vector by the scheme of its role: PyTorch's default draws U(-1/sqrt(hidden), 1/sqrt(hidden)), every other scheme gives zeros.
void initialize_bias(const InitSpec& init, WeightRole role, std::int64_t hidden, std::uint64_t seed, std::uint64_t index,
                     std::span<double> bias);

}  // namespace vp
