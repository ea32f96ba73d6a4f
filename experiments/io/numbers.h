// Numbers as text in data files, and what is wrong with a text that is none. Thread-safety: pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace vp {

// The whole field as a number, as strtod reads it in the C locale: an optional sign, digits with or without a point ("5.", ".5"), an
// exponent, blanks around it; what is too small for a double is 0 or denormal. nullopt for anything else: "nan", "inf", hexadecimal
// digits, and what is too large.
std::optional<double> parse_number(std::string_view field);

// The same as a whole number in 64 bits: digits with a minus sign alone.
std::optional<std::int64_t> parse_integer(std::string_view field);
// Also written +3 or 3.0, with blanks around it: pandas writes whole numbers so where a column has gaps. At most 2^53 in that form.
std::optional<std::int64_t> parse_whole_number(std::string_view field);

// Why parse_number() has no value for a field: a decimal comma, a thousands separator, a missing value, text, ...
std::string number_fault(std::string_view field);
// Whether a number may be meant by it, well written or not, or that there is none: "0,5", "1e999", "nan", "NA", "".
bool looks_like_number(std::string_view field);

// Shortest text that reads back to the same double ("0.1", "1e-300"); the value must be finite.
std::string format_number(double value);

}  // namespace vp
