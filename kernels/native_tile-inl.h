// The native engine's micro-kernel: a tile of C of up to 6 x 64 floats (AVX-512) or 3 x 32 (AVX2) is held in registers while k runs. Included once per
// Highway target.
//
// 24 (12) accumulators: a fused multiply-add takes four cycles and two start in each, so at least 8 chains must be under way; the more rows and columns,
// the fewer loads each needs: 10 loads for 24 multiply-adds here, where the machine can do as many loads as multiply-adds.

// NOLINTNEXTLINE: Highway's include guard for headers compiled once per target
#if defined(VP_KERNELS_NATIVE_TILE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef VP_KERNELS_NATIVE_TILE_INL_H_
#undef VP_KERNELS_NATIVE_TILE_INL_H_
#else
#define VP_KERNELS_NATIVE_TILE_INL_H_
#endif

#include <algorithm>
#include <array>
#include <cstddef>
#include <utility>

#include "hwy/cache_control.h"
#include "hwy/highway.h"
#include "kernels/lanes-inl.h"
#include "kernels/native_kernels.h"

HWY_BEFORE_NAMESPACE();
namespace vp::HWY_NAMESPACE {

constexpr int kPanelVectors = 4;
constexpr std::int64_t kPanel = kPanelVectors * kLanes;
constexpr int kMaxRows = 12;

// Rows of a tile by how many vectors wide it is: 32 registers hold 24 accumulators, 16 hold 12.
constexpr int max_rows(int vectors) {
#if HWY_TARGET <= HWY_AVX3
  constexpr int kRows[] = {12, 12, 8, 6};
#else
  constexpr int kRows[] = {12, 6, 4, 3};
#endif
  return kRows[vectors - 1];
}

// Memory that will be needed after the product: runs of consecutive cache lines, fetched evenly over the loop over k.
struct Prefetch {
  const float* const* runs = nullptr;
  std::int64_t count = 0;
  std::int64_t floats = 0;  // length of a run

  HWY_INLINE void next() {
    for (std::int64_t j = 0; j < floats; j += 16) hwy::Prefetch(*runs + j);
    ++runs;
    --count;
  }
};

// One chunk of k of a product.
struct Chunk {
  const float* a;           // A(r, k) is a[r * a_stride + k], or a[k * a_stride + r] where A is stored (k, m)
  std::ptrdiff_t a_stride;
  const float* b;           // B(k, j) is b[k * b_stride + j]
  std::ptrdiff_t b_stride;
  std::int64_t k;
};

// C (rows, N vectors) = add + the sums of the chunks, in order.
struct Tile {
  const Chunk* chunks;
  int count;
  const float* add;  // nullptr: nothing
  std::ptrdiff_t add_stride;
  float* c;
  std::ptrdiff_t c_stride;
  std::int64_t tail;  // lanes of the last vector that are in C (and in add)
  Prefetch prefetch;
};

template <int R, int N, bool kTransposedA>
HWY_INLINE void multiply_step(VF (&sum)[R][N], const float* HWY_RESTRICT a, std::ptrdiff_t a_stride, const float* HWY_RESTRICT b) {
  const F d;
#if HWY_TARGET <= HWY_AVX3
  VF b_row[N];
#pragma GCC unroll 4
  for (int n = 0; n < N; ++n) b_row[n] = hn::LoadU(d, b + n * kLanes);
#pragma GCC unroll 12
  for (int r = 0; r < R; ++r) {
    const VF a_r = hn::Set(d, kTransposedA ? a[r] : a[r * a_stride]);
#pragma GCC unroll 4
    for (int n = 0; n < N; ++n) sum[r][n] = hn::MulAdd(a_r, b_row[n], sum[r][n]);
  }
#else
  // 16 registers: whichever operand has fewer vectors is held, the other passes through one register.
  if constexpr (R <= N) {
    VF a_column[R];
#pragma GCC unroll 12
    for (int r = 0; r < R; ++r) a_column[r] = hn::Set(d, kTransposedA ? a[r] : a[r * a_stride]);
#pragma GCC unroll 4
    for (int n = 0; n < N; ++n) {
      const VF b_n = hn::LoadU(d, b + n * kLanes);
#pragma GCC unroll 12
      for (int r = 0; r < R; ++r) sum[r][n] = hn::MulAdd(a_column[r], b_n, sum[r][n]);
    }
  } else {
    VF b_row[N];
#pragma GCC unroll 4
    for (int n = 0; n < N; ++n) b_row[n] = hn::LoadU(d, b + n * kLanes);
#pragma GCC unroll 12
    for (int r = 0; r < R; ++r) {
      const VF a_r = hn::Set(d, kTransposedA ? a[r] : a[r * a_stride]);
#pragma GCC unroll 4
      for (int n = 0; n < N; ++n) sum[r][n] = hn::MulAdd(a_r, b_row[n], sum[r][n]);
    }
  }
#endif
}

template <int R, int N, class Last>
HWY_INLINE void store_tile(const VF (&sum)[R][N], const float* add, std::ptrdiff_t add_stride, const Tile& t, Last last) {
#pragma GCC unroll 12
  for (int r = 0; r < R; ++r) {
    float* const c = t.c + r * t.c_stride;
    const float* const add_row = add + r * add_stride;
#pragma GCC unroll 4
    for (int n = 0; n < N; ++n) {
      VF v = sum[r][n];
      if (n < N - 1) {
        if (add) v = hn::Add(Whole{}.load(add_row + n * kLanes), v);
        Whole{}.store(v, c + n * kLanes);
      } else {
        if (add) v = hn::Add(last.load(add_row + n * kLanes), v);
        last.store(v, c + n * kLanes);
      }
    }
  }
}

// The loop over k is not unrolled: GCC 12 then moves loads from step to step and spills (5 x 64: 88-90 % of peak unrolled by 4, 98 % as it stands).
template <int R, int N, bool kTransposedA>
HWY_INLINE void multiply_chunk(VF (&sum)[R][N], const Chunk& chunk, Prefetch& prefetch) {
  constexpr std::int64_t kSlice = 16;  // of k between prefetches
#pragma GCC unroll 12
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 4
    for (int n = 0; n < N; ++n) sum[r][n] = hn::Zero(F());
  }
  const float *a = chunk.a, *b = chunk.b;
  const std::ptrdiff_t a_stride = chunk.a_stride, a_step = kTransposedA ? a_stride : 1, b_step = chunk.b_stride;
  const std::int64_t runs_each = prefetch.count == 0 ? 0 : prefetch.count * kSlice / chunk.k + 1;
  for (std::int64_t k = chunk.k, slice; k > 0; k -= slice) {
    slice = prefetch.count == 0 ? k : std::min(kSlice, k);
    for (std::int64_t i = 0; i < runs_each && prefetch.count > 0; ++i) prefetch.next();
    for (std::int64_t i = 0; i < slice; ++i, a += a_step, b += b_step) multiply_step<R, N, kTransposedA>(sum, a, a_stride, b);
  }
}

template <int R, int N, bool kTransposedA>
HWY_NOINLINE void run_tile(const Tile& t) {
  VF sum[R][N];
  const float* add = t.add;
  std::ptrdiff_t add_stride = t.add_stride;
  Prefetch prefetch = t.prefetch;
  for (const Chunk *chunk = t.chunks, *const end = chunk + t.count; chunk < end; ++chunk) {
    multiply_chunk<R, N, kTransposedA>(sum, *chunk, prefetch);
    if (t.tail == kLanes) {
      store_tile(sum, add, add_stride, t, Whole{});
    } else {
      store_tile(sum, add, add_stride, t, Part{t.tail});
    }
    add = t.c;
    add_stride = t.c_stride;
  }
}

using TileFunction = void (*)(const Tile&);

template <bool kTransposedA, int N, int... R>
constexpr std::array<TileFunction, kMaxRows> tiles_of_width(std::integer_sequence<int, R...>) {
  return {run_tile<R + 1, N, kTransposedA>...};
}

template <bool kTransposedA, int... N>
constexpr std::array<std::array<TileFunction, kMaxRows>, kPanelVectors> all_tiles(std::integer_sequence<int, N...>) {
  return {tiles_of_width<kTransposedA, N + 1>(std::make_integer_sequence<int, max_rows(N + 1)>())...};
}

template <bool kTransposedA>
inline constexpr auto kTiles = all_tiles<kTransposedA>(std::make_integer_sequence<int, kPanelVectors>());

// body(first row, rows of the block) over m rows in blocks as even as they can be: 32 rows as 6, 6, 5, 5, 5, 5, not 6, 6, 6, 6, 6, 2.
template <class Body>
HWY_INLINE void for_row_blocks(std::int64_t m, int vectors, const Body& body) {
  const std::int64_t blocks = (m + max_rows(vectors) - 1) / max_rows(vectors), base = m / blocks, larger = m % blocks;
  for (std::int64_t block = 0, first = 0; block < blocks; ++block) {
    const int rows = static_cast<int>(base + (block < larger ? 1 : 0));
    body(first, rows);
    first += rows;
  }
}

// The columns of a panel that are there, n left of the array.
struct PanelWidth {
  int vectors;        // 1 to 4
  std::int64_t tail;  // lanes of the last
  explicit PanelWidth(std::int64_t n)
      : vectors(static_cast<int>((std::min(n, kPanel) + kLanes - 1) / kLanes)), tail(std::min(n, kPanel) - (vectors - 1) * kLanes) {}
  std::int64_t floats() const { return vectors * kLanes; }
};

template <int N, class Last>
HWY_INLINE void pack_rows_of(std::int64_t k, const float* HWY_RESTRICT b, std::ptrdiff_t b_stride, Last last, float* HWY_RESTRICT panel) {
  const F d;
  for (std::int64_t p = 0; p < k; ++p, b += b_stride, panel += N * kLanes) {
#pragma GCC unroll 4
    for (int n = 0; n < N - 1; ++n) hn::Store(hn::LoadU(d, b + n * kLanes), d, panel + n * kLanes);
    hn::Store(last.load(b + (N - 1) * kLanes), d, panel + (N - 1) * kLanes);
  }
}

template <class Last>
HWY_INLINE void pack_rows_of(std::int64_t k, const float* b, std::ptrdiff_t b_stride, int vectors, Last last, float* panel) {
  switch (vectors) {
    case 1: return pack_rows_of<1>(k, b, b_stride, last, panel);
    case 2: return pack_rows_of<2>(k, b, b_stride, last, panel);
    case 3: return pack_rows_of<3>(k, b, b_stride, last, panel);
    default: return pack_rows_of<4>(k, b, b_stride, last, panel);
  }
}

// panel (k, width.floats()) = the rows of a (k, n) matrix from its column on, padded with zeros.
inline void pack_rows(std::int64_t k, const float* b, std::ptrdiff_t b_stride, PanelWidth width, float* panel) {
  if (width.tail == kLanes) return pack_rows_of(k, b, b_stride, width.vectors, Whole{}, panel);
  pack_rows_of(k, b, b_stride, width.vectors, Part{width.tail}, panel);
}

// One vector's columns of a panel from `columns` rows of an (n, k) matrix, transposed; the other lanes are zero.
inline void pack_column(std::int64_t k, const float* b, std::ptrdiff_t b_stride, std::int64_t columns, float* panel, std::ptrdiff_t panel_stride) {
  for (std::int64_t p = 0; p < k; ++p) {
    float* const out = panel + p * panel_stride;
    for (std::int64_t j = 0; j < columns; ++j) out[j] = b[j * b_stride + p];
    for (std::int64_t j = columns; j < kLanes; ++j) out[j] = 0;
  }
}

}  // namespace vp::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // VP_KERNELS_NATIVE_TILE_INL_H_
