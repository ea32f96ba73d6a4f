// Finds and unpacks the files of a data set in MNIST's format, under the names that are in use:
//
//   train-images-idx3-ubyte             LeCun's, Fashion-MNIST's and torchvision's
//   train-images.idx3-ubyte             Kaggle's, as a file, or in a folder of the name of the file
//   emnist-letters-train-images-idx3-ubyte, emnist-letters-test-images-idx3-ubyte    EMNIST's: a prefix, and test in place of t10k
//
// each with .gz or without; what is packed is seen in the bytes, not in the name. Errors are UserError(kInputOutput). Thread-safety: pure
// functions of a directory.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

namespace vp {

enum class IdxPart { kTrain, kTest };
enum class IdxKind { kImages, kLabels };

struct IdxFile {
  std::string name;                          // where it stands, for messages
  std::string prefix;                        // of its name, e.g. "emnist-letters-"
  std::unique_ptr<const std::string> bytes;  // unpacked; do not move
};

// place: a directory, or one with the beginning of the files' names behind it (DIR/emnist-letters). Two files of different content that
// could both be meant are refused, with their names.
IdxFile read_idx_file(const std::filesystem::path& place, IdxPart part, IdxKind kind);

}  // namespace vp
