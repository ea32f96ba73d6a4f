// The native engine's whole time steps: a tile of pre-activations (or of dL/dh) is formed, then its gates, activation and state update
// follow while it is in the first-level cache. Included once per Highway target.

// NOLINTNEXTLINE: Highway's include guard for headers compiled once per target
#if defined(VP_KERNELS_NATIVE_FUSED_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef VP_KERNELS_NATIVE_FUSED_INL_H_
#undef VP_KERNELS_NATIVE_FUSED_INL_H_
#else
#define VP_KERNELS_NATIVE_FUSED_INL_H_
#endif

#include "kernels/activation/expression_simd.h"
#include "kernels/activation/functions-inl.h"
#include "kernels/native/tile-inl.h"
#include "kernels/pointwise/cell_steps-inl.h"

HWY_BEFORE_NAMESPACE();
namespace vp::HWY_NAMESPACE {

using native::FusedBackwardRun;
using native::FusedForward;
using native::kChunk;

// The chunks of k of one product, or of two whose operands stand behind one another: [x, h] [W_ih, W_hh]^T is one product with k = I + H.
// As many as the longest sum needs, made with the step.
class Chunks {
 public:
  explicit HWY_INLINE Chunks(Chunk* chunks) : chunks_(chunks) {}
  HWY_INLINE void add(const float* a, std::int64_t k, const float* b, std::int64_t b_stride) {
    for (std::int64_t first = 0, size; first < k; first += size, k_ += size) {
      const std::int64_t used = k_ % kChunk;
      size = std::min(kChunk - used, k - first);
      chunks_[count_++] = {.a = a + first, .a_stride = k, .b = b + first * b_stride, .b_stride = b_stride, .k = size, .joins = used != 0};
    }
  }
  HWY_INLINE Strip strip(const float* add, float* c, std::int64_t c_stride) const {
    return {.chunks = chunks_,
            .count = count_,
            .add = add,
            .add_stride = 0,
            .c = c,
            .c_stride = c_stride,
            .tail = kLanes,
            .prefetch = Prefetch()};
  }

 private:
  Chunk* chunks_;
  int count_ = 0;
  std::int64_t k_ = 0;
};

inline std::int64_t chunk_workspace(const FusedShape& s) {
  const auto chunks_of = [](std::int64_t k) { return (k + kChunk - 1) / kChunk; };
  const std::int64_t forward = chunks_of(s.inputs + s.hidden) + 1, backward = chunks_of(s.gates() * s.hidden);
  return std::max(forward, backward) * static_cast<std::int64_t>(sizeof(Chunk));
}

// Rows of a panel whose sums wait in the first-level cache for their pointwise part: enough to pay for its constants and calls.
constexpr std::int64_t kStripRows = 48;

// body(first row, rows) over m rows in strips as even as they can be.
template <class Body>
HWY_INLINE void for_strips(std::int64_t m, const Body& body) {
  const std::int64_t strips = (m + kStripRows - 1) / kStripRows;
  for (std::int64_t i = 0; i < strips; ++i) body(m * i / strips, m * (i + 1) / strips - m * i / strips);
}

HWY_INLINE void add_gates(Prefetch& prefetch, const float* gates, std::int64_t count, std::int64_t hidden) {
  for (std::int64_t g = 0; g < count; ++g) prefetch.add(gates + g * hidden, count * hidden);
}

// ---- weights

inline void pack_forward(const FusedShape& s, const float* weight_ih, const float* weight_hh, const float* bias, float* panels,
                         float* packed_bias) {
  const std::int64_t width = s.gates() * s.hidden, k = s.inputs + s.hidden, biases = s.bias_size() / width;
  const bool gated = s.cell != FusedCell::kRnn;
  for (std::int64_t unit = 0; unit < s.hidden; unit += gated ? kLanes : kPanel) {
    const PanelWidth panel(gated ? s.gates() * kLanes : width - unit);
    for (int v = 0; v < panel.vectors; ++v) {
      const std::int64_t row = gated ? v * s.hidden + unit : unit + v * kLanes;
      const std::int64_t units = std::min(kLanes, gated ? s.hidden - unit : s.hidden - row);
      pack_column(s.inputs, weight_ih + row * s.inputs, s.inputs, units, panel.lanes(v), panels + v * kLanes, panel.floats());
      pack_column(s.hidden, weight_hh + row * s.hidden, s.hidden, units, panel.lanes(v), panels + s.inputs * panel.floats() + v * kLanes,
                  panel.floats());
      for (std::int64_t b = 0; b < biases; ++b)
        pack_column(1, bias + b * width + row, 1, units, panel.lanes(v), packed_bias + b * panel.floats() + v * kLanes, 0);
    }
    panels += k * panel.floats();
    packed_bias += biases * panel.floats();
  }
}

// ---- forward

// Where fewer products than this go to an output, fetching what follows costs more than it saves.
constexpr std::int64_t kPrefetchFrom = 96;

// z (rows, vectors of the panel) = bias + W_ih x + W_hh h_prev for units from `unit` on, z_stride floats a row.
HWY_INLINE void pre_activations(const FusedForward& s, std::int64_t gates, std::int64_t unit, const float* panel, const float* bias,
                                PanelWidth width, std::int64_t first, std::int64_t rows, float* z, std::int64_t z_stride) {
  Chunks chunks(static_cast<Chunk*>(s.chunks));
  chunks.add(s.x + first * s.inputs, s.inputs, panel, width.floats());
  if (s.h_prev) chunks.add(s.h_prev + first * s.hidden, s.hidden, panel + s.inputs * width.floats(), width.floats());
  Strip strip = chunks.strip(bias, z, z_stride);
  if (s.inputs + s.hidden >= kPrefetchFrom) {
    const std::int64_t at = first * s.hidden + unit;
    strip.prefetch = Prefetch(width.floats() / gates);
    add_gates(strip.prefetch, s.gates + first * gates * s.hidden + unit, gates, s.hidden);
    if (gates == 4)
      for (const float* array : {s.c_prev, static_cast<const float*>(s.c), static_cast<const float*>(s.saved)})
        strip.prefetch.add(array + at, s.hidden);
    strip.prefetch.add(s.h + at, s.hidden);
  }
  run_strip<false>(strip, width, 0, rows);
}

// Rows of `width` floats: z_stride apart in z, `stride` in slope and h.
template <class Op>
HWY_NOINLINE void activate_rows(const Op& op, std::int64_t rows, std::int64_t width, const float* z, std::int64_t z_stride,
                                std::int64_t stride, float* slope, float* h) {
  for (std::int64_t r = 0; r < rows; ++r, z += z_stride, slope += stride, h += stride) {
    const auto at = [&](auto lanes, std::int64_t j) HWY_ATTR {
      const VectorResult<VF> result = op(F(), lanes.load(z + j));
      lanes.store(result.value, h + j);
      lanes.store(result.slope, slope + j);
    };
    std::int64_t j = 0;
    for (; j + kLanes <= width; j += kLanes) at(Whole{}, j);
    if (j < width) at(Part{width - j}, j);
  }
}

HWY_INLINE void activate_rows(const Activation& f, std::int64_t rows, std::int64_t width, const float* z, std::int64_t z_stride,
                              std::int64_t stride, float* slope, float* h) {
  if (f.expression) return expression_rows(*f.expression, rows, width, z, z_stride, stride, slope, h);
  BuiltInFunctions::visit(f.place, [&](const auto& op) HWY_ATTR { activate_rows(op, rows, width, z, z_stride, stride, slope, h); });
}

// Where one panel holds all units, the rows of z, slope and h follow each other without gaps and count as one long row: no lane is idle but
// in the last vector of them all. The padding behind a row of z falls on the start of the next, which is written after it.
inline void fused_rnn_forward(const FusedForward& s) {
  HWY_ALIGN float z[(kStripRows + 1) * kPanel];
  const bool one_panel = s.hidden <= kPanel;
  const float *weights = s.panels, *bias = s.bias;
  for (std::int64_t unit = 0; unit < s.hidden; unit += kPanel) {
    const PanelWidth panel(s.hidden - unit);
    const std::int64_t width = std::min(kPanel, s.hidden - unit), z_stride = one_panel ? s.hidden : kPanel;
    for_strips(s.rows, [&](std::int64_t first, std::int64_t rows) HWY_ATTR {
      pre_activations(s, 1, unit, weights, bias, panel, first, rows, z, z_stride);
      const std::int64_t at = first * s.hidden + unit;
      if (one_panel) return activate_rows(*s.activation, 1, rows * s.hidden, z, 0, 0, s.gates + at, s.h + at);
      activate_rows(*s.activation, rows, width, z, z_stride, s.hidden, s.gates + at, s.h + at);
    });
    weights += (s.inputs + s.hidden) * panel.floats();
    bias += panel.floats();
  }
}

template <class Units>
HWY_NOINLINE void lstm_rows(const FusedForward& s, Units units, std::int64_t first, std::int64_t rows, std::int64_t unit, const float* z) {
  const F d;
  for (std::int64_t row = first; row < first + rows; ++row, z += kPanel) {
    const LstmGates gates = lstm_gates({hn::Load(d, z), hn::Load(d, z + kLanes), hn::Load(d, z + 2 * kLanes), hn::Load(d, z + 3 * kLanes)});
    const std::int64_t at = row * s.hidden + unit;
    const LstmState state = lstm_state(gates, units.load(s.c_prev + at));
    float* const out = s.gates + row * 4 * s.hidden + unit;
    units.store(gates.i, out);
    units.store(gates.f, out + s.hidden);
    units.store(gates.g, out + 2 * s.hidden);
    units.store(gates.o, out + 3 * s.hidden);
    units.store(state.c, s.c + at);
    units.store(state.tanh_c, s.saved + at);
    units.store(state.h, s.h + at);
  }
}

inline void fused_lstm_forward(const FusedForward& s) {
  HWY_ALIGN float z[kStripRows * kPanel];
  const float *weights = s.panels, *bias = s.bias;
  const PanelWidth panel(kPanel);
  for (std::int64_t unit = 0; unit < s.hidden; unit += kLanes) {
    for_strips(s.rows, [&](std::int64_t first, std::int64_t rows) HWY_ATTR {
      pre_activations(s, 4, unit, weights, bias, panel, first, rows, z, kPanel);
      if (unit + kLanes <= s.hidden) return lstm_rows(s, Whole{}, first, rows, unit, z);
      lstm_rows(s, Part{s.hidden - unit}, first, rows, unit, z);
    });
    weights += (s.inputs + s.hidden) * kPanel;
    bias += kPanel;
  }
}

// What is left of the sums of a GRU: those of the input and the recurrent ones, three vectors a row each.
template <class Units>
HWY_NOINLINE void gru_rows(const FusedForward& s, Units units, std::int64_t first, std::int64_t rows, std::int64_t unit, const float* input,
                           const float* recurrent) {
  const auto load = [](const float* z) HWY_ATTR {
    const F d;
    return GruGates{hn::Load(d, z), hn::Load(d, z + kLanes), hn::Load(d, z + 2 * kLanes)};
  };
  for (std::int64_t row = first; row < first + rows; ++row, input += 3 * kLanes, recurrent += 3 * kLanes) {
    const GruGates wh = load(recurrent), gates = gru_gates(load(input), wh);
    const std::int64_t at = row * s.hidden + unit;
    float* const out = s.gates + row * 3 * s.hidden + unit;
    units.store(gates.r, out);
    units.store(gates.z, out + s.hidden);
    units.store(gates.n, out + 2 * s.hidden);
    units.store(wh.n, s.saved + at);
    units.store(gru_state(gates, s.h_prev ? units.load(s.h_prev + at) : hn::Zero(F())), s.h + at);
  }
}

// z (rows, panel) = bias + a W^T, a (rows, k).
HWY_INLINE void gru_sums(const FusedForward& s, const float* a, std::int64_t k, const float* panel, const float* bias, PanelWidth width,
                         std::int64_t rows, const Prefetch& prefetch, float* z) {
  Chunks chunks(static_cast<Chunk*>(s.chunks));
  chunks.add(a, k, panel, width.floats());
  Strip strip = chunks.strip(bias, z, width.floats());
  strip.prefetch = prefetch;
  run_strip<false>(strip, width, 0, rows);
}

inline void fused_gru_forward(const FusedForward& s) {
  HWY_ALIGN float input[kStripRows * 3 * kLanes], recurrent[kStripRows * 3 * kLanes];
  const float *weights = s.panels, *bias = s.bias;
  const PanelWidth panel(3 * kLanes);
  for (std::int64_t unit = 0; unit < s.hidden; unit += kLanes) {
    for_strips(s.rows, [&](std::int64_t first, std::int64_t rows) HWY_ATTR {
      Prefetch prefetch(kLanes);
      if (s.hidden >= kPrefetchFrom) {
        add_gates(prefetch, s.gates + first * 3 * s.hidden + unit, 3, s.hidden);
        for (const float* array : {s.saved, s.h}) prefetch.add(array + first * s.hidden + unit, s.hidden);
      }
      gru_sums(s, s.x + first * s.inputs, s.inputs, weights, bias, panel, rows, Prefetch(), input);
      const float *const weight_hh = weights + s.inputs * panel.floats(), *const bias_hh = bias + panel.floats();
      if (s.h_prev) {
        gru_sums(s, s.h_prev + first * s.hidden, s.hidden, weight_hh, bias_hh, panel, rows, prefetch, recurrent);
      } else {
        for (std::int64_t r = 0; r < rows; ++r) std::copy_n(bias_hh, panel.floats(), recurrent + r * panel.floats());
      }
      if (unit + kLanes <= s.hidden) return gru_rows(s, Whole{}, first, rows, unit, input, recurrent);
      gru_rows(s, Part{s.hidden - unit}, first, rows, unit, input, recurrent);
    });
    weights += (s.inputs + s.hidden) * panel.floats();
    bias += 2 * panel.floats();
  }
}

// ---- backward

// One row's part of a panel: body(vector of the block of 16, lanes, offset within the panel). A panel starts a block of 16, so that the
// vector is a constant where a block has few, and RowSquares keeps its chains in registers.
template <class Body>
HWY_INLINE void for_panel_vectors(std::int64_t unit, PanelWidth panel, const Body& body) {
  constexpr std::int64_t kVectors = RowSquares::kVectors;
  const std::int64_t last = panel.vectors - 1;
  if constexpr (kPanelVectors % kVectors == 0) {
    for (std::int64_t first = 0; first < panel.vectors; first += kVectors) {
#pragma GCC unroll 4
      for (std::int64_t w = 0; w < kVectors; ++w) {
        const std::int64_t v = first + w;
        if (v < last || (v == last && panel.tail == kLanes)) {
          body(w, Whole{}, v * kLanes);
        } else if (v == last) {
          body(w, Part{panel.tail}, v * kLanes);
        }
      }
    }
  } else {
    for (std::int64_t v = 0; v < panel.vectors; ++v)
      body((unit / kLanes + v) % kVectors, Part{v == last ? panel.tail : kLanes}, v * kLanes);
  }
}

template <class Lanes>
HWY_INLINE VF add_above(const FusedBackwardRun& run, Lanes lanes, VF dh, std::int64_t at) {
  if (run.step.above) dh = hn::Add(dh, lanes.load(run.step.above + at));
  if (run.step.dh) lanes.store(dh, run.step.dh + at);
  return dh;
}

struct RnnBackward {
  static constexpr std::int64_t kGates = 1;
  static HWY_INLINE void prefetch(const FusedBackward<float>&, std::int64_t, std::int64_t, Prefetch&) {}

  static HWY_INLINE void row(const FusedBackwardRun& run, std::int64_t row, std::int64_t unit, PanelWidth panel, const float* dh_row) {
    const FusedBackward<float>& s = run.step;
    RowSquares squares(run.chains_dh + row * RowSquares::kChains);
    for_panel_vectors(unit, panel, [&](std::int64_t vector, auto lanes, std::int64_t j) HWY_ATTR {
      const std::int64_t at = row * run.hidden + unit + j;
      const VF dh = add_above(run, lanes, lanes.load(dh_row + j), at);
      lanes.store(hn::Mul(dh, lanes.load(s.gates + at)), s.dz + at);
      squares.add(vector, dh);
    });
    squares.save(run.chains_dh + row * RowSquares::kChains);
  }
};

struct LstmBackward {
  static constexpr std::int64_t kGates = 4;
  static HWY_INLINE void prefetch(const FusedBackward<float>& s, std::int64_t at, std::int64_t hidden, Prefetch& prefetch) {
    for (const float* array : {s.c_prev, s.saved, static_cast<const float*>(s.dc)}) prefetch.add(array + at, hidden);
  }

  static HWY_INLINE void row(const FusedBackwardRun& run, std::int64_t row, std::int64_t unit, PanelWidth panel, const float* dh_row) {
    const FusedBackward<float>& s = run.step;
    const std::int64_t hidden = run.hidden;
    RowSquares squares_dh(run.chains_dh + row * RowSquares::kChains), squares_dc(run.chains_dc + row * RowSquares::kChains);
    for_panel_vectors(unit, panel, [&](std::int64_t vector, auto lanes, std::int64_t j) HWY_ATTR {
      const std::int64_t at = row * hidden + unit + j;
      const VF dh = add_above(run, lanes, lanes.load(dh_row + j), at);
      const float* const gates = s.gates + row * 4 * hidden + unit + j;
      float* const dz = s.dz + row * 4 * hidden + unit + j;
      const LstmGradients d =
          lstm_gradients({lanes.load(gates), lanes.load(gates + hidden), lanes.load(gates + 2 * hidden), lanes.load(gates + 3 * hidden)},
                         lanes.load(s.c_prev + at), lanes.load(s.saved + at), dh, lanes.load(s.dc + at));
      lanes.store(d.dz.i, dz);
      lanes.store(d.dz.f, dz + hidden);
      lanes.store(d.dz.g, dz + 2 * hidden);
      lanes.store(d.dz.o, dz + 3 * hidden);
      lanes.store(d.dc_prev, s.dc + at);
      squares_dh.add(vector, dh);
      squares_dc.add(vector, d.dc);
    });
    squares_dh.save(run.chains_dh + row * RowSquares::kChains);
    squares_dc.save(run.chains_dc + row * RowSquares::kChains);
  }
};

struct GruBackward {
  static constexpr std::int64_t kGates = 3;
  static HWY_INLINE void prefetch(const FusedBackward<float>& s, std::int64_t at, std::int64_t hidden, Prefetch& prefetch) {
    for (const float* array : {s.h_prev, s.saved, static_cast<const float*>(s.direct)}) prefetch.add(array + at, hidden);
  }

  static HWY_INLINE void row(const FusedBackwardRun& run, std::int64_t row, std::int64_t unit, PanelWidth panel, const float* dh_row) {
    const FusedBackward<float>& s = run.step;
    const std::int64_t hidden = run.hidden;
    RowSquares squares(run.chains_dh + row * RowSquares::kChains);
    for_panel_vectors(unit, panel, [&](std::int64_t vector, auto lanes, std::int64_t j) HWY_ATTR {
      const std::int64_t at = row * hidden + unit + j, first = row * 3 * hidden + unit + j;
      VF dh = lanes.load(dh_row + j);
      if (s.dr_next) dh = hn::Add(dh, lanes.load(s.direct + at));
      dh = add_above(run, lanes, dh, at);
      const float* const gates = s.gates + first;
      const GruGradients d = gru_gradients({lanes.load(gates), lanes.load(gates + hidden), lanes.load(gates + 2 * hidden)},
                                           lanes.load(s.saved + at), lanes.load(s.h_prev + at), dh);
      float *const dz = s.dz + first, *const dr = s.dr + first;
      lanes.store(d.dz.r, dz);
      lanes.store(d.dz.z, dz + hidden);
      lanes.store(d.dz.n, dz + 2 * hidden);
      lanes.store(d.dz.r, dr);
      lanes.store(d.dz.z, dr + hidden);
      lanes.store(d.dr_n, dr + 2 * hidden);
      lanes.store(d.direct, s.direct + at);
      squares.add(vector, dh);
    });
    squares.save(run.chains_dh + row * RowSquares::kChains);
  }
};

template <class Cell>
HWY_NOINLINE void pointwise_rows(const FusedBackwardRun& run, std::int64_t first, std::int64_t rows, std::int64_t unit, PanelWidth panel,
                                 const float* dh) {
  for (std::int64_t r = 0; r < rows; ++r) Cell::row(run, first + r, unit, panel, dh + r * panel.floats());
}

template <class Cell>
HWY_INLINE void backward_strip(const FusedBackwardRun& run, std::int64_t first, std::int64_t rows, std::int64_t unit, PanelWidth panel) {
  HWY_ALIGN float dh[kStripRows * kPanel];
  const std::int64_t k = Cell::kGates * run.hidden, width = panel.floats(), at = first * run.hidden + unit;
  const FusedBackward<float>& s = run.step;
  if (s.dr_next) {
    Chunks chunks(static_cast<Chunk*>(run.chunks));
    chunks.add(s.dr_next + first * k, k, run.panels + unit * k, width);
    Strip strip = chunks.strip(nullptr, dh, width);
    if (k >= kPrefetchFrom) {
      strip.prefetch = Prefetch(width);
      add_gates(strip.prefetch, s.gates + first * k + unit, Cell::kGates, run.hidden);
      Cell::prefetch(s, at, run.hidden, strip.prefetch);
      if (s.above) strip.prefetch.add(s.above + at, run.hidden);
    }
    run_strip<false>(strip, panel, 0, rows);
  } else {
    std::fill_n(dh, rows * width, 0.0f);
  }
  pointwise_rows<Cell>(run, first, rows, unit, panel, dh);
}

HWY_INLINE void finish_squares(std::int64_t rows, const double* chains, double* sum_squares) {
  for (std::int64_t row = 0; row < rows; ++row) sum_squares[row] = RowSquares(chains + row * RowSquares::kChains).total();
}

template <class Cell>
HWY_INLINE void fused_backward(const FusedBackwardRun& run) {
  constexpr bool kHasCellState = Cell::kGates == 4;
  const std::int64_t chains = run.rows * RowSquares::kChains;
  std::fill_n(run.chains_dh, chains, 0.0);
  if (kHasCellState) std::fill_n(run.chains_dc, chains, 0.0);
  for (std::int64_t unit = 0; unit < run.hidden; unit += kPanel) {
    const PanelWidth panel(run.hidden - unit);
    for_strips(run.rows, [&](std::int64_t first, std::int64_t rows) HWY_ATTR { backward_strip<Cell>(run, first, rows, unit, panel); });
  }
  finish_squares(run.rows, run.chains_dh, run.step.sum_squares_dh);
  if (kHasCellState) finish_squares(run.rows, run.chains_dc, run.step.sum_squares_dc);
}

inline void fused_rnn_backward(const FusedBackwardRun& run) { fused_backward<RnnBackward>(run); }
inline void fused_lstm_backward(const FusedBackwardRun& run) { fused_backward<LstmBackward>(run); }
inline void fused_gru_backward(const FusedBackwardRun& run) { fused_backward<GruBackward>(run); }

}  // namespace vp::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // VP_KERNELS_NATIVE_FUSED_INL_H_
