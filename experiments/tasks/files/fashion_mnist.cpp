// Images of the MNIST format as sequences, the label is asked for at the end. By default Fashion-MNIST (Xiao, Rasul & Vollgraf 2017),
// 60,000 + 10,000 images of ten kinds of clothing, as the Debian package dataset-fashion-mnist installs it.
//
// task.scan: "rows", step t is row t of the image; "pixels", step t is one pixel, in reading order (Le, Jaitly & Hinton 2015: 784 steps);
// "pooled", the same after averaging blocks of 2 x 2 pixels (196 steps). task.permuted: the steps of "pixels" or "pooled" come in an order
// drawn at random, the same for every image, seed and run (Le et al.'s permuted MNIST; their permutation is another one).
//
// A feed-forward net sees all steps at once: the pixels in reading order. A cnn sees them as an image, unless they are permuted.
//
// 5,000 of the training images (of fewer than 60,000 one in twelve, at least one) are for validation. They are drawn at random: image i,
// from 0 in the file, is for validation if permuted(i, number of images, 0, RandomUse::kSplit, 0) is below their number, for every run and
// seed alike, however the file is sorted. Within training and validation set images keep the order of the file. t10k is for testing. Pixels
// are divided by 255. Labels may be any numbers: label_map.h.
#include <algorithm>
#include <array>
#include <vector>

#include "experiments/tasks/files/image_sets.h"
#include "experiments/tasks/split.h"
#include "experiments/tasks/task_support.h"

namespace vp {
namespace {

constexpr std::string_view kRows = "rows", kPixels = "pixels", kPooled = "pooled";
constexpr const char* kDefaultDirectory = "/usr/share/datasets/fashion-mnist";
constexpr std::int64_t kValidationImages = 5000;
constexpr std::uint64_t kSplitSeed = 0;  // of which images validate: a part of the task, not of a run
constexpr std::array<const char*, 10> kClothing = {"T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
                                                   "Sandal",      "Shirt",   "Sneaker",  "Bag",   "Ankle boot"};

struct FashionMnistOptions : OptionsOf<FashionMnistOptions> {
  std::string scan{kRows};
  bool permuted = false;
  bool transpose = false;
  TextList classes;

  void visit_fields(FieldVisitor& visitor) override {
    visitor.field({.key = "task.scan",
                   .description = "what one step shows: a row, a pixel, or the mean of 2 x 2 pixels",
                   .choices = {kRows, kPixels, kPooled}},
                  scan);
    visitor.field({.key = "task.permuted", .description = "steps in one fixed random order (task.scan = \"pixels\" or \"pooled\")"},
                  permuted);
    visitor.field({.key = "task.transpose", .description = "rows and columns of the images change places, as EMNIST's files need it"},
                  transpose);
    visit_classes(visitor, classes);
  }
};

// Which images of the file of training images train and which validate.
SplitMembers split_images(std::int64_t count) {
  const std::int64_t validation = std::clamp<std::int64_t>(count / 12, 1, kValidationImages);
  SplitMembers members;
  for (std::int64_t image = 0; image < count; ++image) {
    const auto rank = permuted(static_cast<std::uint64_t>(image), static_cast<std::uint64_t>(count), kSplitSeed, RandomUse::kSplit, 0);
    members.add(rank < static_cast<std::uint64_t>(validation) ? Split::kValidation : Split::kTrain, static_cast<std::uint64_t>(image));
  }
  return members;
}

// What the runs of a sweep share.
struct SplitImages {
  SplitImages(ImageData images, bool is_clothing) : data(std::move(images)), members(split_images(data.train.count)) {
    for (std::int64_t image = 0; image < data.test.count; ++image) members.add(Split::kTest, static_cast<std::uint64_t>(image));
    for (const Split split : {Split::kTrain, Split::kValidation, Split::kTest}) {
      auto& of_split = counts[static_cast<std::size_t>(split)];
      of_split.resize(data.class_names.size());
      for (const std::uint64_t image : members.of(split)) ++of_split[static_cast<std::size_t>(class_of(split, image))];
    }
    notes = class_notes(data.class_names, counts);
    if (is_clothing && data.class_names.size() == kClothing.size()) data.class_names.assign(kClothing.begin(), kClothing.end());
  }
  const ImageSet& set(Split split) const { return split == Split::kTest ? data.test : data.train; }
  std::int32_t class_of(Split split, std::uint64_t image) const { return set(split).classes[static_cast<std::size_t>(image)]; }

  ImageData data;
  SplitMembers members;
  ClassCounts counts;
  std::vector<std::string> notes;
};

// What a step shows: blocks of pool x pool pixels, by their first pixels in reading order.
struct Scan {
  std::int64_t steps = 0, inputs = 0, pool = 1;
  std::vector<std::int64_t> first = {};  // (steps, inputs)
};

Scan scan_rows(const ImageData& data) {
  Scan scan{.steps = data.rows, .inputs = data.cols};
  for (std::int64_t pixel = 0; pixel < data.rows * data.cols; ++pixel) scan.first.push_back(pixel);
  return scan;
}

// One block a step. The sides of the images are multiples of pool.
Scan scan_blocks(const ImageData& data, std::int64_t pool, bool is_permuted) {
  const std::int64_t across = data.cols / pool, blocks = data.rows / pool * across;
  Scan scan{.steps = blocks, .inputs = 1, .pool = pool};
  for (std::int64_t t = 0; t < blocks; ++t) {
    const auto n = static_cast<std::uint64_t>(blocks);
    const auto block = is_permuted ? static_cast<std::int64_t>(permuted(static_cast<std::uint64_t>(t), n, 0, RandomUse::kPixels, 0)) : t;
    scan.first.push_back(block / across * pool * data.cols + block % across * pool);
  }
  return scan;
}

class ImageSource : public BatchSource {
 public:
  ImageSource(std::shared_ptr<const SplitImages> images, Scan scan, bool is_permuted)
      : images_(std::move(images)), scan_(std::move(scan)), is_permuted_(is_permuted) {}

  SequenceShape shape() const override {
    SequenceShape shape{.steps = scan_.steps, .inputs = scan_.inputs, .target = TargetKind::kClasses};
    shape.outputs = std::ssize(images_->data.class_names);
    if (is_permuted_) return shape;
    shape.image_channels = 1, shape.image_height = images_->data.rows / scan_.pool, shape.image_width = images_->data.cols / scan_.pool;
    return shape;
  }
  std::uint64_t size(Split split) const override { return images_->members.size(split); }
  bool in_double() const override { return true; }
  void fill(Split split, std::span<const std::uint64_t> samples, const SampleRows& out) const override {
    for (std::size_t r = 0; r < samples.size(); ++r) {
      const std::uint64_t image = images_->members.at("fashion_mnist", split, samples[r]);
      const auto* pixels = reinterpret_cast<const unsigned char*>(images_->set(split).pixels.data()) +
                           image * static_cast<std::uint64_t>(images_->data.rows * images_->data.cols);
      if (out.inputs_f64 != nullptr)
        fill_row(pixels, static_cast<std::int64_t>(r), out.rows, out.inputs_f64);
      else
        fill_row(pixels, static_cast<std::int64_t>(r), out.rows, out.inputs);
      out.classes[r] = images_->class_of(split, image);
    }
  }

  std::span<const std::string> class_names() const override { return images_->data.class_names; }
  std::vector<std::int64_t> class_counts(Split split) const override { return images_->counts[static_cast<std::size_t>(split)]; }
  std::vector<std::string> notes() const override { return images_->notes; }
  // The image's place in its file, from 0.
  std::string sample_id(Split split, std::uint64_t index) const override {
    return std::to_string(images_->members.at("fashion_mnist", split, index));
  }

 private:
  // Mean brightness of every block, to row r of `to` (steps, rows, inputs).
  template <class T>
  void fill_row(const unsigned char* pixels, std::int64_t r, std::int64_t rows, T* to) const {
    const T whole = static_cast<T>(255 * scan_.pool * scan_.pool);
    const std::int64_t* first = scan_.first.data();
    for (std::int64_t t = 0; t < scan_.steps; ++t)
      for (std::int64_t i = 0; i < scan_.inputs; ++i)
        to[(t * rows + r) * scan_.inputs + i] = static_cast<T>(sum(pixels + *first++)) / whole;
  }

  // Of the block whose first pixel this is.
  int sum(const unsigned char* first) const {
    int sum = 0;
    for (std::int64_t y = 0; y < scan_.pool; ++y)
      for (std::int64_t x = 0; x < scan_.pool; ++x) sum += first[y * images_->data.cols + x];
    return sum;
  }

  std::shared_ptr<const SplitImages> images_;
  Scan scan_;
  bool is_permuted_;
};

std::shared_ptr<const SplitImages> read_split_images(const std::string& path, const ImageFormat& format) {
  static ReadOnce<SplitImages> cache;
  const std::string directory = path.empty() ? kDefaultDirectory : path;
  const std::string key = fmt::format("{}\n{}\n{}", directory, format.transposed, fmt::join(format.classes, "\n"));
  const bool is_clothing = path.empty() && format.classes.empty();
  return cache.get(key, [&] { return SplitImages(read_image_data(directory, format), is_clothing); });
}

std::shared_ptr<const BatchSource> make_images(const TaskContext& context, const FashionMnistOptions& options) {
  refuse_step_targets(context, "fashion_mnist");
  if (options.permuted && options.scan == kRows)
    throw usage_error("task.permuted: pixels are permuted, not rows; set task.scan to \"pixels\" or \"pooled\", or remove task.permuted");
  auto images = read_split_images(context.path, {options.transpose, options.classes});
  const ImageData& data = images->data;
  if (options.scan == kPooled && (data.rows % 2 != 0 || data.cols % 2 != 0))
    throw usage_error(fmt::format("task.scan: pooled needs images with even sides, those of {} are {} x {}; take task.scan = \"pixels\"",
                                  context.path, data.rows, data.cols));
  Scan scan = options.scan == kRows ? scan_rows(data) : scan_blocks(data, options.scan == kPooled ? 2 : 1, options.permuted);
  return std::make_shared<ImageSource>(std::move(images), std::move(scan), options.permuted);
}

}  // namespace

TaskEntry fashion_mnist_task() {
  return {.name = "fashion_mnist",
          .description =
              "images row by row (28 steps of 28 pixels) or pixel by pixel (784, pooled 196); the kind of clothing at the end (10 "
              "classes); task.path: any directory in MNIST's format; validates on one training image in twelve, at most 5,000, drawn at "
              "random, the same ones for every seed",
          .step_targets = false,
          .make_options = make_options<FashionMnistOptions>,
          .make = [](const TaskContext& context, const Options& options) {
            return make_images(context, options_as<FashionMnistOptions>(options));
          }};
}

}  // namespace vp
