#include "experiments/config/visit.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "experiments/io/csv.h"

namespace vp {

std::string plain_text(bool value) { return value ? "true" : "false"; }
std::string plain_text(std::int64_t value) { return std::to_string(value); }
std::string plain_text(double value) { return format_number(value); }

std::string plain_text(const IntegerList& value) { return fmt::format("{}", fmt::join(value, ",")); }
std::string toml_text(const IntegerList& value) { return fmt::format("[{}]", fmt::join(value, ", ")); }

std::string plain_text(const TextList& value) {
  std::string line;
  for (std::size_t i = 0; i < value.size(); ++i) {
    if (i > 0) line += ',';
    append_csv_field(line, value[i]);
  }
  return line;
}

std::string toml_text(double value) {
  if (value == 0) return "0";
  if (!std::isfinite(value)) return std::isnan(value) ? "nan" : value > 0 ? "inf" : "-inf";
  std::string text = format_number(value);
  // The shortest text of 2^70 has neither point nor exponent, and TOML's integers end at 2^63.
  if (std::abs(value) >= 1e15 && text.find_first_of(".e") == std::string::npos) text += ".0";
  return text;
}

std::string toml_text(const SettingValue& value) {
  return std::visit([](const auto& v) { return toml_text(v); }, value);
}

std::string shown(const SettingValue& value) {
  const std::string text = toml_text(value);
  // "expected an integer, got 1" would puzzle whoever wrote 1.0.
  const bool looks_whole = std::holds_alternative<double>(value) && text.find_first_not_of("-0123456789") == std::string::npos;
  return shortened(looks_whole ? text + ".0" : text);
}

}  // namespace vp
