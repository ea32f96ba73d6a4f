// h_t = f(W_ih x_t + b + W_hh h_{t-1}) (Elman 1990), f any activation.
#include <array>
#include <cmath>

#include "models/cells/cell.h"

namespace vp {
namespace {

struct RnnOptions : OptionsOf<RnnOptions> {
  bool layer_norm = false;
  void visit_fields(FieldVisitor& v) override { v.field(layer_norm_field(), layer_norm); }
};

template <class T>
class RnnCell final : public Cell<T> {
 public:
  RnnCell(const Activation& activation, bool layer_norm) : activation_(activation), layer_norm_(layer_norm) {}
  std::int64_t gates() const override { return 1; }
  std::int64_t saved_blocks() const override { return 0; }
  bool has_cell_state() const override { return false; }
  Recurrence recurrence() const override { return layer_norm_ ? Recurrence::kNormalised : Recurrence::kAdded; }
  std::optional<FusedShape> fused_shape() const override {
    if (layer_norm_) return std::nullopt;
    return FusedShape{.cell = FusedCell::kRnn, .activation = &activation_};
  }

  void forward(const PointwiseKernels<T>& kernels, const CellForward<T>& s) const override {
    kernels.rnn_forward(activation_, s.rows * s.hidden, s.gates, s.h);  // gates: from here on f'(z)
  }
  void backward(const PointwiseKernels<T>& kernels, const CellBackward<T>& s) const override {
    kernels.rnn_backward(s.rows, s.hidden, s.gates, s.dh, s.dz, s.sum_squares_dh);
  }
  std::span<const std::string_view> gate_names() const override {
    static constexpr std::array<std::string_view, 1> kNames = {"slope"};
    return kNames;
  }
  double relative_slope(const T* gates, const T*, std::int64_t, std::int64_t unit) const override {
    return std::abs(static_cast<double>(gates[unit])) / activation_.max_slope;
  }
  double max_slope() const override { return activation_.max_slope; }

 private:
  Activation activation_;
  bool layer_norm_;
};

template <class T>
std::unique_ptr<Cell<T>> make_cell(const Options& options, const Activation& activation) {
  return std::make_unique<RnnCell<T>>(activation, options_as<RnnOptions>(options).layer_norm);
}

}  // namespace

CellEntry rnn_cell() {
  static constexpr std::array<std::string_view, 1> kGates = {""};
  return {.name = "rnn",
          .description = "h = f(W_ih x + b + W_hh h), f = model.activation (Elman 1990)",
          .gates = 1,
          .has_cell_state = false,
          .takes_any_activation = true,
          .gate_names = kGates,
          .make_options = make_options<RnnOptions>,
          .make_float = make_cell<float>,
          .make_double = make_cell<double>};
}

}  // namespace vp
