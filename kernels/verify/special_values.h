// Denormals, zeros of both signs, huge numbers, infinities and NaN through a kernel: what must come out.
// Thread-safety: pure functions.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "kernels/activation/activations.h"
#include "kernels/backend/backend.h"
#include "kernels/verify/finding.h"
#include "kernels/verify/kernel_runs.h"

namespace vp {

// Puts each special value into the first, a middle and the last element of every input in turn. `actual` (the kernel in float) and
// `expected` (the double reference) read the inputs and give their results; they must agree as compare_special() says. And where a finite
// change of an element changes a result, NaN in its place must make that result NaN, in the reference as well: no oracle is needed to see a
// NaN swallowed. `huge`: a number whose sums, products and squares, where the kernel takes them, stay in range.
Finding special_value_finding(const InputArrays& inputs, const std::function<Arrays()>& actual, const std::function<Arrays()>& expected,
                              double bound, double huge = 1e30);

// ---- activations, in units in the last place

// What a float result should be, and the unit in the last place of a float of magnitude `scale`.
class ExpectedFloat {
 public:
  ExpectedFloat(double value, double scale);
  double error(float actual) const;  // in ULP; infinite if one of the two is NaN or infinite and the other is not the same

 private:
  double value_, ulp_;
};

// What an error of f'(z) is measured in: the activation's own measure, or the slope's magnitude.
double slope_scale(const Activation& f, double z, double slope);

// Ends of the ranges of exp and gelu, the zero of gelu', and the special values of the format, with both signs.
std::vector<float> activation_specials();

// Values and slopes at the specials and at every `stride`-th float, as a multiple of the bounds that the activation states. stride: at
// least 1.
Finding activation_finding(const Activation& f, const PointwiseKernels<float>& kernels, std::uint32_t stride);
Finding exp_finding(std::uint32_t stride);  // of vector_exp

}  // namespace vp
