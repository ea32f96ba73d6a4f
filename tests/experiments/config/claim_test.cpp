// [[claim]] tables.
#include "experiments/config/claim_config.h"
#include "tests/experiments/config/config_text.h"

namespace vp::test {
namespace {

// Lines 3 to 5 of the file are the header, the name and the metric; `text` starts on line 6.
std::string claim(const std::string& text) { return "[[claim]]\nname = 'c'\nmetric = 'runs.test_loss'\n" + text; }
std::string bounded(const std::string& text) { return claim("relation = 'at_least'\nvalue = 0\n" + text); }  // text starts on line 8

TEST(ConfigClaim, AllParts) {
  const Experiment e = load_after_head(
      "[[claim]]\nname = 'slope'\ntext = 'falls'\nmetric = 'timesteps.log10_dh'\nwhere = { model.cell = 'lstm', \"train.seed\" = 0 "
      "}\nagainst.\"model.cell\" = 'rnn'\n"
      "compare = 'difference'\naggregate = 'slope'\nover = 't'\nbest_over = ['train.learning_rate']\nrelation = 'within'\nvalue = "
      "1\ntolerance = 0.5\nby = 'interval'");
  ASSERT_EQ(e.claims.size(), 1u);
  const Claim& c = e.claims[0];
  EXPECT_EQ(c.name, "slope");
  EXPECT_EQ(c.text, "falls");
  EXPECT_EQ(c.file, "timesteps");
  EXPECT_EQ(c.column, "log10_dh");
  EXPECT_EQ(c.where, (ClaimFilter{{"model.cell", std::string("lstm")}, {"train.seed", std::int64_t{0}}}));
  EXPECT_EQ(c.against, (ClaimFilter{{"model.cell", std::string("rnn")}}));
  EXPECT_EQ(c.compare, ClaimCompare::kDifference);
  EXPECT_EQ(c.aggregate, ClaimAggregate::kSlope);
  EXPECT_EQ(c.slope_over, "t");
  EXPECT_EQ(c.best_over, std::vector<std::string>{"train.learning_rate"});
  EXPECT_EQ(c.relation, ClaimRelation::kWithin);
  EXPECT_EQ(c.value, 1);
  EXPECT_EQ(c.tolerance, 0.5);
  EXPECT_FALSE(c.relative_tolerance);
  EXPECT_TRUE(c.by_interval);
  EXPECT_EQ(c.origin.place, "e.toml:3:1");
}

TEST(ConfigClaim, Defaults) {
  const Claim c = load_after_head(bounded("")).claims.at(0);
  EXPECT_EQ(c.compare, ClaimCompare::kNone);
  EXPECT_EQ(c.aggregate, ClaimAggregate::kMean);
  EXPECT_EQ(c.relation, ClaimRelation::kAtLeast);
  EXPECT_FALSE(c.by_interval);
  EXPECT_TRUE(c.where.empty());
  EXPECT_EQ(c.unit, ClaimUnit::kSeed);
  EXPECT_FALSE(c.allow_incomplete);
  EXPECT_EQ(c.source, "");
  EXPECT_EQ(c.published, "");
}

TEST(ConfigClaim, UnitSourceAndWhatIsPublished) {
  const auto parsed = [](const std::string& text) { return load_after_head(bounded(text)).claims.at(0); };
  const Claim c = parsed("unit = 'run'\nallow_incomplete = true\nsource = 'Le et al. 2015, table 1'\npublished = 0.820");
  EXPECT_EQ(c.unit, ClaimUnit::kRun);
  EXPECT_TRUE(c.allow_incomplete);
  EXPECT_EQ(c.source, "Le et al. 2015, table 1");
  EXPECT_EQ(c.published, "0.82");
  EXPECT_EQ(parsed("published = 3").published, "3");
  EXPECT_EQ(parsed("published = '82 %, of 10 runs'").published, "82 %, of 10 runs");
  expect_refused({bounded("unit = 'seeds'"), "e.toml:8:8: unit: there is no \"seeds\"; did you mean seed"});
  expect_refused({bounded("allow_incomplete = 1"), "e.toml:8:20: allow_incomplete: expected true or false, got 1"});
  expect_refused({bounded("source = 3"), "e.toml:8:10: source: expected text in quotes, got 3"});
  expect_refused({bounded("published = true"), "e.toml:8:13: published: expected a finite number, got true"});
  expect_refused({bounded("published = [1, 2]"), "e.toml:8:13: published: expected one value"});
}

// The list that `vpoint list claims` prints is the one the parser knows keys by, so what a claim is written back with must be in it.
TEST(ConfigClaim, EveryKeyIsInTheListOfKeys) {
  const Claim c =
      load_after_head(
          "[[claim]]\nname = 'a'\ntext = 't'\nmetric = 'curves.train_loss'\nwhere = { train.seed = 0 }\nagainst = { train.seed = 1 "
          "}\ncompare = 'ratio'\naggregate = 'slope'\nover = 'update'\nbest_over = ['train.batch']\nrelation = 'within'\nvalue = "
          "1\nrelative_tolerance = 1\nby = 'interval'\nunit = 'run'\nallow_incomplete = true\nsource = 's'\npublished = 1")
          .claims.at(0);
  const std::string text = claim_toml(c);
  EXPECT_EQ(claim_keys().size(), 18u);
  for (const ClaimKey& key : claim_keys()) {
    EXPECT_FALSE(key.description.empty()) << key.name;
    const bool either = key.name == "tolerance";  // or relative_tolerance
    EXPECT_EQ(text.find("\n" + key.name + " = ") == std::string::npos, either) << key.name;
  }
  for (const std::string_view table : kClaimTables) EXPECT_TRUE(has(claim_keys().at(2).description, {std::string(table)})) << table;
}

TEST(ConfigClaim, MissingAndUnknownKeys) {
  expect_refused({"[[claim]]\nmetric = 'runs.x'", "e.toml:3:1: [[claim]] needs name = "});
  expect_refused({"[[claim]]\nname = 'c'", "e.toml:3:1: [[claim]] needs metric = \"runs.COLUMN\""});
  expect_refused({claim("value = 1"), "e.toml:3:1: [[claim]] needs relation = \"within\", \"at_least\" or \"at_most\""});
  expect_refused({claim("relation = 'at_most'"), "e.toml:3:1: [[claim]] needs value = NUMBER"});
  expect_refused({claim("relatoin = 'at_most'"), "e.toml:6:1: [[claim]] has no key relatoin; did you mean relation"});
  expect_refused({claim("train.seed = 1"), "e.toml:6:7: [[claim]] has no key train.seed"});
}

TEST(ConfigClaim, WrongValues) {
  expect_refused({"[[claim]]\nname = 3", "e.toml:4:8: name: expected text in quotes, got 3"});
  expect_refused({"[[claim]]\nname = ''", "e.toml:4:8: name: the text is empty"});
  expect_refused({"[[claim]]\nname = 'c'\nmetric = 'timings.x'",
                  "e.toml:5:10: metric: expected FILE.COLUMN, FILE one of runs, curves, timesteps, layers, spectra, traces, metrics, got "
                  "\"timings.x\""});
  expect_refused({"[[claim]]\nname = 'c'\nmetric = 'runs'", "e.toml:5:10: metric: expected FILE.COLUMN"});
  expect_refused({"[[claim]]\nname = 'c'\nmetric = 'runs.'", "e.toml:5:10: metric: expected FILE.COLUMN"});
  expect_refused({claim("relation = 'at_lest'"), "e.toml:6:12: relation: there is no \"at_lest\"; did you mean at_least"});
  expect_refused({claim("relation = 'at_least'\nvalue = '1'"), "e.toml:7:9: value: expected a finite number, got \"1\""});
  expect_refused({claim("relation = 'at_least'\nvalue = inf"), "e.toml:7:9: value: expected a finite number, got inf"});
  expect_refused({claim("relation = 'at_least'\nvalue = [1]"), "e.toml:7:9: value: expected one value"});
  expect_refused({bounded("aggregate = 'most'"), "e.toml:8:13: aggregate: there is no \"most\""});
  expect_refused({bounded("by = 'eye'"), "e.toml:8:6: by: there is no \"eye\"", {"estimate", "interval"}});
  expect_refused({bounded("compare = 'sum'\nagainst = {}"), "e.toml:8:11: compare: there is no \"sum\"", {"ratio", "difference"}});
  expect_refused({bounded("where = 'lstm'"), "e.toml:8:9: where: expected a table"});
  expect_refused({bounded("where = { model.cell = ['lstm', 'rnn'] }"), "e.toml:8:24: where.model.cell: expected one value"});
  expect_refused({bounded("where = { model.cell = 'a', 'model.cell' = 'b' }"), "e.toml:8:29: where: model.cell stands here a second time"});
}

TEST(ConfigClaim, Combinations) {
  expect_refused({bounded("compare = 'ratio'"), "e.toml:8:1: compare needs a second group"});
  expect_refused({bounded("against = {}"), "e.toml:3:1: against needs compare"});
  expect_refused({bounded("against = { a = 1 }"), "e.toml:3:1: against needs compare"});
  expect_refused({bounded("aggregate = 'slope'"), "e.toml:8:1: aggregate = \"slope\" needs over"});
  expect_refused({bounded("aggregate = 'max'"), "e.toml:8:13: aggregate = \"max\" looks at a run's rows"});
  expect_refused({bounded("over = 't'"), "e.toml:8:1: over is used by aggregate = \"slope\" only"});
  expect_refused({bounded("tolerance = 1"), "e.toml:8:1: tolerance is used by relation = \"within\" only"});
  expect_refused({bounded("relative_tolerance = 1"), "e.toml:8:1: relative_tolerance is used by relation = \"within\" only"});
  const std::string within = "relation = 'within'\nvalue = 0\n";
  expect_refused({claim(within), "e.toml:3:1: relation = \"within\" needs tolerance"});
  expect_refused(
      {claim(within + "tolerance = 1\nrelative_tolerance = 1"), "e.toml:9:1: tolerance and relative_tolerance exclude each other"});
  expect_refused({claim(within + "tolerance = -1"), "e.toml:8:13: tolerance: expected a number of at least 0, got -1"});
}

TEST(ConfigClaim, BestOver) {
  expect_refused({bounded("best_over = 'train.learning_rate'"), "e.toml:8:13: best_over: expected a list of keys"});
  expect_refused({bounded("best_over = []"), "e.toml:8:13: best_over: expected a list of keys"});
  expect_refused({bounded("best_over = [1]"), "e.toml:8:14: best_over: expected a list of keys", {"got 1"}});
  expect_refused(
      {bounded("best_over = ['train.learning_rat']"), "e.toml:8:14: there is no key train.learning_rat; did you mean train.learning_rate"});
  expect_refused({bounded("best_over = ['init.gain', 'init.gain']"), "e.toml:8:27: best_over: init.gain stands twice"});
}

TEST(ConfigClaim, NamesAreUnique) {
  expect_refused({bounded("") + bounded(""), "e.toml:9:8: a claim of the name \"c\" stands already at e.toml:3:1"});
}

}  // namespace
}  // namespace vp::test
