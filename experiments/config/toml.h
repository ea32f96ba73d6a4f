// TOML text as sections of flat entries in source order: the only door to the TOML library. Thread-safety: pure functions.
//
// Nested tables become dotted keys: under [init], `recurrent.gain = 1`, `[init.recurrent] gain = 1` and `"recurrent.gain" = 1` are all the
// same entry.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "experiments/config/setting.h"
#include "models/spec/fields.h"

namespace vp {

inline constexpr std::size_t kMaxExperimentBytes = std::size_t{1} << 20;

struct TomlValue {
  SettingValue value;
  Origin origin;
};

struct TomlEntry {
  enum class Form { kScalar, kList, kEmptyTable };
  std::string key;      // within its section, dotted
  Origin origin;        // of the key
  Origin value_origin;  // of the value as a whole
  Form form = Form::kScalar;
  std::vector<TomlValue> values;  // one for a scalar, any number for a list
};

struct TomlSection {
  std::string name;       // top-level table; empty: the entries before any table
  bool repeated = false;  // [[name]]: one TomlSection for each
  Origin origin;
  std::vector<TomlEntry> entries;  // in source order
};

// The section of the top-level entries first, then the tables in source order; origins are "name:line:column".
// Errors: UserError(kUsage) for more than kMaxExperimentBytes, broken TOML, nesting beyond any use, dates, lists of lists or tables.
std::vector<TomlSection> read_toml(std::string_view text, const std::string& name);

// "1e-3", "true", "0x10" or a quoted text as TOML reads it; nullopt for anything else.
std::optional<SettingValue> parse_toml_scalar(std::string_view text);
// "[300, 100]" or "['x', 'y']"; nullopt for anything else.
std::optional<SettingValue> parse_toml_list(std::string_view text);

}  // namespace vp
