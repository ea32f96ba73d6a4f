// An experiment file as written, before its keys are looked up: settings, axes and claims, each with its origin. Thread-safety: pure
// functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "experiments/config/claim.h"
#include "experiments/config/setting.h"

namespace vp {

inline constexpr std::uint64_t kMaxGridPoints = 1'000'000;

struct Setting {
  std::string key;  // dotted, e.g. "train.seed"
  SettingValue value;
  Origin key_origin;
  Origin value_origin;
};

// One axis of a grid: never empty, values of one kind and all different.
struct GridAxis {
  std::string key;
  std::vector<Setting> values;
  Origin origin;
};

// The product of its axes, the last one fastest. Without axes: one point.
using GridBlock = std::vector<GridAxis>;

struct Document {
  std::string file;  // for messages
  std::string name, title, description;
  std::vector<Setting> settings;  // in source order, each key once
  std::vector<GridBlock> grid;    // one for [grid] or each [[grid]]; none: one point
  std::vector<Claim> claims;
  std::vector<Change> changes;  // of the command line that made this file (config.toml of results), or that this document went through
};

// Errors: UserError(kUsage) for everything that can be seen without knowing what the keys mean: unknown sections, lists where one value
// belongs, empty axes.
Document read_document(std::string_view text, const std::string& file);

// Throws unless the axis is what GridAxis promises.
void check_axis(const GridAxis& axis);

// The integers of "first..last". Errors at `origin`: backwards, or more than kMaxGridPoints of them. REQUIRES looks_like_range(text).
bool looks_like_range(std::string_view text);
std::vector<Setting> range_values(const std::string& key, std::string_view text, const Origin& key_origin, const Origin& origin);

}  // namespace vp
