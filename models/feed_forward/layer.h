// One layer of a feed-forward net for the rows of a shard, forward and backward, with gradient norms that never leave the range of float.
//
// Backward signals carry a power of two for every row (scaled_rows.h), from layer to layer as in time. Thread-safety: a
// FeedForwardWeights is packed by one thread while no shard works, then read by all; a FeedForwardLayer belongs to one shard slot. A
// steady-state step allocates nothing.
#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "kernels/backend/backend.h"
#include "kernels/memory/aligned_buffer.h"
#include "models/feed_forward/plan.h"
#include "models/model/layer.h"
#include "models/spec/phase_clock.h"

namespace vp {

template <class T>
class FeedForwardWeights {
 public:
  // rows: of a full shard.
  FeedForwardWeights(Backend<T>& backend, const LayerPlan& plan, std::int64_t rows, bool needs_input_gradient);
  void pack(const T* parameters);

  const LayerPlan& plan() const { return plan_; }
  PackedWeights<T>* forward() const { return forward_.get(); }
  PackedWeights<T>* backward() const { return backward_.get(); }  // nullptr if no input gradient is needed
  ConvolutionWeights<T>* convolution() const { return convolution_.get(); }
  bool needs_input_gradient() const { return needs_input_gradient_; }
  const T* values(const Tensor& tensor) const { return parameters_ + tensor.offset; }  // as of the last pack()

 private:
  LayerPlan plan_;
  bool needs_input_gradient_;
  std::unique_ptr<PackedWeights<T>> forward_, backward_;  // dense
  std::unique_ptr<ConvolutionWeights<T>> convolution_;
  const T* parameters_ = nullptr;
};

// dL/d(output of a layer) of every row: data[row] * 2^exponent[row].
template <class T>
struct RowSignal {
  T* data = nullptr;
  std::int32_t* exponent = nullptr;
};

// Which units are dropped is drawn for (seed, layer, update, sample, unit).
struct DropoutKey {
  std::uint64_t seed = 0, update = 0;
  std::span<const std::uint64_t> samples;  // by row; empty: nothing is dropped
};

template <class T>
class FeedForwardLayer final : public Layer<T> {
 public:
  // scratch: of the shard's products.
  FeedForwardLayer(Backend<T>& backend, const FeedForwardWeights<T>& weights, std::int64_t index, std::int64_t rows, Scratch<T>& scratch);

  // x (rows, inputs). Fills output(). next: weights that come after these, or nullptr; they may be fetched meanwhile.
  void forward(const T* x, const DropoutKey& dropout, const FeedForwardWeights<T>* next, PhaseClock& clock);
  const T* output() const { return pooling_ ? pooled_.data() : h_.data(); }  // (rows, outputs)

  // After forward() on the same x. signal: of this layer's output; its exponents become those of dx (rows, inputs), overwritten if the
  // weights were made for it. dz (rows, size) is workspace. Overwrites this layer's part of `gradients` (flat), but for the weight of a
  // dense layer: dz(piece) (rows, piece.units) then holds what it is made of, beside x.
  void backward(const T* x, RowSignal<T> signal, T* dz, T* dx, T* gradients, const FeedForwardWeights<T>* next, PhaseClock& clock);

  const T* dz(const GradientPiece& piece) const { return (cut_.empty() ? dz_ : cut_).data() + rows_ * piece.first_unit; }

  void measure_activations(bool on);
  void keep_hidden_gradients();

  std::int64_t steps() const override { return 1; }
  std::int64_t rows() const override { return rows_; }
  std::int64_t hidden() const override { return plan_.outputs; }
  const double* sum_squares_dh(std::int64_t) const override { return squares_.data(); }
  const double* sum_squares_dc(std::int64_t) const override { return nullptr; }
  const std::int32_t* norm_exponent(std::int64_t) const override { return norm_exponent_.data(); }
  const Moments& activations(std::int64_t, std::int64_t row) const override { return activations_[row]; }
  std::span<const std::uint8_t> alive(std::int64_t row) const override { return alive_.span().subspan(row * plan_.units, plan_.units); }
  const T* hidden_gradients() const override { return kept_dh_.data(); }
  const T* kept_hidden_states() const override { return output(); }
  std::vector<std::int64_t> sample_shape() const override;
  std::int64_t lost_in_scaling() const override { return lost_; }
  std::set<std::string> implementations() const;

 private:
  void affine(const T* x, const FeedForwardWeights<T>* next);
  void measure();
  void drop(const DropoutKey& key);
  void norms_of(const T* dh);
  void normalize_backward(T* dz, const std::int32_t* exponent, T* gradients);
  void rescale(T* dz, std::int32_t* exponent);
  void input_gradient(RowSignal<T> signal, const T* dz, T* dx, const FeedForwardWeights<T>* next);
  void cut_signals();
  void parameter_gradients(const T* x, T* dz, T* gradients);

  const FeedForwardWeights<T>& weights_;
  const LayerPlan& plan_;
  const PointwiseKernels<T>& kernels_;
  std::int64_t index_, rows_, lost_ = 0;
  std::vector<GradientPiece> pieces_;  // of the weight of a dense layer
  bool measure_ = false;
  std::unique_ptr<Product<T>> forward_, input_;  // dense
  std::unique_ptr<Convolution<T>> convolution_;
  std::unique_ptr<Pooling<T>> pooling_;
  AlignedBuffer<T> slope_;                     // (rows, size): pre-activations, then f'
  AlignedBuffer<T> h_;                         // (rows, size)
  AlignedBuffer<T> pooled_, unpooled_;         // (rows, outputs), (rows, size), or empty
  AlignedBuffer<T> dz_;                        // (rows, units) of a dense layer
  AlignedBuffer<T> cut_;                       // the same, piece by piece (rows, piece.units), where there are several
  AlignedBuffer<T> normalized_;                // (rows, size), or empty
  AlignedBuffer<double> norm_gradients_;       // (2, units), or empty: of the norm's weight and bias
  AlignedBuffer<double> deviation_;            // (rows): 1 / standard deviation of the pre-activations
  AlignedBuffer<double> squares_, discarded_;  // (rows)
  AlignedBuffer<std::int32_t> norm_exponent_;  // (rows)
  AlignedBuffer<std::int32_t> dz_exponent_;    // (rows); a shortcut may leave another for dx
  AlignedBuffer<Moments> activations_;         // (rows) or empty
  AlignedBuffer<std::uint8_t> alive_;          // (rows, units) or empty: the slope is not zero at some place
  AlignedBuffer<T> kept_dh_;                   // (rows, outputs) or empty
};

}  // namespace vp
