#include "experiments/io/csv.h"

#include <gtest/gtest.h>

#include <random>

#include "tests/experiments/io/user_error.h"

namespace vp {
namespace {

using test::has;
using Fields = std::vector<std::string>;

std::string csv_message(std::string_view bytes) {
  return test::user_error(ExitCode::kInputOutput, [&] { parse_csv(bytes, "d.csv"); });
}

TEST(Csv, ReadsHeaderAndRowsWithTheirPhysicalLines) {
  const auto document = parse_csv("a,b\n1,2\n\n3,\n", "d.csv");
  EXPECT_EQ(document.name, "d.csv");
  EXPECT_EQ(document.header, (Fields{"a", "b"}));
  ASSERT_EQ(document.rows.size(), 2u);
  EXPECT_EQ(document.rows[0].fields, (Fields{"1", "2"}));
  EXPECT_EQ(document.rows[0].line, 2);
  EXPECT_EQ(document.rows[1].fields, (Fields{"3", ""}));
  EXPECT_EQ(document.rows[1].line, 4);
}

TEST(Csv, LineBreaksMayBeLfCrlfOrCr) {
  const auto document = parse_csv("a,b\r\n1,2\n3,4\r\n5,6\r7,8", "d.csv");
  ASSERT_EQ(document.rows.size(), 4u);
  for (std::size_t i = 0; i < 4; ++i) EXPECT_EQ(document.rows[i].line, static_cast<std::int64_t>(i) + 2);
  EXPECT_EQ(document.rows[3].fields, (Fields{"7", "8"}));
}

TEST(Csv, QuotedFieldsHoldCommasQuotesAndLineBreaks) {
  const auto document = parse_csv("a,b\n\"x,y\",\"say \"\"no\"\"\"\n\"two\r\nlines\n\",1\n2,3\n", "d.csv");
  ASSERT_EQ(document.rows.size(), 3u);
  EXPECT_EQ(document.rows[0].fields, (Fields{"x,y", "say \"no\""}));
  EXPECT_EQ(document.rows[1].fields, (Fields{"two\r\nlines\n", "1"}));
  EXPECT_EQ(document.rows[1].line, 3);
  EXPECT_EQ(document.rows[2].line, 6);
}

TEST(Csv, ByteOrderMarkIsSkippedAndUtf16Named) {
  EXPECT_EQ(parse_csv("\xef\xbb\xbf"
                      "a,b\n",
                      "d.csv")
                .header,
            (Fields{"a", "b"}));
  EXPECT_TRUE(has(csv_message(std::string_view("\xff\xfe"
                                               "a\0,\0",
                                               6)),
                  {"d.csv:1:", "UTF-16", "save it as UTF-8"}));
}

TEST(Csv, QuotesLeftOpenOrStrayAreRefusedWithTheirLine) {
  EXPECT_TRUE(has(csv_message("a,b\n1,2\n\"3,4\n5,6\n"), {"d.csv:3:", "never closed", "close it"}));
  EXPECT_TRUE(has(csv_message("a,b\n1,2\n3,\"x\"y\n"), {"d.csv:3:", "quotation mark"}));
  EXPECT_TRUE(has(csv_message("a,b\n1,2\n3,4\n5,x\"y\n"), {"d.csv:4:", "quotation mark"}));
}

TEST(Csv, TheHeaderMustNameEveryColumnOnce) {
  EXPECT_TRUE(has(csv_message(""), {"d.csv:1:", "empty"}));
  EXPECT_TRUE(has(csv_message("\n\n"), {"d.csv:1:", "empty"}));
  EXPECT_TRUE(has(csv_message("\na,,a\n"), {"d.csv:2: column 2 has no name", "d.csv:2: column \"a\" stands twice"}));
}

TEST(Csv, EveryRaggedRowIsListedTheFirstTwentyInFull) {
  const auto two = csv_message("a,b\n1\n1,2\n1,2,3\n");
  EXPECT_TRUE(has(two, {"d.csv:2: the row has 1 fields, the header 2", "d.csv:4: the row has 3 fields, the header 2"}));
  EXPECT_FALSE(has(two, {"d.csv:3:"}));
  EXPECT_FALSE(has(two, {"more"}));
  std::string bytes = "a,b\n";
  for (int i = 0; i < 50; ++i) bytes += "1\n";
  const auto fifty = csv_message(bytes);
  EXPECT_TRUE(has(fifty, {"d.csv:21:", "and 30 more (50 in all)"}));
  EXPECT_FALSE(has(fifty, {"d.csv:22:"}));
}

TEST(Csv, AnUnknownColumnIsAnsweredWithTheNearestFirst) {
  const auto document = parse_csv("time,label,target\n", "d.csv");
  EXPECT_EQ(document.column("target"), 2u);
  const auto message = test::user_error(ExitCode::kInputOutput, [&] { document.column("targt"); });
  EXPECT_TRUE(has(message, {"d.csv", "no column \"targt\"", "\"target\", \"time\", \"label\""}));
}

TEST(Csv, BinaryBytesDoNotReachTheTerminal) {
  const auto message = csv_message("\x1b[2J,\x1b[2J\n");
  EXPECT_TRUE(has(message, {"\\x1b[2J"}));
  EXPECT_EQ(message.find('\x1b'), std::string::npos);
}

TEST(Csv, WrittenFieldsAreQuotedOnlyWhereNeededAndReadBack) {
  const Fields fields = {"plain", "", "a b", "a,b", "say \"no\"", "two\nlines", "cr\r", " left", "right\t", "log10_dh=-inf"};
  std::string row;
  for (const auto& field : fields) {
    if (!row.empty()) row += ',';
    append_csv_field(row, field);
  }
  EXPECT_EQ(row, "plain,,a b,\"a,b\",\"say \"\"no\"\"\",\"two\nlines\",\"cr\r\",\" left\",\"right\t\",log10_dh=-inf");
  const auto document = parse_csv("a,b,c,d,e,f,g,h,i,j\n" + row + "\n", "d.csv");
  ASSERT_EQ(document.rows.size(), 1u);
  EXPECT_EQ(document.rows[0].fields, fields);
}

// Whatever the bytes are: a document of equally long rows, or a message with the name.
TEST(Csv, AnyBytesGiveADocumentOrAMessage) {
  std::mt19937 random(3);
  const std::string_view alphabet("a1,\"\n\r \t\0.", 10);
  for (int i = 0; i < 5000; ++i) {
    std::string bytes(random() % 30, ' ');
    for (char& c : bytes) c = alphabet[random() % alphabet.size()];
    try {
      const auto document = parse_csv(bytes, "d.csv");
      for (const auto& row : document.rows) ASSERT_EQ(row.fields.size(), document.header.size());
    } catch (const UserError& error) {
      ASSERT_EQ(std::string(error.what()).rfind("d.csv:", 0), 0u) << error.what();
    }
  }
}

}  // namespace
}  // namespace vp
