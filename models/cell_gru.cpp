// Gated recurrent unit (Cho et al. 2014): r, z = sigmoid(...), h_t = (1 - z)*n + z*h_{t-1}; blocks r, z, n. r decides how much of the old
// state the candidate n sees, z how much of it stays. Two forms, by where the reset stands:
//   after   n = tanh(W_in x_t + b_in + r*(W_hn h_{t-1} + b_hn)): torch.nn.GRU. The two biases of n are not interchangeable
//   before  n = tanh(W_in x_t + b_in + W_hn (r*h_{t-1}) + b_hn): as first published
#include <array>
#include <string>

#include "models/cell.h"

namespace vp {
namespace {

struct GruOptions : OptionsOf<GruOptions> {
  std::string reset = "after";
  void visit_fields(FieldVisitor& v) override {
    v.field({.key = "model.reset",
             .description = "where the reset gate acts: after the candidate's recurrent product (PyTorch) or before it (Cho et al. 2014)",
             .choices = {"after", "before"}},
            reset);
  }
};

template <class T>
class GruCell : public Cell<T> {
 public:
  std::int64_t gates() const override { return 3; }
  bool has_cell_state() const override { return false; }
  bool has_direct_path() const override { return true; }  // z*h_{t-1}
  std::span<const std::string_view> gate_names() const override {
    static constexpr std::array<std::string_view, 3> kNames = {"reset_gate", "update_gate", "candidate"};
    return kNames;
  }
  double relative_slope(const T* gates, const T*, std::int64_t hidden, std::int64_t unit) const override {
    const double n = static_cast<double>(gates[2 * hidden + unit]);
    return 1 - n * n;
  }
};

template <class T>
class ResetAfter final : public GruCell<T> {
 public:
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

// Composed of activations and plain loops. gates: r, z, n; saved: their slopes.
template <class T>
class ResetBefore final : public GruCell<T> {
 public:
  std::int64_t saved_blocks() const override { return 3; }
  Recurrence recurrence() const override { return Recurrence::kGated; }

  void form_operand(const PointwiseKernels<T>& kernels, const CellForward<T>& s) const override {
    const std::int64_t hidden = s.hidden;
    for (std::int64_t b = 0; b < s.rows; ++b) {
      T *const gates = s.gates + b * 3 * hidden, *const slopes = s.saved + b * 3 * hidden, *const operand = s.operand + b * hidden;
      activate_sum(kernels, sigmoid_, 2 * hidden, s.recurrent + b * 2 * hidden, gates, slopes);
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
        dz_r[j] = dr_r[j] = s.doperand[at] * s.h_prev[at] * r_slope[j];  // operand = r * h_prev, r = sigmoid(...)
        s.direct[at] += s.doperand[at] * r[j];                           // operand = r * h_prev
      }
    }
  }

  void forward(const PointwiseKernels<T>& kernels, const CellForward<T>& s) const override {
    const std::int64_t hidden = s.hidden;
    for (std::int64_t b = 0; b < s.rows; ++b) {
      T *const z = s.gates + (b * 3 + 1) * hidden, *const n = z + hidden;
      activate_sum(kernels, tanh_, hidden, s.last + b * hidden, n, s.saved + (b * 3 + 2) * hidden);
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
        dz_n[j] = s.dlast[at] = s.dh[at] * (1 - z[j]) * n_slope[j];         // h = (1 - z) * n + ..., n = tanh(...)
        dz_z[j] = dr_z[j] = s.dh[at] * (s.h_prev[at] - n[j]) * z_slope[j];  // h = (1 - z) * n + z * h_prev, z = sigmoid(...)
        s.direct[at] = s.dh[at] * z[j];                                     // h = ... + z * h_prev
        sum_squares += static_cast<double>(s.dh[at]) * static_cast<double>(s.dh[at]);
      }
      s.sum_squares_dh[b] = sum_squares;
    }
  }

 private:
  // values = f(values + addend), slopes = f'(values + addend), (n) each
  static void activate_sum(const PointwiseKernels<T>& kernels, const Activation& f, std::int64_t n, const T* addend, T* values, T* slopes) {
    for (std::int64_t i = 0; i < n; ++i) slopes[i] = values[i] + addend[i];
    kernels.rnn_forward(f, n, slopes, values);
  }

  const Activation &sigmoid_ = *find_activation("sigmoid"), &tanh_ = *find_activation("tanh");
};

}  // namespace

std::unique_ptr<Options> make_gru_options() { return std::make_unique<GruOptions>(); }

template <class T>
std::unique_ptr<Cell<T>> make_gru_cell(const Options& options, const Activation&) {
  if (options_as<GruOptions>(options).reset == "before") return std::make_unique<ResetBefore<T>>();
  return std::make_unique<ResetAfter<T>>();
}
template std::unique_ptr<Cell<float>> make_gru_cell(const Options&, const Activation&);
template std::unique_ptr<Cell<double>> make_gru_cell(const Options&, const Activation&);

}  // namespace vp
