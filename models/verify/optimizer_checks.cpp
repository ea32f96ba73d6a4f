// Optimisers in float against the same in double, and special values in gradients and parameters.
#include <array>

#include "kernels/verify/kernel_runs.h"
#include "kernels/verify/special_values.h"
#include "models/optimizers/optimizers.h"
#include "models/verify/model_checks.h"

namespace vp {
namespace {

constexpr std::int64_t kSize = 37;
constexpr double kRate = 0.1;
constexpr double kBound = 16;           // three updates of a few roundings each
constexpr double kSpecialLimit = 1e15;  // RMSprop and Adam square the gradient

std::unique_ptr<Optimizer<float>> make_optimizer(const OptimizerEntry& entry, float) {
  return entry.make_float(kSize, kRate, *entry.make_options());
}
std::unique_ptr<Optimizer<double>> make_optimizer(const OptimizerEntry& entry, double) {
  return entry.make_double(kSize, kRate, *entry.make_options());
}

// Three updates: by the gradient, a quarter of it, and its opposite.
template <class T>
Arrays run_optimizer(const OptimizerEntry& entry, const std::vector<float>& gradient, const std::vector<float>& parameters) {
  Workspace<T> work(1);
  const T* const g = work.add("gradient", gradient);
  T* const w = work.add("parameters", parameters);
  const auto optimizer = make_optimizer(entry, T{});
  std::int64_t step = 0;
  for (const T scale : {T(1), T(0.25), T(-1)}) {
    optimizer->begin_update(++step);
    optimizer->apply(0, std::span(g, kSize), scale, w);
  }
  return work.results();
}

Finding optimizer_finding(const OptimizerEntry& entry) {
  const std::vector<float> gradient = random_floats(kSize, 1), parameters = random_floats(kSize, 2);
  const Arrays actual = run_optimizer<float>(entry, gradient, parameters), expected = run_optimizer<double>(entry, gradient, parameters);
  return compare("parameters", actual[1].second, expected[1].second, kBound);
}

Finding special_finding(const OptimizerEntry& entry) {
  std::vector<float> gradient = random_floats(kSize, 1), parameters = random_floats(kSize, 2);
  return special_value_finding(
      {{"gradient", &gradient}, {"parameters", &parameters}}, [&] { return run_optimizer<float>(entry, gradient, parameters); },
      [&] { return run_optimizer<double>(entry, gradient, parameters); }, kBound, kSpecialLimit);
}

}  // namespace

std::vector<Check> optimizer_checks() {
  std::vector<Check> checks;
  for (const OptimizerEntry& entry : optimizers()) {
    const std::string subject = "optimiser " + std::string(entry.name);
    checks.push_back({"kernel parity", {subject}, subject, [&entry] { return optimizer_finding(entry); }});
    checks.push_back({"special values", {subject}, subject, [&entry] { return special_finding(entry); }});
  }
  return checks;
}

}  // namespace vp
