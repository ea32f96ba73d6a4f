// Traces of gates and states: the equations of the cells hold between them, number by number.
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <tuple>

#include "models/random_source.h"
#include "models/same_bits.h"
#include "models/trainer.h"
#include "tests/compare.h"

namespace vp::test {
namespace {

struct Nobody final : TrainControl {
  void progress(std::int64_t) override {}
  bool stop_requested() const override { return false; }
};

using Key = std::tuple<std::string, std::int64_t, std::int64_t, std::int64_t, std::int64_t>;  // quantity, layer, sample, t, unit

// At update 0.
std::map<Key, double> traces_of(const RunSpec& spec, const SequenceShape& shape) {
  ThreadPool pool(2);
  Nobody nobody;
  std::map<Key, double> traces;
  for (const TraceRow& r : train(spec, RandomSource(shape, 20, 101), pool, nobody).traces)
    if (r.update == 0) EXPECT_TRUE(traces.emplace(Key{r.quantity, r.layer, r.sample, r.t, r.unit}, r.value).second);
  return traces;
}

TEST(Traces, GatesAndStatesOfAnLstmObeyItsEquations) {
  RunSpec spec = small_training("lstm");
  spec.probe.traces = 10;  // rows of two shards
  const std::int64_t steps = 5, units = spec.model.hidden;
  const auto traces = traces_of(spec, {.steps = steps, .inputs = 3, .outputs = 4});
  EXPECT_EQ(static_cast<std::int64_t>(traces.size()), 2 * 10 * steps * units * 6);
  for (std::int64_t layer = 0; layer < 2; ++layer)
    for (std::int64_t sample = 0; sample < 10; ++sample)
      for (std::int64_t t = 0; t < steps; ++t)
        for (std::int64_t unit = 0; unit < units; ++unit) {
          const auto at = [&](const char* quantity, std::int64_t step) { return traces.at({quantity, layer, sample, step, unit}); };
          const double before = t == 0 ? 0 : at("cell", t - 1);
          ASSERT_TRUE(near(at("cell", t), at("forget_gate", t) * before + at("input_gate", t) * at("candidate", t), 1e-6));
          ASSERT_TRUE(near(at("hidden", t), at("output_gate", t) * std::tanh(at("cell", t)), 1e-6));
        }
}

TEST(Traces, AUnitOfAGruMovesFromItsStateToTheCandidate) {
  RunSpec spec = small_training("gru");
  spec.probe.traces = 2;
  const auto traces = traces_of(spec, {.steps = 4, .inputs = 3, .outputs = 4});
  for (const auto& [key, value] : traces) {
    const auto& [quantity, layer, sample, t, unit] = key;
    if (quantity != "hidden") continue;
    const double before = t == 0 ? 0 : traces.at({"hidden", layer, sample, t - 1, unit});
    const double z = traces.at({"update_gate", layer, sample, t, unit}), n = traces.at({"candidate", layer, sample, t, unit});
    ASSERT_TRUE(near(value, (1 - z) * n + z * before, 1e-6));
  }
}

TEST(Traces, EndWithTheirSample) {
  RunSpec spec = small_training("rnn");
  spec.probe.traces = 8;
  const SequenceShape shape{.steps = 9, .inputs = 3, .outputs = 4, .variable_length = true};
  const auto traces = traces_of(spec, shape);
  std::map<std::int64_t, std::int64_t> last;
  for (const auto& [key, value] : traces) last[std::get<2>(key)] = std::max(last[std::get<2>(key)], std::get<3>(key));
  std::set<std::int64_t> ends;
  for (const auto& [sample, t] : last) ends.insert(t);
  EXPECT_GT(ends.size(), 2u);
  EXPECT_LT(*ends.begin(), 8);
}

TEST(Traces, AreNoneUnlessAskedFor) { EXPECT_TRUE(traces_of(small_training("lstm"), {.steps = 4, .inputs = 3, .outputs = 4}).empty()); }

}  // namespace
}  // namespace vp::test
