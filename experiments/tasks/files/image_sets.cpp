#include "experiments/tasks/files/image_sets.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "experiments/io/error.h"
#include "experiments/io/idx.h"

namespace vp {
namespace {

// The files of one set. The views look into the bytes.
struct IdxPair {
  IdxFile image_file, label_file;
  IdxImages images;
  std::string_view labels;

  std::string size_text() const { return fmt::format("{} x {}", images.rows, images.cols); }
};

IdxPair read_pair(const std::string& place, IdxPart part) {
  IdxPair pair{read_idx_file(place, part, IdxKind::kImages), read_idx_file(place, part, IdxKind::kLabels), {}, {}};
  pair.images = parse_idx_images(*pair.image_file.bytes, pair.image_file.name);
  pair.labels = parse_idx_labels(*pair.label_file.bytes, pair.label_file.name);
  if (pair.images.count != static_cast<std::int64_t>(pair.labels.size()))
    throw io_error(fmt::format("{}: expected one label for each of the {} images of {}, got {}; get both files from one data set",
                               pair.label_file.name, pair.images.count, pair.image_file.name, pair.labels.size()));
  return pair;
}

void check_pairs(const std::string& place, const IdxPair& train, const IdxPair& test) {
  for (const IdxFile* file : {&train.label_file, &test.image_file, &test.label_file})
    if (file->prefix != train.image_file.prefix)
      throw io_error(
          fmt::format("{} and {} are named as files of two data sets; get all four files from one", train.image_file.name, file->name));
  if (train.size_text() != test.size_text())
    throw io_error(fmt::format("{}: the training images are {} pixels, the test images {}; get all four files from one data set", place,
                               train.size_text(), test.size_text()));
  if (train.images.count < 2)
    throw io_error(fmt::format("{}: expected at least 2 training images, got 1; get the files again", train.image_file.name));
}

// Some two labels differ.
void check_labels(const IdxPair& train, const IdxPair& test) {
  const auto is_first = [&](char label) { return label == train.labels[0]; };
  if (std::ranges::all_of(train.labels, is_first) && std::ranges::all_of(test.labels, is_first))
    throw io_error(fmt::format("{}: every label is {}, there is nothing to tell apart; check the label files", train.label_file.name,
                               static_cast<unsigned char>(train.labels[0])));
}

// Every image (rows, cols) to (cols, rows).
std::string transpose_images(const IdxImages& images) {
  std::string turned(images.pixels.size(), '\0');
  const std::int64_t size = images.rows * images.cols;
  for (std::int64_t n = 0; n < images.count; ++n)
    for (std::int64_t p = 0; p < size; ++p)
      turned[static_cast<std::size_t>(n * size + p % images.cols * images.rows + p / images.cols)] =
          images.pixels[static_cast<std::size_t>(n * size + p)];
  return turned;
}

ImageSet image_set(const IdxPair& pair, bool transposed) {
  return {
      .count = pair.images.count, .pixels = transposed ? transpose_images(pair.images) : std::string(pair.images.pixels), .classes = {}};
}

// The number of each label, as `labels` numbers them.
std::vector<std::int32_t> numbers_of(const IdxPair& pair, Labels& labels) {
  std::vector<std::int32_t> numbers;
  for (const char label : pair.labels) {
    const auto place = [&] { return fmt::format("{}: label {}", pair.label_file.name, numbers.size()); };
    numbers.push_back(labels.add(std::to_string(static_cast<unsigned char>(label)), place));
  }
  return numbers;
}

}  // namespace

ImageData read_image_data(const std::string& place, const ImageFormat& format) {
  const IdxPair train = read_pair(place, IdxPart::kTrain), test = read_pair(place, IdxPart::kTest);
  check_pairs(place, train, test);
  if (format.classes.empty()) check_labels(train, test);
  ImageData data{.rows = train.images.rows, .cols = train.images.cols};
  if (format.transposed) std::swap(data.rows, data.cols);
  data.train = image_set(train, format.transposed), data.test = image_set(test, format.transposed);
  Labels labels;
  data.train.classes = numbers_of(train, labels), data.test.classes = numbers_of(test, labels);
  Problems problems(place);
  LabelMap map = labels.map(format.classes, place, "labels", problems);
  problems.throw_if_any("list every label of the files in task.classes, or remove it");
  for (auto* set : {&data.train, &data.test})
    for (std::int32_t& number : set->classes) number = map.class_of[static_cast<std::size_t>(number)];
  data.class_names = std::move(map.names);
  return data;
}

}  // namespace vp
