// What a run's id depends on, and what it does not.
#include <fmt/format.h>

#include <set>

#include "experiments/config/visit.h"
#include "models/model_kinds.h"
#include "tests/experiments/config/config_text.h"

namespace vp::test {
namespace {

const char* const kGolden =
    "name = 'golden'\n[task]\nname = 'adding'\nlength = 150\n[model]\ncell = 'lstm'\nhidden = 100\n[init]\nbias.forget_gate = 1\n"
    "recurrent.scheme = 'orthogonal'\n[train]\nlearning_rate = 1e-2\nclip_norm = 1\nseed = 3\n";

// This text and this id must never change: results on disk are found again by them. If this test fails, a default, a key or the order of
// the keys was changed; a new meaning needs a new key (design.md, section 6). Keys may be added at the end of their struct.
TEST(ConfigIdentity, GoldenRunId) {
  const Config run = load(kGolden).runs.at(0);
  EXPECT_EQ(canonical_text(run),
            "task.name = \"adding\"\nmodel.cell = \"lstm\"\nmodel.hidden = 100\ninit.recurrent.scheme = "
            "\"orthogonal\"\ninit.bias.forget_gate = 1\n"
            "train.learning_rate = 0.01\ntrain.clip_norm = 1\ntrain.seed = 3\ntask.length = 150\n");
  EXPECT_EQ(run_id(run), "r84fdf15e4f10aa7f");
}

// Since then fashion_mnist has got options; whoever names none has the run of before.
TEST(ConfigIdentity, GoldenRunIdOfATaskThatHadNoOptions) {
  EXPECT_EQ(run_id(load("name = 'e'\ntask.name = 'fashion_mnist'").runs.at(0)), "r2a29136797e36e23");
  EXPECT_EQ(run_id(load("name = 'e'\n[task]\nname = 'fashion_mnist'\nscan = 'rows'\npermuted = false").runs.at(0)), "r2a29136797e36e23");
}

// Since then gated cells have got activations to choose; whoever chooses none has the run of before.
TEST(ConfigIdentity, ActivationsOfACellsOwnDoNotCount) {
  const std::string kLstmId = "r1e4e506f0102afe8", kGruId = "r810dd4dbb01e8cc7", kMguId = "re2804f4c49aafc98";
  const std::string spelt_out = "gate_activation = 'sigmoid'\ncandidate_activation = 'tanh'\n";
  const auto id = [](const std::string& model) { return run_id(load("name = 'e'\ntask.name = 'adding'\n[model]\n" + model).runs.at(0)); };
  EXPECT_EQ(id("cell = 'lstm'"), kLstmId);
  EXPECT_EQ(id("cell = 'gru'"), kGruId);
  EXPECT_EQ(id("cell = 'mgu'"), kMguId);
  EXPECT_EQ(id("cell = 'lstm'\nstate_activation = 'tanh'\n" + spelt_out), kLstmId);
  EXPECT_EQ(id("cell = 'gru'\n" + spelt_out), kGruId);
  EXPECT_EQ(id("cell = 'mgu'\n" + spelt_out), kMguId);
  std::set<std::string> others = {kLstmId};
  for (const char* field : {"gate_activation", "candidate_activation", "state_activation"})
    for (const char* other : {"relu", "expr: x/sqrt(1+x^2)"})
      EXPECT_TRUE(others.insert(id(std::string("cell = 'lstm'\n") + field + " = '" + other + "'")).second) << field << " " << other;
}

TEST(ConfigIdentity, DefaultsAndWordsDoNotCount) {
  const Config plain = load_after_head("").runs.at(0);
  EXPECT_EQ(canonical_text(plain), "task.name = \"adding\"\n");
  const Config spelt_out =
      load(
          "name = 'other'\ntitle = 'T'\ndescription = 'D'\n[task]\nname = 'adding'\npath = ''\n[model]\ncell = 'rnn'\nlayers = 1\n[train]\n"
          "learning_rate = 1e-3\nupdates = 1000\n[init]\ngain = 1.0\n[run]\nftz = false\n[grid]\ntrain.seed = [0]\n"
          "[[claim]]\nname = 'c'\nmetric = 'runs.test_loss'\nrelation = 'at_least'\nvalue = 0")
          .runs.at(0);
  EXPECT_EQ(run_id(spelt_out), run_id(plain));
}

TEST(ConfigIdentity, SpellingsOfANumberDoNotCount) {
  const std::string id = run_id(load_after_head("init.recurrent.gain = 2").runs.at(0));
  EXPECT_EQ(run_id(load_after_head("init.recurrent.gain = 2.0").runs.at(0)), id);
  EXPECT_EQ(run_id(load_after_head("", {"init.recurrent.gain=0.2e1"}).runs.at(0)), id);
  EXPECT_EQ(run_id(load_after_head("init.recurrent.gain = -0.0").runs.at(0)),
            run_id(load_after_head("init.recurrent.gain = 0").runs.at(0)));
  EXPECT_EQ(field(load_after_head("init.recurrent.gain = -0.0").runs.at(0), "init.recurrent.gain"), "0");
}

TEST(ConfigIdentity, AnOptionalAtItsNeutralValueIsNotUnset) {
  const std::string unset = run_id(load_after_head("model.cell = 'lstm'").runs.at(0));
  EXPECT_NE(run_id(load_after_head("model.cell = 'lstm'\ninit.bias.forget_gate = 0").runs.at(0)), unset);
  EXPECT_NE(run_id(load_after_head("model.cell = 'lstm'\ninit.recurrent.gain = 1").runs.at(0)), unset);
  EXPECT_NE(run_id(load_after_head("model.cell = 'lstm'\ninit.recurrent.scheme = 'pytorch'").runs.at(0)), unset);
}

// Changes one field to another value, lawful or not: the id does not ask.
void change(bool& value) { value = !value; }
void change(std::int64_t& value) { ++value; }
void change(double& value) { value += 0.125; }
void change(std::string& value) { value += "x"; }
void change(IntegerList& value) { value.push_back(3); }
void change(TextList& value) { value.emplace_back("x"); }
template <class T>
void change(std::optional<T>& value) {
  value = value.value_or(0) + 1;
}

class EveryField : public ::testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Models, EveryField, ::testing::Values("cell = 'lstm'", "kind = 'mlp'", "kind = 'cnn'"));

TEST_P(EveryField, Counts) {
  const std::string text = std::string("name = 'e'\n[task]\nname = 'csv'\n[model]\n") + GetParam() + "\n[train]\noptimizer = 'adam'\n";
  const Config original = load(text).runs.at(0);
  const std::size_t count = field_texts(original).size();
  ASSERT_GT(count, 40u);
  std::set<std::string> ids = {run_id(original)};
  for (std::size_t i = 0; i < count; ++i) {
    Config changed = original;
    std::size_t at = 0;
    std::string key;
    for_each_field(changed, [&](const FieldInfo& info, auto& value) {
      if (at++ != i || info.key == "task.name" || info.key == "model.cell" || info.key == "model.kind" || info.key == "train.optimizer")
        return;
      key = info.key;
      change(value);
    });
    EXPECT_EQ(ids.insert(run_id(changed)).second, !key.empty()) << key;
  }
}

TEST(ConfigIdentity, ChoicesCountTogetherWithTheirOptions) {
  std::set<std::string> ids;
  for (const char* task : {"adding", "temporal_order"})
    for (const char* cell : {"rnn", "lstm"})
      for (const char* optimizer : {"sgd", "momentum", "rmsprop", "adam"})
        ids.insert(run_id(load("name = 'e'\n", {std::string("task.name=") + task, std::string("model.cell=") + cell,
                                                std::string("train.optimizer=") + optimizer})
                              .runs.at(0)));
  EXPECT_EQ(ids.size(), 16u);
}

// The kind decides what the other keys are, so that it counts even where every key stands at the default of its kind.
TEST(ConfigIdentity, KindsAtTheirDefaultsAreDifferentRuns) {
  std::set<std::string> ids;
  for (const ModelKind& kind : model_kinds())
    ids.insert(run_id(load("name = 'e'\n", {"task.name=fashion_mnist", fmt::format("model.kind={}", kind.name)}).runs.at(0)));
  EXPECT_EQ(ids.size(), model_kinds().size());
}

TEST(ConfigIdentity, FieldTextsArePlainAndInVisitOrder) {
  const auto texts = field_texts(load_after_head("task.path = 'a\"b'\ninit.recurrent.gain = 0.1").runs.at(0));
  EXPECT_EQ(texts.at(0), (std::pair<std::string, std::string>("task.name", "adding")));
  EXPECT_EQ(texts.at(1), (std::pair<std::string, std::string>("task.path", "a\"b")));
  EXPECT_EQ(texts.at(2).first, "model.kind");
  const Config config = load_after_head("init.recurrent.gain = 0.1").runs.at(0);
  EXPECT_EQ(field(config, "init.recurrent.gain"), "0.1");
  EXPECT_EQ(field(config, "init.input.gain"), "");
  EXPECT_EQ(field(config, "probe.timesteps"), "true");
  EXPECT_EQ(texts.back().first.substr(0, 6), "train.");  // the options of the optimiser come last
}

TEST(ConfigIdentity, LargeNumbersReadBack) {
  EXPECT_EQ(toml_text(1180591620717411303424.0), "1180591620717411303424.0");
  EXPECT_EQ(toml_text(-0.0), "0");
  EXPECT_EQ(toml_text(0.1), "0.1");
  EXPECT_EQ(toml_text(std::string("a\"\\\n\x01")), "\"a\\\"\\\\\\n\\u0001\"");
}

}  // namespace
}  // namespace vp::test
