// Step one of trust: the double reference's parameter gradients equal central differences of its loss.
#include <gtest/gtest.h>

#include "models/sequence_model.h"
#include "tests/compare.h"
#include "tests/models/model_cases.h"
#include "tests/models/random_source.h"

namespace vp::test {
namespace {

class GradientCheck : public ::testing::TestWithParam<ModelCase> {};

// Central differences over every parameter; the error of the difference is O(step^2) + eps/step, about 1e-9 here.
std::vector<double> numeric_gradient(SequenceModel<double>& model, SequenceShard<double>& shard, const BatchSource& source) {
  constexpr double kStep = 1e-5;
  std::vector<double> gradient(static_cast<std::size_t>(model.layout().size), 0.0);
  const auto loss_at = [&](double& parameter, double value) {
    parameter = value;
    model.pack_all();
    return run_shard(shard, source);
  };
  for (const Tensor* tensor : model.layout().tensors())
    for (std::int64_t i = tensor->offset; i < tensor->offset + tensor->size(); ++i) {
      double& parameter = model.parameters()[i];
      const double value = parameter, above = loss_at(parameter, value + kStep), below = loss_at(parameter, value - kStep);
      gradient[i] = (above - below) / (2 * kStep);
      parameter = value;
    }
  model.pack_all();
  return gradient;
}

TEST_P(GradientCheck, BackwardEqualsCentralDifferences) {
  RunSpec spec = spec_of(GetParam(), 4);
  spec.engine.backend = "reference";
  const RandomSource source(shape_of(GetParam(), 3, 3));
  SequenceModel<double> model(spec, source.shape(), 2);
  SequenceShard<double> shard(model, 2);
  const std::vector<double> expected = numeric_gradient(model, shard, source);
  run_shard(shard, source);
  const std::span<const double> actual(shard.gradient(), expected.size());
  EXPECT_GT(max_magnitude(actual), 1e-3);  // zeros would agree with nothing
  for (std::size_t i = 0; i < expected.size(); ++i)
    EXPECT_TRUE(near(actual[i], expected[i], 2e-8 * (1 + max_magnitude(actual)))) << "parameter " << i;
}

INSTANTIATE_TEST_SUITE_P(AllModels, GradientCheck, ::testing::ValuesIn(model_cases()));

// Step two: the float path of every backend equals the double reference, forward and backward, odd sizes included.
class FloatParity : public ::testing::TestWithParam<ModelCase> {};

void expect_parity(const ModelCase& c, const std::string& backend, std::int64_t hidden, std::int64_t rows) {
  RunSpec spec = spec_of(c, hidden);
  const RandomSource source(shape_of(c, 5, 3));
  spec.engine.backend = "reference";
  SequenceModel<double> exact(spec, source.shape(), rows);
  spec.engine.backend = backend;
  SequenceModel<float> model(spec, source.shape(), rows);
  for (std::int64_t i = 0; i < exact.layout().size; ++i) exact.parameters()[i] = static_cast<double>(model.parameters()[i]);
  exact.pack_all();
  model.pack_all();
  SequenceShard<double> exact_shard(exact, rows);
  SequenceShard<float> shard(model, rows);
  const double exact_loss = run_shard(exact_shard, source), loss = run_shard(shard, source);
  const double growth = std::sqrt(static_cast<double>(hidden * c.steps * c.layers));
  EXPECT_TRUE(near(loss, exact_loss, 8e-7 * growth * (1 + exact_loss)));
  EXPECT_TRUE((close<float, double>(shard.logits(), exact_shard.logits(), {.c = 8, .growth = growth})));
  for (const Tensor* t : exact.layout().tensors()) {
    const auto size = static_cast<std::size_t>(t->size());
    const std::span<const float> actual(shard.gradient() + t->offset, size);
    const std::span<const double> expected(exact_shard.gradient() + t->offset, size);
    EXPECT_TRUE((close<float, double>(actual, expected, {.c = 16, .growth = growth}))) << t->name << ' ' << backend;
  }
}

TEST_P(FloatParity, EveryBackendEqualsTheDoubleReference) {
  for (const std::string_view backend : backend_names()) {
    expect_parity(GetParam(), std::string(backend), 17, 5);
    expect_parity(GetParam(), std::string(backend), 32, 64);
  }
}

INSTANTIATE_TEST_SUITE_P(AllModels, FloatParity, ::testing::ValuesIn(model_cases()));

}  // namespace
}  // namespace vp::test
