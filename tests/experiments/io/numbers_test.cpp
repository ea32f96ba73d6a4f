#include "experiments/io/numbers.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <random>
#include <stdexcept>

#include "tests/compare.h"
#include "tests/experiments/io/user_error.h"

namespace vp {
namespace {

using test::has;

// Bit for bit what strtod makes of it.
void expect_as_strtod(const std::string& text) {
  const auto value = parse_number(text);
  ASSERT_TRUE(value.has_value()) << text;
  EXPECT_EQ(std::bit_cast<std::uint64_t>(*value), std::bit_cast<std::uint64_t>(std::strtod(text.c_str(), nullptr))) << text;
}

TEST(Numbers, AreReadAsStrtodReadsThem) {
  for (const char* text : {"0.1",
                           "-1e-300",
                           "0.30000000000000004",
                           "+1",
                           "+.5",
                           "-.5",
                           "5.",
                           "5.e1",
                           "+5.E+01",
                           "1e-5",
                           " 1",
                           "1 ",
                           "\t1\t",
                           "007",
                           "-0",
                           "16777217",
                           "4.9e-324",
                           "2e-324",
                           "-2e-324",
                           "1e-400",
                           "-1e-999999",
                           "2.2250738585072011e-308",
                           "0e999999999999",
                           "1.7976931348623157e308",
                           "0.000000000000000000000000000000000000000000000000000001e-300"})
    expect_as_strtod(text);
  std::mt19937_64 random(5);
  for (int i = 0; i < 20000; ++i) {
    const auto digits = [&](int least) {
      std::string text;
      for (int n = least + static_cast<int>(random() % 20); n > 0; --n) text += static_cast<char>('0' + random() % 10);
      return text;
    };
    const int exponent = static_cast<int>(random() % 700) - 400;
    const std::string text = std::string(random() % 2 ? "+" : "-") + digits(1) + "." + digits(0) + "e" + std::to_string(exponent);
    if (std::isfinite(std::strtod(text.c_str(), nullptr)))
      expect_as_strtod(text);
    else
      EXPECT_FALSE(parse_number(text).has_value()) << text;
  }
}

TEST(Numbers, TheWholeFieldMustBeANumber) {
  for (const auto* bad : {"",
                          " ",
                          "1x",
                          "x",
                          "1,5",
                          "nan",
                          "NaN",
                          "inf",
                          "-inf",
                          "Infinity",
                          "1e999",
                          "-1e999",
                          "0x10",
                          "--1",
                          "+-1",
                          "-+1",
                          "1e",
                          "1e+",
                          ".",
                          "+",
                          "-.",
                          ".e1",
                          "1 2",
                          "1.2.3",
                          "1e1.5",
                          "1f",
                          "1d0",
                          "\xe2\x88\x92"
                          "1"})
    EXPECT_FALSE(parse_number(bad).has_value()) << bad;
  EXPECT_EQ(parse_integer("-42"), -42);
  for (const auto* bad : {"", "1.5", "1.0", " 1", "+1", "1e3", "9223372036854775808", "0x10", "one"})
    EXPECT_FALSE(parse_integer(bad).has_value()) << bad;
}

TEST(Numbers, WholeNumbersMayBeWrittenAsOthers) {
  for (const auto* three : {"3", "+3", " 3 ", "3.0", "3.", "3e0", "0.3e1", "003"}) EXPECT_EQ(parse_whole_number(three), 3) << three;
  EXPECT_EQ(parse_whole_number("-9223372036854775808"), std::numeric_limits<std::int64_t>::min());
  for (const auto* bad : {"", "1.5", "+-3", "1e300", "9223372036854775808", "nan", "three"})
    EXPECT_FALSE(parse_whole_number(bad).has_value()) << bad;
}

TEST(Numbers, FaultsNameTheirCause) {
  EXPECT_TRUE(has(number_fault("0,5"), {"is not a finite number", "comma", "with a point, as 0.5"}));
  EXPECT_TRUE(has(number_fault("-1.234,5e3"), {"comma", "as -1234.5e3"}));
  EXPECT_TRUE(has(number_fault("1,234,567"), {"thousands separators"}));
  EXPECT_TRUE(has(number_fault("1,234.5"), {"thousands separators"}));
  for (const char* text : {"1 000", "1'000", "1_000",
                           "1\xc2\xa0"
                           "000"})
    EXPECT_TRUE(has(number_fault(text), {"between its digits"})) << text;
  EXPECT_TRUE(has(number_fault("1.234.567"), {"more than one point"}));
  EXPECT_TRUE(has(number_fault("\xe2\x88\x92"
                               "1.5"),
                  {"typographic minus"}));
  EXPECT_TRUE(has(number_fault("0x1f"), {"hexadecimal"}));
  EXPECT_TRUE(has(number_fault("12 %"), {"percentage"}));
  for (const char* text : {"", "NA", "nan", "-NaN", "None", "null", "#N/A"})
    EXPECT_TRUE(has(number_fault(text), {"missing values"})) << text;
  EXPECT_TRUE(has(number_fault("1e999"), {"range of double precision"}));
  for (const char* text : {"inf", "-Infinity", "bob", "2020-01-01", "a,b"}) EXPECT_EQ(number_fault(text), "is not a finite number") << text;
}

TEST(Numbers, FormatIsTheShortestThatReadsBack) {
  EXPECT_EQ(format_number(0.1), "0.1");
  EXPECT_EQ(format_number(1e-300), "1e-300");
  EXPECT_EQ(format_number(5.0), "5");
  EXPECT_EQ(format_number(-2.5), "-2.5");
  EXPECT_EQ(format_number(0.1 + 0.2), "0.30000000000000004");
  EXPECT_EQ(format_number(std::numeric_limits<double>::denorm_min()), "5e-324");
  std::mt19937_64 bits(7);
  for (int i = 0; i < 20000; ++i) {
    const auto value = std::bit_cast<double>(bits());
    if (!std::isfinite(value)) continue;
    ASSERT_TRUE(test::near(parse_number(format_number(value)).value(), value, 0)) << format_number(value);
  }
  EXPECT_THROW(format_number(std::numeric_limits<double>::infinity()), std::invalid_argument);
  EXPECT_THROW(format_number(std::numeric_limits<double>::quiet_NaN()), std::invalid_argument);
}

}  // namespace
}  // namespace vp
