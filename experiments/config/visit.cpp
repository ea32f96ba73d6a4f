#include "experiments/config/visit.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "experiments/io/csv.h"

namespace vp {

namespace {

constexpr std::size_t kShownBytes = 80;

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

std::string escaped(char c) {
  switch (c) {
    case '"':
      return "\\\"";
    case '\\':
      return "\\\\";
    case '\n':
      return "\\n";
    case '\t':
      return "\\t";
    case '\r':
      return "\\r";
    default:
      return is_control(c) ? fmt::format("\\u{:04X}", static_cast<unsigned>(static_cast<unsigned char>(c))) : std::string(1, c);
  }
}

}  // namespace

std::string shortened(std::string text) {
  if (text.size() <= kShownBytes) return text;
  std::size_t end = kShownBytes;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;  // not inside a UTF-8 sequence
  return text.substr(0, end) + "...";
}

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

std::string toml_text(const TextList& value) {
  std::string text;
  for (const std::string& element : value) text += (text.empty() ? "" : ", ") + toml_text(element);
  return "[" + text + "]";
}

std::string toml_text(std::string_view value) {
  std::string text = "\"";
  for (const char c : value) text += escaped(c);
  return text + '"';
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

std::string shown_key(std::string_view key) {
  const bool plain = !key.empty() && std::none_of(key.begin(), key.end(), [](char c) { return is_control(c) || c == '"'; });
  return shortened(plain ? std::string(key) : toml_text(key));
}

}  // namespace vp
