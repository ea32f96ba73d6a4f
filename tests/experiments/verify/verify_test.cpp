// What `vpoint verify` runs and how its table comes about; the checks themselves are tested beside what they check.
#include "experiments/verify/verify.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <set>

#include "kernels/activation/activations.h"
#include "kernels/backend/backend.h"
#include "kernels/backend_list.h"
#include "models/cells/cell_list.h"
#include "models/optimizers/optimizers.h"
#include "models/parameters/initializers.h"
#include "models/verify/cell_variants.h"

namespace vp::test {
namespace {

std::set<std::string> all_subjects(const std::string& topic) {
  std::set<std::string> subjects;
  for (const Check& check : verify_checks({1, 2}))
    if (check.topic == topic) subjects.insert(check.subjects.begin(), check.subjects.end());
  return subjects;
}

TEST(VerifyChecks, CoverEveryList) {
  const auto gradients = all_subjects("gradients"), parity = all_subjects("model parity"), kernels = all_subjects("kernel parity");
  const auto special = all_subjects("special values"), vector_code = all_subjects("activations"), bits = all_subjects("same bits");
  for (const CellVariant& cell : cell_variants()) {
    EXPECT_TRUE(gradients.contains("cell " + cell.name)) << cell.name;
    EXPECT_TRUE(bits.contains(cell.name + " on auto f64")) << cell.name;
  }
  EXPECT_TRUE(gradients.contains("cell gru reset=before"));
  for (const InitializerEntry& entry : initializers())
    EXPECT_TRUE(entry.name == "pytorch" || gradients.contains("init " + std::string(entry.name))) << entry.name;
  for (const OptimizerEntry& entry : optimizers()) {
    EXPECT_TRUE(kernels.contains("optimiser " + std::string(entry.name))) << entry.name;
    EXPECT_TRUE(special.contains("optimiser " + std::string(entry.name))) << entry.name;
  }
  for (const Activation& f : activations()) {
    EXPECT_TRUE(gradients.contains("activation " + std::string(f.name))) << f.name;
    EXPECT_TRUE(vector_code.contains(std::string(f.name))) << f.name;
  }
  for (const std::string_view name : backend_names()) {
    const std::string on = " on " + std::string(name);
    for (const CellVariant& cell : cell_variants()) {
      EXPECT_TRUE(parity.contains("cell " + cell.name + on)) << cell.name;
      EXPECT_TRUE(bits.contains(cell.name + on + " f32")) << cell.name;
    }
    for (const char* kernel : {"product", "packed product", "lstm step", "gru step", "column sums", "rnn step tanh"}) {
      EXPECT_TRUE(kernels.contains(kernel + on)) << kernel;
      EXPECT_TRUE(special.contains(kernel + on)) << kernel;
    }
  }
  for (const char* kernel : {"fused lstm step on native", "fused gru step on native"}) {
    EXPECT_TRUE(kernels.contains(kernel)) << kernel;
    EXPECT_TRUE(special.contains(kernel)) << kernel;
  }
}

TEST(VerifyChecks, EachBelongsToATopicAndHasANameOfItsOwn) {
  std::set<std::string> names;
  for (const Check& check : verify_checks({1})) {
    EXPECT_NE(std::ranges::find(verify_topics(), check.topic, &VerifyTopic::name), verify_topics().end()) << check.topic;
    EXPECT_FALSE(check.subjects.empty());
    names.insert(check.topic + check.name);
  }
  EXPECT_GT(names.size(), 2000u);
}

Check some_check(const std::string& subject, const std::string& name, double worst, const std::string& fault = "") {
  return {.topic = "gradients", .subjects = {subject, "all of them"}, .name = name, .run = [=] {
            return Finding{.worst = worst, .compared = 1, .fault = fault};
          }};
}

TEST(VerifyTable, ARowIsTheWorstOfItsCases) {
  std::vector<Check> checks = {some_check("cell a", "1", 0.25), some_check("loss x", "2", 0.5), some_check("cell b", "3", 7, "it is wrong"),
                               some_check("cell a", "4", 0.125)};
  checks.push_back({.topic = "same bits", .subjects = {"alone"}, .name = "5", .run = [] { return Finding(); }, .alone = true});
  for (const int threads : {1, 3}) {
    std::atomic<int> done = 0;
    const std::vector<VerifyRow> rows = run_checks(checks, threads, [&] { ++done; });
    EXPECT_EQ(done, 5);
    ASSERT_EQ(rows.size(), 5u);
    EXPECT_EQ(rows[0].subject, "cell a");
    EXPECT_EQ(rows[0].cases, 2);
    EXPECT_EQ(rows[0].finding.worst, 0.25);
    EXPECT_TRUE(rows[0].finding.holds());
    EXPECT_EQ(rows[1].subject, "cell b");  // its kind stands together
    EXPECT_EQ(rows[1].finding.fault, "3: it is wrong");
    EXPECT_FALSE(rows[1].finding.holds());
    EXPECT_EQ(rows[2].subject, "all of them");
    EXPECT_EQ(rows[2].cases, 4);
    EXPECT_FALSE(rows[2].finding.holds());
    EXPECT_EQ(rows[3].subject, "loss x");
    EXPECT_EQ(rows[4].finding.fault, "5: nothing was compared");
  }
}

TEST(VerifyMachine, NamesWhatItFound) {
  const VerifyMachine machine = verify_machine();
  for (const char* name : {"cpu", "processors", "processors_by", "instruction_set", "libraries", "onednn_implementations"}) {
    const auto fact = std::ranges::find(machine.facts, name, &std::pair<std::string, std::string>::first);
    ASSERT_NE(fact, machine.facts.end()) << name;
    EXPECT_FALSE(fact->second.empty()) << name;
  }
}

}  // namespace
}  // namespace vp::test
