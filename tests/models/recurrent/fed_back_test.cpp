// Nets that live on their own outputs: what comes back as the next input, in training and in evaluation.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <string>
#include <vector>

#include "models/cells/cell_list.h"
#include "models/model_kinds.h"
#include "models/recurrent/sequence_model.h"
#include "models/training/batch_engine.h"
#include "models/verify/random_source.h"
#include "tests/compare.h"

namespace vp::test {
namespace {

constexpr std::int64_t kRows = 5;

struct Net {
  std::string form, cell;
  TargetKind target;

  SequenceShape shape() const {
    SequenceShape s{.steps = 7, .inputs = 3, .outputs = 4, .target = target, .source_steps = form == "one_to_many" ? 1 : 3};
    s.target_every_step = form == "one_to_many";
    return s;
  }
  RunSpec spec(bool teacher_forcing) const {
    RunSpec spec;
    spec.model = {.cell = cell, .layers = 2, .hidden = 8, .form = form, .teacher_forcing = teacher_forcing};
    spec.cell_options = OptionsHandle(find_cell(cell)->make_options());
    spec.init.recurrent.gain = 2;  // outputs that differ from step to step
    return spec;
  }
};

std::vector<Net> nets() {
  std::vector<Net> all;
  for (const char* form : {"one_to_many", "sequence_to_sequence"})
    for (const char* cell : {"rnn", "lstm", "gru"})
      for (const TargetKind target : {TargetKind::kClasses, TargetKind::kBinary, TargetKind::kValues}) all.push_back({form, cell, target});
  return all;
}

struct Trial {
  std::unique_ptr<Model<float>> model;
  std::unique_ptr<ModelShard<float>> shard;
  PhaseSeconds seconds{};
  PhaseClock clock{seconds};

  Trial(const Net& net, bool teacher_forcing) : Trial(net.spec(teacher_forcing), net.shape()) {}
  Trial(const RunSpec& spec, const SequenceShape& shape) : model(make_model<float>(spec, shape, kRows)), shard(model->make_shard(kRows)) {
    model->pack_all();
  }
  void fill(const BatchSource& source, Split split, std::uint64_t first = 0) {
    std::array<std::uint64_t, kRows> samples;
    for (std::uint64_t& sample : samples) sample = first++;
    shard->fill(source, split, samples, clock);
  }
  std::vector<float> logits() {
    shard->forward(clock);
    return {shard->logits().begin(), shard->logits().end()};
  }
};

// What a net says when its own answers come back, it says again when these are given to it as targets.
TEST(FedBack, ANetOnItsOwnIsOneThatIsToldItsOwnAnswers) {
  for (const Net& net : nets()) {
    const RandomSource source(net.shape());
    Trial alone(net, false), told(net, true);
    alone.fill(source, Split::kTrain);
    told.fill(source, Split::kTrain);
    const std::vector<float> answers = alone.logits();
    EXPECT_NE(told.logits(), answers) << net.form << ' ' << net.cell;  // the true targets are others
    const std::int64_t outputs = net.shape().outputs, rows = std::ssize(answers) / outputs;
    for (std::int64_t row = 0; row < rows; ++row) {
      const float* z = answers.data() + row * outputs;
      if (net.target == TargetKind::kClasses) told.shard->classes()[row] = static_cast<std::int32_t>(std::max_element(z, z + outputs) - z);
      for (std::int64_t j = 0; net.target != TargetKind::kClasses && j < outputs; ++j)
        told.shard->values()[row * outputs + j] = net.target == TargetKind::kValues ? z[j] : z[j] > 0 ? 1.0f : 0.0f;
    }
    EXPECT_EQ(told.logits(), answers) << net.form << ' ' << net.cell << ' ' << static_cast<int>(net.target);
  }
}

// No is what an output of exactly 0 says, as it is what counts as right for no.
TEST(FedBack, AnOutputOfZeroIsNo) {
  for (const char* form : {"one_to_many", "sequence_to_sequence"}) {
    const Net net{form, "rnn", TargetKind::kBinary};
    const RandomSource source(net.shape());
    Trial alone(net, false), told(net, true);
    for (Trial* run : {&alone, &told}) {
      const Tensor &weight = run->model->layout().find("readout.weight"), &bias = run->model->layout().find("readout.bias");
      std::fill_n(run->model->parameters() + weight.offset, weight.cols, 0.0f);  // of the first output
      run->model->parameters()[bias.offset] = 0;
      run->model->pack_all();
      run->fill(source, Split::kTrain);
    }
    const std::vector<float> answers = alone.logits();
    EXPECT_EQ(answers[0], 0);
    for (std::size_t i = 0; i < answers.size(); ++i) told.shard->values()[i] = answers[i] > 0 ? 1.0f : 0.0f;
    EXPECT_EQ(told.logits(), answers) << form;
  }
}

TEST(FedBack, EvaluationNeverSeesTheTargets) {
  for (const Net& net : nets()) {
    const RandomSource source(net.shape(), 20);
    Trial told(net, true);
    told.fill(source, Split::kTest);
    const std::vector<float> answers = told.logits();
    for (std::int32_t& c : told.shard->classes()) c = (c + 1) % 4;
    for (float& v : told.shard->values()) v = 1 - v;
    EXPECT_EQ(told.logits(), answers) << net.form << ' ' << net.cell;
  }
}

// The samples before leave nothing behind: inputs that were fed back, states, exponents.
TEST(FedBack, TheSamplesBeforeLeaveNothingBehind) {
  for (const Net& net : nets())
    for (const bool teacher_forcing : {false, true}) {
      const RandomSource source(net.shape());
      Trial fresh(net, teacher_forcing), used(net, teacher_forcing);
      used.fill(source, Split::kTrain, 100);
      used.logits();
      used.shard->score(kRows, LossAt::kTask, used.clock);
      used.shard->backward(used.clock);
      for (Trial* run : {&fresh, &used}) {
        run->fill(source, Split::kTrain);
        run->logits();
        run->shard->score(kRows, LossAt::kTask, run->clock);
        run->shard->backward(run->clock);
      }
      EXPECT_TRUE(std::ranges::equal(fresh.shard->logits(), used.shard->logits())) << net.form << ' ' << net.cell;
      EXPECT_TRUE(std::equal(fresh.shard->gradient(), fresh.shard->gradient() + fresh.model->layout().size, used.shard->gradient()));
    }
}

// A signal that explodes on its way back is held with an exponent, and the next pass starts without.
TEST(FedBack, ASignalThatExplodedLeavesNoScaleBehind) {
  for (const char* form : {"one_to_many", "sequence_to_sequence"}) {
    const Net net{form, "rnn", TargetKind::kValues};
    RunSpec spec = net.spec(false);
    spec.model.activation = "linear";
    const RandomSource source(net.shape());
    Trial run(spec, net.shape());
    for (std::int64_t i = 0; i < run.model->layout().size; ++i) run.model->parameters()[i] *= 7;
    run.model->pack_all();
    run.fill(source, Split::kTrain);
    std::vector<float> targets = run.logits();
    std::fill(targets.end() - kRows * net.shape().outputs, targets.end(), 0.0f);  // the only loss
    std::ranges::copy(targets, run.shard->values().begin());
    const auto gradient = [&] {
      run.logits();
      run.shard->score(kRows, LossAt::kTask, run.clock);
      run.shard->backward(run.clock);
      return std::vector<float>(run.shard->gradient(), run.shard->gradient() + run.model->layout().size);
    };
    const std::vector<float> first = gradient();
    EXPECT_GT(*std::ranges::max_element(first), std::ldexp(1.0f, 40)) << form;
    EXPECT_TRUE(std::isfinite(*std::ranges::max_element(first))) << form;
    EXPECT_EQ(gradient(), first) << form;
  }
}

}  // namespace
}  // namespace vp::test
