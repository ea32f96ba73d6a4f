// Images of the MNIST format, from small directories made here, and once the real data set.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <stdexcept>

#include "models/base/random.h"
#include "tests/compare.h"
#include "tests/experiments/io/gzip.h"
#include "tests/experiments/io/idx_bytes.h"
#include "tests/experiments/io/temp_dir.h"
#include "tests/experiments/io/user_error.h"
#include "tests/experiments/tasks/task_batch.h"

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

// The images of a training file of `count` that validate, or that do not, by the definition.
std::vector<std::uint32_t> drawn(std::uint32_t count, std::uint32_t validation, bool validates) {
  std::vector<std::uint32_t> images;
  for (std::uint32_t i = 0; i < count; ++i)
    if ((permuted(i, count, 0, RandomUse::kSplit, 0) < validation) == validates) images.push_back(i);
  return images;
}

// Of a set of kTrain and kTest images: sample i of a split is this image of its file.
std::uint32_t image_of(Split split, std::uint32_t i) {
  return split == Split::kTest ? i : drawn(kTrain, 2, split == Split::kValidation).at(i);
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

TEST_F(FashionMnist, ImagesAreReadRowByRowAndATwelfthValidates) {
  const auto source = make();
  const SequenceShape shape = source->shape();
  EXPECT_EQ(shape.steps, kRows);
  EXPECT_EQ(shape.inputs, kCols);
  EXPECT_EQ(shape.outputs, 4);  // the largest label stands in the test set only
  EXPECT_EQ(source->size(Split::kTrain), 22u);
  EXPECT_EQ(source->size(Split::kValidation), 2u);
  EXPECT_EQ(source->size(Split::kTest), 4u);
  for (const Split split : {Split::kTrain, Split::kValidation, Split::kTest}) {
    const auto batch = fill(*source, split, {1, 0, 1});
    for (std::int64_t row = 0; row < 3; ++row) {
      const std::uint32_t image = image_of(split, row == 1 ? 0 : 1);
      for (std::uint32_t p = 0; p < kRows * kCols; ++p)
        EXPECT_TRUE(test::near(batch.input(p / kCols, row, p % kCols), static_cast<unsigned char>(pixel(image, p)) / 255.0, 1e-7));
      EXPECT_EQ(batch.classes[static_cast<std::size_t>(row)], static_cast<std::int32_t>(image % (split == Split::kTest ? 4 : 3)));
    }
    EXPECT_EQ(source->sample_id(split, 1), std::to_string(image_of(split, 1)));
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
  directory_.write("train-images-idx3-ubyte.gz", "not packed");
  EXPECT_TRUE(has(message(), {"train-images-idx3-ubyte.gz", "no IDX file"}));
  directory_.write("train-images-idx3-ubyte.gz", packed.substr(0, packed.size() / 2));
  EXPECT_TRUE(has(message(), {"train-images-idx3-ubyte.gz", "truncated"}));
  directory_.write("train-images-idx3-ubyte.gz", test::gzip(images(kTrain).substr(0, 100)));
  EXPECT_TRUE(has(message(), {"train-images-idx3-ubyte.gz", "24 x 2 x 3 bytes", "got 84"}));
  directory_.write("train-images-idx3-ubyte.gz", test::gzip(labels(kTrain)));
  EXPECT_TRUE(has(message(), {"train-images-idx3-ubyte.gz", "magic number", "a file of labels"}));
}

TEST_F(FashionMnist, WhatIsPackedIsSeenInTheBytes) {
  const auto expected = fill(*make(), Split::kTrain, {0, 1, 5});
  const TempDir other;
  other.write("train-images-idx3-ubyte", test::gzip(images(kTrain)));
  other.write("train-labels-idx1-ubyte.gz", labels(kTrain));
  other.write("t10k-images-idx3-ubyte.gz", images(kTest));
  other.write("t10k-labels-idx1-ubyte", test::gzip(labels(kTest, 4)));
  const auto source = test::make_task("fashion_mnist", {.path = other.path().string()});
  const auto batch = fill(*source, Split::kTrain, {0, 1, 5});
  EXPECT_TRUE(test::same(batch.inputs, expected.inputs));
  EXPECT_EQ(batch.classes, expected.classes);
}

// The good directory again under other names: file by file, what stands before and behind `split-kind`.
struct Names {
  std::string train, test, images, labels;
};

TEST_F(FashionMnist, TheNamesOfKaggleAndEmnistAreKnown) {
  const auto expected = fill(*make(), Split::kTrain, {0, 1, 5});
  const std::string folder = "train-images-idx3-ubyte/train-images-idx3-ubyte";
  const Names cases[] = {{"train-", "t10k-", "images.idx3-ubyte", "labels.idx1-ubyte"},
                         {"train-", "test-", "images-idx3-ubyte", "labels-idx1-ubyte"},
                         {"emnist-letters-train-", "emnist-letters-test-", "images-idx3-ubyte.gz", "labels-idx1-ubyte.gz"},
                         {"my_train-", "my_t10k-", "images.idx3-ubyte.gz", "labels-idx1-ubyte"}};
  for (const Names& names : cases)
    for (const bool in_folders : {false, true}) {
      const TempDir other;
      const auto write = [&](const std::string& name, const std::string& bytes) {
        if (in_folders) std::filesystem::create_directory(other / name);
        other.write(in_folders ? name + "/" + name : name, bytes);
      };
      write(names.train + names.images, images(kTrain)), write(names.train + names.labels, labels(kTrain));
      write(names.test + names.images, images(kTest)), write(names.test + names.labels, labels(kTest, 4));
      other.write("fashion-mnist_train.csv", "label\n"), other.write("emnist-letters-mapping.txt", "1 65\n");
      const auto source = test::make_task("fashion_mnist", {.path = other.path().string()});
      EXPECT_TRUE(test::same(fill(*source, Split::kTrain, {0, 1, 5}).inputs, expected.inputs)) << names.train << names.images;
      EXPECT_EQ(source->size(Split::kTest), kTest);
    }
}

TEST_F(FashionMnist, TwoFilesThatCouldBothBeMeantAreRefusedByName) {
  directory_.write("train-images.idx3-ubyte", images(kTrain));  // the same images: no matter which
  EXPECT_EQ(make()->size(Split::kTrain), 22u);
  const TempDir other;
  for (const std::string set : {"emnist-letters-", "emnist-digits-"}) {
    other.write(set + "train-images-idx3-ubyte", images(kTrain)), other.write(set + "train-labels-idx1-ubyte", labels(kTrain));
    other.write(set + "test-images-idx3-ubyte", images(kTest)), other.write(set + "test-labels-idx1-ubyte", labels(kTest, 4));
  }
  const auto refusal = [&](const std::filesystem::path& path) {
    return test::user_error(ExitCode::kInputOutput, [&] { test::make_task("fashion_mnist", {.path = path.string()}); });
  };
  EXPECT_TRUE(has(refusal(other.path()), {"emnist-digits-train-images-idx3-ubyte and ", "emnist-letters-train-images-idx3-ubyte",
                                          "could both be meant", "task.path"}));
  EXPECT_EQ(test::make_task("fashion_mnist", {.path = (other / "emnist-letters").string()})->size(Split::kTrain), 22u);
  EXPECT_TRUE(has(refusal(other / "emnist-balanced"), {"emnist-balanced", "no such file"}));
  std::filesystem::remove(other / "emnist-letters-train-images-idx3-ubyte");
  std::filesystem::remove(other / "emnist-letters-train-labels-idx1-ubyte");
  std::filesystem::remove(other / "emnist-digits-test-images-idx3-ubyte");
  std::filesystem::remove(other / "emnist-digits-test-labels-idx1-ubyte");
  EXPECT_TRUE(has(refusal(other.path()), {"emnist-digits-train", "emnist-letters-test", "two data sets"}));
  other.write("emnist-digits-test-images-idx3-ubyte", images(kTest - 1)),
      other.write("emnist-digits-t10k-images-idx3-ubyte", images(kTest));
  other.write("emnist-digits-test-labels-idx1-ubyte", labels(kTest));
  EXPECT_TRUE(has(refusal(other / "emnist-digits"), {"emnist-digits-test-images", "emnist-digits-t10k-images", "could both be meant"}));
}

TEST_F(FashionMnist, PlacesThatAreNoDirectoryAreNamed) {
  const auto refusal = [&](const std::filesystem::path& path) {
    return test::user_error(ExitCode::kInputOutput, [&] { test::make_task("fashion_mnist", {.path = path.string()}); });
  };
  EXPECT_TRUE(has(refusal(directory_ / "train-labels-idx1-ubyte"), {"train-labels-idx1-ubyte", "is a file", "directory"}));
  EXPECT_TRUE(has(refusal(directory_ / "no" / "where"), {"no/where", "No such file or directory", "task.path"}));
}

// EMNIST letters: 1..26 are 26 classes, called by their labels.
TEST_F(FashionMnist, LabelsMayBeAnyNumbers) {
  std::string train, test;
  for (std::uint32_t n = 0; n < kTrain; ++n) train += static_cast<char>(n % 3 == 0 ? 255 : 26 - n % 3);
  for (std::uint32_t n = 0; n < kTest; ++n) test += static_cast<char>(n == 0 ? 7 : 25);
  directory_.write("train-labels-idx1-ubyte", test::idx_labels(kTrain, train));
  directory_.write("t10k-labels-idx1-ubyte.gz", test::idx_labels(kTest, test));
  const auto source = make();
  EXPECT_EQ(source->shape().outputs, 4);
  EXPECT_EQ(std::vector(source->class_names().begin(), source->class_names().end()), (TextList{"7", "24", "25", "255"}));
  EXPECT_EQ(fill(*source, Split::kTest, {0, 1}).classes, (std::vector<std::int32_t>{0, 2}));
  const auto batch = fill(*source, Split::kTrain, {0, 1, 2, 3, 4, 5});
  for (std::uint32_t i = 0; i < 6; ++i) {
    const std::uint32_t n = image_of(Split::kTrain, i);
    EXPECT_EQ(batch.classes[i], n % 3 == 0 ? 3 : n % 3 == 1 ? 2 : 1) << n;
  }
  EXPECT_EQ(source->class_counts(Split::kTest), (std::vector<std::int64_t>{1, 0, 3, 0}));
  EXPECT_TRUE(has(fmt::format("{}", fmt::join(source->notes(), "\n")), {"the test set only: \"7\"", "the training set only: \"24\""}));
}

TEST_F(FashionMnist, TheListOfClassesMayBeFixed) {
  const auto source = make({{"task.classes", "9,3,2,1,0"}});
  EXPECT_EQ(source->shape().outputs, 5);
  const std::uint32_t n = image_of(Split::kTrain, 0);
  EXPECT_EQ(fill(*source, Split::kTrain, {0}).classes[0], static_cast<std::int32_t>(4 - n % 3));
  EXPECT_TRUE(has(test::user_error(ExitCode::kInputOutput,
                                   [&] {
                                     make({{"task.classes", "1,2,3"}});
                                   }),
                  {"train-labels-idx1-ubyte", "label 0", "\"0\"", "task.classes"}));
}

TEST_F(FashionMnist, ImagesMayBeStoredColumnByColumn) {
  const auto plain = fill(*make(), Split::kValidation, {0, 1}),
             turned = fill(*make({{"task.transpose", "true"}}), Split::kValidation, {0, 1});
  EXPECT_EQ(turned.shape.steps, kCols);
  EXPECT_EQ(turned.shape.inputs, kRows);
  EXPECT_EQ(turned.shape.image_height, kCols);
  for (std::int64_t row = 0; row < 2; ++row)
    for (std::int64_t y = 0; y < kRows; ++y)
      for (std::int64_t x = 0; x < kCols; ++x) EXPECT_TRUE(test::near(turned.input(x, row, y), plain.input(y, row, x), 0));
}

// In double the quotient by 255 is that of doubles.
TEST_F(FashionMnist, GivesDoublesWhereTheyAreAskedFor) {
  const auto source = make();
  ASSERT_TRUE(source->in_double());
  std::vector<double> inputs(kRows * kCols);
  std::int32_t label = -1;
  const std::uint64_t sample = 2;
  SampleRows out{.rows = 1, .classes = &label};
  out.inputs_f64 = inputs.data();
  source->fill(Split::kTrain, std::span(&sample, 1), out);
  for (std::uint32_t p = 0; p < kRows * kCols; ++p)
    EXPECT_EQ(inputs[p], static_cast<unsigned char>(pixel(image_of(Split::kTrain, 2), p)) / 255.0);
}

// However the file is sorted, the validation set is drawn from all of it; and no seed draws another one.
TEST_F(FashionMnist, ValidatesOnImagesDrawnAtRandomTheSameForEverySeed) {
  constexpr std::uint32_t kMany = 6000;
  const TempDir sorted;
  std::string classes;
  for (std::uint32_t n = 0; n < kMany; ++n) classes += static_cast<char>(n / 600);
  sorted.write("train-images-idx3-ubyte", test::idx_images(kMany, 1, 1, std::string(kMany, 'x')));
  sorted.write("train-labels-idx1-ubyte", test::idx_labels(kMany, classes));
  sorted.write("t10k-images-idx3-ubyte", test::idx_images(10, 1, 1, std::string(10, 'x')));
  sorted.write("t10k-labels-idx1-ubyte", labels(10, 10));
  const auto source = test::make_task("fashion_mnist", {.path = sorted.path().string()});
  ASSERT_EQ(source->size(Split::kValidation), 500u);
  // 50 of each class are expected, hypergeometric with standard deviation 6.4.
  for (const std::int64_t count : source->class_counts(Split::kValidation))
    EXPECT_TRUE(test::near(static_cast<double>(count), 50, 4 * 6.4));
  const auto other = test::make_task("fashion_mnist", {.path = sorted.path().string(), .seed = 5});
  for (std::uint64_t i = 0; i < 500; ++i) EXPECT_EQ(source->sample_id(Split::kValidation, i), other->sample_id(Split::kValidation, i));
  for (std::uint64_t i = 1; i < 5500; ++i)  // in the order of the file
    EXPECT_LT(std::stoi(source->sample_id(Split::kTrain, i - 1)), std::stoi(source->sample_id(Split::kTrain, i)));
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
  for (const Split split : {Split::kTrain, Split::kValidation, Split::kTest}) {
    const auto batch = fill(*source, split, {1, 0});
    for (const std::uint32_t row : {0u, 1u}) {
      const std::uint32_t image = image_of(split, 1 - row);
      for (std::uint32_t p = 0; p < kRows * kCols; ++p) EXPECT_TRUE(test::near(batch.input(p, row, 0), brightness(image, p), 1e-7));
      EXPECT_EQ(batch.label(0, row), static_cast<std::int32_t>(image % (split == Split::kTest ? 4 : 3)));
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
  EXPECT_EQ(source->class_names()[9], "Ankle boot");
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

// Results on disk depend on this draw: it must never change.
TEST(FashionMnistData, TheValidationImagesAreThoseOfSchemaFour) {
  const auto source = test::make_task("fashion_mnist", {});
  const char* const first[] = {"14", "49", "60", "64", "88", "105", "110", "118"};
  for (std::uint64_t i = 0; i < std::size(first); ++i) EXPECT_EQ(source->sample_id(Split::kValidation, i), first[i]);
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
