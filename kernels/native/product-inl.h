// The native engine's products: panels of B, tiles of C (tile-inl.h). Included once per Highway target.

// NOLINTNEXTLINE: Highway's include guard for headers compiled once per target
#if defined(VP_KERNELS_NATIVE_PRODUCT_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef VP_KERNELS_NATIVE_PRODUCT_INL_H_
#undef VP_KERNELS_NATIVE_PRODUCT_INL_H_
#else
#define VP_KERNELS_NATIVE_PRODUCT_INL_H_
#endif

#include "kernels/native/tile-inl.h"

HWY_BEFORE_NAMESPACE();
namespace vp::HWY_NAMESPACE {

using native::kChunk;
using native::ProductRun;

// Where C is a few columns wide and both operands are stored by k (the weight gradient of a layer with one or two inputs), the vectors run
// along m.
HWY_INLINE bool vectors_along_m(const ProductShape& s, bool packed) {
  return s.transpose_a && !s.transpose_b && !packed && native::round_up(s.m, kLanes) * s.n < s.m * native::round_up(s.n, kLanes);
}

// Rows of C that pass over all panels together.
constexpr std::int64_t kGroupRows = 8 * max_rows(kPanelVectors);

// A chunk of k of a plain B in panels and of a group of columns of a transposed A, or the last panel of A.
inline std::int64_t product_workspace(const ProductShape& s, bool packed) {
  const std::int64_t k = std::min(kChunk, s.k);
  if (vectors_along_m(s, packed)) return k * kPanel;
  return packed ? 0 : k * (native::round_up(s.n, kLanes) + kGroupRows);
}

// B (k from k0 on, columns from j on), in panels.
inline void pack_panel(const ProductShape& s, const float* b, std::int64_t k0, std::int64_t k, std::int64_t j, PanelWidth width,
                       float* panel) {
  if (!s.transpose_b) return pack_rows(k, b + k0 * s.n + j, s.n, width, panel);
  for (int v = 0; v < width.vectors; ++v)
    pack_column(k, b + (j + v * kLanes) * s.k + k0, s.k, v + 1 == width.vectors ? width.tail : kLanes, width.lanes(v), panel + v * kLanes,
                width.floats());
}

inline void pack_product(std::int64_t n, std::int64_t k, bool transposed, const float* weights, float* panels) {
  const ProductShape s{.m = 1, .n = n, .k = k, .transpose_b = transposed};
  for (std::int64_t j = 0; j < n; j += kPanel) pack_panel(s, weights, 0, k, j, PanelWidth(n - j), panels + j * k);
}

// What a chunk's sums are added to.
struct Addend {
  const float* data;
  std::ptrdiff_t stride;
};

HWY_INLINE Addend addend(const ProductRun& run, std::int64_t k0) {
  if (k0 > 0 || run.shape.accumulate) return {run.c, run.shape.n};
  return {run.shape.bias ? run.bias : nullptr, 0};
}

HWY_INLINE Strip strip_of(const ProductRun& run, const Chunk* chunk, Addend add, std::int64_t j, std::int64_t tail) {
  return {.chunks = chunk,
          .count = 1,
          .add = add.data ? add.data + j : nullptr,
          .add_stride = add.stride,
          .c = run.c + j,
          .c_stride = run.shape.n,
          .tail = tail,
          .prefetch = Prefetch()};
}

struct Panel {
  const float* data;
  std::ptrdiff_t stride;
};

// Each row of each chunk's panels has its share of what will be needed after the product.
HWY_INLINE Later fetch_next(const ProductRun& run, std::int64_t k0, std::int64_t j) {
  const ProductShape& s = run.shape;
  const std::int64_t panels = (s.n + kPanel - 1) / kPanel, chunks = (s.k + kChunk - 1) / kChunk, rows = chunks * panels * s.m;
  const std::int64_t share = native::round_up((static_cast<std::int64_t>(run.next.size()) + rows - 1) / rows, kLine);
  return {.data = run.next.data() + (k0 / kChunk * panels + j / kPanel) * s.m * share,
          .floats = share,
          .end = run.next.data() + run.next.size(),
          .changes = run.next_changes};
}

// A large C of few sums an element (the weight gradient of a dense layer) is not in a near cache when it is written, and a write that
// misses reads first: while rows [first, first + m) are made, the m rows after them are fetched. Share of peak at 256 x 256 x 32, C anew
// each time, beside a busy neighbour: 59 and not 49 %.
constexpr std::int64_t kFewSums = 64;
HWY_INLINE Later fetch_rows_of_c(const ProductRun& run, std::int64_t first, std::int64_t m, std::int64_t j) {
  const ProductShape& s = run.shape;
  if (!s.transpose_a || s.accumulate || s.k > kFewSums || s.m * s.n < std::int64_t{1} << 15 || first + m == s.m) return {};
  const std::int64_t panels = (s.n + kPanel - 1) / kPanel, share = native::round_up((s.n + panels - 1) / panels, kLine);
  return {.data = run.c + (first + m) * s.n + (j / kPanel * m - first) * share, .floats = share, .end = run.c + s.m * s.n, .changes = true};
}

// Rows [first, first + m) of C get a chunk's sums for one panel.
inline void multiply_panel(const ProductRun& run, std::int64_t k0, std::int64_t k, std::int64_t first, std::int64_t m, std::int64_t j,
                           PanelWidth width, Panel panel) {
  const ProductShape& s = run.shape;
  const Chunk chunk{.a = s.transpose_a ? run.a + k0 * s.m : run.a + k0,
                    .a_stride = s.transpose_a ? s.m : s.k,
                    .b = panel.data,
                    .b_stride = panel.stride,
                    .k = k};
  Strip strip = strip_of(run, &chunk, addend(run, k0), j, width.tail);
  strip.later = run.next.empty() ? fetch_rows_of_c(run, first, m, j) : fetch_next(run, k0, j);
  if (s.transpose_a) return run_strip<true>(strip, width, first, m);
  run_strip<false>(strip, width, first, m);
}

// Packed weights: panel by panel, so that each is read from far away once.
inline void run_packed(const ProductRun& run) {
  const ProductShape& s = run.shape;
  for (std::int64_t k0 = 0; k0 < s.k; k0 += kChunk)
    for (std::int64_t j = 0; j < s.n; j += kPanel) {
      const PanelWidth width(s.n - j);
      multiply_panel(run, k0, std::min(kChunk, s.k - k0), 0, s.m, j, width, {run.panels + j * s.k + k0 * width.floats(), width.floats()});
    }
}

// A (k, m), columns [first, first + m): block after block, each k-major and as many rows wide as it has.
inline void pack_group(const ProductShape& s, const float* a, std::int64_t k, std::int64_t m, float* group) {
  for_row_blocks(m, kPanelVectors, [&](std::int64_t block, int rows) HWY_ATTR {
    const float* from = a + block;
    float* to = group + block * k;
    for (std::int64_t p = 0; p < k; ++p, from += s.m, to += rows) {
      if constexpr (max_rows(kPanelVectors) <= kLanes) {
        store_part(load_part(from, rows), to, rows);
      } else {
        std::copy_n(from, rows, to);
      }
    }
  });
}

// The same as multiply_panel for a packed group of rows.
inline void multiply_group(const ProductRun& run, std::int64_t k0, std::int64_t k, std::int64_t first, std::int64_t m, std::int64_t j,
                           PanelWidth width, const float* group, const float* panel) {
  Chunk chunk{.a = nullptr, .a_stride = 0, .b = panel, .b_stride = width.floats(), .k = k};
  const Strip strip = strip_of(run, &chunk, addend(run, k0), j, width.tail);
  for_row_blocks(m, kPanelVectors, [&](std::int64_t block, int rows) {
    chunk.a = group + block * k - (first + block);  // a tile adds its first row
    chunk.a_stride = rows;
    tiles_of<true>(width)[rows - 1](strip, first + block);
  });
}

// A plain B is small beside A (the states beside the gradients of the gates): its chunk is packed, then a group of rows of C at a time
// passes over all panels, so that A and C are read from far away once (2048 x 512 x 256: A and C are 2 and 4 MiB). Where there are panels
// enough to pay for it, the group's part of a transposed A is packed too, because a column of 1,024 gates lies in one set of the
// first-level cache (share of peak on AVX-512, packed and not: 70 and 66 % at 1024 x 256, 73 and 68 % at 2048 x 512, but 71 and 80 % at 512
// x 128); a short column fits beside the rest.
inline void run_plain(const ProductRun& run) {
  const ProductShape& s = run.shape;
  const bool pack_a = s.transpose_a && s.n >= 256 && s.k > kFewSums;
  for (std::int64_t k0 = 0; k0 < s.k; k0 += kChunk) {
    const std::int64_t k = std::min(kChunk, s.k - k0);
    float* const group = run.workspace + k * native::round_up(s.n, kLanes);
    for (std::int64_t j = 0; j < s.n; j += kPanel) pack_panel(s, run.b, k0, k, j, PanelWidth(s.n - j), run.workspace + j * k);
    for (std::int64_t first = 0; first < s.m; first += kGroupRows) {
      const std::int64_t m = std::min(kGroupRows, s.m - first);
      if (pack_a) pack_group(s, run.a + k0 * s.m + first, k, m, group);
      for (std::int64_t j = 0; j < s.n; j += kPanel) {
        const PanelWidth width(s.n - j);
        const float* const panel = run.workspace + j * k;
        if (pack_a) multiply_group(run, k0, k, first, m, j, width, group, panel);
        if (!pack_a) multiply_panel(run, k0, k, first, m, j, width, {panel, width.floats()});
      }
    }
  }
}

// c (columns, rows from `first` on) gets a tile of C^T.
HWY_INLINE void add_transposed(const ProductRun& run, std::int64_t k0, std::int64_t first, std::int64_t columns, std::int64_t j, int rows,
                               const float* tile) {
  const Addend add = addend(run, k0);
  for (std::int64_t i = 0; i < columns; ++i)
    for (std::int64_t r = 0; r < rows; ++r) {
      const float sum = tile[r * kPanel + i];
      run.c[(first + i) * run.shape.n + j + r] = add.data ? add.data[(first + i) * add.stride + j + r] + sum : sum;
    }
}

// C^T = B^T A: A's rows are the panels, read in place but for the last one.
inline void run_along_m(const ProductRun& run) {
  const ProductShape& s = run.shape;
  HWY_ALIGN float c[kMaxRows * kPanel];
  for (std::int64_t k0 = 0; k0 < s.k; k0 += kChunk)
    for (std::int64_t i = 0; i < s.m; i += kPanel) {
      const PanelWidth width(s.m - i);
      Chunk chunk{.a = nullptr, .a_stride = s.n, .b = run.a + k0 * s.m + i, .b_stride = s.m, .k = std::min(kChunk, s.k - k0)};
      if (width.tail != kLanes) {
        pack_rows(chunk.k, chunk.b, s.m, width, run.workspace);
        chunk.b = run.workspace;
        chunk.b_stride = width.floats();
      }
      const Strip strip{.chunks = &chunk,
                        .count = 1,
                        .add = nullptr,
                        .add_stride = 0,
                        .c = c,
                        .c_stride = kPanel,
                        .tail = kLanes,
                        .prefetch = Prefetch()};
      for_row_blocks(s.n, width.vectors, [&](std::int64_t j, int rows) {
        chunk.a = run.b + k0 * s.n + j;
        tiles_of<true>(width)[rows - 1](strip, 0);
        add_transposed(run, k0, i, std::min(kPanel, s.m - i), j, rows, c);
      });
    }
}

inline void run_product(const ProductRun& run) {
  if (vectors_along_m(run.shape, run.panels != nullptr)) return run_along_m(run);
  if (run.panels) return run_packed(run);
  run_plain(run);
}

// Products with weights that no copy is made of: their panels, or as the left operand of C^T = B^T A^T their rows, are read where they
// stand. Sums start from the bias as they do elsewhere, so bits are those of run_packed().
inline ProductShape turned(const ProductShape& s) {
  return {.m = s.n, .n = s.m, .k = s.k, .transpose_a = false, .transpose_b = !s.transpose_a, .accumulate = s.bias};
}
inline std::int64_t turned_result_size(const ProductShape& s) { return native::round_up(s.m * s.n, kLanes); }

inline std::int64_t in_place_workspace(const ProductShape& s) {
  if (!s.transpose_b) return std::min(kChunk, s.k) * kPanel;  // the last panel
  return turned_result_size(s) + product_workspace(turned(s), false);
}

// B stored (k, n): panels are read in place but for the last one, whose vectors would reach beyond it.
inline void run_panels_in_place(const ProductRun& run) {
  const ProductShape& s = run.shape;
  for (std::int64_t k0 = 0; k0 < s.k; k0 += kChunk)
    for (std::int64_t j = 0; j < s.n; j += kPanel) {
      const PanelWidth width(s.n - j);
      const std::int64_t k = std::min(kChunk, s.k - k0);
      const float* const b = run.b + k0 * s.n + j;
      if (width.tail == kLanes) {
        multiply_panel(run, k0, k, 0, s.m, j, width, {b, s.n});
      } else {
        pack_rows(k, b, s.n, width, run.workspace);
        multiply_panel(run, k0, k, 0, s.m, j, width, {run.workspace, width.floats()});
      }
    }
}

// B stored (n, k).
inline void run_turned(const ProductRun& run) {
  const ProductShape& s = run.shape;
  float* const c = run.workspace;  // (n, m)
  for (std::int64_t j = 0; s.bias && j < s.n; ++j) std::fill_n(c + j * s.m, s.m, run.bias[j]);
  run_plain({.shape = turned(s),
             .panels = nullptr,
             .a = run.b,
             .b = run.a,
             .bias = nullptr,
             .c = c,
             .workspace = c + turned_result_size(s),
             .next = run.next,
             .next_changes = run.next_changes});
  const std::int64_t fours = s.n / 4 * 4;
  pack_column(s.m, c, s.m, fours, fours, run.c, s.n);
  for (std::int64_t i = 0; i < s.m; ++i)
    for (std::int64_t j = fours; j < s.n; ++j) run.c[i * s.n + j] = c[j * s.m + i];
}

inline void run_in_place(const ProductRun& run) {
  if (run.shape.transpose_b) return run_turned(run);
  run_panels_in_place(run);
}

}  // namespace vp::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // VP_KERNELS_NATIVE_PRODUCT_INL_H_
