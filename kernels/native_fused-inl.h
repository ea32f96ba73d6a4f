// The native engine's whole time steps: a tile of pre-activations (or of dL/dh) is formed, then its gates, activation and state update follow while it
// is in the first-level cache. Included once per Highway target.

// NOLINTNEXTLINE: Highway's include guard for headers compiled once per target
#if defined(VP_KERNELS_NATIVE_FUSED_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef VP_KERNELS_NATIVE_FUSED_INL_H_
#undef VP_KERNELS_NATIVE_FUSED_INL_H_
#else
#define VP_KERNELS_NATIVE_FUSED_INL_H_
#endif

#include "kernels/cell_steps-inl.h"
#include "kernels/native_tile-inl.h"

HWY_BEFORE_NAMESPACE();
namespace vp::HWY_NAMESPACE {

using native::FusedBackwardRun;
using native::FusedForward;
using native::kChunk;

// The chunks of one or two products whose sums go to the same tile; as many as the longest sum needs, made with the step.
class Chunks {
 public:
  explicit HWY_INLINE Chunks(Chunk* chunks) : chunks_(chunks) {}
  HWY_INLINE void add(const float* a, std::int64_t k, const float* b, std::int64_t b_stride) {
    for (std::int64_t first = 0; first < k; first += kChunk)
      chunks_[count_++] = {.a = a + first, .a_stride = k, .b = b + first * b_stride, .b_stride = b_stride, .k = std::min(kChunk, k - first)};
  }
  HWY_INLINE Tile tile(const float* add, float* c, std::int64_t c_stride) const {
    return {.chunks = chunks_, .count = count_, .add = add, .add_stride = 0, .c = c, .c_stride = c_stride, .tail = kLanes, .prefetch = {}};
  }

 private:
  Chunk* chunks_;
  int count_ = 0;
};

inline std::int64_t chunk_workspace(const FusedShape& s) {
  const auto chunks_of = [](std::int64_t k) { return (k + kChunk - 1) / kChunk; };
  const std::int64_t forward = chunks_of(s.inputs) + chunks_of(s.hidden), backward = chunks_of(s.gates() * s.hidden);
  return std::max(forward, backward) * static_cast<std::int64_t>(sizeof(Chunk));
}

// ---- weights

inline void pack_forward(const FusedShape& s, const float* weight_ih, const float* weight_hh, const float* bias, float* panels, float* packed_bias) {
  const std::int64_t width = s.gates() * s.hidden, k = s.inputs + s.hidden;
  const bool lstm = s.cell == FusedCell::kLstm;
  for (std::int64_t unit = 0; unit < s.hidden; unit += lstm ? kLanes : kPanel) {
    const PanelWidth panel(lstm ? kPanel : width - unit);
    for (int v = 0; v < panel.vectors; ++v) {
      const std::int64_t row = lstm ? v * s.hidden + unit : unit + v * kLanes;
      const std::int64_t units = std::min(kLanes, lstm ? s.hidden - unit : s.hidden - row);
      pack_column(s.inputs, weight_ih + row * s.inputs, s.inputs, units, panels + v * kLanes, panel.floats());
      pack_column(s.hidden, weight_hh + row * s.hidden, s.hidden, units, panels + s.inputs * panel.floats() + v * kLanes, panel.floats());
      pack_column(1, bias + row, 1, units, packed_bias + v * kLanes, 0);
    }
    panels += k * panel.floats();
    packed_bias += panel.floats();
  }
}

// ---- forward

// z (rows, vectors of the panel) = bias + W_ih x + W_hh h_prev.
HWY_INLINE void pre_activations(const FusedForward& s, const float* panel, const float* bias, int vectors, std::int64_t first, int rows, float* z) {
  const std::int64_t width = vectors * kLanes;
  Chunks chunks(static_cast<Chunk*>(s.chunks));
  chunks.add(s.x + first * s.inputs, s.inputs, panel, width);
  if (s.h_prev) chunks.add(s.h_prev + first * s.hidden, s.hidden, panel + s.inputs * width, width);
  kTiles<false>[vectors - 1][rows - 1](chunks.tile(bias, z, width));
}

template <class Op>
HWY_NOINLINE void activate_tile(const Op& op, int rows, PanelWidth panel, const float* z, std::int64_t hidden, float* slope, float* h) {
  const F d;
  for (int r = 0; r < rows; ++r, z += panel.floats(), slope += hidden, h += hidden) {
    for (int v = 0; v < panel.vectors - 1; ++v) {
      const VectorResult<VF> result = op(d, hn::Load(d, z + v * kLanes));
      hn::StoreU(result.value, d, h + v * kLanes);
      hn::StoreU(result.slope, d, slope + v * kLanes);
    }
    const std::int64_t last = (panel.vectors - 1) * kLanes;
    const VectorResult<VF> result = op(d, hn::Load(d, z + last));
    store_part(result.value, h + last, panel.tail);
    store_part(result.slope, slope + last, panel.tail);
  }
}

HWY_INLINE void activate_tile(ActivationKind kind, int rows, PanelWidth panel, const float* z, std::int64_t hidden, float* slope, float* h) {
  switch (kind) {
    case ActivationKind::kLinear: return activate_tile(LinearOp(), rows, panel, z, hidden, slope, h);
    case ActivationKind::kRelu: return activate_tile(ReluOp(), rows, panel, z, hidden, slope, h);
    case ActivationKind::kLeakyRelu: return activate_tile(LeakyReluOp(), rows, panel, z, hidden, slope, h);
    case ActivationKind::kElu: return activate_tile(EluOp(), rows, panel, z, hidden, slope, h);
    case ActivationKind::kSigmoid: return activate_tile(SigmoidOp(), rows, panel, z, hidden, slope, h);
    case ActivationKind::kTanh: return activate_tile(TanhOp(), rows, panel, z, hidden, slope, h);
    case ActivationKind::kSoftplus: return activate_tile(SoftplusOp(), rows, panel, z, hidden, slope, h);
    case ActivationKind::kGelu: return activate_tile(GeluOp(), rows, panel, z, hidden, slope, h);
  }
}

inline void fused_rnn_forward(const FusedForward& s) {
  HWY_ALIGN float z[kMaxRows * kPanel];
  const float *weights = s.panels, *bias = s.bias;
  for (std::int64_t unit = 0; unit < s.hidden; unit += kPanel) {
    const PanelWidth panel(s.hidden - unit);
    for_row_blocks(s.rows, panel.vectors, [&](std::int64_t first, int rows) HWY_ATTR {
      pre_activations(s, weights, bias, panel.vectors, first, rows, z);
      const std::int64_t at = first * s.hidden + unit;
      activate_tile(s.activation->kind, rows, panel, z, s.hidden, s.gates + at, s.h + at);
    });
    weights += (s.inputs + s.hidden) * panel.floats();
    bias += panel.floats();
  }
}

template <class Units>
HWY_NOINLINE void lstm_tile(const FusedForward& s, Units units, std::int64_t first, int rows, std::int64_t unit, const float* z) {
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
  HWY_ALIGN float z[kMaxRows * kPanel];
  const float *weights = s.panels, *bias = s.bias;
  for (std::int64_t unit = 0; unit < s.hidden; unit += kLanes) {
    for_row_blocks(s.rows, kPanelVectors, [&](std::int64_t first, int rows) HWY_ATTR {
      pre_activations(s, weights, bias, kPanelVectors, first, rows, z);
      if (unit + kLanes <= s.hidden) return lstm_tile(s, Whole{}, first, rows, unit, z);
      lstm_tile(s, Part{s.hidden - unit}, first, rows, unit, z);
    });
    weights += (s.inputs + s.hidden) * kPanel;
    bias += kPanel;
  }
}

// ---- backward

// One row's part of a panel: body(vector of the block of 16, lanes, offset within the panel).
template <class Body>
HWY_INLINE void for_panel_vectors(std::int64_t unit, PanelWidth panel, const Body& body) {
  const std::int64_t start = unit / kLanes;
  for (int v = 0; v < panel.vectors - 1; ++v) body((start + v) % RowSquares::kVectors, Whole{}, v * kLanes);
  const int last = panel.vectors - 1;
  if (panel.tail == kLanes) return body((start + last) % RowSquares::kVectors, Whole{}, last * kLanes);
  body((start + last) % RowSquares::kVectors, Part{panel.tail}, last * kLanes);
}

template <class Lanes>
HWY_INLINE VF add_above(const FusedBackwardRun& run, Lanes lanes, VF dh, std::int64_t at) {
  if (run.step.above) dh = hn::Add(dh, lanes.load(run.step.above + at));
  if (run.step.dh) lanes.store(dh, run.step.dh + at);
  return dh;
}

struct RnnBackward {
  static constexpr std::int64_t kGates = 1;

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

  static HWY_INLINE void row(const FusedBackwardRun& run, std::int64_t row, std::int64_t unit, PanelWidth panel, const float* dh_row) {
    const FusedBackward<float>& s = run.step;
    const std::int64_t hidden = run.hidden;
    RowSquares squares_dh(run.chains_dh + row * RowSquares::kChains), squares_dc(run.chains_dc + row * RowSquares::kChains);
    for_panel_vectors(unit, panel, [&](std::int64_t vector, auto lanes, std::int64_t j) HWY_ATTR {
      const std::int64_t at = row * hidden + unit + j;
      const VF dh = add_above(run, lanes, lanes.load(dh_row + j), at);
      const float* const gates = s.gates + row * 4 * hidden + unit + j;
      float* const dz = s.dz + row * 4 * hidden + unit + j;
      const LstmGradients d = lstm_gradients({lanes.load(gates), lanes.load(gates + hidden), lanes.load(gates + 2 * hidden), lanes.load(gates + 3 * hidden)},
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

// The arrays that the pointwise part of a block will read, row by row.
class BlockRuns {
 public:
  HWY_INLINE BlockRuns(const FusedBackwardRun& run, std::int64_t gates, std::int64_t first, int rows, std::int64_t unit) {
    for (std::int64_t row = first; row < first + rows; ++row) {
      const std::int64_t at = row * run.hidden + unit;
      for (std::int64_t g = 0; g < gates; ++g) add(run.step.gates + (row * gates + g) * run.hidden + unit);
      if (gates == 4) add(run.step.c_prev + at), add(run.step.saved + at), add(run.step.dc + at);
      if (run.step.above) add(run.step.above + at);
    }
  }
  HWY_INLINE Prefetch prefetch(std::int64_t floats) const { return {runs_, count_, floats}; }

 private:
  HWY_INLINE void add(const float* run) { runs_[count_++] = run; }
  const float* runs_[kMaxRows * 8];
  std::int64_t count_ = 0;
};

template <class Cell>
HWY_NOINLINE void pointwise_block(const FusedBackwardRun& run, std::int64_t first, int rows, std::int64_t unit, PanelWidth panel, const float* dh) {
  for (int r = 0; r < rows; ++r) Cell::row(run, first + r, unit, panel, dh + r * panel.floats());
}

template <class Cell>
HWY_INLINE void backward_block(const FusedBackwardRun& run, std::int64_t first, int rows, std::int64_t unit, PanelWidth panel) {
  HWY_ALIGN float dh[kMaxRows * kPanel];
  const std::int64_t k = Cell::kGates * run.hidden, width = panel.floats();
  if (run.step.dz_next) {
    const BlockRuns runs(run, Cell::kGates, first, rows, unit);
    Chunks chunks(static_cast<Chunk*>(run.chunks));
    chunks.add(run.step.dz_next + first * k, k, run.panels + unit * k, width);
    Tile tile = chunks.tile(nullptr, dh, width);
    tile.prefetch = runs.prefetch(width);
    kTiles<false>[panel.vectors - 1][rows - 1](tile);
  } else {
    std::fill_n(dh, rows * width, 0.0f);
  }
  pointwise_block<Cell>(run, first, rows, unit, panel, dh);
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
    for_row_blocks(run.rows, panel.vectors, [&](std::int64_t first, int rows) HWY_ATTR { backward_block<Cell>(run, first, rows, unit, panel); });
  }
  finish_squares(run.rows, run.chains_dh, run.step.sum_squares_dh);
  if (kHasCellState) finish_squares(run.rows, run.chains_dc, run.step.sum_squares_dc);
}

inline void fused_rnn_backward(const FusedBackwardRun& run) { fused_backward<RnnBackward>(run); }
inline void fused_lstm_backward(const FusedBackwardRun& run) { fused_backward<LstmBackward>(run); }

}  // namespace vp::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // VP_KERNELS_NATIVE_FUSED_INL_H_
