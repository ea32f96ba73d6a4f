#include "models/optimizers/optimizers.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>

#include "kernels/memory/aligned_buffer.h"
#include "kernels/pointwise/optimizer_steps.h"

namespace vp {
namespace {

// w -= lr * g
template <class T>
class Sgd final : public Optimizer<T> {
 public:
  Sgd(std::int64_t, double learning_rate, const Options&) : step_{.rate = static_cast<T>(learning_rate)} {}
  void begin_update(std::int64_t) override {}
  void apply(std::int64_t begin, std::span<const T> gradient, T scale, T* w) override {
    step_.apply(std::ssize(gradient), scale, gradient.data(), w + begin);
  }

 private:
  SgdStep<T> step_;
};

struct MomentumOptions : OptionsOf<MomentumOptions> {
  double momentum = 0.9;
  void visit_fields(FieldVisitor& v) override {
    v.field({.key = "train.momentum", .description = "share of the last step that is kept", .minimum = 0, .maximum = 1}, momentum);
  }
};

// v = mu * v + g, w -= lr * v (PyTorch's form of Polyak 1964)
template <class T>
class Momentum final : public Optimizer<T> {
 public:
  Momentum(std::int64_t size, double learning_rate, const Options& options)
      : step_{.rate = static_cast<T>(learning_rate), .mu = static_cast<T>(options_as<MomentumOptions>(options).momentum)},
        velocity_(size) {}
  void begin_update(std::int64_t) override {}
  void apply(std::int64_t begin, std::span<const T> gradient, T scale, T* w) override {
    step_.apply(std::ssize(gradient), scale, gradient.data(), velocity_.data() + begin, w + begin);
  }

 private:
  MomentumStep<T> step_;
  AlignedBuffer<T> velocity_;
};

struct RmspropOptions : OptionsOf<RmspropOptions> {
  double decay = 0.99, epsilon = 1e-8;
  void visit_fields(FieldVisitor& v) override {
    v.field({.key = "train.decay", .description = "of the running mean square of the gradient", .minimum = 0, .maximum = 1}, decay);
    v.field({.key = "train.epsilon", .description = "added to the root mean square", .minimum = 0}, epsilon);
  }
};

// s = a * s + (1-a) * g^2, w -= lr * g / (sqrt(s) + eps) (Tieleman & Hinton 2012)
template <class T>
class Rmsprop final : public Optimizer<T> {
 public:
  Rmsprop(std::int64_t size, double learning_rate, const Options& options) : square_(size) {
    const auto& o = options_as<RmspropOptions>(options);
    step_ = {.rate = static_cast<T>(learning_rate),
             .decay = static_cast<T>(o.decay),
             .rest = static_cast<T>(1 - o.decay),
             .epsilon = static_cast<T>(o.epsilon)};
  }
  void begin_update(std::int64_t) override {}
  void apply(std::int64_t begin, std::span<const T> gradient, T scale, T* w) override {
    step_.apply(std::ssize(gradient), scale, gradient.data(), square_.data() + begin, w + begin);
  }

 private:
  RmspropStep<T> step_{};
  AlignedBuffer<T> square_;
};

struct AdamOptions : OptionsOf<AdamOptions> {
  double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8;
  void visit_fields(FieldVisitor& v) override {
    v.field({.key = "train.beta1", .description = "decay of the running mean of the gradient", .minimum = 0, .maximum = 0.9999999}, beta1);
    v.field({.key = "train.beta2", .description = "decay of the running mean square of the gradient", .minimum = 0, .maximum = 0.9999999},
            beta2);
    v.field({.key = "train.epsilon", .description = "added to the root mean square", .minimum = 0}, epsilon);
  }
};

// m = b1 m + (1-b1) g, s = b2 s + (1-b2) g^2, w -= lr * (m / (1-b1^t)) / (sqrt(s / (1-b2^t)) + eps) (Kingma & Ba 2015)
template <class T>
class Adam final : public Optimizer<T> {
 public:
  Adam(std::int64_t size, double learning_rate, const Options& options)
      : rate_(learning_rate), options_(options_as<AdamOptions>(options)), mean_(size), square_(size) {}
  void begin_update(std::int64_t step) override {
    const double t = static_cast<double>(step);
    step_ = {.rate = static_cast<T>(rate_ / (1 - std::pow(options_.beta1, t))),
             .decay1 = static_cast<T>(options_.beta1),
             .rest1 = static_cast<T>(1 - options_.beta1),
             .decay2 = static_cast<T>(options_.beta2),
             .rest2 = static_cast<T>(1 - options_.beta2),
             .root = static_cast<T>(1 / std::sqrt(1 - std::pow(options_.beta2, t))),
             .epsilon = static_cast<T>(options_.epsilon)};
  }
  void apply(std::int64_t begin, std::span<const T> gradient, T scale, T* w) override {
    step_.apply(std::ssize(gradient), scale, gradient.data(), mean_.data() + begin, square_.data() + begin, w + begin);
  }

 private:
  double rate_;
  AdamOptions options_;
  AdamStep<T> step_{};
  AlignedBuffer<T> mean_, square_;
};

template <template <class> class O, class T>
std::unique_ptr<Optimizer<T>> make(std::int64_t size, double learning_rate, const Options& options) {
  return std::make_unique<O<T>>(size, learning_rate, options);
}
const std::array<OptimizerEntry, 4> kOptimizers = {{
    {"sgd", "w -= lr*g", make_options<NoOptions>, make<Sgd, float>, make<Sgd, double>},
    {"momentum", "v = mu*v + g, w -= lr*v (Polyak 1964, PyTorch's form)", make_options<MomentumOptions>, make<Momentum, float>,
     make<Momentum, double>},
    {"rmsprop", "s = a*s + (1-a)*g^2, w -= lr*g/(sqrt(s)+eps) (Tieleman & Hinton 2012)", make_options<RmspropOptions>, make<Rmsprop, float>,
     make<Rmsprop, double>},
    {"adam", "bias-corrected running mean over root of running mean square (Kingma & Ba 2015)", make_options<AdamOptions>,
     make<Adam, float>, make<Adam, double>},
}};

}  // namespace

std::span<const OptimizerEntry> optimizers() { return kOptimizers; }

const OptimizerEntry* find_optimizer(std::string_view name) {
  const auto it = std::ranges::find(kOptimizers, name, &OptimizerEntry::name);
  return it == kOptimizers.end() ? nullptr : &*it;
}

}  // namespace vp
