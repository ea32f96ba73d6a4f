// TOML to flat entries: order, places, and texts that were made to break a reader.
#include "experiments/config/toml.h"

#include "tests/experiments/config/config_text.h"

namespace vp::test {
namespace {

std::string repeated(const std::string& part, int times) {
  std::string text;
  for (int i = 0; i < times; ++i) text += part;
  return text;
}

std::string toml_error(const std::string& text) {
  return user_error(ExitCode::kUsage, [&] { read_toml(text, kFile); });
}

TEST(ConfigToml, EntriesKeepTheirOrderAndPlaces) {
  const auto sections = read_toml("name = 'x'\n[grid]\n  z.b = [1, 2.5]\n\"a.b\" = true\n[grid.m]\nc = 'q'\n[[claim]]\n[[claim]]\n", kFile);
  ASSERT_EQ(sections.size(), 4u);
  EXPECT_EQ(sections[0].name, "");
  EXPECT_EQ(sections[0].entries.at(0).key, "name");
  const TomlSection& grid = sections[1];
  EXPECT_EQ(grid.origin.place, "e.toml:2:1");
  EXPECT_FALSE(grid.repeated);
  ASSERT_EQ(grid.entries.size(), 3u);
  EXPECT_EQ(grid.entries[0].key, "z.b");
  EXPECT_EQ(grid.entries[0].form, TomlEntry::Form::kList);
  EXPECT_EQ(grid.entries[0].value_origin.place, "e.toml:3:9");
  EXPECT_EQ(grid.entries[0].values.at(1).origin.place, "e.toml:3:13");
  EXPECT_EQ(grid.entries[0].values[0].value, SettingValue(std::int64_t{1}));
  EXPECT_EQ(grid.entries[0].values[1].value, SettingValue(2.5));
  EXPECT_EQ(grid.entries[1].key, "a.b");
  EXPECT_EQ(grid.entries[1].origin.place, "e.toml:4:1");
  EXPECT_EQ(grid.entries[1].values[0].value, SettingValue(true));
  EXPECT_EQ(grid.entries[2].key, "m.c");
  EXPECT_EQ(sections[2].origin.place, "e.toml:7:1");
  EXPECT_TRUE(sections[3].repeated);
}

TEST(ConfigToml, BrokenTextIsRefusedAtItsPlace) {
  EXPECT_TRUE(toml_error("a = 1\nb = ").starts_with("e.toml:2:5: this is not valid TOML: in the key-value pair: encountered end-of-file"));
  EXPECT_TRUE(toml_error("[train").starts_with("e.toml:1:7: this is not valid TOML"));
  EXPECT_TRUE(has(toml_error("a = 1\na = 2"), {"e.toml:2:", "cannot redefine", "'a'"}));
  EXPECT_TRUE(has(toml_error("a = \"open\n"), {"e.toml:1:", "not valid TOML"}));
  EXPECT_TRUE(has(toml_error("a = '\xff'"), {"e.toml:1:", "utf-8"}));
  EXPECT_TRUE(has(toml_error("a = 99999999999999999999"), {"e.toml:1:", "64 bits"}));
}

TEST(ConfigToml, ValuesWithoutMeaningAreRefused) {
  EXPECT_TRUE(toml_error("[t]\nday = 1979-05-27").starts_with("e.toml:2:7: day: dates and times"));
  EXPECT_TRUE(toml_error("[t]\nx = [1, [2.5]]").starts_with("e.toml:2:9: x: lists hold plain values"));
  EXPECT_TRUE(toml_error("[t]\nx = [1, {a = 2}]").starts_with("e.toml:2:9: x: lists hold plain values"));
  EXPECT_TRUE(toml_error("[t]\n[[t.x]]\na = 1").starts_with("e.toml:2:1: x: lists hold plain values"));
}

TEST(ConfigToml, SizeIsLimited) {
  const std::string comment = "#" + std::string(kMaxExperimentBytes - 1, 'x');
  EXPECT_NO_THROW(read_toml(comment, kFile));
  EXPECT_TRUE(toml_error(comment + "x").starts_with("e.toml: 1048577 bytes; an experiment file holds at most 1048576"));
}

// The library builds and frees a tree of 100,000 levels by recursion; without the limit this test ends in a stack overflow.
TEST(ConfigToml, DeepNestingIsRefusedBeforeTheStackOverflows) {
  EXPECT_TRUE(toml_error("x = 1\n" + repeated("a.", 400'000) + "a = 1").starts_with("e.toml:2:16: a key of more than 8 parts"));
  EXPECT_TRUE(toml_error("[" + repeated("a . ", 200'000) + "a]").starts_with("e.toml:1:32: a key of more than 8 parts"));
  EXPECT_TRUE(toml_error("'''b'''.\"c#\\\".d\"" + repeated(".\"a\"", 200'000)).starts_with("e.toml:1:41: a key of more than 8 parts"));
  EXPECT_TRUE(toml_error("x = " + repeated("[", 500'000)).starts_with("e.toml:1:21: more than 16 values inside each other"));
  EXPECT_TRUE(toml_error("x = " + repeated("{a=", 300'000)).starts_with("e.toml:1:53: more than 16 values"));
}

TEST(ConfigToml, DotsAndBracketsInTextsAndCommentsAreNoNesting) {
  const std::string dots(100, '.'), brackets(100, '[');
  for (const std::string& text :
       {"a = '" + dots + brackets + "'\n", "a = \"" + dots + "\\\"" + brackets + "\"\n", "# " + dots + brackets + "\na = ''\n",
        "a = \"\"\"it's \"quoted\" " + dots + "\n" + brackets + "\"\"\"\"\n", "a = '''" + dots + "\n\"''''\n"}) {
    const auto sections = read_toml(text + "b = 1", kFile);
    EXPECT_EQ(sections.at(0).entries.size(), 2u) << text;
  }
}

TEST(ConfigToml, ScalarsAsTomlReadsThem) {
  EXPECT_EQ(parse_toml_scalar("true"), SettingValue(true));
  EXPECT_EQ(parse_toml_scalar("-1_000"), SettingValue(std::int64_t{-1000}));
  EXPECT_EQ(parse_toml_scalar("0x10"), SettingValue(std::int64_t{16}));
  EXPECT_EQ(parse_toml_scalar("1e-3"), SettingValue(1e-3));
  EXPECT_EQ(parse_toml_scalar("\"a#b\\t\""), SettingValue(std::string("a#b\t")));
  EXPECT_EQ(parse_toml_scalar("'1'"), SettingValue(std::string("1")));
  for (const char* text : {"", "word", "01", ".5", "1 # one", "[1]", "{}", "1\nw = 2", "'a' 'b'", "\"a", "1979-05-27", "'a'#'"})
    EXPECT_FALSE(parse_toml_scalar(text)) << text;
}

}  // namespace
}  // namespace vp::test
