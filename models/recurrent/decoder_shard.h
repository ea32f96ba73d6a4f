// The shard of models that live on their own outputs: one_to_many, a decoder alone, and sequence_to_sequence, where it goes on from the
// states in which an encoder with weights of its own ends. Samples to learn from are run with teacher forcing, if it is asked for; all
// others run free. Steps are counted on from the encoder to the decoder: dL/dh_t has one t over both.
#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "models/recurrent/decoder.h"
#include "models/recurrent/sequence_model.h"

namespace vp {

// A layer of the encoder, if there is one, and of the decoder behind it.
template <class T>
class UnrolledLayer final : public Layer<T> {
 public:
  UnrolledLayer(const RecurrentLayer<T>* encoder, const Decoder<T>& decoder, std::int64_t l)
      : encoder_(encoder), decoder_(decoder), layer_(decoder.layer(l)), source_(encoder == nullptr ? 0 : encoder->steps()), index_(l) {}
  std::int64_t steps() const override { return source_ + layer_.steps(); }
  std::int64_t rows() const override { return layer_.rows(); }
  std::int64_t hidden() const override { return layer_.hidden(); }
  const double* sum_squares_dh(std::int64_t t) const override { return at(t).sum_squares_dh(step(t)); }
  const double* sum_squares_dc(std::int64_t t) const override { return at(t).sum_squares_dc(step(t)); }
  const std::int32_t* norm_exponent(std::int64_t t) const override { return at(t).norm_exponent(step(t)); }
  const Moments& activations(std::int64_t t, std::int64_t row) const override { return at(t).activations(step(t), row); }
  const T* hidden_gradients() const override { return layer_.hidden_gradients(); }  // of the decoder
  std::int64_t lost_in_scaling() const override {
    return layer_.lost_in_scaling() + (source_ > 0 ? encoder_->lost_in_scaling() : 0) + (index_ == 0 ? decoder_.lost_in_feedback() : 0);
  }

 private:
  const RecurrentLayer<T>& at(std::int64_t t) const { return t < source_ ? *encoder_ : layer_; }
  std::int64_t step(std::int64_t t) const { return t < source_ ? t : t - source_; }

  const RecurrentLayer<T>* encoder_;
  const Decoder<T>& decoder_;
  const RecurrentLayer<T>& layer_;
  std::int64_t source_, index_;
};

template <class T>
class DecoderShard final : public ModelShard<T> {
 public:
  DecoderShard(const SequenceModel<T>& model, std::int64_t rows);

  void forward(PhaseClock& clock) override;
  void backward(PhaseClock& clock) override;
  const Layer<T>& layer(std::int64_t l) const override { return unrolled_[l]; }
  void measure_activations(bool on) override;
  void keep_hidden_gradients() override;

 private:
  using ModelShard<T>::rows_, ModelShard<T>::input_, ModelShard<T>::tokens_, ModelShard<T>::lengths_, ModelShard<T>::classes_,
      ModelShard<T>::values_, ModelShard<T>::logits_, ModelShard<T>::dlogits_, ModelShard<T>::gradient_;

  std::set<std::string> implementation_names() const override;
  void begin(Split split, std::uint64_t first_sample) override;
  void encode(PhaseClock& clock);
  void start_decoder(std::int64_t l);  // from the states in which the encoder's layer ends
  void encoder_backward(PhaseClock& clock);
  const T* encoder_input(std::int64_t l) const { return l == 0 ? first_input_ : encoder_[l - 1]->hidden_states(); }

  const SequenceModel<T>& model_;
  std::vector<std::unique_ptr<RecurrentLayer<T>>> encoder_;  // or empty
  Decoder<T> decoder_;
  std::vector<UnrolledLayer<T>> unrolled_;
  InputVectors<T> vectors_;
  const T* first_input_ = nullptr;  // (S, B, I) of the encoder's first layer
  bool teacher_forcing_ = false;    // for the samples at hand
};

}  // namespace vp
