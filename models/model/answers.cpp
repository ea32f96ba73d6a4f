#include "models/model/answers.h"

namespace vp {

double sigmoid(double output) { return output >= 0 ? 1 / (1 + std::exp(-output)) : std::exp(output) / (1 + std::exp(output)); }

std::vector<double> class_probabilities(std::span<const double> outputs, bool one_against_all) {
  std::vector<double> p(outputs.begin(), outputs.end());
  if (one_against_all) {
    std::ranges::transform(p, p.begin(), sigmoid);
    return p;
  }
  const double largest = *std::ranges::max_element(p);
  double sum = 0;
  for (double& v : p) sum += v = std::exp(v - largest);
  for (double& v : p) v /= sum;
  return p;
}

}  // namespace vp
