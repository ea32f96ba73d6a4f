// The losses behind one interface, so that every check runs on each, and one run of each on seeded data. Thread-safety: pure functions.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "kernels/pointwise/losses.h"
#include "kernels/verify/kernel_runs.h"

namespace vp {

// Targets are classes for softmax, probabilities or values for the others.
template <class T>
struct Loss {
  std::string name;
  std::function<void(std::int64_t rows, std::int64_t classes, const T* logits, T scale, T* dlogits, double* row_loss)> run;
};

// To add one: a line here.
template <class T>
std::vector<Loss<T>> losses(std::int64_t rows, std::int64_t classes) {
  std::vector<std::int32_t> target_class;
  for (std::int64_t row = 0; row < rows; ++row) target_class.push_back(static_cast<std::int32_t>((row * 7 + 1) % classes));
  const auto probability = converted<T>(random_floats(rows * classes, 5, 0, 1));
  std::vector<T> label;
  for (const T p : probability) label.push_back(p < T(0.5) ? T(0) : T(1));
  return {
      {"softmax", [=](auto r, auto c, auto z, auto s, auto d, auto l) { softmax_cross_entropy<T>(r, c, z, target_class.data(), s, d, l); }},
      {"sigmoid", [=](auto r, auto c, auto z, auto s, auto d, auto l) { sigmoid_cross_entropy<T>(r, c, z, label.data(), s, d, l); }},
      {"sigmoid, soft targets",
       [=](auto r, auto c, auto z, auto s, auto d, auto l) { sigmoid_cross_entropy<T>(r, c, z, probability.data(), s, d, l); }},
      {"mse", [=](auto r, auto c, auto z, auto s, auto d, auto l) { mean_squared_error<T>(r, c, z, probability.data(), s, d, l); }},
  };
}

template <class T>
Arrays run_loss(const Loss<T>& loss, const LossCase& test, const std::vector<float>& logits) {
  Workspace<T> work(1);
  const T* const in = work.add("logits", logits);
  T* const dlogits = work.add("dlogits", test.rows * test.classes);
  std::vector<double> row_loss(static_cast<std::size_t>(test.rows));
  loss.run(test.rows, test.classes, in, T(0.25), dlogits, row_loss.data());
  Arrays out = work.results();
  out.emplace_back("row_loss", row_loss);
  return out;
}

}  // namespace vp
