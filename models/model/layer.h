// One layer of a shard after a forward and backward pass, as probes and inspection see it. Thread-safety: belongs to one shard slot.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "models/base/moments.h"

namespace vp {

// t: the time step, 0 where there is no time.
template <class T>
class Layer {
 public:
  virtual ~Layer() = default;
  virtual std::int64_t steps() const = 0;
  virtual std::int64_t rows() const = 0;
  virtual std::int64_t hidden() const = 0;  // elements of the output of a row and step
  // Sum of squares of dL/dh_t (dL/dc_t) of each row, and the exponent it is counted with (scaled_rows.h).
  virtual const double* sum_squares_dh(std::int64_t t) const = 0;
  virtual const double* sum_squares_dc(std::int64_t t) const = 0;
  virtual const std::int32_t* norm_exponent(std::int64_t t) const = 0;
  // Of h_t, each row: where ModelShard::measure_activations() was on.
  // log10_slope: where ModelShard::measure_slopes() was on.
  virtual const Moments& activations(std::int64_t t, std::int64_t row) const = 0;
  // Of the units of a row, whether the slope was not zero, measured with activations(); empty: not looked at.
  virtual std::span<const std::uint8_t> alive(std::int64_t /*row*/) const { return {}; }
  // dL/dh_t of all steps with norm_exponent(), (T, B, H): where ModelShard::keep_hidden_gradients() was called.
  virtual const T* hidden_gradients() const = 0;
  // What each unit did, by name, at each step of the rows that ModelShard::keep_traces() asked for.
  virtual std::span<const std::string_view> trace_names() const { return {}; }
  virtual const T* trace(std::size_t /*name*/, std::int64_t /*t*/, std::int64_t /*row*/) const { return nullptr; }  // (H)
  // h_t of all steps, where it was kept (a recurrent layer's on demand, others' always), and the shape of a row and step: (H), or (C, Y, X)
  // where it is an image, whose elements stand channels last all the same.
  virtual const T* kept_hidden_states() const { return nullptr; }
  virtual std::vector<std::int64_t> sample_shape() const { return {hidden()}; }
  // Elements of the signals that left the range of T when the parameter gradients got their scale back.
  virtual std::int64_t lost_in_scaling() const = 0;
};

}  // namespace vp
