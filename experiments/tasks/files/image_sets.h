// Two sets of labelled images in MNIST's format, as they are read from four files (idx_files.h). Errors are UserError(kInputOutput); of
// task.classes, kUsage. Thread-safety: read_image_data() is a pure function of a directory.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "experiments/tasks/files/idx_files.h"
#include "experiments/tasks/files/label_map.h"

namespace vp {

struct ImageSet {
  std::int64_t count = 0;
  std::string pixels;                 // (count, rows, cols), one byte each
  std::vector<std::int32_t> classes;  // (count)
};

struct ImageData {
  std::int64_t rows = 0, cols = 0;
  ImageSet train = {}, test = {};
  TextList class_names = {};  // the labels
};

struct ImageFormat {
  bool transposed = false;  // the files hold columns where others hold rows, as EMNIST's do
  TextList classes;         // task.classes
};

ImageData read_image_data(const std::string& place, const ImageFormat& format);

}  // namespace vp
