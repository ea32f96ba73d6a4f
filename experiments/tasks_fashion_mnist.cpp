// Images of the MNIST format, read row by row: step t is row t of the image, the label is asked for at the end. By default Fashion-MNIST
// (Xiao, Rasul & Vollgraf 2017), 60,000 + 10,000 images of ten kinds of clothing, as the Debian package dataset-fashion-mnist installs it.
//
// The last 5,000 training images (in sets under 60,000 the last twelfth, at least one) are for validation; t10k is for testing. Pixels are
// divided by 255.
#include <algorithm>
#include <array>
#include <filesystem>
#include <system_error>

#include "experiments/files.h"
#include "experiments/idx.h"
#include "experiments/task_support.h"

namespace vp {
namespace {

namespace fs = std::filesystem;

constexpr const char* kDefaultDirectory = "/usr/share/datasets/fashion-mnist";
constexpr std::int64_t kValidationImages = 5000;
constexpr std::uint64_t kLargestFile = std::uint64_t{2} << 30;  // bytes, unpacked; MNIST's own largest has 47 million

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

class ImageRowsSource : public BatchSource {
 public:
  explicit ImageRowsSource(std::shared_ptr<const ImageData> data)
      : data_(std::move(data)), validation_(std::clamp<std::int64_t>(data_->train.images.count / 12, 1, kValidationImages)) {}

  SequenceShape shape() const override {
    const IdxImages& images = data_->train.images;
    return {.steps = images.rows, .inputs = images.cols, .outputs = data_->classes, .target = TargetKind::kClasses};
  }

  std::uint64_t size(Split split) const override {
    if (split == Split::kTest) return static_cast<std::uint64_t>(data_->test.images.count);
    return static_cast<std::uint64_t>(split == Split::kValidation ? validation_ : data_->train.images.count - validation_);
  }

  void fill(Split split, std::span<const std::uint64_t> samples, const SampleRows& out) const override {
    const ImageSet& set = split == Split::kTest ? data_->test : data_->train;
    const std::uint64_t offset = split == Split::kValidation ? size(Split::kTrain) : 0;
    const std::int64_t cols = set.images.cols;
    for (std::size_t r = 0; r < samples.size(); ++r) {
      check_sample("fashion_mnist", samples[r], size(split));
      const auto image = static_cast<std::size_t>(offset + samples[r]);
      fill_row(set.images, image, out.inputs + cols * static_cast<std::int64_t>(r), cols * out.rows);
      out.classes[r] = static_cast<unsigned char>(set.labels[image]);
    }
  }

 private:
  // Row t of the image goes to to + t * stride.
  static void fill_row(const IdxImages& images, std::size_t image, float* to, std::int64_t stride) {
    const auto& table = brightness();
    const auto* pixel =
        reinterpret_cast<const unsigned char*>(images.pixels.data()) + image * static_cast<std::size_t>(images.rows * images.cols);
    for (std::int64_t t = 0; t < images.rows; ++t)
      for (std::int64_t i = 0; i < images.cols; ++i) to[t * stride + i] = table[*pixel++];
  }

  std::shared_ptr<const ImageData> data_;
  std::int64_t validation_;
};

std::shared_ptr<const BatchSource> make_image_rows(const TaskContext& context) {
  refuse_step_targets(context, "fashion_mnist");
  static ReadOnce<ImageData> cache;
  const std::string directory = context.path.empty() ? kDefaultDirectory : context.path;
  return std::make_shared<ImageRowsSource>(cache.get(directory, [&] { return read_image_data(directory); }));
}

}  // namespace

TaskEntry fashion_mnist_task() {
  return {.name = "fashion_mnist",
          .description =
              "images row by row (28 steps of 28 pixels); the kind of clothing at the end (10 classes); task.path: any directory in "
              "MNIST's format",
          .step_targets = false,
          .make_options = [] { return std::unique_ptr<Options>(std::make_unique<NoOptions>()); },
          .make = [](const TaskContext& context, const Options&) { return make_image_rows(context); }};
}

}  // namespace vp
