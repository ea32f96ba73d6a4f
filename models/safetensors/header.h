// What the reader and the writer of safetensors share. Thread-safety: pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "models/safetensors/safetensors.h"

namespace vp {

inline constexpr std::size_t kMaxHeaderBytes = 100'000'000;  // the format's own limit
inline constexpr std::string_view kMetadataKey = "__metadata__";

const DType* find_dtype(std::string_view name);  // nullptr if there is none
std::string dtype_names();                       // all of them, for messages

// Of a tensor; nullopt if a size is negative, the product overflows, or the elements do not fill whole bytes.
std::optional<std::int64_t> byte_count(DType dtype, std::span<const std::int64_t> shape);

// In quotation marks and plain ASCII, long names cut: a hostile file must not write to the terminal.
std::string quoted_name(std::string_view name);

}  // namespace vp
