// Text of a user's for messages and for TOML. Thread-safety: pure functions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace vp {

// As TOML reads it back: quoted, on one line.
std::string toml_text(std::string_view value);
inline std::string toml_text(const std::string& value) { return toml_text(std::string_view(value)); }
std::string toml_text(const std::vector<std::string>& value);  // a list

std::string shortened(std::string text);  // at most 80 bytes and "..."

// A key for messages: control characters escaped, at most 80 bytes and "...".
std::string shown_key(std::string_view key);

}  // namespace vp
