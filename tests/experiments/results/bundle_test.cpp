#include <xxhash.h>

#include <cstdio>
#include <random>

#include "experiments/results/tables.h"
#include "tests/experiments/results/results_fixture.h"

namespace vp::test {
namespace {

std::string with_checksum(std::string body) {
  char digits[17];
  std::snprintf(digits, sizeof digits, "%016llx", static_cast<unsigned long long>(XXH3_64bits(body.data(), body.size())));
  return body + "checksum xxh3-64 " + digits + "\n";
}

std::string body_of(const std::string& bytes) { return bytes.substr(0, bytes.rfind("checksum ")); }

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

TEST(Bundle, HasARowForEveryRowOfTheReport) {
  const Bundle bundle = bundle_of(config_of(3));
  EXPECT_EQ(bundle.tables.at("runs"), "completed,7,1.25,1.5,0.1,1e-300,,-0.125,-0.25,-0.0625,1e+22,3,\"a, \"\"b\"\" c\"\n");
  EXPECT_EQ(bundle.tables.at("curves"), "0,1,2.5,,,0.5,,,early; gradient_norm=inf\n7,,,,,,,0.75,train_loss=nan\n");
  EXPECT_EQ(bundle.tables.at("timesteps"), "0,1,2,,,-4.5,0,1,0.125,log10_dh=-inf; log10_dh_typical=nan\n");
  EXPECT_EQ(bundle.tables.at("layers"), "0,1,0.5,0.25,,-1.5,-2.5,0.375,\n");
  EXPECT_EQ(bundle.tables.at("metrics"), "2,test,recall,1,cat,0.25,\n2,validation,mse,,,,value=nan\n");
  EXPECT_EQ(bundle.tables.at("classes"), "0,\"a,b\",5,1,0\n1,cat,4,2,1\n");
  EXPECT_EQ(bundle.tables.at("predictions"),
            "validation,\"a,b\",3,,1,cat,0,\"a,b\",0.75,\n"
            "test,7,,2,0.5,,,,,prediction=inf\n"
            "test,8,,,0,\"a,b\",,,,diverged\n");
}

TEST(Bundle, TimesEveryPhase) {
  const auto lines = lines_of(bundle_of(config_of(3)).tables.at("timings"));
  ASSERT_EQ(lines.size(), 9u);
  EXPECT_EQ(lines[0], "product,0.5,host-a,2");
  EXPECT_EQ(lines[6], "input,3.5,host-a,2");
  EXPECT_TRUE(lines[7].starts_with("output,")) << lines[7];
  EXPECT_EQ(lines[8], "wall,12.5,host-a,2");
}

TEST(Bundle, ReadsBackWhatWasWritten) {
  const Bundle bundle = bundle_of(config_of(3));
  const Bundle back = decode_bundle(encode_bundle(bundle), "x.run");
  EXPECT_EQ(back.run_id, run_id(config_of(3)));
  EXPECT_EQ(back.configuration, canonical_text(config_of(3)));
  EXPECT_EQ(back.provenance, provenance_of());
  EXPECT_EQ(back.outcome, Outcome::kCompleted);
  EXPECT_EQ(back.tables, bundle.tables);
}

TEST(Bundle, EveryOutcomeReadsBack) {
  for (const Outcome outcome : {Outcome::kCompleted, Outcome::kSolved, Outcome::kDiverged, Outcome::kFailed}) {
    RunReport report = report_of(1);
    report.summary.outcome = outcome;
    const Bundle bundle = make_bundle(config_of(0), provenance_of(), report, "h", 1);
    EXPECT_EQ(decode_bundle(encode_bundle(bundle), "x").outcome, outcome) << to_string(outcome);
  }
}

TEST(Bundle, AnyChangedByteIsSeen) {
  const std::string bytes = encode_bundle(bundle_of(config_of(0)));
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    std::string changed = bytes;
    changed[i] = static_cast<char>(changed[i] ^ 4);
    EXPECT_EQ(error_of([&] { decode_bundle(changed, "x.run"); }).first, ExitCode::kInputOutput) << "byte " << i;
  }
}

TEST(Bundle, AnyTruncationIsSeen) {
  const std::string bytes = encode_bundle(bundle_of(config_of(0)));
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    const auto [code, message] = error_of([&] { decode_bundle(bytes.substr(0, size), "x.run"); });
    EXPECT_EQ(code, ExitCode::kInputOutput) << size;
    EXPECT_TRUE(contains(message, "x.run")) << size;
  }
}

// Text that was written wrongly in the first place: the checksum holds.
TEST(Bundle, SoundChecksumOverNonsenseIsRefused) {
  const std::string body = body_of(encode_bundle(bundle_of(config_of(0))));
  const std::vector<std::pair<std::string, std::string>> changes = {
      {"run_id ", "runid "},
      {"outcome completed", "outcome finished"},
      {"outcome completed", "outcome solved"},
      {"table layers 1\n", "table layers 2\n"},
      {"table layers 1\n", "table layers -1\n"},
      {"table layers 1\n", "table layers 99999999999999999999\n"},
      {"table layers 1\n", "table layers 9223372036854775807\n"},
      {"table layers 1\n", "table layers\n"},
      {"table layers 1\n", "table curves 1\n"},
      {"table layers 1\n", "table claims 1\n"},
      {"0,1,0.5,", "0,1,0.5,0.5,"},
      {"0,1,0.5,", "0,1,\"0.5,"},
      {"0,1,0.5,", "0,1,0.5\r,"},
      {"-1.5,-2.5,0.375,\n", "-1.5,-2.5,\"\n"},
  };
  for (const auto& [from, to] : changes) {
    const auto [code, message] = error_of([&, from = from, to = to] { decode_bundle(with_checksum(replaced(body, from, to)), "x.run"); });
    EXPECT_EQ(code, ExitCode::kInputOutput) << from << " -> " << to;
    EXPECT_TRUE(contains(message, "x.run:")) << from << " -> " << to;
  }
  EXPECT_EQ(error_of([&] { decode_bundle(with_checksum(body), "x.run"); }).first, ExitCode::kGood);
}

TEST(Bundle, MissingTableIsRefused) {
  Bundle bundle = bundle_of(config_of(0));
  bundle.tables.erase("timesteps");
  EXPECT_TRUE(contains(error_of([&] { decode_bundle(encode_bundle(bundle), "x"); }).second, "no table timesteps"));
}

TEST(Bundle, OfAnotherSchemaIsNotCalledDamaged) {
  const std::string body = body_of(encode_bundle(bundle_of(config_of(0))));
  const std::string now = std::to_string(kSchema), later = std::to_string(kSchema + 1);
  const auto [code, message] =
      error_of([&] { decode_bundle(with_checksum(replaced(body, "bundle " + now + "\n", "bundle " + later + "\n")), "x.run"); });
  EXPECT_EQ(code, ExitCode::kUsage);
  EXPECT_TRUE(contains(message, "schema " + later));
}

// Lines cut, doubled and swapped at random, under a checksum that holds: an error or a bundle, never a crash.
TEST(Bundle, SurvivesShuffledLines) {
  const auto lines = lines_of(body_of(encode_bundle(bundle_of(config_of(0)))));
  for (unsigned seed = 0; seed < 2000; ++seed) {
    std::mt19937 random(seed);
    auto shuffled = lines;
    for (int k = 0; k < 3; ++k) {
      const std::size_t i = random() % shuffled.size(), j = random() % shuffled.size();
      if (random() % 2)
        shuffled[i] = shuffled[j];
      else
        shuffled[i].resize(random() % (shuffled[i].size() + 1));
    }
    std::string body;
    for (const std::string& line : shuffled) body += line + '\n';
    const auto [code, message] = error_of([&] { decode_bundle(with_checksum(body), "x.run"); });
    const bool expected = code == ExitCode::kGood || code == ExitCode::kInputOutput || code == ExitCode::kUsage;
    EXPECT_TRUE(expected) << "seed " << seed << ": " << message;
  }
}

// A row of every type a cell can have.
struct AnyRow {
  std::string text;
  std::int64_t count = 0;
  Number number;
  std::optional<std::int64_t> maybe;
  std::string note;
  bool has_note = true;

  template <class Visitor>
  void visit_columns(Visitor& v) const {
    v({.name = "text", .meaning = "a"}, text);
    v({.name = "count", .meaning = "b"}, count);
    v({.name = "number", .meaning = "c"}, number);
    v({.name = "maybe", .meaning = "d"}, maybe);
    if (has_note) v(kNoteColumn, note);
  }
};

std::string text_of(const AnyRow& row, std::string_view left_out = "") { return rows_text(std::span(&row, 1), left_out); }

TEST(RowWriter, WritesEachTypeAndLeavesAbsentCellsEmpty) {
  EXPECT_EQ(header_of<AnyRow>(), "text,count,number,maybe,note\n");
  EXPECT_EQ(text_of({.text = "a,b", .count = -3, .number = 0.1, .maybe = 4, .note = "n"}), "\"a,b\",-3,0.1,4,n\n");
  EXPECT_EQ(text_of({}), ",0,,,\n");
  EXPECT_EQ(header_of<AnyRow>("count"), "text,number,maybe,note\n");
  EXPECT_EQ(text_of({.text = "a", .number = 2.0}, "text"), "0,2,,\n");
}

TEST(RowWriter, WhatIsNotFiniteStandsInTheNote) {
  EXPECT_EQ(text_of({.number = kInf}), ",0,,,number=inf\n");
  EXPECT_EQ(text_of({.number = -kInf, .note = "early"}), ",0,,,early; number=-inf\n");
  EXPECT_EQ(text_of({.number = kNan}), ",0,,,number=nan\n");
  EXPECT_THROW(text_of({.number = kNan, .has_note = false}), std::logic_error);
}

TEST(RowWriter, ATextStaysOnOneLine) {
  for (const char end : {'\n', '\r', '\0'})
    EXPECT_EQ(text_of({.text = std::string("one") + end + "two"}), "one two,0,,,\n") << static_cast<int>(end);
}

}  // namespace
}  // namespace vp::test
