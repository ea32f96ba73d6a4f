// A cell to start from: a leaky unit, h_t = (1 - a) h_{t-1} + a tanh(W_ih x_t + b + W_hh h_{t-1}), a = model.leak (Jaeger 2001).
//
// As a cell of the program: models/cells/leaky.cpp, and `each(leaky)` in VP_CELLS of models/cells/cell_list.cpp.
// Rename it: the tests link this file, and would test its leaky_cell() in place of yours.
#include <algorithm>
#include <array>
#include <cmath>

#include "models/cells/cell.h"

namespace vp {
namespace {

struct LeakyOptions : OptionsOf<LeakyOptions> {
  double leak = 0.5;
  void visit_fields(FieldVisitor& v) override {
    v.field({.key = "model.leak", .description = "share of the state that each step replaces", .minimum = 1e-3, .maximum = 1}, leak);
  }
};

template <class T>
class LeakyCell final : public Cell<T> {
 public:
  explicit LeakyCell(double leak) : leak_(static_cast<T>(leak)) {}
  std::int64_t gates() const override { return 1; }
  std::int64_t saved_blocks() const override { return 0; }
  bool has_cell_state() const override { return false; }
  bool has_direct_path() const override { return true; }  // (1 - a) h_{t-1} comes past W_hh

  // gates (B, H): in z = W_ih x + b + W_hh h_prev, out a f'(z), which is all that backward needs.
  void forward(const PointwiseKernels<T>&, const CellForward<T>& s) const override {
    for (std::int64_t i = 0; i < s.rows * s.hidden; ++i) {
      const T n = std::tanh(s.gates[i]);
      s.h[i] = (1 - leak_) * s.h_prev[i] + leak_ * n;
      s.gates[i] = leak_ * (1 - n * n);
    }
  }

  void backward(const PointwiseKernels<T>&, const CellBackward<T>& s) const override {
    for (std::int64_t b = 0; b < s.rows; ++b) {
      double sum_squares = 0;
      for (std::int64_t i = b * s.hidden; i < (b + 1) * s.hidden; ++i) {
        s.dz[i] = s.dh[i] * s.gates[i];
        s.direct[i] = s.dh[i] * (1 - leak_);
        sum_squares += static_cast<double>(s.dh[i]) * static_cast<double>(s.dh[i]);
      }
      s.sum_squares_dh[b] = sum_squares;
    }
  }

  std::span<const std::string_view> gate_names() const override {
    static constexpr std::array<std::string_view, 1> kNames = {"slope"};
    return kNames;
  }
  double relative_slope(const T* gates, const T*, std::int64_t, std::int64_t unit) const override {
    return static_cast<double>(gates[unit] / leak_);
  }

 private:
  const T leak_;
};

template <class T>
std::unique_ptr<Cell<T>> make_cell(const Options& options, const Activation&) {
  return std::make_unique<LeakyCell<T>>(options_as<LeakyOptions>(options).leak);
}

}  // namespace

CellEntry leaky_cell() {
  static constexpr std::array<std::string_view, 1> kGates = {""};
  return {.name = "leaky",
          .description = "h = (1 - a)*h + a*tanh(W_ih x + b + W_hh h), a = model.leak (Jaeger 2001)",
          .gates = 1,
          .has_cell_state = false,
          .takes_any_activation = false,
          .gate_names = kGates,
          .make_options = make_options<LeakyOptions>,
          .make_float = make_cell<float>,
          .make_double = make_cell<double>};
}

}  // namespace vp
