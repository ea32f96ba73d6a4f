// What probes and inspection want to see of a layer's steps, kept while they are there: moments of the states, traces of units, all states.
// Nothing is kept that was not asked for. Thread-safety: belongs to one layer of one shard slot.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "kernels/memory/aligned_buffer.h"
#include "models/base/moments.h"
#include "models/cells/cell.h"
#include "models/recurrent/state_tape.h"

namespace vp {

template <class T>
class StateRecorder {
 public:
  StateRecorder(const Cell<T>& cell, const LayerShape& shape)
      : cell_(cell), steps_(shape.steps), rows_(shape.rows), hidden_(shape.hidden) {}

  void measure_activations(bool on) {
    measure_ = on;
    if (on && activations_.empty()) activations_ = AlignedBuffer<Moments>(steps_ * rows_);
  }
  void measure_slopes(bool on) { slopes_ = on; }
  void keep_traces(std::int64_t rows) {
    traced_rows_ = rows;
    names_.assign(cell_.gate_names().begin(), cell_.gate_names().end());
    if (cell_.has_cell_state()) names_.emplace_back("cell");
    names_.emplace_back("hidden");
    const std::int64_t size = steps_ * rows * traced() * hidden_;
    if (traces_.size() != size) traces_ = AlignedBuffer<T>(size);
  }
  void keep_hidden_states() { room_for(kept_h_); }
  void keep_hidden_gradients() { room_for(kept_dh_); }

  // After the forward pass of a segment that is on the tape.
  void record(const StateTape<T>& tape) {
    const Segment& segment = tape.held();
    const std::int64_t n = rows_ * hidden_;
    if (!kept_h_.empty()) std::copy_n(tape.hidden(), segment.steps * n, kept_h_.data() + segment.first * n);
    for (std::int64_t t = segment.first; t < segment.end() && traced_rows_ > 0; ++t) trace_step(tape, t);
    for (std::int64_t t = segment.first; t < segment.end() && measure_; ++t) measure(tape, t);
  }
  // Of one step, where steps come one by one.
  void record_step(const StateTape<T>& tape, std::int64_t t) {
    if (measure_) measure(tape, t);
  }
  bool measures() const { return measure_; }
  bool keeps_hidden_gradients() const { return !kept_dh_.empty(); }
  void record_gradient(std::int64_t t, const T* dh) {
    if (!kept_dh_.empty()) std::copy_n(dh, rows_ * hidden_, kept_dh_.data() + t * rows_ * hidden_);
  }

  const Moments& activations(std::int64_t t, std::int64_t row) const { return activations_[t * rows_ + row]; }
  std::span<const std::string_view> trace_names() const { return names_; }
  const T* trace(std::size_t name, std::int64_t t, std::int64_t row) const {
    return traces_.data() + ((t * traced_rows_ + row) * traced() + static_cast<std::int64_t>(name)) * hidden_;
  }
  const T* hidden_states() const { return kept_h_.data(); }
  const T* hidden_gradients() const { return kept_dh_.data(); }

 private:
  std::int64_t traced() const { return static_cast<std::int64_t>(names_.size()); }
  void room_for(AlignedBuffer<T>& states) {
    if (states.empty()) states = AlignedBuffer<T>(steps_ * rows_ * hidden_);
  }
  void trace_step(const StateTape<T>& tape, std::int64_t t);
  void measure(const StateTape<T>& tape, std::int64_t t);

  const Cell<T>& cell_;
  std::int64_t steps_, rows_, hidden_;
  bool measure_ = false, slopes_ = false;
  std::int64_t traced_rows_ = 0;
  std::vector<std::string_view> names_;  // of the blocks of gates, then cell and hidden
  AlignedBuffer<T> kept_h_, kept_dh_;    // (T, B, H) or empty
  AlignedBuffer<T> traces_;              // (T, traced rows, names, H) or empty
  AlignedBuffer<Moments> activations_;   // (T, B) or empty
};

template <class T>
void StateRecorder<T>::trace_step(const StateTape<T>& tape, std::int64_t t) {
  T* to = traces_.data() + t * traced_rows_ * traced() * hidden_;
  const auto copy = [&](const T* from) { to = std::copy_n(from, hidden_, to); };
  const std::int64_t width = cell_.gates() * hidden_;
  for (std::int64_t b = 0; b < traced_rows_; ++b) {
    for (std::size_t g = 0; g < cell_.gate_names().size(); ++g) copy(tape.gates_at(t) + b * width + static_cast<std::int64_t>(g) * hidden_);
    if (tape.has_cell_state()) copy(tape.cell_at(t) + b * hidden_);
    copy(tape.hidden_at(t) + b * hidden_);
  }
}

template <class T>
void StateRecorder<T>::measure(const StateTape<T>& tape, std::int64_t t) {
  const std::int64_t width = cell_.gates() * hidden_, saved_width = cell_.saved_blocks() * hidden_;
  for (std::int64_t b = 0; b < rows_; ++b) {
    if (tape.has_ended(t, b)) {
      activations_[t * rows_ + b] = {};
      continue;
    }
    const T *h = tape.hidden_at(t) + b * hidden_, *gates = tape.gates_at(t) + b * width, *saved = tape.saved_at(t) + b * saved_width;
    Moments m{.count = static_cast<double>(hidden_)};
    for (std::int64_t u = 0; u < hidden_; ++u) {
      m.sum += static_cast<double>(h[u]);
      const double slope = cell_.relative_slope(gates, saved, hidden_, u);
      m.saturated += slope < kSaturatedSlope;
      if (slopes_) m.log10_slope += std::log10(slope * cell_.max_slope());
    }
    const double mean = m.mean();
    for (std::int64_t u = 0; u < hidden_; ++u) m.squares += (static_cast<double>(h[u]) - mean) * (static_cast<double>(h[u]) - mean);
    activations_[t * rows_ + b] = m;
  }
}

}  // namespace vp
