// Whole fused steps (fused_step.h) on seeded data: run as one call, and composed of the same engine's products and pointwise kernels.
// Thread-safety: pure functions.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "kernels/verify/kernel_runs.h"

namespace vp {

struct FusedCase {
  std::int64_t rows, inputs, hidden;
};

// Around the vector widths, the panels (64, 32 columns), the row blocks (6, 3), and one with several chunks of k forward and backward.
inline std::vector<FusedCase> fused_cases() {
  std::vector<FusedCase> cases{{32, 32, 32}, {20, 6, 50}, {6, 2, 128}, {5, 300, 270}, {2, 1, 20}};
  for (std::size_t i = 0; i < kOddSizes.size(); ++i)
    cases.push_back({kOddSizes[(i * 2 + 3) % kOddSizes.size()], kOddSizes[(i * 4 + 5) % kOddSizes.size()], kOddSizes[i]});
  return cases;
}

// What goes into the step, in float; the double reference gets the same numbers.
struct FusedInput {
  FusedShape shape;
  bool first_step = false;  // h_prev is zero
  bool last_step = false;   // nothing comes through time
  bool above = true;
  std::vector<float> weight_ih, weight_hh, bias, x, h_prev, c_prev, dr_next, signal, dc, direct;

  explicit FusedInput(const FusedShape& s) : shape(s) {
    const std::int64_t width = s.gates() * s.hidden, n = s.rows * s.hidden;
    const float scale = 1 / std::sqrt(static_cast<float>(s.hidden)), scale_ih = 2 / std::sqrt(static_cast<float>(s.inputs));
    weight_ih = random_floats(width * s.inputs, 1, -scale_ih, scale_ih);
    weight_hh = random_floats(width * s.hidden, 2, -scale, scale);
    bias = random_floats(s.bias_size(), 3);
    x = random_floats(s.rows * s.inputs, 4);
    h_prev = random_floats(n, 5);
    c_prev = random_floats(n, 6, -2, 2);
    dr_next = random_floats(s.rows * width, 7);
    signal = random_floats(n, 8);
    dc = random_floats(n, 9);
    direct = random_floats(n, 10);
  }
  InputArrays arrays() {
    InputArrays all = {{"weight_ih", &weight_ih}, {"weight_hh", &weight_hh}, {"bias", &bias},    {"x", &x},
                       {"h_prev", &h_prev},       {"dr_next", &dr_next},     {"signal", &signal}};
    if (lstm()) all.insert(all.end(), {{"c_prev", &c_prev}, {"dc", &dc}});
    if (gru()) all.emplace_back("direct", &direct);
    return all;
  }
  bool lstm() const { return shape.cell == FusedCell::kLstm; }
  bool gru() const { return shape.cell == FusedCell::kGru; }
};

// E.g. "rnn relu B=5 I=3 H=17 first": the case of a fault.
std::string name_of(const FusedInput& in);

// The arrays of one step forward and backward. Floats start one element past their allocation and are checked for writes outside.
template <class T>
struct FusedArrays {
  std::vector<T> weight_ih, weight_hh, bias, x, h_prev, c_prev, dr_next, signal;
  Guarded<T> gates, c, saved, h, dc, direct, dh, dz, dr;
  std::vector<double> squares_dh, squares_dc;

  explicit FusedArrays(const FusedInput& in)
      : weight_ih(converted<T>(in.weight_ih)),
        weight_hh(converted<T>(in.weight_hh)),
        bias(converted<T>(in.bias)),
        x(converted<T>(in.x)),
        h_prev(converted<T>(in.h_prev)),
        c_prev(converted<T>(in.c_prev)),
        dr_next(converted<T>(in.dr_next)),
        signal(converted<T>(in.signal)),
        gates(unset(in.dr_next.size()), 1),
        c(unset(in.h_prev.size()), 1),
        saved(unset(in.h_prev.size()), 1),
        h(unset(in.h_prev.size()), 1),
        dc(converted<T>(in.dc), 1),
        direct(converted<T>(in.direct), 1),
        dh(unset(in.h_prev.size()), 1),
        dz(unset(in.dr_next.size()), 1),
        dr(unset(in.dr_next.size()), 1),
        squares_dh(static_cast<std::size_t>(in.shape.rows), -1),
        squares_dc(squares_dh) {
    if (in.first_step) std::fill(h_prev.begin(), h_prev.end(), T(0));
  }

  static std::vector<T> unset(std::size_t n) { return std::vector<T>(n, std::numeric_limits<T>::quiet_NaN()); }

  Arrays results(FusedCell cell) const {
    Arrays out;
    const auto add = [&](const char* name, const Guarded<T>& array) { out.emplace_back(name, guarded_content(name, array)); };
    add("gates", gates), add("h", h), add("dh", dh), add("dz", dz);
    out.emplace_back("squares_dh", squares_dh);
    if (cell == FusedCell::kGru) add("saved", saved), add("direct", direct), add("dr", dr);
    if (cell != FusedCell::kLstm) return out;
    add("c", c), add("saved", saved), add("dc", dc);
    out.emplace_back("squares_dc", squares_dc);
    return out;
  }
};

// One step forward and backward, in place.
void run_once(FusedStep<float>& step, const FusedInput& in, FusedArrays<float>& a);

// Every result of the second run of a step, so that nothing of the first may stay in its workspace. REQUIRES: the backend has fused steps.
Arrays run_fused(Backend<float>& backend, const FusedInput& in);

// The same of products and pointwise kernels.
template <class T>
Arrays run_composed(Backend<T>& backend, const FusedInput& in);

// The inputs of one size: every activation of an RNN, and an LSTM and a GRU with and without neighbours in time and above.
std::vector<FusedInput> fused_inputs(const FusedCase& size);

// Activations keep 8 ULP; a sum's rounding gathers with the square root of its length, and passes through slopes up to 1.13.
double fused_bound(const FusedShape& shape);

}  // namespace vp
