// Gradients of token vectors: each token gets the sum over the steps that show it, whatever the exponents of their rows.
#include "models/recurrent/embedding.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "models/cells/cell_list.h"
#include "models/model_kinds.h"
#include "models/verify/random_source.h"
#include "tests/compare.h"

namespace vp::test {
namespace {

TEST(Embedding, RowsAreAddedInTheirTrueSize) {
  const std::int32_t tokens[] = {2, 0, 2, 1};
  const double data[] = {1, 2, 3, 4, 5, 6, 7, 8};
  const std::int32_t exponents[] = {0, 3, -2, kNoSignal};
  std::vector<double> gradients(6, 100.0);
  add_embedding_gradients<double>(4, 2, tokens, {data, exponents, 0}, gradients.data());
  EXPECT_EQ(gradients, (std::vector<double>{100 + 3 * 8, 100 + 4 * 8, 100, 100, 100 + 1 + 5.0 / 4, 100 + 2 + 6.0 / 4}));
}

// A sequence so long that its signals vanish beyond the range where rows keep their scale: float agrees with double.
TEST(Embedding, VanishingSignalsReachTheirTokens) {
  const SequenceShape shape{.steps = 60, .inputs = 1, .outputs = 3, .vocabulary = 7, .variable_length = true};
  RunSpec spec;
  spec.model = {.cell = "rnn", .layers = 1, .hidden = 9, .embedding = 5};
  spec.cell_options = OptionsHandle(find_cell("rnn")->make_options());
  spec.init.recurrent.gain = 0.3;
  const RandomSource source(shape);
  const auto gradient = [&](auto zero) {
    using T = decltype(zero);
    spec.engine.precision = std::is_same_v<T, double> ? "f64" : "f32";
    const auto model = make_model<T>(spec, shape, 4);
    model->pack_all();
    const auto shard = model->make_shard(4);
    run_shard(*shard, source);
    const Tensor& table = model->layout().find("embedding.weight");
    return std::vector<double>(shard->gradient() + table.offset, shard->gradient() + table.offset + table.size());
  };
  const std::vector<double> exact = gradient(double{}), single = gradient(float{});
  for (std::size_t i = 0; i < exact.size(); ++i) EXPECT_TRUE(near(single[i] / exact[i], 1, 1e-3)) << i;
}

}  // namespace
}  // namespace vp::test
