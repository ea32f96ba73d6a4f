// The core fields of a Config, and the texts of the values of fields. Thread-safety: pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "experiments/config/setting.h"
#include "experiments/io/quoted_text.h"
#include "models/spec/fields.h"

namespace vp {

// The core fields of a Config as something for_each_field() can visit.
template <class ConfigType>
struct CoreFields {
  ConfigType& config;
  void visit_fields(FieldVisitor& v) { config.visit_core_fields(v); }
};
template <class ConfigType>
CoreFields(ConfigType&) -> CoreFields<ConfigType>;

// What a field may hold, for help and messages: boolean, integer, number, string, integers and strings (lists).
inline const char* type_name(bool) { return "boolean"; }
inline const char* type_name(std::int64_t) { return "integer"; }
inline const char* type_name(double) { return "number"; }
inline const char* type_name(const std::string&) { return "string"; }
inline const char* type_name(const IntegerList&) { return "integers"; }
inline const char* type_name(const TextList&) { return "strings"; }
template <class T>
const char* type_name(const std::optional<T>&) {
  return type_name(T{});
}

// Text as it stands in a CSV field: unset gives an empty text, numbers as format_number().
std::string plain_text(bool value);
std::string plain_text(std::int64_t value);
std::string plain_text(double value);
std::string plain_text(const IntegerList& value);  // "300,100"
std::string plain_text(const TextList& value);     // a line of CSV: "x,y"
inline std::string plain_text(const std::string& value) { return value; }
template <class T>
std::string plain_text(const std::optional<T>& value) {
  return value ? plain_text(*value) : std::string();
}

// Text as TOML reads it back: strings quoted, on one line.
inline std::string toml_text(bool value) { return plain_text(value); }
inline std::string toml_text(std::int64_t value) { return plain_text(value); }
std::string toml_text(double value);  // -0 as 0
std::string toml_text(const IntegerList& value);
template <class T>
std::string toml_text(const std::optional<T>& value) {
  return value ? toml_text(*value) : std::string();
}
std::string toml_text(const SettingValue& value);

// Text of a user's value for messages: control characters escaped, at most 80 bytes and "...".
std::string shown(const SettingValue& value);

}  // namespace vp
