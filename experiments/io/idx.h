// The IDX format of MNIST-like data sets (LeCun's "THE IDX FILE FORMAT"): a big-endian header, then bytes.
// Errors are UserError(kInputOutput) with `name`. Thread-safety: pure functions of bytes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace vp {

struct IdxImages {
  std::int64_t count = 0, rows = 0, cols = 0;
  std::string_view pixels;  // (count, rows, cols), one byte each: a part of the bytes that were parsed
};

// Magic number 0x00000803. Refuses an empty set and any size that is not what the header says.
IdxImages parse_idx_images(std::string_view bytes, const std::string& name);

// Magic number 0x00000801; the labels are a part of the bytes that were parsed. Refuses the same, and any label that is not below
// `classes`.
std::string_view parse_idx_labels(std::string_view bytes, const std::string& name, int classes = 256);

}  // namespace vp
