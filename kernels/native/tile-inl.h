// The native engine's micro-kernel: a tile of C of up to 6 x 64 floats (AVX-512) or 3 x 32 (AVX2) is held in registers while k runs.
// Included once per Highway target.
//
// 24 (12) accumulators: a fused multiply-add takes four cycles and two start in each, so at least 8 chains must be under way; the more rows
// and columns, the fewer loads each needs: 10 loads for 24 multiply-adds here, where the machine can do as many loads as multiply-adds.

// NOLINTNEXTLINE: Highway's include guard for headers compiled once per target
#if defined(VP_KERNELS_NATIVE_TILE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef VP_KERNELS_NATIVE_TILE_INL_H_
#undef VP_KERNELS_NATIVE_TILE_INL_H_
#else
#define VP_KERNELS_NATIVE_TILE_INL_H_
#endif

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <utility>

#include "hwy/highway.h"
#include "kernels/native/native_kernels.h"
#include "kernels/native/prefetch-inl.h"
#include "kernels/simd/lanes-inl.h"

HWY_BEFORE_NAMESPACE();
namespace vp::HWY_NAMESPACE {

constexpr int kPanelVectors = 4;
constexpr std::int64_t kPanel = kPanelVectors * kLanes;
constexpr int kMaxRows = 12;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define VP_SANITIZED 1
#else
#define VP_SANITIZED 0
#endif

// Rows of a tile by how many vectors wide it is: 32 registers hold 24 accumulators, 16 hold 12. Under a sanitizer two, because compiling
// the large ones takes ten minutes there; bits do not depend on it.
constexpr int max_rows(int vectors) {
#if VP_SANITIZED
  constexpr int kRows[] = {2, 2, 2, 2};
#elif HWY_TARGET <= HWY_AVX3
  constexpr int kRows[] = {12, 12, 8, 6};
#else
  constexpr int kRows[] = {12, 6, 4, 3};
#endif
  return kRows[vectors - 1];
}

// One chunk of k of a product, or a part of one.
struct Chunk {
  const float* a;  // A(r, k) is a[r * a_stride + k], or a[k * a_stride + r] where A is stored (k, m)
  std::ptrdiff_t a_stride;
  const float* b;  // B(k, j) is b[k * b_stride + j]
  std::ptrdiff_t b_stride;
  std::int64_t k;
  bool joins = false;  // its chain of multiply-adds goes on where the one before ended; else it starts from 0
};

// C (rows, N vectors) = add and the chunks, in order: a panel's worth of columns.
struct Strip {
  const Chunk* chunks;
  int count;
  const float* add;  // what the chunks' sums are added to; nullptr: nothing
  std::ptrdiff_t add_stride;
  float* c;
  std::ptrdiff_t c_stride;
  std::int64_t tail;  // lanes of the last vector that are in C (and in add)
  Prefetch prefetch;
  Later later = {};

  HWY_INLINE float* c_row(std::int64_t row) const { return c + row * c_stride; }
};

// AVX-512: where only the lower half of a panel's last vector is needed, it is half a vector: half the work on cores that do a vector in
// two halves, the same on the others.
#if HWY_TARGET <= HWY_AVX3
inline constexpr bool kHasHalf = true;
#else
inline constexpr bool kHasHalf = false;
#endif
using H = hn::Half<F>;
using VH = hn::Vec<H>;
constexpr std::int64_t kHalfLanes = hn::MaxLanes(H());

struct WholeHalf {
  HWY_INLINE VH load(const float* p) const { return hn::LoadU(H(), p); }
  HWY_INLINE void store(VH v, float* p) const { hn::StoreU(v, H(), p); }
};
struct PartHalf {
  std::int64_t n;
  HWY_INLINE auto mask() const { return hn::FirstN(H(), static_cast<std::size_t>(n)); }
  HWY_INLINE VH load(const float* p) const { return hn::MaskedLoad(mask(), H(), p); }
  HWY_INLINE void store(VH v, float* p) const { hn::BlendedStore(v, mask(), H(), p); }
};

// The sums of a tile: R rows of N vectors, the last of them whole or half.
template <int R, int N, bool kHalf>
struct Sums {
  static constexpr int kWhole = kHalf ? N - 1 : N;
  VF whole[R][kWhole == 0 ? 1 : kWhole];
  VH half[kHalf ? R : 1];
};

// Compilers move no load over this, in either direction. It costs nothing else.
HWY_INLINE void keep_order() { std::atomic_signal_fence(std::memory_order_seq_cst); }

// a * b + sum in one instruction. Compilers make two of it where a is used again. Not under a sanitizer, which does not see what assembly
// reads.
#if HWY_TARGET <= HWY_AVX3 && !VP_SANITIZED
HWY_INLINE VF mul_add_broadcast(const float& a, VF b, VF sum) {
  auto raw = sum.raw;
  asm("vfmadd231ps %2%{1to16%}, %1, %0" : "+v"(raw) : "v"(b.raw), "m"(a));
  return VF{raw};
}
HWY_INLINE VH mul_add_broadcast(const float& a, VH b, VH sum) {
  auto raw = sum.raw;
  asm("vfmadd231ps %2%{1to8%}, %1, %0" : "+v"(raw) : "v"(b.raw), "m"(a));
  return VH{raw};
}
#else
template <class V>
HWY_INLINE V mul_add_broadcast(const float& a, V b, V sum) {
  return hn::MulAdd(hn::Set(hn::DFromV<V>(), a), b, sum);
}
#endif

// Which rows of A are broadcast by each of their multiply-adds, instead of by an instruction of their own. A core whose other
// hardware thread is at work starts two or three instructions a cycle, not six: there instructions are what a product costs, not
// multiply-adds. It starts two loads a cycle, too, so not all rows are; and an address of two registers is an instruction more.
template <bool kTransposedA, int N>
constexpr bool broadcasts_itself(int row) {
  return HWY_TARGET <= HWY_AVX3 && N == 2 && (kTransposedA ? row % 3 != 0 : row % 2 == 0);
}

// The rows of one column of A after the other; advance() after every few of them.
template <bool kTransposedA, int R, int N>
class Rows;

template <int R, int N>
class Rows<true, R, N> {
 public:
  HWY_INLINE Rows(const float* a, std::ptrdiff_t stride) : a_(a), stride_(stride) {}
  HWY_INLINE const float& row(int r) const { return a_[r]; }
  HWY_INLINE void next() { a_ += stride_; }
  HWY_INLINE void advance() {}

 private:
  const float* a_;
  std::ptrdiff_t stride_;
};

// A pointer for every two or three rows: x86 adds a stride, or two, to it by itself.
template <int R, int N>
class Rows<false, R, N> {
 public:
  HWY_INLINE Rows(const float* a, std::ptrdiff_t stride) : stride_(stride) {
#pragma GCC unroll 12
    for (int i = 0; i < kPointers; ++i) rows_[i] = a + i * kRowsOfPointer * stride;
  }
  HWY_INLINE const float& row(int r) const { return rows_[r / kRowsOfPointer][r % kRowsOfPointer * stride_ + column_]; }
  HWY_INLINE void next() { ++column_; }
  HWY_INLINE void advance() {
#pragma GCC unroll 12
    for (int i = 0; i < kPointers; ++i) rows_[i] = HWY_TARGET <= HWY_AVX3 ? opaque(rows_[i] + column_) : rows_[i] + column_;
    column_ = 0;
  }

 private:
  static constexpr int kRowsOfPointer = broadcasts_itself<false, N>(0) ? 2 : 3, kPointers = (R + kRowsOfPointer - 1) / kRowsOfPointer;
  const float* rows_[kPointers];
  std::ptrdiff_t stride_;
  std::ptrdiff_t column_ = 0;
};

template <bool kTransposedA, int R, int N, bool kHalf, class A>
HWY_INLINE void multiply_step(Sums<R, N, kHalf>& sum, const A& a, const float* HWY_RESTRICT b) {
  const F d;
  constexpr int kWhole = Sums<R, N, kHalf>::kWhole;
#if HWY_TARGET <= HWY_AVX3
  constexpr bool kHoldA = false;
#else
  constexpr bool kHoldA = R <= N;     // 16 registers: whichever operand has fewer vectors is held, the other passes through one register
#endif
  if constexpr (kHoldA) {
    VF a_column[R];
#pragma GCC unroll 12
    for (int r = 0; r < R; ++r) a_column[r] = hn::Set(d, a.row(r));
#pragma GCC unroll 4
    for (int n = 0; n < N; ++n) {
      const VF b_n = hn::LoadU(d, b + n * kLanes);
#pragma GCC unroll 12
      for (int r = 0; r < R; ++r) sum.whole[r][n] = hn::MulAdd(a_column[r], b_n, sum.whole[r][n]);
    }
  } else {
    VF b_row[kWhole == 0 ? 1 : kWhole];
    VH b_half{};
#pragma GCC unroll 4
    for (int n = 0; n < kWhole; ++n) b_row[n] = hn::LoadU(d, b + n * kLanes);
    if constexpr (kHalf) b_half = hn::LoadU(H(), b + kWhole * kLanes);
#pragma GCC unroll 12
    for (int r = 0; r < R; ++r) {
      if (broadcasts_itself<kTransposedA, N>(r)) {
#pragma GCC unroll 4
        for (int n = 0; n < kWhole; ++n) sum.whole[r][n] = mul_add_broadcast(a.row(r), b_row[n], sum.whole[r][n]);
        if constexpr (kHalf) sum.half[r] = mul_add_broadcast(a.row(r), b_half, sum.half[r]);
        continue;
      }
      const VF a_r = hn::Set(d, a.row(r));
#pragma GCC unroll 4
      for (int n = 0; n < kWhole; ++n) sum.whole[r][n] = hn::MulAdd(a_r, b_row[n], sum.whole[r][n]);
      if constexpr (kHalf) sum.half[r] = hn::MulAdd(hn::LowerHalf(H(), a_r), b_half, sum.half[r]);
    }
  }
}

// body(vector of sums, lanes, row, column) over a tile.
template <int R, int N, bool kHalf, class Last, class Body>
HWY_INLINE void for_tile(Sums<R, N, kHalf>& sum, Last last, const Body& body) {
  constexpr int kWhole = Sums<R, N, kHalf>::kWhole;
#pragma GCC unroll 12
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 4
    for (int n = 0; n < N - 1; ++n) body(sum.whole[r][n], Whole{}, r, n * kLanes);
    if constexpr (kHalf) {
      body(sum.half[r], last, r, kWhole * kLanes);
    } else {
      body(sum.whole[r][N - 1], last, r, (N - 1) * kLanes);
    }
  }
}

// C = add (nullptr: 0) + sum.
template <class Tile, class Last>
HWY_INLINE void store_tile(Tile& sum, const float* add, std::ptrdiff_t add_stride, float* c, std::ptrdiff_t c_stride, Last last) {
  if (add) {
    for_tile(sum, last, [&](auto v, auto lanes, int r, std::int64_t j) HWY_ATTR {
      lanes.store(hn::Add(lanes.load(add + r * add_stride + j), v), c + r * c_stride + j);
    });
  } else {
    for_tile(sum, last, [&](auto v, auto lanes, int r, std::int64_t j) HWY_ATTR { lanes.store(v, c + r * c_stride + j); });
  }
}

template <class Tile, class Last>
HWY_INLINE void clear_tile(Tile& sum, Last last) {
  for_tile(sum, last, [&](auto& v, auto, int, std::int64_t) HWY_ATTR { v = hn::Xor(v, v); });
}

// kSteps columns of A and rows of B.
template <bool kTransposedA, int kSteps, int R, int N, bool kHalf, class A>
HWY_INLINE void multiply_steps(Sums<R, N, kHalf>& sum, A& a, const float*& b, std::ptrdiff_t b_step) {
#if HWY_TARGET <= HWY_AVX3
#pragma GCC unroll 4
  for (int i = 0; i < kSteps; ++i) {
    multiply_step<kTransposedA>(sum, a, b);
    a.next();
    b += b_step;
    keep_order();  // or GCC 12 moves loads from step to step, and spills
  }
  a.advance();
#else
#pragma GCC unroll 1
  for (int i = 0; i < kSteps; ++i) {  // 16 registers, all in use: unrolled, GCC 12 spills whatever it is told
    multiply_step<kTransposedA>(sum, a, b);
    a.next();
    a.advance();
    b += b_step;
  }
#endif
}

// fetched: parts of the tile's rows that have been prefetched, of `parts`.
template <bool kTransposedA, int R, int N, bool kHalf>
HWY_INLINE void multiply_chunk(Sums<R, N, kHalf>& sum, const Chunk& chunk, std::int64_t first, const Prefetch& prefetch, int parts,
                               int& fetched, LaterLines& later) {
  constexpr int kUnrolled = 4;
  Rows<kTransposedA, R, N> a(chunk.a + (kTransposedA ? first : first * chunk.a_stride), chunk.a_stride);
  const float* b = chunk.b;
  const std::ptrdiff_t b_step = chunk.b_stride;
  const std::int64_t between = parts > 0 ? std::max<std::int64_t>(1, chunk.k / (kUnrolled * R * parts)) * kUnrolled : 0;
  for (std::int64_t k = chunk.k, slice; k > 0; k -= slice) {
    slice = k;
    if (fetched < R * parts) {
      prefetch.part(first + fetched / parts, fetched % parts);
      ++fetched;
      slice = std::min(between, k);
    }
    std::int64_t i = slice;
    for (; i >= kUnrolled; i -= kUnrolled) {
      multiply_steps<kTransposedA, kUnrolled>(sum, a, b, b_step);
      later.next();
    }
    for (; i > 0; --i) multiply_steps<kTransposedA, 1>(sum, a, b, b_step);
  }
}

template <int R, int N, bool kHalf, bool kTransposedA, class Last>
HWY_INLINE void run_tile(const Strip& s, std::int64_t first, Last last) {
  Sums<R, N, kHalf> sum{};
  float* const c = s.c_row(first);
  const Chunk *chunk = s.chunks, *const end = chunk + s.count;
  const float* add = s.add ? s.add + first * s.add_stride : nullptr;  // beside the chain under way
  std::ptrdiff_t add_stride = s.add_stride;
  const int parts = s.prefetch.parts_of_row();
  int fetched = 0;
  LaterLines later(s.later, first, R);
  clear_tile(sum, last);
  for (;;) {  // one loop over k in the code: with two of them GCC 12 keeps their pointers on the stack
    multiply_chunk<kTransposedA>(sum, *chunk, first, s.prefetch, parts, fetched, later);
    if (++chunk == end) break;
    if (chunk->joins) continue;
    store_tile(sum, add, add_stride, c, s.c_stride, last);
    add = c;
    add_stride = s.c_stride;
    clear_tile(sum, last);
  }
  store_tile(sum, add, add_stride, c, s.c_stride, last);
}

// Rows [first, first + R) of a strip.
template <int R, int N, bool kHalf, bool kTransposedA>
HWY_NOINLINE void run_tile(const Strip& s, std::int64_t first) {
  if constexpr (kHalf) {
    if (s.tail >= kHalfLanes) return run_tile<R, N, kHalf, kTransposedA>(s, first, WholeHalf{});
    run_tile<R, N, kHalf, kTransposedA>(s, first, PartHalf{s.tail});
  } else {
    if (s.tail == kLanes) return run_tile<R, N, kHalf, kTransposedA>(s, first, Whole{});
    run_tile<R, N, kHalf, kTransposedA>(s, first, Part{s.tail});
  }
}

using TileFunction = void (*)(const Strip&, std::int64_t);
using TilesByRows = std::array<TileFunction, kMaxRows>;
using TilesByWidth = std::array<TilesByRows, kPanelVectors>;

template <bool kTransposedA, bool kHalf, int N, int... R>
constexpr TilesByRows tiles_of_width(std::integer_sequence<int, R...>) {
  return {run_tile<R + 1, N, kHalf, kTransposedA>...};
}

template <bool kTransposedA, bool kHalf, int... N>
constexpr TilesByWidth all_tiles(std::integer_sequence<int, N...>) {
  return {tiles_of_width<kTransposedA, kHalf, N + 1>(std::make_integer_sequence<int, max_rows(N + 1)>())...};
}

template <bool kTransposedA, bool kHalf>
inline constexpr TilesByWidth kTiles = all_tiles<kTransposedA, kHalf && kHasHalf>(std::make_integer_sequence<int, kPanelVectors>());

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
  bool half;          // the last is half a vector
  explicit PanelWidth(std::int64_t n)
      : vectors(static_cast<int>((std::min(n, kPanel) + kLanes - 1) / kLanes)),
        tail(std::min(n, kPanel) - (vectors - 1) * kLanes),
        half(kHasHalf && tail <= kHalfLanes) {}
  std::int64_t lanes(int vector) const { return half && vector + 1 == vectors ? kHalfLanes : kLanes; }
  std::int64_t floats() const { return (vectors - 1) * kLanes + lanes(vectors - 1); }
};

template <bool kTransposedA>
HWY_INLINE const TilesByRows& tiles_of(PanelWidth width) {
  return (width.half ? kTiles<kTransposedA, true> : kTiles<kTransposedA, false>)[width.vectors - 1];
}

// Rows [first, first + m) of a strip.
template <bool kTransposedA>
HWY_INLINE void run_strip(const Strip& strip, PanelWidth width, std::int64_t first, std::int64_t m) {
  const TilesByRows& tiles = tiles_of<kTransposedA>(width);
  for_row_blocks(m, width.vectors, [&](std::int64_t block, int rows) { tiles[rows - 1](strip, first + block); });
}

template <int N, class Last>
HWY_INLINE void pack_rows_of(std::int64_t k, const float* HWY_RESTRICT b, std::ptrdiff_t b_stride, std::int64_t floats, Last last,
                             float* HWY_RESTRICT panel) {
  const F d;
  for (std::int64_t p = 0; p < k; ++p, b += b_stride, panel += floats) {
#pragma GCC unroll 4
    for (int n = 0; n < N - 1; ++n) hn::StoreU(hn::LoadU(d, b + n * kLanes), d, panel + n * kLanes);
    hn::StoreU(last.load(b + (N - 1) * kLanes), d, panel + (N - 1) * kLanes);
  }
}

template <class Last>
HWY_INLINE void pack_rows_of(std::int64_t k, const float* b, std::ptrdiff_t b_stride, PanelWidth width, Last last, float* panel) {
  switch (width.vectors) {
    case 1:
      return pack_rows_of<1>(k, b, b_stride, width.floats(), last, panel);
    case 2:
      return pack_rows_of<2>(k, b, b_stride, width.floats(), last, panel);
    case 3:
      return pack_rows_of<3>(k, b, b_stride, width.floats(), last, panel);
    default:
      return pack_rows_of<4>(k, b, b_stride, width.floats(), last, panel);
  }
}

// panel (k, width.floats()) = the rows of a (k, n) matrix from its column on, padded with zeros. Behind half a vector, a row's padding
// falls on the next row, which is written after it; the last one needs room for a whole vector.
inline void pack_rows(std::int64_t k, const float* b, std::ptrdiff_t b_stride, PanelWidth width, float* panel) {
  if (width.tail == kLanes) return pack_rows_of(k, b, b_stride, width, Whole{}, panel);
  pack_rows_of(k, b, b_stride, width, Part{width.tail}, panel);
}

#if HWY_TARGET != HWY_SCALAR
using Quad = hn::FixedTag<float, 4>;

// The four floats at `from` of each of rows 0, 4, 8, .. , kLanes / 4 of them, side by side.
HWY_INLINE VF every_fourth(const float* from, [[maybe_unused]] std::ptrdiff_t stride) {
  const Quad d;
#if HWY_TARGET <= HWY_AVX3
  const hn::Half<F> half;
  return hn::Combine(F(), hn::Combine(half, hn::LoadU(d, from + 12 * stride), hn::LoadU(d, from + 8 * stride)),
                     hn::Combine(half, hn::LoadU(d, from + 4 * stride), hn::LoadU(d, from)));
#elif HWY_TARGET <= HWY_AVX2
  return hn::Combine(F(), hn::LoadU(d, from + 4 * stride), hn::LoadU(d, from));
#else
  return hn::LoadU(d, from);
#endif
}

// Four columns of to (4, lanes of D) from r0 .. r3, whose blocks of four lanes are rows of blocks of 4 x 4.
template <class D, class V>
HWY_INLINE void store_turned(D d, V r0, V r1, V r2, V r3, float* to, std::ptrdiff_t stride) {
  const hn::Repartition<double, D> pairs;
  const auto low01 = hn::BitCast(pairs, hn::InterleaveLower(d, r0, r1)), low23 = hn::BitCast(pairs, hn::InterleaveLower(d, r2, r3));
  const auto high01 = hn::BitCast(pairs, hn::InterleaveUpper(d, r0, r1)), high23 = hn::BitCast(pairs, hn::InterleaveUpper(d, r2, r3));
  hn::StoreU(hn::BitCast(d, hn::InterleaveLower(pairs, low01, low23)), d, to);
  hn::StoreU(hn::BitCast(d, hn::InterleaveUpper(pairs, low01, low23)), d, to + stride);
  hn::StoreU(hn::BitCast(d, hn::InterleaveLower(pairs, high01, high23)), d, to + 2 * stride);
  hn::StoreU(hn::BitCast(d, hn::InterleaveUpper(pairs, high01, high23)), d, to + 3 * stride);
}
#endif

// `lanes` columns of a panel from `columns` rows of an (n, k) matrix, transposed; the other lanes are zero.
// Turned in registers, a vector of columns by four: float by float, packing was a sixth of the training step of a deep net of 256 units.
inline void pack_column(std::int64_t k, const float* b, std::ptrdiff_t b_stride, std::int64_t columns, std::int64_t lanes, float* panel,
                        std::ptrdiff_t panel_stride) {
  std::int64_t p = 0;
#if HWY_TARGET != HWY_SCALAR
  const Quad quad;
  for (; columns == lanes && lanes % 4 == 0 && p + 4 <= k; p += 4) {
    const float* from = b + p;
    float* to = panel + p * panel_stride;
    std::int64_t j = 0;
    for (; j + kLanes <= lanes; j += kLanes, from += kLanes * b_stride, to += kLanes)
      store_turned(F(), every_fourth(from, b_stride), every_fourth(from + b_stride, b_stride), every_fourth(from + 2 * b_stride, b_stride),
                   every_fourth(from + 3 * b_stride, b_stride), to, panel_stride);
    for (; j < lanes; j += 4, from += 4 * b_stride, to += 4)
      store_turned(quad, hn::LoadU(quad, from), hn::LoadU(quad, from + b_stride), hn::LoadU(quad, from + 2 * b_stride),
                   hn::LoadU(quad, from + 3 * b_stride), to, panel_stride);
  }
#endif
  for (; p < k; ++p) {
    float* const out = panel + p * panel_stride;
    for (std::int64_t j = 0; j < columns; ++j) out[j] = b[j * b_stride + p];
    for (std::int64_t j = columns; j < lanes; ++j) out[j] = 0;
  }
}

}  // namespace vp::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // VP_KERNELS_NATIVE_TILE_INL_H_
