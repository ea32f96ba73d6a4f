#include "experiments/io/quoted_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>

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

std::string toml_text(std::string_view value) {
  std::string text = "\"";
  for (const char c : value) text += escaped(c);
  return text + '"';
}

std::string toml_text(const std::vector<std::string>& value) {
  std::string text;
  for (const std::string& element : value) text += (text.empty() ? "" : ", ") + toml_text(element);
  return "[" + text + "]";
}

std::string shown_key(std::string_view key) {
  const bool plain = !key.empty() && std::none_of(key.begin(), key.end(), [](char c) { return is_control(c) || c == '"'; });
  return shortened(plain ? std::string(key) : toml_text(key));
}

}  // namespace vp
