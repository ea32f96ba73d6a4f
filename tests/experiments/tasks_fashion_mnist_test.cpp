// Images of the MNIST format, from small directories made here, and once the real data set.
#include <gtest/gtest.h>

#include <array>
#include <stdexcept>

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
  std::shared_ptr<const BatchSource> make() const { return test::make_task("fashion_mnist", {.path = directory_.path().string()}); }
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

}  // namespace
}  // namespace vp
