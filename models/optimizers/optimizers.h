// Optimisers: SGD, momentum, RMSprop, Adam. To add one: one struct in optimizers.cpp and one line in its list.
//
// Thread-safety: apply() may be called at once on disjoint ranges of the parameters.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "models/spec/fields.h"

namespace vp {

template <class T>
class Optimizer {
 public:
  virtual ~Optimizer() = default;
  // Before the ranges of one update: `step` counts from 1.
  virtual void begin_update(std::int64_t step) = 0;
  // The range of the parameters from `begin` on that has the gradient `gradient` (of the range): parameters -= what gradient *
  // gradient_scale asks for. Moments of the range are updated.
  virtual void apply(std::int64_t begin, std::span<const T> gradient, T gradient_scale, T* parameters) = 0;
};

struct OptimizerEntry {
  std::string_view name;
  std::string_view description;  // the update rule, with its source
  std::unique_ptr<Options> (*make_options)();
  std::unique_ptr<Optimizer<float>> (*make_float)(std::int64_t parameters, double learning_rate, const Options& options);
  std::unique_ptr<Optimizer<double>> (*make_double)(std::int64_t parameters, double learning_rate, const Options& options);
};

std::span<const OptimizerEntry> optimizers();
const OptimizerEntry* find_optimizer(std::string_view name);  // nullptr if there is none

}  // namespace vp
