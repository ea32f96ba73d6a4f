#include "experiments/io/numbers.h"

#include <fmt/format.h>
#include <locale.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <stdexcept>
#include <system_error>

namespace vp {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// Takes digits off the front; how many.
std::size_t take_digits(std::string_view& text) {
  std::size_t count = 0;
  while (count < text.size() && is_digit(text[count])) ++count;
  text.remove_prefix(count);
  return count;
}

bool take_sign(std::string_view& text) {
  if (text.empty() || (text.front() != '+' && text.front() != '-')) return false;
  text.remove_prefix(1);
  return true;
}

// [sign] digits [. digits] [e [sign] digits], of which one side of the point may have no digit.
bool is_decimal(std::string_view text) {
  take_sign(text);
  std::size_t digits = take_digits(text);
  if (text.starts_with('.')) {
    text.remove_prefix(1);
    digits += take_digits(text);
  }
  if (digits == 0) return false;
  if (text.starts_with('e') || text.starts_with('E')) {
    text.remove_prefix(1);
    take_sign(text);
    if (take_digits(text) == 0) return false;
  }
  return text.empty();
}

// Of decimal text that std::from_chars finds out of range: it does not say on which side.
double value_out_of_range(std::string_view decimal) {
  static const locale_t c_locale = ::newlocale(LC_ALL_MASK, "C", nullptr);
  return ::strtod_l(std::string(decimal).c_str(), nullptr, c_locale);
}

std::string lower_case(std::string_view text) {
  std::string lower(text);
  std::ranges::transform(lower, lower.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return lower;
}

bool stands_for_missing(const std::string& lower) {
  constexpr std::array<std::string_view, 9> kMissing = {"", "na", "n/a", "#n/a", "nan", "null", "none", "-", "?"};
  const std::string_view bare = std::string_view(lower).substr(lower.starts_with('+') || lower.starts_with('-') ? 1 : 0);
  return std::ranges::find(kMissing, std::string_view(lower)) != kMissing.end() || bare == "nan";
}

bool is_infinite(std::string_view lower) {
  take_sign(lower);
  return lower == "inf" || lower == "infinity";
}

// The text with every `separator` taken out, or each made a point.
std::string without(std::string_view text, std::string_view separator, std::string_view instead) {
  std::string out;
  while (!text.empty()) {
    const bool found = text.starts_with(separator);
    out += found ? instead : text.substr(0, 1);
    text.remove_prefix(found ? separator.size() : 1);
  }
  return out;
}

std::string comma_fault(std::string_view text) {
  const std::string with_point = without(without(text, ".", ""), ",", ".");
  const bool points_first = text.rfind('.') == std::string_view::npos || text.rfind('.') < text.find(',');
  if (std::ranges::count(text, ',') == 1 && points_first && is_decimal(with_point))
    return fmt::format("is written with a comma; write decimals with a point, as {}, and thousands without a separator", with_point);
  return is_decimal(without(text, ",", "")) ? "is written with thousands separators; leave them out" : "";
}

// Between digits: a blank, a no-break space, an apostrophe, an underscore, or points.
std::string separator_fault(std::string_view text) {
  for (const std::string_view separator : {" ", "\xc2\xa0", "\xe2\x80\xaf", "'", "\xe2\x80\x99", "_"})
    if (text.find(separator) != std::string_view::npos && is_decimal(without(text, separator, "")))
      return "is written with separators between its digits; leave them out";
  if (std::ranges::count(text, '.') > 1 && is_decimal(without(text, ".", "")))
    return "is written with more than one point; leave thousands separators out";
  return "";
}

bool is_hexadecimal(std::string_view lower) {
  take_sign(lower);
  return lower.size() > 2 && lower.starts_with("0x") && lower.find_first_not_of("0123456789abcdef.p+-", 2) == std::string_view::npos;
}

// What a writer of numbers does otherwise; empty if the text is none.
std::string style_fault(std::string_view text) {
  const std::string minus = without(text, "\xe2\x88\x92", "-");
  if (minus != text && is_decimal(minus)) return "has a typographic minus sign; write -";
  if (std::string fault = comma_fault(text); !fault.empty()) return fault;
  if (std::string fault = separator_fault(text); !fault.empty()) return fault;
  if (is_hexadecimal(lower_case(text))) return "is hexadecimal; write it with decimal digits";
  if (text.ends_with('%') && is_decimal(trimmed(text.substr(0, text.size() - 1)))) return "is a percentage; write the number alone";
  return "";
}

}  // namespace

std::optional<double> parse_number(std::string_view field) {
  field = trimmed(field);
  if (!is_decimal(field)) return std::nullopt;
  if (field.front() == '+') field.remove_prefix(1);
  double value = 0;
  const auto [end, error] = std::from_chars(field.data(), field.data() + field.size(), value);
  if (error == std::errc::result_out_of_range) value = value_out_of_range(field);
  return std::isfinite(value) ? std::optional(value) : std::nullopt;
}

std::optional<std::int64_t> parse_integer(std::string_view field) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(field.data(), field.data() + field.size(), value);
  if (error != std::errc() || end != field.data() + field.size()) return std::nullopt;
  return value;
}

std::optional<std::int64_t> parse_whole_number(std::string_view field) {
  field = trimmed(field);
  if (const auto integer = parse_integer(field.substr(field.starts_with('+') && !field.starts_with("+-") ? 1 : 0))) return integer;
  const auto number = parse_number(field);
  if (!number || *number != std::floor(*number) || std::abs(*number) > 0x1p53) return std::nullopt;
  return static_cast<std::int64_t>(*number);
}

std::string number_fault(std::string_view field) {
  const std::string_view text = trimmed(field);
  const std::string lower = lower_case(text);
  if (stands_for_missing(lower)) return "is not a finite number; fill missing values in, or leave their rows out";
  if (is_infinite(lower)) return "is not a finite number";
  if (is_decimal(text)) return "is not a finite number in the range of double precision";
  if (const std::string fault = style_fault(text); !fault.empty()) return "is not a finite number: it " + fault;
  return "is not a finite number";
}

bool looks_like_number(std::string_view field) {
  const std::string_view text = trimmed(field);
  const std::string lower = lower_case(text);
  return is_decimal(text) || stands_for_missing(lower) || is_infinite(lower) || !style_fault(text).empty();
}

std::string format_number(double value) {
  if (!std::isfinite(value)) throw std::invalid_argument("[format_number] value: expected a finite number, got " + std::to_string(value));
  char text[32];  // 24 suffice for any double
  const auto [end, error] = std::to_chars(text, text + sizeof(text), value);
  return std::string(text, end);
}

}  // namespace vp
