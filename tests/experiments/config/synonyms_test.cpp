#include "experiments/config/synonyms.h"

#include <set>
#include <sstream>

#include "experiments/config/keys.h"
#include "tests/experiments/config/config_text.h"

namespace vp::test {
namespace {

TEST(ConfigSynonyms, EveryOneNamesAKeyOrSaysWhy) {
  std::set<std::string> seen;
  for (const KeySynonyms& s : key_synonyms()) {
    EXPECT_TRUE(is_known_key(s.key) || (s.key.empty() && !s.remark.empty())) << s.names;
    std::istringstream names{std::string(s.names)};
    for (std::string name; names >> name;) {
      EXPECT_TRUE(seen.insert(name).second) << name << " stands twice";
      EXPECT_EQ(find_synonym(name), &s) << name;
    }
  }
}

TEST(ConfigSynonyms, AreSuggestedInFilesAndOnTheCommandLine) {
  expect_refused({"train.lr = 0.1", "e.toml:3:7: there is no key train.lr; did you mean train.learning_rate?"});
  expect_refused({"[grid]\ntrain.batchSize = [1, 2]", "e.toml:4:7:", {"did you mean train.batch?"}});
  expect_refused({"", "command line:", {"did you mean model.hidden?"}, {"model.hidden_size=3"}});
  expect_refused({"model.num-layers = 2", "e.toml:3:", {"did you mean model.layers?"}});
  expect_refused({"train.epochs = 2", "e.toml:3:", {"did you mean train.updates? (", "train.batch"}});
  expect_refused({"train.weight_decay = 2", "e.toml:3:", {"neither decayed"}});
  for (const auto& [wrong, right] : std::vector<std::pair<std::string, std::string>>{{"train.optimiser", "train.optimizer"},
                                                                                     {"train.n_steps", "train.updates"},
                                                                                     {"model.dropout_rate", "model.dropout"},
                                                                                     {"run.seed", "train.seed"},
                                                                                     {"train.random_seed", "train.seed"},
                                                                                     {"model.nonlinearity", "model.activation"}})
    EXPECT_TRUE(has(load_error(std::string(kHead) + wrong + " = 1"), {"did you mean " + right})) << wrong;
}

TEST(ConfigSynonyms, KnownActivationsComeWithTheirFormula) {
  for (const std::string name : {"swish", "silu", "SiLU", "mish", "selu", "hard_sigmoid", "softsign", "hardtanh", "relu6"}) {
    const std::string message = load_error(kHead + ("model.activation = '" + name + "'"));
    EXPECT_TRUE(has(message, {"e.toml:3:", "there is no \"" + name + "\"", "write \"expr: "}));
    const std::size_t start = message.find("expr: ");
    const std::string formula = message.substr(start, message.find('"', start) - start);
    EXPECT_NO_THROW(load_after_head("model.activation = '" + formula + "'")) << formula;
  }
  EXPECT_TRUE(has(load_error(std::string(kHead) + "model.activation = 'frelu'"), {"did you mean relu", "\"expr: FORMULA\" is there"}));
  EXPECT_TRUE(has(load_error(std::string(kHead) + "model.activation = 'wobble'"), {"known: ", "\"expr: FORMULA\" is there"}));
  EXPECT_TRUE(has(load_error(std::string(kHead) + "model.cell = 'lstm'\nmodel.gate_activation = 'hard_sigmoid'"), {"write \"expr: "}));
}

}  // namespace
}  // namespace vp::test
