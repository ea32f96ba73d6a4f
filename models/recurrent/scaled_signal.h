// The error signal on its way back through the steps of a recurrent layer.
//
// At each step dL/dh_t is what comes through time and what the readout or the layer above sends; the cell turns it into gradients of
// pre-activations, which are kept for a chunk of steps. Every batch row of every array carries one exact power of two (scaled_rows.h), so
// that a signal neither vanishes nor explodes in the float range. Thread-safety: belongs to one layer of one shard slot.
#pragma once

#include <cstdint>

#include "kernels/backend/backend.h"
#include "kernels/memory/aligned_buffer.h"
#include "models/cells/cell.h"
#include "models/recurrent/layer_weights.h"
#include "models/recurrent/state_tape.h"

namespace vp {

// A signal (steps, B, width) with an exponent per row and step (scaled_rows.h), as the layer or readout above sends it down.
template <class T>
struct SignalView {
  const T* data = nullptr;                 // (steps, B, width); nullptr: no signal
  const std::int32_t* exponent = nullptr;  // (steps, B); nullptr: all zero
  std::int64_t first_step = 0;             // of data and exponent; earlier steps carry none
  // (B): where set, data is (B, width) and exponent (B), and row b has its one signal at step at[b].
  const std::int32_t* at = nullptr;

  // Whether any of `rows` rows has a signal at step t.
  bool reaches(std::int64_t t, std::int64_t rows) const;
  // Of row b of `rows` at step t; kNoSignal: it has none there.
  std::int32_t exponent_at(std::int64_t t, std::int64_t b, std::int64_t rows) const;
};

template <class T>
class ScaledSignal {
 public:
  ScaledSignal(const PointwiseKernels<T>& kernels, const Cell<T>& cell, const LayerShape& shape);

  // Makes room for signals at steps of their own (SignalView::at), if they are to come.
  void take_scattered_signals();

  void begin();  // nothing comes from behind: at the last step, and where the state of the step behind was reset
  // Directly after begin(): another layer went on from where this one ends. What it sends by c, past W_hh and by its exponents comes in;
  // its share through W_hh is the caller's to put into dh().
  void continue_behind(const ScaledSignal& later);

  // Steps in descending order; `held` is the segment that is on the tape.
  // dh_t += what stands above it. Both are brought to the larger exponent.
  void add(std::int64_t t, SignalView<T> above);
  // Whether dr_next W_hh and what stands above step t may be added up as they are: their exponents agree. At the last step, where nothing
  // comes through time, there is nothing to agree with yet. Rows without a signal take any exponent; so do those that have not begun, where
  // rows end at steps of their own.
  bool agrees(std::int64_t t, SignalView<T> above, bool through_time, bool has_lengths) const;
  // After agrees(): what stands above step t, (B, H), or nullptr; rows take its exponents where they have no signal yet.
  const T* join(std::int64_t t, SignalView<T> above, bool through_time, bool has_lengths);
  // What the cell's backward step reads and writes here; the arrays of the tape are open.
  CellBackward<T> at(std::int64_t t);
  // Behind a row's end nothing comes back, whatever slopes and gates are there: zero times them may be no number.
  void end_rows(std::int64_t t, const StateTape<T>& tape);
  // Books the exponents of step t and brings rows that drift towards the ends of the float range back to the middle.
  void rescale(std::int64_t t, const Segment& held);
  // After the first step of a chunk: step t-1 wants dr_t as it is now, whatever the chunk's products do to it.
  void carry(std::int64_t t);

  T* dh() { return dh_.data(); }  // (B, H)
  bool has_direct() const { return !direct_.empty(); }
  void add_direct_to(T* dh) const;  // (B, H): what passes W_hh by
  // dr of the step behind t, which is not the last: (B, R*H).
  const T* next(std::int64_t t) { return (t + 1) % shape_.chunk_steps == 0 ? carried_.data() : dr_at(t + 1); }
  const T* carried() const { return carried_.data(); }

  // Of a chunk that starts at step t, M rows.
  T* dz_at(std::int64_t t) { return step_of(dz_, t, shape_.gate_width); }
  T* dr_at(std::int64_t t) { return apart() ? step_of(dr_, t, shape_.recurrent_width) : dz_at(t); }
  const T* dlast() const { return dlast_.data(); }  // (M, H), gated
  // Row r of the chunk *= 2^shift, in all its arrays. Returns how many elements left the range of T.
  std::int64_t scale_row(std::int64_t r, std::int32_t shift);
  const std::int32_t* exponents() const { return step_exponent_.data(); }  // (steps of the segment, B): of dz

  // Of all steps, each row:
  const double* sum_squares_dh(std::int64_t t) const { return sum_squares_dh_.data() + t * shape_.rows; }
  const double* sum_squares_dc(std::int64_t t) const { return sum_squares_dc_.data() + t * shape_.rows; }
  const std::int32_t* norm_exponent(std::int64_t t) const { return norm_exponent_.data() + t * shape_.rows; }

  // After step 0: what went past it by c, and dh0 (B, H), which holds the share through W_hh, completed; both in their true size. Returns
  // how many elements left the range of T.
  std::int64_t finish_initial(T* dh0, T* dc0) const;

 private:
  bool apart() const { return shape_.recurrence != Recurrence::kAdded; }  // dr is not dz
  bool gated() const { return shape_.recurrence == Recurrence::kGated; }  // there is dlast
  T* step_of(AlignedBuffer<T>& chunk, std::int64_t t, std::int64_t width) {
    return chunk.data() + t % shape_.chunk_steps * shape_.rows * width;
  }
  const T* above_at(std::int64_t t, SignalView<T> above);
  // call(array, its width) for each array of gradients of pre-activations.
  template <class Call>
  void for_each_gradient(const Call& call);

  const PointwiseKernels<T>& kernels_;
  LayerShape shape_;
  std::int64_t n_;                                         // B*H
  AlignedBuffer<T> dh_, dc_;                               // (B, H); dc: where there is a cell state
  AlignedBuffer<T> direct_;                                // (B, H), where the cell has a path past W_hh
  AlignedBuffer<T> above_;                                 // (B, H): a step of signals at steps of their own, or empty
  AlignedBuffer<T> dz_;                                    // (steps of a chunk, B, G*H)
  AlignedBuffer<T> dr_;                                    // (steps of a chunk, B, R*H), or empty: it is dz
  AlignedBuffer<T> dlast_;                                 // (steps of a chunk, B, H), gated
  AlignedBuffer<T> carried_;                               // (B, R*H): dr of the step behind the chunk under way
  AlignedBuffer<std::int32_t> row_exponent_;               // (B): of the step under way
  AlignedBuffer<std::int32_t> step_exponent_;              // (S, B): of dz, S: steps of a segment
  AlignedBuffer<double> sum_squares_dh_, sum_squares_dc_;  // (T, B)
  AlignedBuffer<std::int32_t> norm_exponent_;              // (T, B)
};

}  // namespace vp
