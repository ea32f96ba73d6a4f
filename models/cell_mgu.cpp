// f = sigmoid(W_f x + U_f h_{t-1} + b), n = tanh(W_n x + U_n (f*h_{t-1}) + b), h_t = (1 - f)*h_{t-1} + f*n: the minimal gated unit
// (Zhou et al. 2016, eq. 7). One gate both forgets and writes. Blocks f, n.
#include <array>

#include "models/cell.h"

namespace vp {
namespace {

template <class T>
class MguCell final : public Cell<T> {
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

}  // namespace

template <class T>
std::unique_ptr<Cell<T>> make_mgu_cell(const Options&, const Activation&) {
  return std::make_unique<MguCell<T>>();
}
template std::unique_ptr<Cell<float>> make_mgu_cell(const Options&, const Activation&);
template std::unique_ptr<Cell<double>> make_mgu_cell(const Options&, const Activation&);

}  // namespace vp
