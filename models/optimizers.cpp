#include "models/optimizers.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "kernels/views.h"

namespace vp {
namespace {

// w -= lr * g
template <class T>
class Sgd final : public Optimizer<T> {
 public:
  Sgd(std::int64_t, double learning_rate, const Options&) : rate_(static_cast<T>(learning_rate)) {}
  void begin_update(std::int64_t) override {}
  void apply(std::int64_t begin, std::int64_t end, const T* gradient, T scale, T* w) override {
    for (std::int64_t i = begin; i < end; ++i) w[i] -= rate_ * (gradient[i] * scale);
  }

 private:
  T rate_;
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
      : rate_(static_cast<T>(learning_rate)),
        mu_(static_cast<T>(dynamic_cast<const MomentumOptions&>(options).momentum)),
        velocity_(size) {}
  void begin_update(std::int64_t) override {}
  void apply(std::int64_t begin, std::int64_t end, const T* gradient, T scale, T* w) override {
    T* v = velocity_.data();
    for (std::int64_t i = begin; i < end; ++i) {
      v[i] = mu_ * v[i] + gradient[i] * scale;
      w[i] -= rate_ * v[i];
    }
  }

 private:
  T rate_, mu_;
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
  Rmsprop(std::int64_t size, double learning_rate, const Options& options) : rate_(static_cast<T>(learning_rate)), square_(size) {
    const auto& o = dynamic_cast<const RmspropOptions&>(options);
    decay_ = static_cast<T>(o.decay);
    rest_ = static_cast<T>(1 - o.decay);
    epsilon_ = static_cast<T>(o.epsilon);
  }
  void begin_update(std::int64_t) override {}
  void apply(std::int64_t begin, std::int64_t end, const T* gradient, T scale, T* w) override {
    T* s = square_.data();
    for (std::int64_t i = begin; i < end; ++i) {
      const T g = gradient[i] * scale;
      s[i] = decay_ * s[i] + rest_ * (g * g);
      w[i] -= rate_ * g / (std::sqrt(s[i]) + epsilon_);
    }
  }

 private:
  T rate_, decay_, rest_, epsilon_;
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
      : rate_(learning_rate), options_(dynamic_cast<const AdamOptions&>(options)), mean_(size), square_(size) {}
  void begin_update(std::int64_t step) override {
    const double t = static_cast<double>(step);
    step_ = static_cast<T>(rate_ / (1 - std::pow(options_.beta1, t)));
    root_ = static_cast<T>(1 / std::sqrt(1 - std::pow(options_.beta2, t)));
  }
  void apply(std::int64_t begin, std::int64_t end, const T* gradient, T scale, T* w) override {
    const T b1 = static_cast<T>(options_.beta1), b2 = static_cast<T>(options_.beta2);
    const T r1 = static_cast<T>(1 - options_.beta1), r2 = static_cast<T>(1 - options_.beta2), epsilon = static_cast<T>(options_.epsilon);
    T *m = mean_.data(), *s = square_.data();
    for (std::int64_t i = begin; i < end; ++i) {
      const T g = gradient[i] * scale;
      m[i] = b1 * m[i] + r1 * g;
      s[i] = b2 * s[i] + r2 * (g * g);
      w[i] -= step_ * m[i] / (std::sqrt(s[i]) * root_ + epsilon);
    }
  }

 private:
  double rate_;
  AdamOptions options_;
  T step_ = 0, root_ = 0;
  AlignedBuffer<T> mean_, square_;
};

template <template <class> class O, class T>
std::unique_ptr<Optimizer<T>> make(std::int64_t size, double learning_rate, const Options& options) {
  return std::make_unique<O<T>>(size, learning_rate, options);
}
template <class O>
std::unique_ptr<Options> make_options() {
  return std::make_unique<O>();
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
