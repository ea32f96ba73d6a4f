// The forms of recurrence: what gradients and parity checks cannot see. Windows make one stream, cuts make sequences, segments and threads
// change no bit, and what does not fit is refused by name. Rows of lengths of their own: lengths_test.cpp.
#include "models/recurrent/forms.h"

#include <gtest/gtest.h>

#include "kernels/backend_list.h"
#include "models/cells/cell_list.h"
#include "models/model_kinds.h"
#include "models/spec/function_source.h"
#include "models/training/batch_engine.h"
#include "models/training/trainer.h"
#include "models/verify/cell_variants.h"
#include "models/verify/model_cases.h"
#include "models/verify/random_source.h"
#include "models/verify/same_bits.h"
#include "tests/compare.h"

namespace vp::test {
namespace {

RunReport train_on(const RunSpec& spec, const BatchSource& source) {
  ThreadPool pool(2);
  Unwatched nobody;
  return train(spec, source, pool, nobody);
}

template <class T>
std::vector<T> gradient_of(const RunSpec& spec, const BatchSource& source, std::int64_t rows, double& loss) {
  const auto model = make_model<T>(spec, source.shape(), rows);
  model->pack_all();
  const auto shard = model->make_shard(rows);
  loss = run_shard(*shard, source);
  return {shard->gradient(), shard->gradient() + model->layout().size};
}

// Windows w = 0, 1, 2 of 4 steps are steps 4w .. 4w+3 of one sequence of 12.
class Windows final : public BatchSource {
 public:
  Windows(std::int64_t steps, std::int64_t windows, std::int64_t streams)
      : whole_({.steps = steps * windows, .inputs = 3, .outputs = 4, .target_every_step = true}), steps_(steps), streams_(streams) {}
  SequenceShape shape() const override {
    SequenceShape s = whole_.shape();
    s.steps = steps_, s.streams = streams_;
    return s;
  }
  const RandomSource& whole() const { return whole_; }
  std::uint64_t size(Split) const override { return 0; }
  void fill(Split split, std::span<const std::uint64_t> samples, const SampleRows& out) const override {
    const SequenceShape s = whole_.shape();
    std::vector<float> inputs(s.steps * s.inputs);
    std::vector<std::int32_t> classes(s.steps);
    for (std::int64_t r = 0; r < out.rows; ++r) {
      const auto stream = samples[r] % static_cast<std::uint64_t>(streams_);
      const std::int64_t first = static_cast<std::int64_t>(samples[r]) / streams_ * steps_;
      whole_.fill(split, std::array{stream}, {.rows = 1, .inputs = inputs.data(), .classes = classes.data()});
      for (std::int64_t t = 0; t < steps_; ++t) {
        std::copy_n(inputs.data() + (first + t) * s.inputs, s.inputs, out.inputs + (t * out.rows + r) * s.inputs);
        out.classes[t * out.rows + r] = classes[first + t];
      }
    }
  }

 private:
  RandomSource whole_;
  std::int64_t steps_, streams_;
};

TEST(Stateful, WindowsMakeOneStream) {
  constexpr std::int64_t kRows = 5, kSteps = 4, kWindows = 3;
  const Windows windows(kSteps, kWindows, kRows);
  for (const std::int64_t reset_every : {0, 3})  // not a divisor of the window
    for (const char* cell : {"rnn", "lstm", "gru"})
      for (const std::string_view backend : backend_names()) {
        RunSpec spec;
        spec.model = {.cell = cell, .layers = 2, .hidden = 7, .form = "many_to_many", .reset_every = reset_every};
        spec.cell_options = OptionsHandle(find_cell(cell)->make_options());
        spec.engine.backend = backend;
        const auto model = make_model<float>(spec, windows.whole().shape(), kRows);
        model->pack_all();
        const auto whole = model->make_shard(kRows);
        run_shard(*whole, windows.whole());

        spec.model.form = "stateful";
        const auto cut = make_model<float>(spec, windows.shape(), kRows);
        cut->pack_all();
        const auto shard = cut->make_shard(kRows);
        PhaseSeconds seconds{};
        PhaseClock clock(seconds);
        for (std::int64_t w = 0; w < kWindows; ++w) {
          std::vector<std::uint64_t> samples;
          for (std::int64_t r = 0; r < kRows; ++r) samples.push_back(static_cast<std::uint64_t>(w * kRows + r));
          shard->fill(windows, Split::kTrain, samples, clock);
          shard->forward(clock);
          const std::int64_t count = kSteps * kRows * 4;
          EXPECT_TRUE(close(shard->logits(), whole->logits().subspan(w * count, count), {.c = 8}))
              << cell << ' ' << backend << " window " << w << " reset " << reset_every;
          // Evaluation in between goes its own way.
          const std::vector<std::uint64_t> first(samples.size(), 0);
          shard->fill(windows, Split::kValidation, first, clock);
          shard->forward(clock);
        }
      }
}

// Cut every k steps, a sequence of 2k steps is two of k: loss and gradient are the means over both.
TEST(Reset, CutsASequenceIntoSequences) {
  constexpr std::int64_t kRows = 3, kSteps = 5;
  const Windows windows(kSteps, 2, kRows);
  for (const CellVariant& cell : cell_variants()) {
    RunSpec spec;
    spec.model = {.cell = std::string(cell.entry->name), .layers = 2, .hidden = 7, .form = "many_to_many", .reset_every = kSteps};
    spec.cell_options = cell.options;
    spec.engine.backend = "reference";
    double loss = 0;
    const std::vector<double> whole = gradient_of<double>(spec, windows.whole(), kRows, loss);
    spec.model.reset_every = 0;
    SequenceShape shape = windows.shape();
    shape.streams = 0;
    const auto model = make_model<double>(spec, shape, kRows);
    model->pack_all();
    const auto shard = model->make_shard(kRows);
    PhaseSeconds seconds{};
    PhaseClock clock(seconds);
    std::vector<double> sum(whole.size(), 0.0);
    double sum_loss = 0;
    for (std::uint64_t w = 0; w < 2; ++w) {
      shard->fill(windows, Split::kTrain, std::array{w * 3, w * 3 + 1, w * 3 + 2}, clock);
      shard->forward(clock);
      sum_loss += shard->score(kRows, LossAt::kTask, clock).loss / kRows / 2;
      shard->backward(clock);
      for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += shard->gradient()[i] / 2;
    }
    EXPECT_TRUE(near(loss, sum_loss, 1e-13)) << cell.name;
    for (std::size_t i = 0; i < sum.size(); ++i) ASSERT_TRUE(near(whole[i], sum[i], 1e-13)) << cell.name << " parameter " << i;
  }
}

// One target at the end: nothing is learnt from what was before the last cut.
TEST(Reset, WithOneTargetOnlyTheStepsBehindTheLastCutCount) {
  constexpr std::int64_t kRows = 3, kSteps = 5, kInputs = 2;
  const auto source = [&](std::int64_t steps) {
    return FunctionSource({.steps = steps, .inputs = kInputs, .outputs = 3}, [=](RandomStream& random, Sample& sample) {
      std::vector<float> all(2 * kSteps * kInputs);
      for (float& x : all) x = static_cast<float>(random.normal());
      std::copy(all.end() - steps * kInputs, all.end(), sample.inputs.begin());
      sample.classes[0] = static_cast<std::int32_t>(random.below(3));
    });
  };
  for (const CellVariant& cell : cell_variants()) {
    RunSpec spec;
    spec.model = {.cell = std::string(cell.entry->name), .layers = 2, .hidden = 7, .reset_every = kSteps};
    spec.cell_options = cell.options;
    spec.engine.backend = "reference";
    double loss = 0, loss_behind = 0;
    const std::vector<double> whole = gradient_of<double>(spec, source(2 * kSteps), kRows, loss);
    spec.model.reset_every = 0;
    const std::vector<double> behind = gradient_of<double>(spec, source(kSteps), kRows, loss_behind);
    EXPECT_TRUE(near(loss, loss_behind, 1e-13)) << cell.name;
    for (std::size_t i = 0; i < whole.size(); ++i) ASSERT_TRUE(near(whole[i], behind[i], 1e-13)) << cell.name << " parameter " << i;
  }
}

TEST(Forms, SegmentsChangeNoBits) {
  for (const bool every_step : {false, true}) {
    SequenceShape shape{.steps = 101, .inputs = 1, .outputs = 4, .target_every_step = every_step, .vocabulary = 9, .variable_length = true};
    const RandomSource source(shape, 20, 101);
    RunSpec spec = small_training("lstm");
    spec.model.form = every_step ? "many_to_many" : "many_to_one";
    spec.model.embedding = 5, spec.model.reset_every = 37;
    spec.init.recurrent.gain = 0.05;  // exponents come into play
    spec.train.updates = 2;
    const auto whole = bits_of(train_on(spec, source));
    for (const std::int64_t every : {1, 40, 64}) {
      spec.train.checkpoint_every_steps = every;
      EXPECT_EQ(bits_of(train_on(spec, source)), whole) << every_step << " every " << every;
    }
  }
}

std::string misfit(const ModelSpec& model, const SequenceShape& shape, std::int64_t every_steps = 0, std::int64_t windows = 0) {
  RunSpec spec;
  spec.model = model;
  spec.train.checkpoint_every_steps = every_steps, spec.train.batch = 8;
  return check_form(spec, RandomSource(shape, static_cast<std::uint64_t>(windows)));
}

TEST(Forms, WhatDoesNotFitIsRefusedWithWhatWould) {
  const SequenceShape plain{.steps = 3, .inputs = 1, .outputs = 1};
  const auto expect = [](const std::string& text, std::initializer_list<const char*> words) {
    for (const char* word : words) EXPECT_NE(text.find(word), std::string::npos) << word << " in: " << text;
  };
  EXPECT_EQ(misfit({}, plain), "");
  expect(misfit({.form = "stateful"}, plain), {"stateful", "many_to_one"});
  expect(misfit({}, {.steps = 4, .inputs = 1, .outputs = 1, .source_steps = 2}), {"many_to_one", "sequence_to_sequence"});
  expect(misfit({.embedding = 4}, plain), {"model.embedding", "numbers"});
  expect(misfit({}, {.steps = 3, .inputs = 1, .outputs = 1, .vocabulary = 5}), {"model.embedding", "token"});
  expect(misfit({.teacher_forcing = false}, plain), {"model.teacher_forcing", "many_to_one"});
  expect(misfit({.bidirectional = true}, plain, 10), {"train.checkpoint_every_steps", "bidirectional"});
  expect(misfit({.bidirectional = true, .reset_every = 2}, plain), {"model.reset_every"});
  const SequenceShape streams{.steps = 3, .inputs = 1, .outputs = 1, .target_every_step = true, .streams = 8};
  EXPECT_EQ(misfit({.form = "stateful"}, streams, 0, 16), "");
  expect(misfit({.form = "stateful"}, streams, 0, 17), {"train.batch = 8", "17"});
  expect(misfit({.form = "stateful", .bidirectional = true}, streams), {"model.bidirectional", "stateful"});
}

}  // namespace
}  // namespace vp::test
