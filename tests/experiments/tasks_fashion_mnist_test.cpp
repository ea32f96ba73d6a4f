// Images of the MNIST format, from small directories made here, and once the real data set.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <stdexcept>

#include "models/random.h"
#include "tests/compare.h"
#include "tests/experiments/gzip.h"
#include "tests/experiments/idx_bytes.h"
#include "tests/experiments/task_batch.h"
#include "tests/experiments/temp_dir.h"
#include "tests/experiments/user_error.h"

namespace vp {
namespace {

using test::fill;
using test::has;
using test::TempDir;

constexpr std::uint32_t kTrain = 24, kTest = 4, kRows = 2, kCols = 3;

// Pixel p of image n; no two images of a file are alike.
char pixel(std::uint32_t n, std::uint32_t p) { return static_cast<char>(n * 10 + p); }

std::string images(std::uint32_t count, std::uint32_t rows = kRows) {
  std::string pixels;
  for (std::uint32_t n = 0; n < count; ++n)
    for (std::uint32_t p = 0; p < rows * kCols; ++p) pixels += pixel(n, p);
  return test::idx_images(count, rows, kCols, pixels);
}
std::string labels(std::uint32_t count, std::uint32_t classes = 3) {
  std::string all;
  for (std::uint32_t n = 0; n < count; ++n) all += static_cast<char>(n % classes);
  return test::idx_labels(count, all);
}

// A good directory: two files packed, two not.
class FashionMnist : public ::testing::Test {
 protected:
  FashionMnist() {
    directory_.write("train-images-idx3-ubyte.gz", test::gzip(images(kTrain)));
    directory_.write("train-labels-idx1-ubyte", labels(kTrain));
    directory_.write("t10k-images-idx3-ubyte", images(kTest));
    directory_.write("t10k-labels-idx1-ubyte.gz", test::gzip(labels(kTest, 4)));
  }
  std::shared_ptr<const BatchSource> make(const test::OptionTexts& texts = {}) const {
    return test::make_task("fashion_mnist", {.path = directory_.path().string()}, texts);
  }
  std::string message() const {
    return test::user_error(ExitCode::kInputOutput, [&] { make(); });
  }
  TempDir directory_;
};

TEST_F(FashionMnist, ImagesAreReadRowByRowAndTheLastTwelfthValidates) {
  const auto source = make();
  const SequenceShape shape = source->shape();
  EXPECT_EQ(shape.steps, kRows);
  EXPECT_EQ(shape.inputs, kCols);
  EXPECT_EQ(shape.outputs, 4);  // the largest label stands in the test set only
  EXPECT_EQ(source->size(Split::kTrain), 22u);
  EXPECT_EQ(source->size(Split::kValidation), 2u);
  EXPECT_EQ(source->size(Split::kTest), 4u);
  const std::pair<Split, std::uint32_t> cases[] = {{Split::kTrain, 0}, {Split::kValidation, 22}, {Split::kTest, 0}};
  for (const auto& [split, offset] : cases) {
    const auto batch = fill(*source, split, {1, 0, 1});
    for (std::int64_t row = 0; row < 3; ++row) {
      const std::uint32_t image = offset + (row == 1 ? 0 : 1);
      for (std::uint32_t p = 0; p < kRows * kCols; ++p)
        EXPECT_TRUE(test::near(batch.input(p / kCols, row, p % kCols), static_cast<unsigned char>(pixel(image, p)) / 255.0, 1e-7));
      EXPECT_EQ(batch.classes[static_cast<std::size_t>(row)], static_cast<std::int32_t>(image % (split == Split::kTest ? 4 : 3)));
    }
    EXPECT_THROW(fill(*source, split, {source->size(split)}), std::out_of_range);
  }
}

TEST_F(FashionMnist, ValidatesOnAtLeastOneImageAndAtMostFiveThousand) {
  for (const auto& [count, validation] : {std::pair{2u, 1u}, std::pair{11u, 1u}, std::pair{72000u, 5000u}}) {
    const TempDir sized;
    for (const auto& [prefix, n] : {std::pair{"train", count}, std::pair{"t10k", kTest}}) {
      sized.write(prefix + std::string("-images-idx3-ubyte"), test::idx_images(n, 1, 1, std::string(n, 'x')));
      sized.write(prefix + std::string("-labels-idx1-ubyte"), labels(n));
    }
    const auto source = test::make_task("fashion_mnist", {.path = sized.path().string()});
    EXPECT_EQ(source->size(Split::kValidation), validation);
    EXPECT_EQ(source->size(Split::kTrain), count - validation);
  }
}

TEST_F(FashionMnist, IsReadOncePerProcess) {
  const auto first = make();
  std::filesystem::remove_all(directory_.path());
  EXPECT_EQ(make()->size(Split::kTrain), first->size(Split::kTrain));
}

TEST_F(FashionMnist, MissingFilesAreNamedWithTheRemedy) {
  std::filesystem::remove(directory_ / "t10k-images-idx3-ubyte");
  EXPECT_TRUE(has(message(), {"t10k-images-idx3-ubyte", "no such file", "dataset-fashion-mnist", "task.path"}));
}

TEST_F(FashionMnist, FilesThatAreNotWhatTheirNamesSayAreRefused) {
  const std::string packed = test::gzip(images(kTrain));
  directory_.write("train-images-idx3-ubyte.gz", images(kTrain));
  EXPECT_TRUE(has(message(), {"train-images-idx3-ubyte.gz", "not a gzip file"}));
  directory_.write("train-images-idx3-ubyte.gz", packed.substr(0, packed.size() / 2));
  EXPECT_TRUE(has(message(), {"train-images-idx3-ubyte.gz", "truncated"}));
  directory_.write("train-images-idx3-ubyte.gz", test::gzip(images(kTrain).substr(0, 100)));
  EXPECT_TRUE(has(message(), {"train-images-idx3-ubyte.gz", "24 x 2 x 3 bytes", "got 84"}));
  directory_.write("train-images-idx3-ubyte.gz", test::gzip(labels(kTrain)));
  EXPECT_TRUE(has(message(), {"train-images-idx3-ubyte.gz", "magic number"}));
}

TEST_F(FashionMnist, FilesThatDoNotBelongTogetherAreRefused) {
  directory_.write("train-labels-idx1-ubyte", labels(kTrain - 1));
  EXPECT_TRUE(has(message(), {"train-labels-idx1-ubyte", "24 images", "got 23"}));
  directory_.write("train-labels-idx1-ubyte", labels(kTrain));
  directory_.write("t10k-images-idx3-ubyte", images(kTest, 5));
  EXPECT_TRUE(has(message(), {"training images are 2 x 3", "test images 5 x 3"}));
}

TEST_F(FashionMnist, SetsTooSmallToLearnFromAreRefused) {
  directory_.write("train-labels-idx1-ubyte", labels(kTrain, 1));
  directory_.write("t10k-labels-idx1-ubyte.gz", test::gzip(labels(kTest, 1)));
  EXPECT_TRUE(has(message(), {"every label is 0"}));
  directory_.write("train-labels-idx1-ubyte", labels(1));
  directory_.write("train-images-idx3-ubyte.gz", test::gzip(images(1)));
  EXPECT_TRUE(has(message(), {"at least 2 training images"}));
}

// Of pixel p of image n.
double brightness(std::uint32_t n, std::uint32_t p) { return static_cast<unsigned char>(pixel(n, p)) / 255.0; }

TEST_F(FashionMnist, RowsAreTheDefault) {
  const auto rows = make({{"task.scan", "rows"}});
  EXPECT_EQ(rows->shape().steps, kRows);
  EXPECT_EQ(rows->shape().inputs, kCols);
  EXPECT_TRUE(test::same(fill(*rows, Split::kTrain, {3, 1}).inputs, fill(*make(), Split::kTrain, {3, 1}).inputs));
}

TEST_F(FashionMnist, PixelsComeOneByOneInReadingOrder) {
  const auto source = make({{"task.scan", "pixels"}});
  EXPECT_EQ(source->shape().steps, kRows * kCols);
  EXPECT_EQ(source->shape().inputs, 1);
  EXPECT_EQ(source->shape().outputs, 4);
  EXPECT_EQ(source->size(Split::kValidation), 2u);
  for (const auto& [split, offset] : {std::pair{Split::kTrain, 0u}, std::pair{Split::kValidation, 22u}, std::pair{Split::kTest, 0u}}) {
    const auto batch = fill(*source, split, {1, 0});
    for (const std::uint32_t row : {0u, 1u}) {
      for (std::uint32_t p = 0; p < kRows * kCols; ++p)
        EXPECT_TRUE(test::near(batch.input(p, row, 0), brightness(offset + 1 - row, p), 1e-7));
      EXPECT_EQ(batch.label(0, row), static_cast<std::int32_t>((offset + 1 - row) % (split == Split::kTest ? 4 : 3)));
    }
  }
}

TEST_F(FashionMnist, PermutedPixelsAreTheSameOnesInOneOrderForAllImagesAndSeeds) {
  const auto plain = fill(*make({{"task.scan", "pixels"}}), Split::kTrain, {0, 1, 2});
  const test::OptionTexts texts = {{"task.scan", "pixels"}, {"task.permuted", "true"}};
  const auto batch = fill(*make(texts), Split::kTrain, {0, 1, 2});
  const auto other_seed = test::make_task("fashion_mnist", {.path = directory_.path().string(), .seed = 9}, texts);
  EXPECT_TRUE(test::same(fill(*other_seed, Split::kTrain, {0, 1, 2}).inputs, batch.inputs));
  EXPECT_EQ(batch.classes, plain.classes);
  EXPECT_FALSE(test::same(batch.inputs, plain.inputs));
  std::vector<bool> used(kRows * kCols);
  for (std::int64_t t = 0; t < batch.shape.steps; ++t) {
    std::int64_t from = 0;  // the pixels of image 0 are all different
    while (from < batch.shape.steps - 1 && !test::near(plain.input(from, 0, 0), batch.input(t, 0, 0), 0)) ++from;
    EXPECT_FALSE(used.at(static_cast<std::size_t>(from)));
    used[static_cast<std::size_t>(from)] = true;
    for (std::int64_t row = 0; row < 3; ++row) EXPECT_TRUE(test::near(batch.input(t, row, 0), plain.input(from, row, 0), 0));
  }
}

TEST_F(FashionMnist, PooledStepsAreMeansOfTwoByTwoPixels) {
  constexpr std::uint32_t kTall = 4, kWide = 6;
  const TempDir even;
  for (const auto& [prefix, n] : {std::pair{"train", kTrain}, std::pair{"t10k", kTest}}) {
    std::string pixels;
    for (std::uint32_t p = 0; p < n * kTall * kWide; ++p) pixels += static_cast<char>(p * p % 251);
    even.write(prefix + std::string("-images-idx3-ubyte"), test::idx_images(n, kTall, kWide, pixels));
    even.write(prefix + std::string("-labels-idx1-ubyte"), labels(n));
  }
  const auto make_even = [&](const test::OptionTexts& texts) {
    return test::make_task("fashion_mnist", {.path = even.path().string()}, texts);
  };
  const auto source = make_even({{"task.scan", "pooled"}});
  ASSERT_EQ(source->shape().steps, 6);
  ASSERT_EQ(source->shape().inputs, 1);
  const auto rows = fill(*make_even({}), Split::kTrain, {5, 2}), batch = fill(*source, Split::kTrain, {5, 2});
  for (std::int64_t row = 0; row < 2; ++row)
    for (std::int64_t t = 0; t < 6; ++t) {
      const std::int64_t y = t / 3 * 2, x = t % 3 * 2;
      const double sum =
          double{rows.input(y, row, x)} + rows.input(y, row, x + 1) + rows.input(y + 1, row, x) + rows.input(y + 1, row, x + 1);
      EXPECT_TRUE(test::near(batch.input(t, row, 0), sum / 4, 1e-6)) << t;
    }
  const auto permuted = fill(*make_even({{"task.scan", "pooled"}, {"task.permuted", "true"}}), Split::kTrain, {5, 2});
  EXPECT_FALSE(test::same(permuted.inputs, batch.inputs));
  const auto sorted = [](std::vector<float> values) { return std::ranges::sort(values), values; };
  EXPECT_TRUE(test::same(sorted(permuted.inputs), sorted(batch.inputs)));
}

TEST_F(FashionMnist, ScansThatCannotBeAreRefused) {
  const auto usage = [&](const test::OptionTexts& texts) { return test::user_error(ExitCode::kUsage, [&] { make(texts); }); };
  EXPECT_TRUE(has(usage({{"task.permuted", "true"}}), {"task.permuted", "task.scan", "pixels"}));
  EXPECT_TRUE(has(usage({{"task.scan", "pooled"}}), {"task.scan", "even", "2 x 3", "pixels"}));
}

TEST_F(FashionMnist, HasNoTargetsAtEveryStep) {
  const TaskContext context{.path = directory_.path().string(), .seed = 0, .target_every_step = true};
  EXPECT_TRUE(has(test::user_error(ExitCode::kUsage, [&] { test::make_task("fashion_mnist", context); }), {"many_to_many", "csv"}));
}

// Facts of the published data set: labels in order of the files, 6,000 and 1,000 images of each class, mean brightness of the training
// images 0.2860.
TEST(FashionMnistData, IsTheRealDataSet) {
  const auto source = test::make_task("fashion_mnist", {});
  const SequenceShape shape = source->shape();
  EXPECT_EQ(shape.steps, 28);
  EXPECT_EQ(shape.inputs, 28);
  EXPECT_EQ(shape.outputs, 10);
  EXPECT_EQ(source->size(Split::kTrain), 55000u);
  EXPECT_EQ(source->size(Split::kValidation), 5000u);
  EXPECT_EQ(source->size(Split::kTest), 10000u);
  EXPECT_EQ(fill(*source, Split::kTrain, test::first_samples(10)).classes, (std::vector<std::int32_t>{9, 0, 0, 3, 0, 2, 7, 2, 5, 5}));
  EXPECT_EQ(fill(*source, Split::kTest, test::first_samples(10)).classes, (std::vector<std::int32_t>{9, 2, 1, 1, 6, 1, 4, 6, 5, 7}));
  EXPECT_EQ(test::make_task("fashion_mnist", {}, {{"task.scan", "pixels"}})->shape().steps, 784);
  EXPECT_EQ(test::make_task("fashion_mnist", {}, {{"task.scan", "pooled"}})->shape().steps, 196);
  std::array<std::array<int, 10>, 3> counts{};
  double brightness = 0;
  for (const Split split : {Split::kTrain, Split::kValidation, Split::kTest})
    for (std::uint64_t start = 0; start < source->size(split); start += 1000) {
      auto samples = test::first_samples(1000);
      for (auto& sample : samples) sample += start;
      const auto batch = fill(*source, split, samples);
      for (const auto label : batch.classes) ++counts[static_cast<std::size_t>(split)].at(static_cast<std::size_t>(label));
      if (split == Split::kTest) continue;
      for (const float x : batch.inputs) brightness += x;
    }
  EXPECT_TRUE(test::near(brightness / (60000.0 * 784), 0.2860, 0.0001));
  for (std::size_t label = 0; label < 10; ++label) {
    EXPECT_EQ(counts[0][label] + counts[1][label], 6000) << label;
    EXPECT_EQ(counts[2][label], 1000) << label;
  }
}

// Results on disk depend on this order: it must never change.
TEST(FashionMnistData, ThePermutationOf784PixelsIsTheOneOfTheFirstRelease) {
  const auto rows = fill(*test::make_task("fashion_mnist", {}), Split::kTrain, {0, 1});
  const auto batch =
      fill(*test::make_task("fashion_mnist", {}, {{"task.scan", "pixels"}, {"task.permuted", "true"}}), Split::kTrain, {0, 1});
  constexpr std::int64_t kFirst[] = {510, 360, 358, 208, 282, 711, 207, 117};
  for (std::int64_t t = 0; t < 784; ++t) {
    const auto pixel = static_cast<std::int64_t>(permuted(static_cast<std::uint64_t>(t), 784, 0, RandomUse::kPixels, 0));
    if (t < 8) {
      EXPECT_EQ(pixel, kFirst[t]) << t;
    }
    for (std::int64_t row = 0; row < 2; ++row)
      EXPECT_TRUE(test::near(batch.input(t, row, 0), rows.input(pixel / 28, row, pixel % 28), 0)) << t;
  }
}

}  // namespace
}  // namespace vp
