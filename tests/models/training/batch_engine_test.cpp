// Evaluation of a split: a sample counts once, however the samples are cut into chunks.
#include "models/training/batch_engine.h"

#include <gtest/gtest.h>

#include "models/cells/cell_list.h"
#include "models/verify/model_cases.h"
#include "models/verify/random_source.h"
#include "tests/compare.h"

namespace vp::test {
namespace {

// The last chunk is filled up with repeated rows: they count nowhere.
TEST(BatchEngine, AScoreIsTheMeanOverTheSamplesEachByItself) {
  constexpr std::uint64_t kSamples = 11;
  for (const bool every_step : {false, true})
    for (const bool variable_length : {false, true})
      for (const TargetKind target : {TargetKind::kClasses, TargetKind::kBinary, TargetKind::kValues}) {
        ModelCase c{.cell = "lstm", .activation = "tanh", .every_step = every_step, .steps = 6, .target = target};
        c.variable_length = variable_length;
        SequenceShape shape = shape_of(c, 3, 2);
        shape.correct_within = 0.7;
        RunSpec spec = spec_of(c, 5);
        spec.train.batch = 8;
        const auto evaluate = [&](std::int64_t shard_rows, std::uint64_t samples) {
          ThreadPool pool(1);
          spec.train.shard_rows = shard_rows;
          const RandomSource source(shape, samples);
          BatchEngine<double> engine(spec, source, pool);
          engine.pack();
          return engine.evaluator().evaluate(Split::kTest);
        };
        double loss = 0, correct = 0;  // of the samples so far
        for (std::uint64_t n = 1; n <= kSamples; ++n) {
          const Score alone = evaluate(1, n);  // every chunk is full
          const double own = *alone.loss * static_cast<double>(n) - loss;
          EXPECT_GT(own, 0);
          loss += own, correct = *alone.accuracy * static_cast<double>(n);
        }
        for (const std::int64_t shard_rows : {2, 4, 8}) {
          const Score score = evaluate(shard_rows, kSamples);
          EXPECT_TRUE(near(*score.loss, loss / kSamples, 1e-14)) << c << ' ' << shard_rows;
          EXPECT_TRUE(near(*score.accuracy, correct / kSamples, 1e-14)) << c << ' ' << shard_rows;
        }
      }
}

}  // namespace
}  // namespace vp::test
