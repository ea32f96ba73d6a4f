// What task.target_kind may be. Thread-safety: constants.
#pragma once

#include <string_view>

namespace vp {

inline constexpr std::string_view kClassTarget = "classes", kBinaryTarget = "binary", kValueTarget = "values";  // task.target_kind

}  // namespace vp
