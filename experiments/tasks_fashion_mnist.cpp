// Images of the MNIST format as sequences, the label is asked for at the end. By default Fashion-MNIST (Xiao, Rasul & Vollgraf 2017),
// 60,000 + 10,000 images of ten kinds of clothing, as the Debian package dataset-fashion-mnist installs it.
//
// task.scan: "rows", step t is row t of the image; "pixels", step t is one pixel, in reading order (Le, Jaitly & Hinton 2015: 784 steps);
// "pooled", the same after averaging blocks of 2 x 2 pixels (196 steps). task.permuted: the steps of "pixels" or "pooled" come in an order
// drawn at random, the same for every image, seed and run (Le et al.'s permuted MNIST; their permutation is another one).
//
// A feed-forward net sees all steps at once: the pixels in reading order. A cnn sees them as an image, unless they are permuted.
//
// The last 5,000 training images (in sets under 60,000 the last twelfth, at least one) are for validation; t10k is for testing. Pixels are
// divided by 255.
#include <algorithm>
#include <array>
#include <filesystem>
#include <system_error>
#include <vector>

#include "experiments/files.h"
#include "experiments/idx.h"
#include "experiments/task_support.h"

namespace vp {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kRows = "rows", kPixels = "pixels", kPooled = "pooled";
constexpr const char* kDefaultDirectory = "/usr/share/datasets/fashion-mnist";
constexpr std::int64_t kValidationImages = 5000;
constexpr std::uint64_t kLargestFile = std::uint64_t{2} << 30;  // bytes, unpacked; MNIST's own largest has 47 million

struct FashionMnistOptions : OptionsOf<FashionMnistOptions> {
  std::string scan{kRows};
  bool permuted = false;

  void visit_fields(FieldVisitor& visitor) override {
    visitor.field({.key = "task.scan",
                   .description = "what one step shows: a row, a pixel, or the mean of 2 x 2 pixels",
                   .choices = {kRows, kPixels, kPooled}},
                  scan);
    visitor.field({.key = "task.permuted", .description = "steps in one fixed random order (task.scan = \"pixels\" or \"pooled\")"},
                  permuted);
  }
};

// One pair of files. The views look into the bytes, which live on the heap and do not move.
struct ImageSet {
  std::unique_ptr<const std::string> image_bytes, label_bytes;
  IdxImages images;
  std::string_view labels;

  std::string size_text() const { return fmt::format("{} x {}", images.rows, images.cols); }
};

struct ImageData {
  ImageSet train, test;
  std::int64_t classes = 0;
};

// The file itself, or its .gz.
std::unique_ptr<const std::string> read_idx(const fs::path& directory, const std::string& file, std::string& name) {
  name = (directory / file).string();
  std::error_code fault;  // e.g. a directory that may not be entered: opening the file says it best
  if (fs::exists(name, fault) || fault) return std::make_unique<const std::string>(read_file(name, kLargestFile));
  if (!fs::exists(name + ".gz", fault))
    throw io_error(fmt::format(
        "{}: there is no such file, nor {}.gz; install the Debian package dataset-fashion-mnist, or set task.path to a directory "
        "with the four files of MNIST's format",
        name, file));
  name += ".gz";
  return std::make_unique<const std::string>(gunzip(read_file(name, kLargestFile), name, kLargestFile));
}

ImageSet read_images(const fs::path& directory, const std::string& prefix) {
  ImageSet set;
  std::string image_name, label_name;
  set.image_bytes = read_idx(directory, prefix + "-images-idx3-ubyte", image_name);
  set.label_bytes = read_idx(directory, prefix + "-labels-idx1-ubyte", label_name);
  set.images = parse_idx_images(*set.image_bytes, image_name);
  set.labels = parse_idx_labels(*set.label_bytes, label_name);
  if (set.images.count != static_cast<std::int64_t>(set.labels.size()))
    throw io_error(fmt::format("{}: expected one label for each of the {} images of {}, got {}; get both files from one data set",
                               label_name, set.images.count, image_name, set.labels.size()));
  return set;
}

int largest_label(std::string_view labels) {
  int largest = 0;
  for (const char label : labels) largest = std::max<int>(largest, static_cast<unsigned char>(label));
  return largest;
}

ImageData read_image_data(const fs::path& directory) {
  ImageData data{read_images(directory, "train"), read_images(directory, "t10k")};
  if (data.train.size_text() != data.test.size_text())
    throw io_error(fmt::format("{}: the training images are {} pixels, the test images {}; get all four files from one data set",
                               directory.string(), data.train.size_text(), data.test.size_text()));
  if (data.train.images.count < 2)
    throw io_error(fmt::format("{}: expected at least 2 training images, got 1; get the files again", directory.string()));
  data.classes = 1 + std::max(largest_label(data.train.labels), largest_label(data.test.labels));
  if (data.classes < 2)
    throw io_error(fmt::format("{}: every label is 0, there is nothing to tell apart; check the label files", directory.string()));
  return data;
}

// value / 255 for every byte.
const std::array<float, 256>& brightness() {
  static const auto kTable = [] {
    std::array<float, 256> table{};
    for (int i = 0; i < 256; ++i) table[static_cast<std::size_t>(i)] = static_cast<float>(i) / 255.0f;
    return table;
  }();
  return kTable;
}

// What every scan of the images shares: the splits and the labels.
class ImageSource : public BatchSource {
 public:
  explicit ImageSource(std::shared_ptr<const ImageData> data)
      : data_(std::move(data)), validation_(std::clamp<std::int64_t>(data_->train.images.count / 12, 1, kValidationImages)) {}

  std::uint64_t size(Split split) const override {
    if (split == Split::kTest) return static_cast<std::uint64_t>(data_->test.images.count);
    return static_cast<std::uint64_t>(split == Split::kValidation ? validation_ : data_->train.images.count - validation_);
  }

  void fill(Split split, std::span<const std::uint64_t> samples, const SampleRows& out) const override {
    const ImageSet& set = split == Split::kTest ? data_->test : data_->train;
    const std::uint64_t offset = split == Split::kValidation ? size(Split::kTrain) : 0;
    const std::int64_t width = shape().inputs;
    for (std::size_t r = 0; r < samples.size(); ++r) {
      check_sample("fashion_mnist", samples[r], size(split));
      const auto image = static_cast<std::size_t>(offset + samples[r]);
      const auto* pixels =
          reinterpret_cast<const unsigned char*>(set.images.pixels.data()) + image * static_cast<std::size_t>(rows() * cols());
      fill_row(pixels, out.inputs + width * static_cast<std::int64_t>(r), width * out.rows);
      out.classes[r] = static_cast<unsigned char>(set.labels[image]);
    }
  }

 protected:
  std::int64_t rows() const { return data_->train.images.rows; }
  std::int64_t cols() const { return data_->train.images.cols; }
  SequenceShape shape_of(std::int64_t steps, std::int64_t inputs) const {
    return {.steps = steps, .inputs = inputs, .outputs = data_->classes, .target = TargetKind::kClasses};
  }

  static SequenceShape as_image(SequenceShape shape, std::int64_t height, std::int64_t width) {
    shape.image_channels = 1, shape.image_height = height, shape.image_width = width;
    return shape;
  }

 private:
  // pixels (rows, cols) of one image; step t goes to to + t * stride.
  virtual void fill_row(const unsigned char* pixels, float* to, std::int64_t stride) const = 0;

  std::shared_ptr<const ImageData> data_;
  std::int64_t validation_;
};

class ImageRowsSource : public ImageSource {
 public:
  using ImageSource::ImageSource;
  SequenceShape shape() const override { return as_image(shape_of(rows(), cols()), rows(), cols()); }

 private:
  void fill_row(const unsigned char* pixels, float* to, std::int64_t stride) const override {
    const auto& table = brightness();
    for (std::int64_t t = 0; t < rows(); ++t)
      for (std::int64_t i = 0; i < cols(); ++i) to[t * stride + i] = table[*pixels++];
  }
};

// One block of pool x pool pixels, their mean, per step. The sides of the images are multiples of pool.
class ImagePixelsSource : public ImageSource {
 public:
  ImagePixelsSource(std::shared_ptr<const ImageData> data, std::int64_t pool, bool is_permuted)
      : ImageSource(std::move(data)),
        pool_(pool),
        is_permuted_(is_permuted),
        order_(static_cast<std::size_t>(rows() / pool * (cols() / pool))) {
    for (std::uint64_t t = 0; t < order_.size(); ++t) order_[t] = is_permuted ? permuted(t, order_.size(), 0, RandomUse::kPixels, 0) : t;
  }
  SequenceShape shape() const override {
    const SequenceShape shape = shape_of(static_cast<std::int64_t>(order_.size()), 1);
    return is_permuted_ ? shape : as_image(shape, rows() / pool_, cols() / pool_);
  }

 private:
  void fill_row(const unsigned char* pixels, float* to, std::int64_t stride) const override {
    const std::int64_t across = cols() / pool_;
    for (const std::uint64_t block : order_) {
      const auto y = static_cast<std::int64_t>(block) / across, x = static_cast<std::int64_t>(block) % across;
      *to = mean(pixels + y * pool_ * cols() + x * pool_);
      to += stride;
    }
  }

  // Of the block whose first pixel this is.
  float mean(const unsigned char* first) const {
    int sum = 0;
    for (std::int64_t y = 0; y < pool_; ++y)
      for (std::int64_t x = 0; x < pool_; ++x) sum += first[y * cols() + x];
    return static_cast<float>(sum) / static_cast<float>(255 * pool_ * pool_);
  }

  std::int64_t pool_;
  bool is_permuted_;
  std::vector<std::uint64_t> order_;  // by step: the block that it shows
};

std::shared_ptr<const BatchSource> make_images(const TaskContext& context, const FashionMnistOptions& options) {
  refuse_step_targets(context, "fashion_mnist");
  if (options.permuted && options.scan == kRows)
    throw usage_error("task.permuted: pixels are permuted, not rows; set task.scan to \"pixels\" or \"pooled\", or remove task.permuted");
  static ReadOnce<ImageData> cache;
  const std::string directory = context.path.empty() ? kDefaultDirectory : context.path;
  auto data = cache.get(directory, [&] { return read_image_data(directory); });
  if (options.scan == kRows) return std::make_shared<ImageRowsSource>(std::move(data));
  if (options.scan == kPixels) return std::make_shared<ImagePixelsSource>(std::move(data), 1, options.permuted);
  if (data->train.images.rows % 2 != 0 || data->train.images.cols % 2 != 0)
    throw usage_error(fmt::format("task.scan: pooled needs images with even sides, those of {} are {}; take task.scan = \"pixels\"",
                                  directory, data->train.size_text()));
  return std::make_shared<ImagePixelsSource>(std::move(data), 2, options.permuted);
}

}  // namespace

TaskEntry fashion_mnist_task() {
  return {.name = "fashion_mnist",
          .description =
              "images row by row (28 steps of 28 pixels) or pixel by pixel (784, pooled 196); the kind of clothing at the end (10 "
              "classes); task.path: any directory in MNIST's format",
          .step_targets = false,
          .make_options = [] { return std::unique_ptr<Options>(std::make_unique<FashionMnistOptions>()); },
          .make = [](const TaskContext& context,
                     const Options& options) { return make_images(context, dynamic_cast<const FashionMnistOptions&>(options)); }};
}

}  // namespace vp
