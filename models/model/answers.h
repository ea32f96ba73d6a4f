// What outputs answer, and how sure of it they are: one definition for accuracy, metrics.csv and predictions.csv. An output that is not a
// number (NaN) answers nothing, and counts as wrong. Thread-safety: pure functions.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace vp {

// The class with the largest output, of equals the first.
template <class T>
std::optional<std::int64_t> chosen_class(std::span<const T> outputs) {
  if (std::ranges::any_of(outputs, [](T z) { return std::isnan(z); })) return std::nullopt;
  return std::ranges::max_element(outputs) - outputs.begin();
}

// Of one label.
template <class T>
std::optional<bool> chosen_yes(T output) {
  return std::isnan(output) ? std::nullopt : std::optional(output > 0);
}

double sigmoid(double output);

// Of each class: the softmax, or, where each is asked for on its own, its sigmoid. Not finite where an output is not.
std::vector<double> class_probabilities(std::span<const double> outputs, bool one_against_all);

}  // namespace vp
