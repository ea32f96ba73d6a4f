// Recurrent layers that live on their own outputs: the input of a step is what the readout said at the step before.
//
// x_t = [u_t, y_{t-1}]: u_0 is given (where there is one) and u_t zero after it; y_{-1} is zero. y is the output itself for values, and for
// classes and yes/no the decision: the likeliest class as one-hot, 0 or 1. With teacher forcing y is the target instead (Williams & Zipser
// 1989). A value that is fed back carries its gradient, a decision and a target carry none: with both, gradients are exact.
// Thread-safety: belongs to one shard slot.
#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "kernels/memory/aligned_buffer.h"
#include "models/recurrent/readout.h"
#include "models/recurrent/recurrent_layer.h"
#include "models/spec/batch_source.h"

namespace vp {

struct DecoderShape {
  std::int64_t steps = 0, rows = 0;
  std::int64_t given = 0;    // width of u
  std::int64_t outputs = 0;  // C
  TargetKind target = TargetKind::kClasses;
};

// What is right, for teacher forcing: one of the two.
template <class T>
struct DecoderTargets {
  const std::int32_t* classes = nullptr;  // (steps, B)
  const T* values = nullptr;              // (steps, B, C)
};

template <class T>
class Decoder {
 public:
  // weights: of each layer, the first with given + C inputs. readout: made for one step at a time.
  Decoder(Backend<T>& backend, const Cell<T>& cell, const std::vector<std::unique_ptr<LayerWeights<T>>>& weights,
          const ReadoutWeights<T>& readout, const DecoderShape& shape);

  // Which states it starts from is set on its layers. given (B, given) or nullptr; logits (steps, B, C) overwritten.
  void forward(const T* given, const DecoderTargets<T>& targets, bool teacher_forcing, T* logits, PhaseClock& clock);
  // dlogits (steps, B, C): of the loss at each step; overwritten by the totals, what is fed back included.
  void backward(T* dlogits, T* gradients, PhaseClock& clock);

  RecurrentLayer<T>& layer(std::int64_t l) { return *layers_[l]; }
  const RecurrentLayer<T>& layer(std::int64_t l) const { return *layers_[l]; }
  std::int64_t lost_in_feedback() const { return lost_; }  // elements of dlogits that left the range of T
  std::set<std::string> implementations() const;

 private:
  void feed(std::int64_t t, const DecoderTargets<T>& targets, const T* logits);
  T* input_at(std::int64_t t) { return input_.data() + t * shape_.rows * width_; }

  const DecoderShape shape_;
  const PointwiseKernels<T>& kernels_;
  const std::int64_t width_;  // given + C
  std::vector<std::unique_ptr<RecurrentLayer<T>>> layers_;
  Readout<T> readout_;
  bool forced_ = false;
  std::int64_t lost_ = 0;
  AlignedBuffer<T> input_;                // (steps, B, given + C)
  AlignedBuffer<T> dh_;                   // (B, H)
  AlignedBuffer<std::int32_t> exponent_;  // (B): of the dlogits under way
};

}  // namespace vp
