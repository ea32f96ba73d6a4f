#include "models/verify/same_bits.h"

#include <gtest/gtest.h>

#include "models/training/trainer.h"
#include "models/verify/random_source.h"

namespace vp::test {
namespace {

void change(double& value) { value += 1; }
void change(std::int64_t& value) { ++value; }
void change(std::string& text) { text += 'x'; }
void change(std::string_view& text) { text = "another"; }
void change(Outcome& outcome) { outcome = outcome == Outcome::kSolved ? Outcome::kFailed : Outcome::kSolved; }
void change(Split& split) { split = split == Split::kTest ? Split::kValidation : Split::kTest; }
template <class Value>
void change(std::optional<Value>& value) {
  value = value ? std::nullopt : std::optional<Value>(Value{});
}

// Changes one member after the other, and looks whether the report is then another.
template <class... Members>
void expect_each_counts(const RunReport& report, const char* row, Members&... members) {
  const std::vector<std::uint64_t> before = bits_of(report);
  int index = 0;
  const auto expect_counts = [&](auto& member) {
    const auto kept = member;
    change(member);
    EXPECT_NE(bits_of(report), before) << "member " << index << " of " << row;
    member = kept;
    ++index;
  };
  (expect_counts(members), ...);
  EXPECT_EQ(bits_of(report), before);
}

RunReport one_row_each() {
  RunReport report;
  report.curves.emplace_back(), report.timesteps.emplace_back(), report.layers.emplace_back(), report.spectra.emplace_back();
  report.traces.emplace_back(), report.metrics.emplace_back(), report.classes.emplace_back(), report.predictions.emplace_back();
  return report;
}

// A structured binding has a name for every member, or does not compile.
TEST(SameBits, EveryMemberOfEveryRowCounts) {
  RunReport report = one_row_each();
  {
    auto& [a, b, c, d, e, f, g, h, i, j, k, l, m] = report.summary;
    expect_each_counts(report, "RunSummary", a, b, c, d, e, f, g, h, i, j, k, l, m);
  }
  {
    auto& [a, b, c, d, e, f, g, h, i] = report.curves[0];
    expect_each_counts(report, "CurveRow", a, b, c, d, e, f, g, h, i);
  }
  {
    auto& [a, b, c, d, e, f, g, h, i, j] = report.timesteps[0];
    expect_each_counts(report, "TimestepRow", a, b, c, d, e, f, g, h, i, j);
  }
  {
    auto& [a, b, c, d, e, f, g, h, i] = report.layers[0];
    expect_each_counts(report, "LayerRow", a, b, c, d, e, f, g, h, i);
  }
  {
    auto& [a, b, c, d, e, f, g, h, i] = report.spectra[0];
    expect_each_counts(report, "SpectrumRow", a, b, c, d, e, f, g, h, i);
  }
  {
    auto& [a, b, c, d, e, f, g] = report.traces[0];
    expect_each_counts(report, "TraceRow", a, b, c, d, e, f, g);
  }
  {
    auto& [a, b, c, d, e, f, g] = report.metrics[0];
    expect_each_counts(report, "MetricRow", a, b, c, d, e, f, g);
  }
  {
    auto& [a, b, counts] = report.classes[0];
    expect_each_counts(report, "ClassRow", a, b, counts[0], counts[1], counts[2]);
  }
  {
    auto& [a, b, c, d, e, f, g, h, i, j] = report.predictions[0];
    expect_each_counts(report, "PredictionRow", a, b, c, d, e, f, g, h, i, j);
  }
}

TEST(SameBits, RowsThatAreThereCount) {
  const RunReport report = one_row_each();
  const auto without = [&](auto rows) {
    RunReport changed = report;
    (changed.*rows).clear();
    return bits_of(changed);
  };
  const std::vector<std::uint64_t> whole = bits_of(report);
  EXPECT_NE(without(&RunReport::curves), whole);
  EXPECT_NE(without(&RunReport::timesteps), whole);
  EXPECT_NE(without(&RunReport::layers), whole);
  EXPECT_NE(without(&RunReport::spectra), whole);
  EXPECT_NE(without(&RunReport::traces), whole);
  EXPECT_NE(without(&RunReport::metrics), whole);
  EXPECT_NE(without(&RunReport::classes), whole);
  EXPECT_NE(without(&RunReport::predictions), whole);
}

// The least number above zero has the bits of the integer 1.
TEST(SameBits, AbsentIsNoNumber) {
  RunReport absent, least;
  least.summary.test_loss = 4.9406564584124654e-324;
  EXPECT_NE(bits_of(absent), bits_of(least));
}

TEST(SameBits, TimesDoNotCount) {
  RunReport report;
  report.wall_seconds = 3, report.phase_seconds[0] = 2;
  EXPECT_EQ(bits_of(report), bits_of(RunReport()));
}

}  // namespace
}  // namespace vp::test
