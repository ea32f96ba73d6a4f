// A value as the user wrote it, and where: the common form of TOML entries and command-line overrides.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

namespace vp {

using SettingValue = std::variant<bool, std::int64_t, double, std::string, std::vector<std::int64_t>, std::vector<std::string>>;

struct Origin {
  std::string place;  // "file.toml:12:3" or "command line: key=value"
};

// A key that the command line changed, both values as text.
struct Change {
  std::string key, value, instead_of;
};

}  // namespace vp
