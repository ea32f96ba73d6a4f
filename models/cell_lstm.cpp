// i, f, o = sigmoid(...), g = tanh(...), c_t = f*c_{t-1} + i*g, h_t = o*tanh(c_t) (Hochreiter & Schmidhuber 1997; forget gate: Gers 2000).
// The input gate decides what is written, the forget gate what is kept, the output gate what is shown.
//
// Variants leave one of these out, or tie f = 1 - i (kernels/lstm_variants.h), and keep the layout of four blocks: the weights of a gate
// that is left out are there, have no effect, and their gradient is exactly zero, so that they stay as drawn (with layer normalisation they
// count in the mean and the variance). Peepholes are rnn.weight_ch_l{k} (3*H): the gates i, f and o also see their own unit's cell state
// (Gers & Schmidhuber 2000).
#include <algorithm>
#include <array>

#include "kernels/lstm_variants.h"
#include "models/cell.h"

namespace vp {
namespace {

struct LstmOptions : OptionsOf<LstmOptions> {
  std::string variant = "plain";
  bool peepholes = false;
  bool layer_norm = false;

  void visit_fields(FieldVisitor& v) override {
    std::vector<std::string_view> names;
    for (const LstmVariantEntry& entry : kLstmVariants) names.push_back(entry.name);
    v.field({.key = "model.variant",
             .description = "what is left out (a gate is then 1), or coupled: forget gate = 1 - input gate (Greff 2017)",
             .choices = names},
            variant);
    v.field({.key = "model.peepholes", .description = "gates see the cell state of their unit (Gers & Schmidhuber 2000)"}, peepholes);
    v.field(layer_norm_field(), layer_norm);
  }
};

constexpr std::array<std::string_view, 4> kLstmBlocks = {"input_gate", "forget_gate", "candidate", "output_gate"};

// The plain cell, which engines know how to fuse.
template <class T>
class LstmCell final : public Cell<T> {
 public:
  explicit LstmCell(bool layer_norm) : layer_norm_(layer_norm) {}
  std::int64_t gates() const override { return 4; }
  std::int64_t saved_blocks() const override { return 1; }  // tanh(c_t)
  bool has_cell_state() const override { return true; }
  Recurrence recurrence() const override { return layer_norm_ ? Recurrence::kNormalised : Recurrence::kAdded; }
  std::optional<FusedShape> fused_shape() const override {
    if (layer_norm_) return std::nullopt;
    return FusedShape{.cell = FusedCell::kLstm};
  }

  void forward(const PointwiseKernels<T>& kernels, const CellForward<T>& s) const override {
    kernels.lstm_forward(s.rows, s.hidden, s.gates, s.c_prev, s.c, s.saved, s.h);
  }
  void backward(const PointwiseKernels<T>& kernels, const CellBackward<T>& s) const override {
    kernels.lstm_backward(s.rows, s.hidden, s.gates, s.c_prev, s.saved, s.dh, s.dc, s.dz, s.sum_squares_dh, s.sum_squares_dc);
  }
  std::span<const std::string_view> gate_names() const override { return kLstmBlocks; }
  double relative_slope(const T*, const T* saved, std::int64_t, std::int64_t unit) const override {
    const double tanh_c = static_cast<double>(saved[unit]);
    return 1 - tanh_c * tanh_c;
  }

 private:
  bool layer_norm_;
};

template <class T>
class LstmVariantCell final : public Cell<T> {
 public:
  LstmVariantCell(const LstmVariant& variant, bool peepholes, bool layer_norm)
      : variant_(variant), peepholes_(peepholes), layer_norm_(layer_norm) {}
  std::int64_t gates() const override { return 4; }
  std::int64_t saved_blocks() const override { return 1; }  // tanh(c_t), or c_t
  bool has_cell_state() const override { return true; }
  Recurrence recurrence() const override { return layer_norm_ ? Recurrence::kNormalised : Recurrence::kAdded; }
  std::vector<CellTensor> own_tensors() const override {
    if (!peepholes_) return {};
    return {{.name = "weight_ch", .blocks = 3}};
  }
  bool uses_block(std::int64_t block) const override {
    const bool used[] = {variant_.input_gate, variant_.forget_gate && !variant_.coupled, true, variant_.output_gate};
    return used[block];
  }

  void forward(const PointwiseKernels<T>& kernels, const CellForward<T>& s) const override {
    kernels.lstm_variant_forward(variant_, s.rows, s.hidden, s.gates, peepholes_ ? s.own[0] : nullptr, s.c_prev, s.c, s.saved, s.h);
  }
  void backward(const PointwiseKernels<T>& kernels, const CellBackward<T>& s) const override {
    kernels.lstm_variant_backward(variant_, s.rows, s.hidden, s.gates, peepholes_ ? s.own[0] : nullptr, s.c_prev, s.saved, s.dh, s.dc, s.dz,
                                  s.sum_squares_dh, s.sum_squares_dc);
  }
  std::span<const std::string_view> gate_names() const override { return kLstmBlocks; }
  // z_i and z_f see c_{t-1}, z_o sees c_t.
  void add_own_gradients(const PointwiseKernels<T>& kernels, const CellOwnGradients<T>& g) const override {
    const std::int64_t h = g.hidden;
    T* const d = g.own[0];
    kernels.add_column_dots(g.rows, h, g.dz, 4 * h, g.c_prev, d);
    kernels.add_column_dots(g.rows, h, g.dz + h, 4 * h, g.c_prev, d + h);
    kernels.add_column_dots(g.rows, h, g.dz + 3 * h, 4 * h, g.c, d + 2 * h);
  }
  double relative_slope(const T*, const T* saved, std::int64_t, std::int64_t unit) const override {
    if (!variant_.output_activation) return 1;
    const double tanh_c = static_cast<double>(saved[unit]);
    return 1 - tanh_c * tanh_c;
  }

 private:
  LstmVariant variant_;
  bool peepholes_, layer_norm_;
};

}  // namespace

std::unique_ptr<Options> make_lstm_options() { return std::make_unique<LstmOptions>(); }

template <class T>
std::unique_ptr<Cell<T>> make_lstm_cell(const Options& options, const Activation&) {
  const auto o = options_as<LstmOptions>(options);
  const LstmVariant& variant = std::ranges::find(kLstmVariants, o.variant, &LstmVariantEntry::name)->variant;
  if (variant == LstmVariant{} && !o.peepholes) return std::make_unique<LstmCell<T>>(o.layer_norm);
  return std::make_unique<LstmVariantCell<T>>(variant, o.peepholes, o.layer_norm);
}
template std::unique_ptr<Cell<float>> make_lstm_cell(const Options&, const Activation&);
template std::unique_ptr<Cell<double>> make_lstm_cell(const Options&, const Activation&);

}  // namespace vp
