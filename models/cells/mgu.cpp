// f = sigmoid(W_f x + U_f h_{t-1} + b), n = tanh(W_n x + U_n (f*h_{t-1}) + b), h_t = (1 - f)*h_{t-1} + f*n: the minimal gated unit
// (Zhou et al. 2016, eq. 7). One gate both forgets and writes. Blocks f, n. Sigmoid and tanh may be other activations (cell_activations.h).
#include <array>
#include <cmath>

#include "kernels/activation/custom_activation.h"
#include "models/cells/cell.h"
#include "models/cells/cell_activations.h"

namespace vp {
namespace {

struct MguOptions : OptionsOf<MguOptions> {
  GateActivations activations;
  void visit_fields(FieldVisitor& v) override { activations.visit_fields(v); }
};

template <class T>
class MguCell : public Cell<T> {
 public:
  std::int64_t gates() const override { return 2; }
  std::int64_t saved_blocks() const override { return 0; }
  bool has_cell_state() const override { return false; }
  Recurrence recurrence() const override { return Recurrence::kGated; }
  bool has_direct_path() const override { return true; }

  void form_operand(const PointwiseKernels<T>& kernels, const CellForward<T>& s) const override {
    kernels.mgu_operand(s.rows, s.hidden, s.gates, s.recurrent, s.h_prev, s.operand);
  }
  void forward(const PointwiseKernels<T>& kernels, const CellForward<T>& s) const override {
    kernels.mgu_forward(s.rows, s.hidden, s.gates, s.last, s.h_prev, s.h);
  }
  void backward(const PointwiseKernels<T>& kernels, const CellBackward<T>& s) const override {
    kernels.mgu_backward(s.rows, s.hidden, s.gates, s.dh, s.dz, s.dlast, s.sum_squares_dh);
  }
  void operand_backward(const PointwiseKernels<T>& kernels, const CellBackward<T>& s) const override {
    kernels.mgu_operand_backward(s.rows, s.hidden, s.gates, s.h_prev, s.dh, s.doperand, s.direct, s.dz, s.dr);
  }
  std::span<const std::string_view> gate_names() const override {
    static constexpr std::array<std::string_view, 2> kNames = {"forget_gate", "candidate"};
    return kNames;
  }
  double relative_slope(const T* gates, const T*, std::int64_t hidden, std::int64_t unit) const override {
    const double n = static_cast<double>(gates[hidden + unit]);
    return 1 - n * n;
  }
};

// With any activations. saved: their slopes.
template <class T>
class MguAnyCell final : public MguCell<T> {
 public:
  explicit MguAnyCell(const GateActivations& f) : gate_(resolve_activation(f.gate)), candidate_(resolve_activation(f.candidate)) {}
  std::int64_t saved_blocks() const override { return 2; }

  void form_operand(const PointwiseKernels<T>& kernels, const CellForward<T>& s) const override {
    const std::int64_t hidden = s.hidden;
    for (std::int64_t b = 0; b < s.rows; ++b) {
      T* const f = s.gates + b * 2 * hidden;
      activate_sum(kernels, gate_, hidden, s.recurrent + b * hidden, f, s.saved + b * 2 * hidden);
      for (std::int64_t j = 0; j < hidden; ++j) s.operand[b * hidden + j] = f[j] * s.h_prev[b * hidden + j];
    }
  }
  void forward(const PointwiseKernels<T>& kernels, const CellForward<T>& s) const override {
    const std::int64_t hidden = s.hidden;
    for (std::int64_t b = 0; b < s.rows; ++b) {
      T *const f = s.gates + b * 2 * hidden, *const n = f + hidden;
      const T* const h_prev = s.h_prev + b * hidden;
      activate_sum(kernels, candidate_, hidden, s.last + b * hidden, n, s.saved + (b * 2 + 1) * hidden);
      for (std::int64_t j = 0; j < hidden; ++j) s.h[b * hidden + j] = h_prev[j] + f[j] * (n[j] - h_prev[j]);
    }
  }
  void backward(const PointwiseKernels<T>&, const CellBackward<T>& s) const override {
    const std::int64_t hidden = s.hidden;
    for (std::int64_t b = 0; b < s.rows; ++b) {
      const T *const f = s.gates + b * 2 * hidden, *const n_slope = s.saved + (b * 2 + 1) * hidden, *const dh = s.dh + b * hidden;
      double sum_squares = 0;
      for (std::int64_t j = 0; j < hidden; ++j) {
        s.dz[(b * 2 + 1) * hidden + j] = s.dlast[b * hidden + j] = dh[j] * f[j] * n_slope[j];  // h = ... + f * n, n = candidate(z_n + last)
        sum_squares += static_cast<double>(dh[j]) * static_cast<double>(dh[j]);
      }
      s.sum_squares_dh[b] = sum_squares;
    }
  }
  void operand_backward(const PointwiseKernels<T>&, const CellBackward<T>& s) const override {
    const std::int64_t hidden = s.hidden;
    for (std::int64_t b = 0; b < s.rows; ++b) {
      const T *const f = s.gates + b * 2 * hidden, *const n = f + hidden, *const f_slope = s.saved + b * 2 * hidden;
      for (std::int64_t j = 0; j < hidden; ++j) {
        const std::int64_t at = b * hidden + j;
        s.direct[at] = s.dh[at] * (1 - f[j]) + s.doperand[at] * f[j];                   // h = (1 - f) * h_prev + ..., operand = f * h_prev
        const T df = s.dh[at] * (n[j] - s.h_prev[at]) + s.doperand[at] * s.h_prev[at];  // h = h_prev + f * (n - h_prev), operand = ...
        s.dz[b * 2 * hidden + j] = s.dr[at] = df * f_slope[j];                          // f = gate(z_f + recurrent)
      }
    }
  }
  double relative_slope(const T*, const T* saved, std::int64_t hidden, std::int64_t unit) const override {
    return std::abs(static_cast<double>(saved[hidden + unit])) / candidate_.max_slope;
  }
  double max_slope() const override { return candidate_.max_slope; }

 private:
  const Activation gate_, candidate_;
};

template <class T>
std::unique_ptr<Cell<T>> make_cell(const Options& options, const Activation&) {
  const auto o = options_as<MguOptions>(options);
  if (o.activations == GateActivations{}) return std::make_unique<MguCell<T>>();
  return std::make_unique<MguAnyCell<T>>(o.activations);
}

}  // namespace

CellEntry mgu_cell() {
  static constexpr std::array<std::string_view, 2> kGates = {"forget_gate", ""};
  return {.name = "mgu",
          .description = "h = (1 - f)*h + f*n, n = tanh(W_n x + U_n (f*h) + b), f a sigmoid gate: minimal gated unit (Zhou et al. 2016)",
          .gates = 2,
          .has_cell_state = false,
          .takes_any_activation = false,
          .gate_names = kGates,
          .make_options = make_options<MguOptions>,
          .make_float = make_cell<float>,
          .make_double = make_cell<double>};
}

}  // namespace vp
