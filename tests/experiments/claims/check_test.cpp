#include "experiments/claims/check.h"

#include <cmath>

#include "tests/compare.h"
#include "tests/experiments/results/results_fixture.h"

namespace vp::test {
namespace {

// Ten runs: the rnn at two learning rates (and gains), the lstm at one, seeds 0, 1, 2; b2 diverged; d7 has no values.
const char* const kRuns =
    "run_id,model.cell,train.learning_rate,train.seed,init.recurrent.gain,run.ftz,outcome,validation_loss,test_accuracy,gradient_slope\n"
    "a0,rnn,0.1,0,0.5,false,completed,0.9,0.5,-0.3\n"
    "a1,rnn,0.1,1,0.5,false,completed,0.8,0.6,-0.31\n"
    "a2,rnn,0.1,2,0.5,false,completed,0.7,0.7,-0.29\n"
    "b0,rnn,0.01,0,2,false,completed,0.1,0.1,0.3\n"
    "b1,rnn,0.01,1,2,false,completed,0.1,0.2,0.32\n"
    "b2,rnn,0.01,2,2,false,diverged,0.1,,0.31\n"
    "c0,lstm,0.1,0,1,true,completed,0.3,0.8,0.01\n"
    "c1,lstm,0.1,1,1,true,completed,0.3,0.85,0.02\n"
    "c2,lstm,0.1,2,1,true,completed,0.3,0.9,0\n"
    "d7,gru,0.1,7,1,false,completed,,,\n";

const char* const kCurves =
    "run_id,update,train_loss,validation_loss\n"
    "a0,0,2,\na0,10,1.5,1.4\na0,20,1,0.9\n"
    "a1,0,2,\na1,10,1.6,1.4\na1,20,1.2,0.8\n"
    "a2,0,2,\na2,10,1.7,1.4\na2,20,1.3,0.7\n"
    "c0,0,2,\nc0,10,1,0.5\nc1,0,2,\n";

ResultTables tables() {
  return {{"runs", parse_csv(kRuns, "runs.csv")},
          {"curves", parse_csv(kCurves, "curves.csv")},
          {"timesteps", parse_csv("run_id,update,layer,t,log10_dh\n", "timesteps.csv")}};
}

// runs.test_accuracy of the rnn at learning rate 0.1: 0.5, 0.6, 0.7.
Claim claim_on(const std::string& file, const std::string& column) {
  Claim claim;
  claim.name = "c";
  claim.file = file;
  claim.column = column;
  claim.where = {{"model.cell", "rnn"}, {"train.learning_rate", 0.1}};
  claim.origin = {"file.toml:7:1"};
  return claim;
}

Claim compare(Claim claim, ClaimCompare how, ClaimFilter against) {
  claim.compare = how;
  claim.against = std::move(against);
  return claim;
}

void expect_interval(const ClaimResult& r, double low, double high) {
  ASSERT_TRUE(r.low && r.high) << r.note;
  EXPECT_TRUE(near(*r.low, low, 2e-5));
  EXPECT_TRUE(near(*r.high, high, 2e-5));
}

std::string usage_message(const Claim& claim) {
  const auto [code, message] = error_of([&] { check_claim(claim, tables()); });
  EXPECT_EQ(code, ExitCode::kUsage);
  EXPECT_TRUE(contains(message, "file.toml:7:1: claim \"c\""));
  return message;
}

// --- groups and estimates ---

TEST(Claim, MeanOverSeedsWithStudentsInterval) {
  Claim claim = claim_on("runs", "test_accuracy");
  claim.value = 0.6;
  claim.tolerance = 0.01;
  const ClaimResult r = check_claim(claim, tables());
  EXPECT_EQ(r.runs, 3);
  EXPECT_EQ(r.runs_against, 0);
  EXPECT_EQ(r.metric, "runs.test_accuracy");
  EXPECT_TRUE(near(r.estimate.value(), 0.6, 1e-12));
  expect_interval(r, 0.6 - 0.248414, 0.6 + 0.248414);  // 4.30265 * 0.1 / sqrt(3)
  EXPECT_EQ(r.required, "within 0.01 of 0.6");
  EXPECT_EQ(r.verdict, Verdict::kHolds);
  EXPECT_EQ(r.note, "3 seeds (3 runs)");
}

Verdict verdict_of(const Claim& claim) { return check_claim(claim, tables()).verdict; }

// runs.test_accuracy: 0.6, [0.3516, 0.8484].
Claim bounded(ClaimRelation relation, double value, double tolerance, bool by_interval) {
  Claim claim = claim_on("runs", "test_accuracy");
  claim.relation = relation;
  claim.value = value;
  claim.tolerance = tolerance;
  claim.by_interval = by_interval;
  return claim;
}

TEST(Claim, TheEstimateMeetsTheRelationOrFails) {
  const auto verdict = [](ClaimRelation relation, double value, double tolerance) {
    return verdict_of(bounded(relation, value, tolerance, false));
  };
  EXPECT_EQ(verdict(ClaimRelation::kAtLeast, 0.59, 0), Verdict::kHolds);
  EXPECT_EQ(verdict(ClaimRelation::kAtLeast, 0.61, 0), Verdict::kFails);
  EXPECT_EQ(verdict(ClaimRelation::kAtMost, 0.61, 0), Verdict::kHolds);
  EXPECT_EQ(verdict(ClaimRelation::kAtMost, 0.59, 0), Verdict::kFails);
  EXPECT_EQ(verdict(ClaimRelation::kWithin, 0.65, 0.06), Verdict::kHolds);
  EXPECT_EQ(verdict(ClaimRelation::kWithin, 0.65, 0.04), Verdict::kFails);
}

TEST(Claim, TheIntervalMeetsTheRelationOrFailsOrStraddlesTheBound) {
  const auto verdict = [](ClaimRelation relation, double value, double tolerance) {
    return verdict_of(bounded(relation, value, tolerance, true));
  };
  EXPECT_EQ(verdict(ClaimRelation::kAtLeast, 0.35, 0), Verdict::kHolds);
  EXPECT_EQ(verdict(ClaimRelation::kAtLeast, 0.36, 0), Verdict::kInconclusive);
  EXPECT_EQ(verdict(ClaimRelation::kAtLeast, 0.84, 0), Verdict::kInconclusive);
  EXPECT_EQ(verdict(ClaimRelation::kAtLeast, 0.85, 0), Verdict::kFails);
  EXPECT_EQ(verdict(ClaimRelation::kAtMost, 0.85, 0), Verdict::kHolds);
  EXPECT_EQ(verdict(ClaimRelation::kAtMost, 0.84, 0), Verdict::kInconclusive);
  EXPECT_EQ(verdict(ClaimRelation::kAtMost, 0.36, 0), Verdict::kInconclusive);
  EXPECT_EQ(verdict(ClaimRelation::kAtMost, 0.35, 0), Verdict::kFails);
  EXPECT_EQ(verdict(ClaimRelation::kWithin, 0.6, 0.25), Verdict::kHolds);
  EXPECT_EQ(verdict(ClaimRelation::kWithin, 0.6, 0.2), Verdict::kInconclusive);  // wider than the band
  EXPECT_EQ(verdict(ClaimRelation::kWithin, 0.9, 0.06), Verdict::kInconclusive);
  EXPECT_EQ(verdict(ClaimRelation::kWithin, 0.9, 0.05), Verdict::kFails);
  EXPECT_EQ(verdict(ClaimRelation::kWithin, 0.3, 0.06), Verdict::kInconclusive);
  EXPECT_EQ(verdict(ClaimRelation::kWithin, 0.3, 0.05), Verdict::kFails);
}

TEST(Claim, VerdictsHaveFourWords) {
  EXPECT_EQ(verdict_name(Verdict::kHolds), "holds");
  EXPECT_EQ(verdict_name(Verdict::kFails), "fails");
  EXPECT_EQ(verdict_name(Verdict::kInconclusive), "inconclusive");
  EXPECT_EQ(verdict_name(Verdict::kIncomplete), "incomplete");
}

TEST(Claim, RelativeToleranceIsAShareOfTheValue) {
  Claim claim = claim_on("runs", "gradient_slope");  // mean -0.3
  claim.value = -0.31;
  claim.relative_tolerance = 0.05;
  EXPECT_EQ(verdict_of(claim), Verdict::kHolds);
  EXPECT_EQ(check_claim(claim, tables()).required, "within 5 % of -0.31");
  claim.relative_tolerance = 0.03;
  EXPECT_EQ(verdict_of(claim), Verdict::kFails);
}

TEST(Claim, FiltersCompareNumbersAsNumbersAndBooleansAsBooleans) {
  Claim claim = claim_on("runs", "gradient_slope");
  claim.where = {{"init.recurrent.gain", std::int64_t{2}}};
  EXPECT_EQ(check_claim(claim, tables()).runs, 3);
  claim.where = {{"init.recurrent.gain", 2.0}, {"train.seed", std::int64_t{1}}};
  EXPECT_EQ(check_claim(claim, tables()).runs, 1);
  claim.where = {{"run.ftz", true}};
  EXPECT_TRUE(near(check_claim(claim, tables()).estimate.value(), 0.01, 1e-12));
}

TEST(Claim, OneRunHasNoIntervalAndSaysSo) {
  Claim claim = claim_on("runs", "test_accuracy");
  claim.where.emplace_back("train.seed", std::int64_t{1});
  claim.relation = ClaimRelation::kAtLeast;
  ClaimResult r = check_claim(claim, tables());
  EXPECT_EQ(r.verdict, Verdict::kHolds);
  EXPECT_FALSE(r.low || r.high);
  EXPECT_EQ(r.note, "1 seed (1 run); no interval: 1 independent value, 2 needed");
  claim.by_interval = true;
  EXPECT_EQ(verdict_of(claim), Verdict::kInconclusive);
}

TEST(Claim, MedianOverRuns) {
  Claim claim = claim_on("runs", "gradient_slope");
  claim.aggregate = ClaimAggregate::kMedian;
  const ClaimResult r = check_claim(claim, tables());
  EXPECT_TRUE(near(r.estimate.value(), -0.3, 1e-12));
  EXPECT_FALSE(r.low);
  EXPECT_TRUE(contains(r.note, "6 needed"));
  EXPECT_EQ(r.metric, "median of runs.gradient_slope");
}

// a0: (2 + 1.5 + 1) / 3 = 1.5; a1: 1.6; a2: 5 / 3.
TEST(Claim, MeanAndMedianWithinARun) {
  Claim claim = claim_on("curves", "train_loss");
  EXPECT_TRUE(near(check_claim(claim, tables()).estimate.value(), (1.5 + 1.6 + 5.0 / 3) / 3, 1e-12));
  claim.aggregate = ClaimAggregate::kMedian;
  EXPECT_TRUE(near(check_claim(claim, tables()).estimate.value(), 1.6, 1e-12));
}

TEST(Claim, RowsAreFilteredByColumnsOfTheirFileAndOfTheRun) {
  Claim claim = claim_on("curves", "train_loss");
  claim.where.emplace_back("update", std::int64_t{20});
  const ClaimResult r = check_claim(claim, tables());
  EXPECT_EQ(r.runs, 3);
  EXPECT_TRUE(near(r.estimate.value(), 3.5 / 3, 1e-12));
}

// Slopes of train_loss over update: -0.05, -0.04, -0.035.
TEST(Claim, SlopeWithinEachRun) {
  Claim claim = claim_on("curves", "train_loss");
  claim.aggregate = ClaimAggregate::kSlope;
  claim.slope_over = "update";
  const ClaimResult r = check_claim(claim, tables());
  EXPECT_TRUE(near(r.estimate.value(), -0.125 / 3, 1e-12));
  EXPECT_EQ(r.metric, "slope of curves.train_loss over update");
  expect_interval(r, -0.0606395, -0.0226938);
}

// train_loss of a0: 2, 1.5, 1; a1: 2, 1.6, 1.2; a2: 2, 1.7, 1.3.
TEST(Claim, ExtremesOfEachRunsRows) {
  Claim claim = claim_on("curves", "train_loss");
  const auto estimate = [&](ClaimAggregate how) {
    claim.aggregate = how;
    return check_claim(claim, tables()).estimate.value();
  };
  EXPECT_TRUE(near(estimate(ClaimAggregate::kMin), 3.5 / 3, 1e-12));
  EXPECT_TRUE(near(estimate(ClaimAggregate::kMax), 2, 1e-12));
  EXPECT_TRUE(near(estimate(ClaimAggregate::kRange), 2 - 3.5 / 3, 1e-12));
  EXPECT_EQ(check_claim(claim, tables()).metric, "range of curves.train_loss");
}

// Between gain 0.5 and 2: (0.3 + 0.3) / 1.5, (0.32 + 0.31) / 1.5, (0.31 + 0.29) / 1.5 for seeds 0, 1, 2.
TEST(Claim, SlopeOverRunsHasItsIntervalFromSeeds) {
  Claim claim = claim_on("runs", "gradient_slope");
  claim.where = {{"model.cell", "rnn"}};
  claim.aggregate = ClaimAggregate::kSlope;
  claim.slope_over = "init.recurrent.gain";
  const ClaimResult r = check_claim(claim, tables());
  EXPECT_EQ(r.runs, 6);
  EXPECT_TRUE(near(r.estimate.value(), (0.4 + 0.42 + 0.4) / 3, 1e-12));
  expect_interval(r, 0.37798, 0.43535);
  claim.where.emplace_back("train.seed", std::int64_t{1});
  const ClaimResult one = check_claim(claim, tables());
  EXPECT_TRUE(near(one.estimate.value(), 0.42, 1e-12));
  EXPECT_FALSE(one.low);
}

TEST(Claim, SlopeWithoutTwoPointsIsIncomplete) {
  Claim claim = claim_on("runs", "gradient_slope");
  claim.aggregate = ClaimAggregate::kSlope;
  claim.slope_over = "init.recurrent.gain";
  const ClaimResult r = check_claim(claim, tables());
  EXPECT_EQ(r.verdict, Verdict::kIncomplete);
  EXPECT_FALSE(r.estimate);
  EXPECT_TRUE(contains(r.note, "no slope over init.recurrent.gain"));
}

// --- two groups ---

TEST(Claim, GroupsOfTheSameSeedsArePairs) {
  const Claim claim = compare(claim_on("runs", "test_accuracy"), ClaimCompare::kDifference, {{"model.cell", "lstm"}});
  const ClaimResult r = check_claim(claim, tables());
  EXPECT_EQ(r.runs_against, 3);
  EXPECT_TRUE(near(r.estimate.value(), -0.25, 1e-12));
  expect_interval(r, -0.25 - 0.124207, -0.25 + 0.124207);  // differences -0.3, -0.25, -0.2
  EXPECT_EQ(r.metric, "difference of runs.test_accuracy");
}

TEST(Claim, GroupsOfDifferentSeedsAreNotPairs) {
  Claim claim = compare(claim_on("runs", "gradient_slope"), ClaimCompare::kDifference, {{"model.cell", "lstm"}});
  const ClaimResult paired = check_claim(claim, tables());
  EXPECT_EQ(paired.note, "3 seeds (3 runs) against 3 seeds (3 runs), in pairs");
  claim.against.emplace_back("gradient_slope", 0.02);  // seed 1 alone
  const ClaimResult other = check_claim(claim, tables());
  EXPECT_EQ(other.note, "3 seeds (3 runs) against 1 seed (1 run), not in pairs; no interval: 1 independent value, 2 needed");
}

// --- seeds ---

// Means of the seeds are 2, 5 and 7. scipy.stats.t.interval(.95, 2, 14/3, scipy.stats.sem([2, 5, 7])); of nine values it would be 2.117 to
// 7.216.
TEST(ClaimSeeds, RunsOfOneSeedAreOneObservation) {
  const ResultTables nine = {{"runs", parse_csv("run_id,train.seed,init.gain,test_loss\na,0,1,1\nb,1,1,4\nc,2,1,2\nd,0,2,2\ne,1,2,4\n"
                                                "f,2,2,8\ng,0,3,3\nh,1,3,7\ni,2,3,11\n",
                                                "runs.csv")}};
  Claim claim = claim_on("runs", "test_loss");
  claim.where = {};
  const ClaimResult r = check_claim(claim, nine);
  EXPECT_EQ(r.runs, 9);
  EXPECT_TRUE(near(r.estimate.value(), 14.0 / 3, 1e-12));
  expect_interval(r, -1.584943, 10.918276);
  EXPECT_EQ(r.note, "3 seeds (9 runs)");
  claim.unit = ClaimUnit::kRun;
  const ClaimResult by_run = check_claim(claim, nine);
  expect_interval(by_run, 2.117283, 7.216050);
  EXPECT_EQ(by_run.note, "9 runs");
}

// Of one seed, three gains say nothing about other seeds.
TEST(ClaimSeeds, OneSeedHasNoIntervalHoweverManyRuns) {
  Claim claim = claim_on("runs", "gradient_slope");
  claim.where = {{"train.seed", std::int64_t{0}}};
  const ClaimResult r = check_claim(claim, tables());
  EXPECT_EQ(r.runs, 3);
  EXPECT_TRUE(near(r.estimate.value(), 0.01 / 3, 1e-12));
  EXPECT_FALSE(r.low || r.high);
  EXPECT_EQ(r.note, "1 seed (3 runs); no interval: 1 independent value, 2 needed");
}

// Seeds 0, 1, 2 of the rnn: means over two learning rates 0, 0.005, 0.01; of the lstm 0.01, 0.02, 0. Differences -0.01, -0.015, 0.01.
TEST(ClaimSeeds, PairsAreOfSeedsNotOfRuns) {
  Claim claim = compare(claim_on("runs", "gradient_slope"), ClaimCompare::kDifference, {{"model.cell", "lstm"}});
  claim.where = {{"model.cell", "rnn"}};
  const ClaimResult r = check_claim(claim, tables());
  EXPECT_EQ(r.runs, 6);
  EXPECT_TRUE(near(r.estimate.value(), -0.005, 1e-12));
  expect_interval(r, -0.037862, 0.027862);  // 4.302653 * 0.0132288 / sqrt(3)
  EXPECT_EQ(r.note, "3 seeds (6 runs) against 3 seeds (3 runs), in pairs");
  claim.unit = ClaimUnit::kRun;
  EXPECT_EQ(check_claim(claim, tables()).note, "6 runs against 3 runs, not in pairs");
}

// Means of the seeds are 0, 0.005 and 0.01: an interval of their median needs six seeds, not six runs.
TEST(ClaimSeeds, MedianIsOverSeeds) {
  Claim claim = claim_on("runs", "gradient_slope");
  claim.where = {{"model.cell", "rnn"}};
  claim.aggregate = ClaimAggregate::kMedian;
  const ClaimResult r = check_claim(claim, tables());
  EXPECT_TRUE(near(r.estimate.value(), 0.005, 1e-12));
  EXPECT_FALSE(r.low);
  EXPECT_TRUE(contains(r.note, "no interval: 3 independent values, 6 needed"));
  claim.unit = ClaimUnit::kRun;
  EXPECT_TRUE(check_claim(claim, tables()).low);
}

TEST(ClaimSeeds, SlopeOverRunsThatDrawTheirOwnSettingsIsOne) {
  Claim claim = claim_on("runs", "gradient_slope");
  claim.where = {{"model.cell", "rnn"}};
  claim.aggregate = ClaimAggregate::kSlope;
  claim.slope_over = "init.recurrent.gain";
  claim.unit = ClaimUnit::kRun;
  const ClaimResult r = check_claim(claim, tables());
  EXPECT_TRUE(near(r.estimate.value(), (0.31 + 0.3) / 1.5, 1e-12));
  EXPECT_FALSE(r.low);
}

TEST(Claim, RatioOfMeans) {
  Claim claim = compare(claim_on("runs", "test_accuracy"), ClaimCompare::kRatio, {{"model.cell", "lstm"}});
  claim.relation = ClaimRelation::kAtMost;
  claim.value = 0.75;
  const ClaimResult r = check_claim(claim, tables());
  EXPECT_TRUE(near(r.estimate.value(), 0.6 / 0.85, 1e-12));
  EXPECT_EQ(r.verdict, Verdict::kHolds);
  ASSERT_TRUE(r.low && r.high);
  EXPECT_LT(*r.low, 0.6 / 0.85);
  EXPECT_GT(*r.high, 0.6 / 0.85);
}

TEST(Claim, RatioToSomethingNearZeroHasNoInterval) {
  Claim claim = compare(claim_on("runs", "gradient_slope"), ClaimCompare::kRatio, {{"model.cell", "lstm"}});  // 0.01, 0.02, 0
  const ClaimResult unbounded = check_claim(claim, tables());
  EXPECT_FALSE(unbounded.low);
  EXPECT_TRUE(contains(unbounded.note, "not clearly away from zero"));
}

// --- best_over ---

TEST(Claim, BestOverKeepsTheSettingOfLowestValidationLoss) {
  Claim claim = claim_on("runs", "gradient_slope");
  claim.where = {{"model.cell", "rnn"}, {"train.seed", std::int64_t{0}}};
  claim.best_over = {"train.learning_rate"};
  const ClaimResult r = check_claim(claim, tables());
  EXPECT_EQ(r.runs, 1);
  EXPECT_TRUE(near(r.estimate.value(), 0.3, 1e-12));
  EXPECT_TRUE(contains(r.note, "best train.learning_rate = 0.01 of 2 by validation loss (0.1)"));
}

// Learning rates 0.1 and 0.01 have the same mean loss; the grid has 0.1 first, in the file and so in runs.csv.
TEST(Claim, BestOverTakesTheFirstOfEqualSettings) {
  const std::string head = "run_id,train.learning_rate,train.seed,outcome,validation_loss,test_loss\n";
  const auto chosen = [&](const std::string& rows) {
    Claim claim = claim_on("runs", "test_loss");
    claim.where = {};
    claim.best_over = {"train.learning_rate"};
    return check_claim(claim, {{"runs", parse_csv(head + rows, "runs.csv")}});
  };
  const ClaimResult down = chosen("a,0.1,0,completed,0.25,1\nb,0.01,0,completed,0.25,2\nc,0.001,0,completed,0.25,3\n");
  EXPECT_EQ(down.estimate.value(), 1);
  EXPECT_TRUE(contains(down.note, "best train.learning_rate = 0.1 of 3"));
  EXPECT_EQ(chosen("c,0.001,0,completed,0.25,3\nb,0.01,0,completed,0.25,2\na,0.1,0,completed,0.25,1\n").estimate.value(), 3);
  EXPECT_EQ(chosen("a,0.1,0,completed,0.5,1\nb,0.01,0,completed,0.25,2\nc,0.001,0,completed,0.25,3\n").estimate.value(), 2);
  EXPECT_EQ(chosen("a,0.1,0,diverged,,1\nb,0.01,0,diverged,,2\n").estimate.value(), 1);
}

// b2 diverged: the loss of 0.1 that it has is of weights that went on to diverge.
TEST(Claim, BestOverTakesADivergedRunForTheWorst) {
  Claim claim = claim_on("runs", "gradient_slope");
  claim.where = {{"model.cell", "rnn"}};
  claim.best_over = {"train.learning_rate"};
  const ClaimResult r = check_claim(claim, tables());
  EXPECT_TRUE(near(r.estimate.value(), -0.3, 1e-12));
  EXPECT_TRUE(contains(r.note, "train.learning_rate = 0.1 of 2"));
}

TEST(Claim, BestOverChoosesForEachGroup) {
  Claim claim = compare(claim_on("runs", "gradient_slope"), ClaimCompare::kDifference, {{"model.cell", "lstm"}});
  claim.where = {{"model.cell", "rnn"}};
  claim.best_over = {"train.learning_rate"};
  const ClaimResult r = check_claim(claim, tables());
  EXPECT_TRUE(contains(r.note, "; against: best train.learning_rate = 0.1 of 1"));
}

// --- what is missing ---

TEST(Claim, RunsWithoutValueAreNamedAndTheClaimIsIncomplete) {
  Claim claim = claim_on("runs", "test_accuracy");
  claim.where = {{"train.learning_rate", 0.01}};
  claim.relation = ClaimRelation::kAtLeast;
  ClaimResult r = check_claim(claim, tables());
  EXPECT_EQ(r.verdict, Verdict::kIncomplete);
  EXPECT_EQ(r.runs, 3);
  EXPECT_TRUE(contains(r.note, "2 seeds (2 runs); 1 of 3 runs have no value (b2)"));
  claim.allow_incomplete = true;
  r = check_claim(claim, tables());
  EXPECT_EQ(r.verdict, Verdict::kHolds);
  EXPECT_TRUE(contains(r.note, "1 of 3 runs have no value (b2)"));
  claim.allow_incomplete = false;
  claim.where.emplace_back("outcome", "completed");
  r = check_claim(claim, tables());
  EXPECT_EQ(r.verdict, Verdict::kHolds);
  EXPECT_EQ(r.runs, 2);
}

// The directory lacks runs; whether they belong to this group is not asked.
TEST(Claim, MissingRunsOfTheDirectoryMakeItIncomplete) {
  Claim claim = claim_on("runs", "test_accuracy");
  claim.relation = ClaimRelation::kAtLeast;
  const ClaimContext context{.incomplete = "2 of 12 runs are missing (x, y)", .changes = ""};
  ClaimResult r = check_claim(claim, tables(), context);
  EXPECT_EQ(r.verdict, Verdict::kIncomplete);
  EXPECT_TRUE(near(r.estimate.value(), 0.6, 1e-12));
  EXPECT_EQ(r.note, "3 seeds (3 runs); 2 of 12 runs are missing (x, y)");
  claim.allow_incomplete = true;
  r = check_claim(claim, tables(), context);
  EXPECT_EQ(r.verdict, Verdict::kHolds);
  EXPECT_EQ(r.note, "3 seeds (3 runs); 2 of 12 runs are missing (x, y)");
  claim.value = 0.7;
  EXPECT_EQ(check_claim(claim, tables(), context).verdict, Verdict::kFails);
}

TEST(Claim, ChangesStandBesideTheVerdict) {
  Claim claim = claim_on("runs", "test_accuracy");
  claim.relation = ClaimRelation::kAtLeast;
  const ClaimContext context{.incomplete = "", .changes = "changed on the command line: train.updates = 100 instead of 430"};
  const ClaimResult r = check_claim(claim, tables(), context);
  EXPECT_EQ(r.verdict, Verdict::kHolds);
  EXPECT_EQ(r.note, "3 seeds (3 runs); changed on the command line: train.updates = 100 instead of 430");
}

// A group may be empty because its runs are missing or were taken away on the command line; else the claim is wrong.
TEST(Claim, EmptyGroupsAreIncompleteWhereTheDirectoryExplainsThem) {
  Claim claim = claim_on("runs", "test_accuracy");
  claim.where = {{"model.cell", "mgu"}};
  for (const ClaimContext& context : {ClaimContext{"1 of 2 runs is missing (x)", ""}, ClaimContext{"", "changed"}}) {
    const ClaimResult r = check_claim(claim, tables(), context);
    EXPECT_EQ(r.verdict, Verdict::kIncomplete);
    EXPECT_FALSE(r.estimate || r.low);
    EXPECT_TRUE(contains(r.note, "no run meets model.cell = \"mgu\""));
  }
  claim.allow_incomplete = true;
  EXPECT_EQ(check_claim(claim, tables(), {"1 of 2 runs is missing (x)", ""}).verdict, Verdict::kIncomplete);
  claim.where = {{"model.cell", "gru"}, {"outcome", "diverged"}};  // what runs end as is a result, no fault of the claim
  EXPECT_EQ(check_claim(claim, tables()).verdict, Verdict::kIncomplete);
}

TEST(Claim, RunsWithoutRowsOrWithEmptyRowsHaveNoValue) {
  Claim claim = claim_on("curves", "train_loss");
  claim.where = {{"model.cell", "lstm"}, {"update", std::int64_t{10}}};
  EXPECT_TRUE(contains(check_claim(claim, tables()).note, "2 of 3 runs have no value (c1, c2)"));
  claim = claim_on("curves", "validation_loss");  // empty at update 0
  const ClaimResult r = check_claim(claim, tables());
  EXPECT_EQ(r.verdict, Verdict::kIncomplete);
  EXPECT_TRUE(contains(r.note, "no run has a value of curves.validation_loss"));
}

TEST(Claim, RunMissingInTheSecondGroupCountsToo) {
  Claim claim = compare(claim_on("runs", "gradient_slope"), ClaimCompare::kDifference, {{"train.learning_rate", 0.1}});
  claim.relation = ClaimRelation::kAtMost;
  claim.value = 1e9;
  const ClaimResult r = check_claim(claim, tables());
  EXPECT_EQ(r.verdict, Verdict::kIncomplete);
  EXPECT_TRUE(contains(r.note, "1 of 7 runs have no value (d7)"));
}

TEST(Claim, EmptyGroupsAreErrors) {
  Claim claim = claim_on("runs", "test_accuracy");
  claim.where = {{"model.cell", "lstn"}};
  EXPECT_TRUE(contains(usage_message(claim), "no run meets model.cell = \"lstn\""));
  claim = compare(claim_on("runs", "test_accuracy"), ClaimCompare::kRatio, {{"model.cell", "lstn"}});
  EXPECT_TRUE(contains(usage_message(claim), "lstn"));
}

TEST(Claim, UnknownNamesAreErrorsWithTheNearestOnes) {
  EXPECT_TRUE(contains(usage_message(claim_on("runs", "test_acuracy")), "test_accuracy"));
  EXPECT_TRUE(contains(usage_message(claim_on("curve", "train_loss")), "curves"));
  Claim claim = claim_on("curves", "train_loss");
  claim.where = {{"model.sell", "rnn"}};
  EXPECT_TRUE(contains(usage_message(claim), "model.cell"));
  claim = claim_on("curves", "train_loss");
  claim.best_over = {"train.learning_rat"};
  EXPECT_TRUE(contains(usage_message(claim), "train.learning_rate"));
  EXPECT_TRUE(contains(usage_message(claim_on("runs", "outcome")), "\"completed\""));
}

// --- claims.csv ---

TEST(ClaimsCsv, HasARowForEveryResult) {
  ClaimResult good;
  good.claim = "a";
  good.text = "x, \"y\"";
  good.metric = "runs.z";
  good.runs = 3;
  good.estimate = 0.1;
  good.low = 0;
  good.high = kInf;
  good.required = "at least 0.05";
  good.verdict = Verdict::kHolds;
  good.source = "Le et al. 2015, fig. 1";
  good.published = "0.1";
  good.note = "n";
  ClaimResult bad;
  bad.claim = "b";
  EXPECT_EQ(claims_csv(std::vector{good, bad}),
            "claim,text,metric,runs,runs_against,estimate,low,high,required,verdict,source,published,note\n"
            "a,\"x, \"\"y\"\"\",runs.z,3,0,0.1,0,,at least 0.05,holds,\"Le et al. 2015, fig. 1\",0.1,n; high=inf\n"
            "b,,,0,0,,,,,incomplete,,,\n");
}

}  // namespace
}  // namespace vp::test
