// What a recurrent layer remembers of its time steps: states, gates and what else a cell keeps for its backward pass.
//
// Steps are held for one segment at a time, and what later segments need of earlier ones is a checkpoint of h and c at each segment's
// start. The tape also knows what stands before a step: the state of the step before, a start of one's own, or zero where the state is
// reset. Thread-safety: belongs to one layer of one shard slot.
#pragma once

#include <cstdint>

#include "kernels/memory/aligned_buffer.h"
#include "models/cells/cell.h"
#include "models/recurrent/layer_weights.h"

namespace vp {

// Steps first .. first+steps-1.
struct Segment {
  std::int64_t first = 0, steps = 0;
  std::int64_t end() const { return first + steps; }
};

template <class T>
class StateTape {
 public:
  StateTape(const Cell<T>& cell, const LayerShape& shape);

  // h and c before step 0, (B, H) each, copied; nullptr (and without this call): zero.
  void start_from(const T* h0, const T* c0);
  // Rows end at steps of their own: lengths (B) is read by every pass, so it outlives the tape; nullptr: all rows have all steps.
  void end_rows_at(const std::int32_t* lengths) { lengths_ = lengths; }
  // h and c are zero before each step t for which phase + t is a multiple of `every`. 0: never.
  void reset_every(std::int64_t every, std::int64_t phase);

  // Segments in ascending order: the state goes on from the one before.
  void begin(Segment segment);
  // An earlier segment, from its checkpoint.
  void begin_again(Segment segment);
  // After step t: behind a row's end the state is zero.
  void end_rows(std::int64_t t);

  const Segment& held() const { return held_; }
  bool has_cell_state() const { return !c_.empty(); }
  bool has_lengths() const { return lengths_ != nullptr; }
  bool has_ended(std::int64_t t, std::int64_t row) const { return lengths_ != nullptr && t >= lengths_[row]; }
  bool resets_at(std::int64_t t) const { return reset_every_ > 0 && (reset_phase_ + t) % reset_every_ == 0; }
  // Else h before step t is zero: a product less.
  bool has_previous(std::int64_t t) const { return (t > 0 || !initial_h_.empty()) && !resets_at(t); }

  // Of the held segment, t absolute. The arrays of a cell's step that stand on the tape; the others are open.
  CellForward<T> at(std::int64_t t);
  const T* hidden() const { return h_.data() + n_; }  // (segment.steps, B, H)
  const T* hidden_at(std::int64_t t) const { return h_.data() + (local(t) + 1) * n_; }
  const T* cell_at(std::int64_t t) const { return c_.empty() ? nullptr : c_.data() + (local(t) + 1) * n_; }
  const T* gates_at(std::int64_t t) const { return gates_.data() + local(t) * shape_.rows * shape_.gate_width; }
  const T* saved_at(std::int64_t t) const { return saved_.data() + local(t) * n_ * saved_blocks_; }
  const T* operands_at(std::int64_t t) const { return operand_.data() + local(t) * n_; }
  // h (c) before each of the steps from `first` on, (steps, B, H).
  const T* previous_hidden(std::int64_t first, std::int64_t steps) { return previous(h_, previous_h_, first, steps); }
  const T* previous_cells(std::int64_t first, std::int64_t steps) { return previous(c_, previous_c_, first, steps); }

 private:
  std::int64_t local(std::int64_t t) const { return t - held_.first; }
  const T* previous(const AlignedBuffer<T>& states, AlignedBuffer<T>& previous, std::int64_t first, std::int64_t steps);

  LayerShape shape_;
  std::int64_t n_, saved_blocks_;  // n: B*H
  Segment held_;
  const std::int32_t* lengths_ = nullptr;  // (B), the caller's
  std::int64_t reset_every_ = 0, reset_phase_ = 0;
  // S: steps of a segment, N: number of segments
  AlignedBuffer<T> h_, c_;                           // (S+1, B, H); c: where the cell has one
  AlignedBuffer<T> gates_;                           // (S, B, G*H)
  AlignedBuffer<T> saved_;                           // (S, B, saved blocks * H)
  AlignedBuffer<T> operand_;                         // (S, B, H), gated recurrence
  AlignedBuffer<T> checkpoint_h_, checkpoint_c_;     // (N, B, H), where N > 1
  AlignedBuffer<T> initial_h_, initial_c_;           // (B, H), or empty: zero
  AlignedBuffer<T> zero_, previous_h_, previous_c_;  // (B, H), (steps of a chunk, B, H), or empty: for resets
};

}  // namespace vp
