// i, f, o = sigmoid(...), g = tanh(...), c_t = f*c_{t-1} + i*g, h_t = o*tanh(c_t) (Hochreiter & Schmidhuber 1997; forget gate: Gers 2000).
// The input gate decides what is written, the forget gate what is kept, the output gate what is shown.
//
// Variants leave one of these out, or tie f = 1 - i (kernels/backend/lstm_variants.h), and keep the layout of four blocks: the weights of a
// gate that is left out are there, have no effect, and their gradient is exactly zero, so that they stay as drawn (with layer normalisation
// they count in the mean and the variance). Peepholes are rnn.weight_ch_l{k} (3*H): the gates i, f and o also see their own unit's cell
// state (Gers & Schmidhuber 2000). Sigmoid, and each tanh by itself, may be other activations (cell_activations.h), in every variant that
// has them.
#include <algorithm>
#include <array>
#include <cmath>
#include <stdexcept>

#include "kernels/activation/custom_activation.h"
#include "kernels/backend/lstm_variants.h"
#include "models/cells/cell.h"
#include "models/cells/cell_activations.h"

namespace vp {
namespace {

struct LstmOptions : OptionsOf<LstmOptions> {
  std::string variant = "plain";
  bool peepholes = false;
  bool layer_norm = false;
  GateActivations activations;
  std::string state_activation = "tanh";

  void visit_fields(FieldVisitor& v) override {
    std::vector<std::string_view> names;
    for (const LstmVariantEntry& entry : kLstmVariants) names.push_back(entry.name);
    v.field({.key = "model.variant",
             .description = "what is left out (a gate is then 1), or coupled: forget gate = 1 - input gate (Greff 2017)",
             .choices = names},
            variant);
    v.field({.key = "model.peepholes", .description = "gates see the cell state of their unit (Gers & Schmidhuber 2000)"}, peepholes);
    v.field(layer_norm_field(), layer_norm);
    activations.visit_fields(v);
    v.field(activation_field("model.state_activation", "activation f of the cell state where the output gate shows it: h = o*f(c)"),
            state_activation);
  }

  const LstmVariant& parts() const { return std::ranges::find(kLstmVariants, variant, &LstmVariantEntry::name)->variant; }
  bool has_own_activations() const { return activations == GateActivations{} && state_activation == LstmOptions().state_activation; }

  std::optional<Misfit> misfit() const override {
    const auto left_out = [&](std::string_view key, const std::string& value) {
      return Misfit{key,
                    std::string(key) + " = " + value + " has no place: model.variant = " + variant + " leaves it out; leave it at tanh"};
    };
    if (!parts().input_activation && activations.candidate != "tanh") return left_out("model.candidate_activation", activations.candidate);
    if (!parts().output_activation && state_activation != "tanh") return left_out("model.state_activation", state_activation);
    return std::nullopt;
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
class LstmVariantCell : public Cell<T> {
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

 protected:
  LstmVariant variant_;
  bool peepholes_, layer_norm_;
};

// With any activations, in every variant. saved: slopes of i, f, g, o and of what is shown, then f(c_t) itself.
template <class T>
class LstmAnyCell final : public LstmVariantCell<T> {
 public:
  explicit LstmAnyCell(const LstmOptions& o)
      : LstmVariantCell<T>(o.parts(), o.peepholes, o.layer_norm),
        gate_(resolve_activation(o.activations.gate)),
        candidate_(resolve_activation(this->variant_.input_activation ? o.activations.candidate : "linear")),
        state_(resolve_activation(this->variant_.output_activation ? o.state_activation : "linear")) {}
  std::int64_t saved_blocks() const override { return 6; }

  void forward(const PointwiseKernels<T>& kernels, const CellForward<T>& s) const override {
    const std::int64_t hidden = s.hidden;
    const LstmVariant& v = this->variant_;
    for (std::int64_t b = 0; b < s.rows; ++b) {
      T *const i = s.gates + b * 4 * hidden, *const f = i + hidden, *const g = f + hidden, *const o = g + hidden;
      T *const slopes = s.saved + b * 6 * hidden, *const shown = slopes + 5 * hidden;
      const T* const before = s.c_prev + b * hidden;
      T *const c = s.c + b * hidden, *const h = s.h + b * hidden;
      see(s, 0, before, i);
      see(s, 1, before, f);
      activate(kernels, gate_, 2 * hidden, i, slopes);
      activate(kernels, candidate_, hidden, g, slopes + 2 * hidden);
      if (!v.input_gate) std::fill_n(i, hidden, T{1});
      if (!v.forget_gate) std::fill_n(f, hidden, T{1});
      for (std::int64_t j = 0; v.coupled && j < hidden; ++j) f[j] = 1 - i[j];
      for (std::int64_t j = 0; j < hidden; ++j) c[j] = f[j] * before[j] + i[j] * g[j];
      see(s, 2, c, o);
      activate(kernels, gate_, hidden, o, slopes + 3 * hidden);
      if (!v.output_gate) std::fill_n(o, hidden, T{1});
      std::copy_n(c, hidden, shown);
      activate(kernels, state_, hidden, shown, slopes + 4 * hidden);
      for (std::int64_t j = 0; j < hidden; ++j) h[j] = o[j] * shown[j];
    }
  }

  // Beside each line, what of forward it differentiates.
  void backward(const PointwiseKernels<T>&, const CellBackward<T>& s) const override {
    const std::int64_t hidden = s.hidden;
    const LstmVariant& v = this->variant_;
    const bool own_forget_gate = v.forget_gate && !v.coupled;
    const T* const peepholes = this->peepholes_ ? s.own[0] : nullptr;
    for (std::int64_t b = 0; b < s.rows; ++b) {
      const T *const i = s.gates + b * 4 * hidden, *const f = i + hidden, *const g = f + hidden, *const o = g + hidden;
      const T *const i_slope = s.saved + b * 6 * hidden, *const f_slope = i_slope + hidden, *const g_slope = f_slope + hidden;
      const T *const o_slope = g_slope + hidden, *const shown_slope = o_slope + hidden, *const shown = shown_slope + hidden;
      const T *const before = s.c_prev + b * hidden, *const dh = s.dh + b * hidden;
      T *const dz = s.dz + b * 4 * hidden, *const dc = s.dc + b * hidden;
      double squares_dh = 0, squares_dc = 0;
      for (std::int64_t j = 0; j < hidden; ++j) {
        const auto seen = [&](std::int64_t block, T dz_gate) { return peepholes ? dz_gate * peepholes[block * hidden + j] : T{0}; };
        const T dz_o = v.output_gate ? dh[j] * shown[j] * o_slope[j] : T{0};    // h = o * shown, o = gate(z_o + p_o*c)
        const T dc_t = dc[j] + dh[j] * o[j] * shown_slope[j] + seen(2, dz_o);   // shown = state(c); z_o + p_o*c
        const T di = v.coupled ? dc_t * (g[j] - before[j]) : dc_t * g[j];       // c = f * c_prev + i * g, f = 1 - i
        const T dz_i = v.input_gate ? di * i_slope[j] : T{0};                   // i = gate(z_i + p_i*c_prev)
        const T dz_f = own_forget_gate ? dc_t * before[j] * f_slope[j] : T{0};  // c = f * c_prev + ..., f = gate(z_f + ...)
        dz[j] = dz_i, dz[hidden + j] = dz_f, dz[3 * hidden + j] = dz_o;
        dz[2 * hidden + j] = dc_t * i[j] * g_slope[j];        // c = ... + i * g, g = candidate(z_g)
        dc[j] = dc_t * f[j] + seen(0, dz_i) + seen(1, dz_f);  // c = f * c_prev + ...; z + p*c_prev
        squares_dh += static_cast<double>(dh[j]) * static_cast<double>(dh[j]);
        squares_dc += static_cast<double>(dc_t) * static_cast<double>(dc_t);
      }
      s.sum_squares_dh[b] = squares_dh, s.sum_squares_dc[b] = squares_dc;
    }
  }
  double relative_slope(const T*, const T* saved, std::int64_t hidden, std::int64_t unit) const override {
    return std::abs(static_cast<double>(saved[4 * hidden + unit])) / state_.max_slope;
  }
  double max_slope() const override { return state_.max_slope; }

 private:
  // z += peephole of the block * state
  void see(const CellForward<T>& s, std::int64_t block, const T* state, T* z) const {
    if (!this->peepholes_) return;
    const T* const p = s.own[0] + block * s.hidden;
    for (std::int64_t j = 0; j < s.hidden; ++j) z[j] += p[j] * state[j];
  }

  const Activation gate_, candidate_, state_;
};

template <class T>
std::unique_ptr<Cell<T>> make_cell(const Options& options, const Activation&) {
  const auto o = options_as<LstmOptions>(options);
  if (const auto misfit = o.misfit()) throw std::invalid_argument("[lstm] " + misfit->message);
  if (!o.has_own_activations()) return std::make_unique<LstmAnyCell<T>>(o);
  const LstmVariant& variant = o.parts();
  if (variant == LstmVariant{} && !o.peepholes) return std::make_unique<LstmCell<T>>(o.layer_norm);
  return std::make_unique<LstmVariantCell<T>>(variant, o.peepholes, o.layer_norm);
}

}  // namespace

CellEntry lstm_cell() {
  static constexpr std::array<std::string_view, 4> kGates = {"input_gate", "forget_gate", "", "output_gate"};
  return {.name = "lstm",
          .description = "c = f*c + i*g, h = o*tanh(c); i, f, o sigmoid gates (Hochreiter & Schmidhuber 1997; Gers 2000)",
          .gates = 4,
          .has_cell_state = true,
          .takes_any_activation = false,
          .gate_names = kGates,
          .make_options = make_options<LstmOptions>,
          .make_float = make_cell<float>,
          .make_double = make_cell<double>};
}

}  // namespace vp
