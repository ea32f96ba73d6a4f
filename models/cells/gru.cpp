// Gated recurrent unit (Cho et al. 2014): r, z = sigmoid(...), h_t = (1 - z)*n + z*h_{t-1}; blocks r, z, n. r decides how much of the old
// state the candidate n sees, z how much of it stays. Two forms, by where the reset stands:
//   after   n = tanh(W_in x_t + b_in + r*(W_hn h_{t-1} + b_hn)): torch.nn.GRU. The two biases of n are not interchangeable
//   before  n = tanh(W_in x_t + b_in + W_hn (r*h_{t-1}) + b_hn): as first published
// Sigmoid and tanh may be other activations (cell_activations.h).
#include <array>
#include <cmath>
#include <string>

#include "kernels/activation/custom_activation.h"
#include "models/cells/cell.h"
#include "models/cells/cell_activations.h"

namespace vp {
namespace {

struct GruOptions : OptionsOf<GruOptions> {
  std::string reset = "after";
  GateActivations activations;
  void visit_fields(FieldVisitor& v) override {
    v.field({.key = "model.reset",
             .description = "where the reset gate acts: after the candidate's recurrent product (PyTorch) or before it (Cho et al. 2014)",
             .choices = {"after", "before"}},
            reset);
    activations.visit_fields(v);
  }
};

template <class T>
class GruCell : public Cell<T> {
 public:
  explicit GruCell(const GateActivations& f) : gate_(resolve_activation(f.gate)), candidate_(resolve_activation(f.candidate)) {}
  std::int64_t gates() const override { return 3; }
  bool has_cell_state() const override { return false; }
  bool has_direct_path() const override { return true; }  // z*h_{t-1}
  std::span<const std::string_view> gate_names() const override {
    static constexpr std::array<std::string_view, 3> kNames = {"reset_gate", "update_gate", "candidate"};
    return kNames;
  }
  double relative_slope(const T* gates, const T* saved, std::int64_t hidden, std::int64_t unit) const override {
    if (candidate_.name != "tanh") return std::abs(static_cast<double>(saved[2 * hidden + unit])) / candidate_.max_slope;
    const double n = static_cast<double>(gates[2 * hidden + unit]);
    return 1 - n * n;
  }
  double max_slope() const override { return candidate_.max_slope; }

 protected:
  const Activation gate_, candidate_;
};

template <class T>
class ResetAfter final : public GruCell<T> {
 public:
  ResetAfter() : GruCell<T>({}) {}
  std::int64_t saved_blocks() const override { return 1; }  // W_hn h_{t-1} + b_hn
  Recurrence recurrence() const override { return Recurrence::kApart; }
  std::optional<FusedShape> fused_shape() const override { return FusedShape{.cell = FusedCell::kGru}; }

  void forward(const PointwiseKernels<T>& kernels, const CellForward<T>& s) const override {
    kernels.gru_forward(s.rows, s.hidden, s.gates, s.recurrent, s.h_prev, s.saved, s.h);
  }
  void backward(const PointwiseKernels<T>& kernels, const CellBackward<T>& s) const override {
    kernels.gru_backward(s.rows, s.hidden, s.gates, s.saved, s.h_prev, s.dh, s.direct, s.dz, s.dr, s.sum_squares_dh);
  }
};

// With any activations. saved: slopes of r, z and n, then W_hn h_{t-1} + b_hn.
template <class T>
class ResetAfterAny final : public GruCell<T> {
 public:
  using GruCell<T>::GruCell;
  std::int64_t saved_blocks() const override { return 4; }
  Recurrence recurrence() const override { return Recurrence::kApart; }

  void forward(const PointwiseKernels<T>& kernels, const CellForward<T>& s) const override {
    const std::int64_t hidden = s.hidden;
    for (std::int64_t b = 0; b < s.rows; ++b) {
      T *const r = s.gates + b * 3 * hidden, *const z = r + hidden, *const n = z + hidden;
      T *const slopes = s.saved + b * 4 * hidden, *const recurrent_n = slopes + 3 * hidden;
      const T* const wh = s.recurrent + b * 3 * hidden;
      activate_sum(kernels, this->gate_, 2 * hidden, wh, r, slopes);  // r and z
      for (std::int64_t j = 0; j < hidden; ++j) recurrent_n[j] = wh[2 * hidden + j];
      for (std::int64_t j = 0; j < hidden; ++j) n[j] += r[j] * recurrent_n[j];
      activate(kernels, this->candidate_, hidden, n, slopes + 2 * hidden);
      for (std::int64_t j = 0; j < hidden; ++j) s.h[b * hidden + j] = (1 - z[j]) * n[j] + z[j] * s.h_prev[b * hidden + j];
    }
  }
  void backward(const PointwiseKernels<T>&, const CellBackward<T>& s) const override {
    const std::int64_t hidden = s.hidden;
    for (std::int64_t b = 0; b < s.rows; ++b) {
      const T *const r = s.gates + b * 3 * hidden, *const z = r + hidden, *const n = z + hidden;
      const T *const r_slope = s.saved + b * 4 * hidden, *const z_slope = r_slope + hidden, *const n_slope = z_slope + hidden;
      const T *const recurrent_n = n_slope + hidden, *const h_prev = s.h_prev + b * hidden, *const dh = s.dh + b * hidden;
      T *const dz = s.dz + b * 3 * hidden, *const dr = s.dr + b * 3 * hidden, *const direct = s.direct + b * hidden;
      double sum_squares = 0;
      for (std::int64_t j = 0; j < hidden; ++j) {
        const T dn = dh[j] * (1 - z[j]) * n_slope[j];                               // h = (1 - z) * n + ..., n = f(z_n)
        dz[j] = dr[j] = dn * recurrent_n[j] * r_slope[j];                           // n = f(... + r * wh_n), r = gate(z_r + wh_r)
        dz[hidden + j] = dr[hidden + j] = dh[j] * (h_prev[j] - n[j]) * z_slope[j];  // h = (1 - z) * n + z * h_prev, z = gate(...)
        dz[2 * hidden + j] = dn;                                                    // n = f(z_n + ...)
        dr[2 * hidden + j] = dn * r[j];                                             // n = f(... + r * wh_n)
        direct[j] = dh[j] * z[j];                                                   // h = ... + z * h_prev
        sum_squares += static_cast<double>(dh[j]) * static_cast<double>(dh[j]);
      }
      s.sum_squares_dh[b] = sum_squares;
    }
  }
};

// Composed of activations and plain loops. gates: r, z, n; saved: their slopes.
template <class T>
class ResetBefore final : public GruCell<T> {
 public:
  using GruCell<T>::GruCell;
  std::int64_t saved_blocks() const override { return 3; }
  Recurrence recurrence() const override { return Recurrence::kGated; }

  void form_operand(const PointwiseKernels<T>& kernels, const CellForward<T>& s) const override {
    const std::int64_t hidden = s.hidden;
    for (std::int64_t b = 0; b < s.rows; ++b) {
      T *const gates = s.gates + b * 3 * hidden, *const slopes = s.saved + b * 3 * hidden, *const operand = s.operand + b * hidden;
      activate_sum(kernels, this->gate_, 2 * hidden, s.recurrent + b * 2 * hidden, gates, slopes);
      for (std::int64_t j = 0; j < hidden; ++j) operand[j] = gates[j] * s.h_prev[b * hidden + j];
    }
  }
  void operand_backward(const PointwiseKernels<T>&, const CellBackward<T>& s) const override {
    const std::int64_t hidden = s.hidden;
    for (std::int64_t b = 0; b < s.rows; ++b) {
      const T *const r = s.gates + b * 3 * hidden, *const r_slope = s.saved + b * 3 * hidden;
      T *const dz_r = s.dz + b * 3 * hidden, *const dr_r = s.dr + b * 2 * hidden;
      for (std::int64_t j = 0; j < hidden; ++j) {
        const std::int64_t at = b * hidden + j;
        dz_r[j] = dr_r[j] = s.doperand[at] * s.h_prev[at] * r_slope[j];  // operand = r * h_prev, r = gate(...)
        s.direct[at] += s.doperand[at] * r[j];                           // operand = r * h_prev
      }
    }
  }

  void forward(const PointwiseKernels<T>& kernels, const CellForward<T>& s) const override {
    const std::int64_t hidden = s.hidden;
    for (std::int64_t b = 0; b < s.rows; ++b) {
      T *const z = s.gates + (b * 3 + 1) * hidden, *const n = z + hidden;
      activate_sum(kernels, this->candidate_, hidden, s.last + b * hidden, n, s.saved + (b * 3 + 2) * hidden);
      for (std::int64_t j = 0; j < hidden; ++j) s.h[b * hidden + j] = (1 - z[j]) * n[j] + z[j] * s.h_prev[b * hidden + j];
    }
  }
  void backward(const PointwiseKernels<T>&, const CellBackward<T>& s) const override {
    const std::int64_t hidden = s.hidden;
    for (std::int64_t b = 0; b < s.rows; ++b) {
      const T *const z = s.gates + (b * 3 + 1) * hidden, *const n = z + hidden;
      const T *const z_slope = s.saved + (b * 3 + 1) * hidden, *const n_slope = z_slope + hidden;
      T *const dz_z = s.dz + (b * 3 + 1) * hidden, *const dz_n = dz_z + hidden, *const dr_z = s.dr + (b * 2 + 1) * hidden;
      double sum_squares = 0;
      for (std::int64_t j = 0; j < hidden; ++j) {
        const std::int64_t at = b * hidden + j;
        dz_n[j] = s.dlast[at] = s.dh[at] * (1 - z[j]) * n_slope[j];         // h = (1 - z) * n + ..., n = f(...)
        dz_z[j] = dr_z[j] = s.dh[at] * (s.h_prev[at] - n[j]) * z_slope[j];  // h = (1 - z) * n + z * h_prev, z = gate(...)
        s.direct[at] = s.dh[at] * z[j];                                     // h = ... + z * h_prev
        sum_squares += static_cast<double>(s.dh[at]) * static_cast<double>(s.dh[at]);
      }
      s.sum_squares_dh[b] = sum_squares;
    }
  }
};

template <class T>
std::unique_ptr<Cell<T>> make_cell(const Options& options, const Activation&) {
  const auto o = options_as<GruOptions>(options);
  if (o.reset == "before") return std::make_unique<ResetBefore<T>>(o.activations);
  if (o.activations == GateActivations{}) return std::make_unique<ResetAfter<T>>();
  return std::make_unique<ResetAfterAny<T>>(o.activations);
}

}  // namespace

CellEntry gru_cell() {
  static constexpr std::array<std::string_view, 3> kGates = {"reset_gate", "update_gate", ""};
  return {.name = "gru",
          .description =
              "h = (1 - z)*n + z*h, n = tanh(W_in x + b_in + r*(W_hn h + b_hn)); r, z sigmoid gates (Cho et al. 2014, in PyTorch's form)",
          .gates = 3,
          .has_cell_state = false,
          .takes_any_activation = false,
          .gate_names = kGates,
          .make_options = make_options<GruOptions>,
          .make_float = make_cell<float>,
          .make_double = make_cell<double>};
}

}  // namespace vp
