// i, f, o = sigmoid(...), g = tanh(...), c_t = f*c_{t-1} + i*g, h_t = o*tanh(c_t) (Hochreiter & Schmidhuber 1997; forget gate: Gers 2000).
// The input gate decides what is written, the forget gate what is kept, the output gate what is shown.
#include <array>

#include "models/cell.h"

namespace vp {
namespace {

constexpr std::array<std::string_view, 4> kGateNames = {"input_gate", "forget_gate", "candidate", "output_gate"};

template <class T>
class LstmCell final : public Cell<T> {
 public:
  std::int64_t gates() const override { return 4; }
  std::int64_t saved_blocks() const override { return 1; }  // tanh(c_t)
  bool has_cell_state() const override { return true; }
  std::span<const std::string_view> gate_names() const override { return kGateNames; }
  std::optional<FusedShape> fused_shape() const override { return FusedShape{.cell = FusedCell::kLstm}; }

  void forward(const PointwiseKernels<T>& kernels, const CellForward<T>& s) const override {
    kernels.lstm_forward(s.rows, s.hidden, s.gates, s.c_prev, s.c, s.saved, s.h);
  }
  void backward(const PointwiseKernels<T>& kernels, const CellBackward<T>& s) const override {
    kernels.lstm_backward(s.rows, s.hidden, s.gates, s.c_prev, s.saved, s.dh, s.dc, s.dz, s.sum_squares_dh, s.sum_squares_dc);
  }
  double relative_slope(const T*, const T* saved, std::int64_t, std::int64_t unit) const override {
    const double tanh_c = static_cast<double>(saved[unit]);
    return 1 - tanh_c * tanh_c;
  }
};

}  // namespace

template <class T>
std::unique_ptr<Cell<T>> make_lstm_cell(const Options&, const Activation&) {
  return std::make_unique<LstmCell<T>>();
}
template std::unique_ptr<Cell<float>> make_lstm_cell(const Options&, const Activation&);
template std::unique_ptr<Cell<double>> make_lstm_cell(const Options&, const Activation&);

}  // namespace vp
