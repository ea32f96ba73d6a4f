// In which order a run goes through its training samples.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>
#include <vector>

#include "models/training/batch_engine.h"
#include "models/verify/random_source.h"

namespace vp::test {
namespace {

// Notes which samples are asked for; each holds a number that tells it from the others.
class Noting final : public BatchSource {
 public:
  explicit Noting(std::uint64_t train_samples) : train_samples_(train_samples) {}
  SequenceShape shape() const override { return {.steps = 1, .inputs = 1, .outputs = 1, .target = TargetKind::kValues}; }
  std::uint64_t size(Split split) const override { return split == Split::kTrain ? train_samples_ : 0; }
  void fill(Split, std::span<const std::uint64_t> samples, const SampleRows& out) const override {
    for (std::int64_t r = 0; r < out.rows; ++r) out.inputs[r] = static_cast<float>(samples[r]), out.values[r] = 0;
  }

 private:
  std::uint64_t train_samples_;
};

// The samples of the first updates, in the order of the batches' rows.
std::vector<std::uint64_t> samples_of(std::uint64_t train_samples, std::int64_t updates, std::int64_t batch, std::int64_t shard_rows,
                                      std::int64_t seed, int threads = 1) {
  const Noting source(train_samples);
  RunSpec spec;
  spec.model.hidden = 2;
  spec.train.batch = batch, spec.train.shard_rows = shard_rows, spec.train.seed = seed;
  ThreadPool pool(threads);
  BatchEngine<float> engine(spec, source, pool);
  engine.pack();
  std::vector<std::uint64_t> samples;
  for (std::int64_t update = 0; update < updates; ++update) {
    engine.run(update, LossAt::kTask);
    for (const auto& shard : engine.shards())
      for (const float x : shard->input()) samples.push_back(static_cast<std::uint64_t>(x));
  }
  return samples;
}

using Epochs = std::vector<std::vector<std::uint64_t>>;

Epochs cut(const std::vector<std::uint64_t>& samples, std::size_t size) {
  Epochs epochs;
  for (std::size_t at = 0; at + size <= samples.size(); at += size) epochs.emplace_back(samples.begin() + at, samples.begin() + at + size);
  return epochs;
}

// 17 samples: no batch size below divides them, so that epochs end within batches and within shards.
constexpr std::size_t kSamples = 17;

TEST(EpochOrder, EveryEpochHoldsEverySampleOnce) {
  for (const std::int64_t batch : {1, 4, 16, 17}) {
    const auto epochs = cut(samples_of(kSamples, 10 * 17 / batch, batch, 3, 5), kSamples);
    ASSERT_GE(epochs.size(), 9u);
    for (std::vector<std::uint64_t> epoch : epochs) {
      std::ranges::sort(epoch);
      std::vector<std::uint64_t> all(kSamples);
      std::iota(all.begin(), all.end(), 0);
      EXPECT_EQ(epoch, all) << batch;
    }
  }
}

TEST(EpochOrder, NoTwoEpochsAndNoTwoSeedsGoTheSameWay) {
  std::set<std::vector<std::uint64_t>> orders;
  std::size_t count = 0;
  for (const std::int64_t seed : {0, 1, 2})
    for (auto& epoch : cut(samples_of(kSamples, 5 * kSamples, 4, 3, seed), kSamples)) orders.insert(std::move(epoch)), ++count;
  EXPECT_EQ(count, 60u);
  EXPECT_EQ(orders.size(), count);  // of 17! there are
}

// Every sample comes at every place of an epoch alike: 17 x 17 counts around epochs / 17.
TEST(EpochOrder, PlacesAreDrawnEvenly) {
  const auto epochs = cut(samples_of(kSamples, 1700, 17, 17, 3), kSamples);
  std::vector<double> counts(kSamples * kSamples);
  for (const auto& epoch : epochs)
    for (std::size_t place = 0; place < kSamples; ++place) counts[place * kSamples + epoch[place]] += 1;
  const double expected = static_cast<double>(epochs.size()) / kSamples;
  double chi_square = 0;
  for (const double n : counts) chi_square += (n - expected) * (n - expected) / expected;
  EXPECT_LT(chi_square, 256 + 5 * std::sqrt(2 * 256.0));  // 16 x 16 degrees of freedom
  EXPECT_GT(chi_square, 256 - 5 * std::sqrt(2 * 256.0));
}

TEST(EpochOrder, ShardsAndThreadsChangeNothing) {
  const auto expected = samples_of(kSamples, 40, 8, 8, 1);
  for (const std::int64_t shard_rows : {1, 3, 4, 100})
    for (const int threads : {1, 3}) EXPECT_EQ(samples_of(kSamples, 40, 8, shard_rows, 1, threads), expected) << shard_rows;
}

TEST(EpochOrder, EndlessSamplesComeInTheirOrder) {
  const auto samples = samples_of(0, 10, 7, 3, 1);
  for (std::size_t i = 0; i < samples.size(); ++i) EXPECT_EQ(samples[i], i);
}

}  // namespace
}  // namespace vp::test
