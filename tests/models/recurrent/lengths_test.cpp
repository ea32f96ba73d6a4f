// Rows of lengths of their own. What stands behind a row's end changes no number, a row among others is the row alone, and what is no
// number within one row stays in the sums that the row belongs to.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>
#include <limits>
#include <set>

#include "kernels/backend/backend.h"
#include "kernels/backend_list.h"
#include "models/cells/cell_list.h"
#include "models/model/scaled_rows.h"
#include "models/model_kinds.h"
#include "models/training/trainer.h"
#include "models/verify/cell_variants.h"
#include "models/verify/model_cases.h"
#include "models/verify/random_source.h"
#include "models/verify/same_bits.h"
#include "tests/compare.h"

namespace vp::test {
namespace {

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN(), kInfinity = std::numeric_limits<float>::infinity();

// What may stand behind a row's end: in inputs and values, in tokens and classes.
struct Padding {
  float number;
  std::int32_t index;
};

constexpr std::array<Padding, 5> kPaddings = {{{kNaN, -100},
                                               {kInfinity, std::numeric_limits<std::int32_t>::max()},
                                               {-3.4e38f, std::numeric_limits<std::int32_t>::min()},
                                               {1e-45f, 3},
                                               {1e6f, 4}}};

// Another source's samples, with something else behind their ends.
class Padded final : public BatchSource {
 public:
  Padded(const BatchSource& source, Padding padding) : source_(source), padding_(padding) {}
  SequenceShape shape() const override { return source_.shape(); }
  std::uint64_t size(Split split) const override { return source_.size(split); }
  void fill(Split split, std::span<const std::uint64_t> samples, const SampleRows& out) const override {
    source_.fill(split, samples, out);
    const SequenceShape s = shape();
    const auto pad = [](auto* array, std::int64_t row, std::int64_t width, auto value) {
      if (array != nullptr) std::fill_n(array + row * width, width, value);
    };
    for (std::int64_t b = 0; b < out.rows; ++b)
      for (std::int64_t t = out.lengths[b]; t < s.steps; ++t) {
        const std::int64_t row = t * out.rows + b;
        if (s.vocabulary > 0) pad(out.tokens, row, 1, padding_.index);
        if (s.vocabulary == 0) pad(out.inputs, row, s.inputs, padding_.number);
        if (!s.target_every_step) continue;
        pad(out.classes, row, 1, padding_.index);
        pad(out.values, row, s.outputs, padding_.number);
      }
  }

 private:
  const BatchSource& source_;
  const Padding padding_;
};

// Every cell with every option, in each form in which rows may end.
std::vector<ModelCase> cases_with_lengths() {
  constexpr std::array kTargets = {TargetKind::kClasses, TargetKind::kBinary, TargetKind::kValues};
  std::vector<ModelCase> cases;
  for (const CellVariant& variant : cell_variants())
    for (const bool every_step : {false, true})
      for (const bool bidirectional : {false, true}) {
        ModelCase c{.cell = std::string(variant.entry->name), .activation = "tanh", .layers = 2, .every_step = every_step, .steps = 7};
        c.variant = variant.name, c.target = kTargets[cases.size() % kTargets.size()], c.seed = 400 + cases.size();
        c.variable_length = true, c.bidirectional = bidirectional, c.tokens = every_step == bidirectional;
        c.reset_every = every_step && !bidirectional ? 3 : 0;
        c.output = c.target == TargetKind::kClasses && bidirectional ? "sigmoid" : "task";
        cases.push_back(c);
      }
  return cases;
}

// The first rows of a source, forward and backward, with everything kept.
template <class T>
struct Passed {
  // bias: of every unit, instead of those that are drawn, and minus the weight of the first input; 0: nothing of that.
  Passed(const RunSpec& spec, const BatchSource& source, std::int64_t rows, double bias = 0)
      : model(make_model<T>(spec, source.shape(), rows)), shard(model->make_shard(rows)) {
    for (const Tensor* tensor : model->layout().tensors())
      for (std::int64_t i = 0; bias != 0 && i < tensor->size(); ++i) {
        T& w = model->parameters()[tensor->offset + i];
        if (tensor->name.starts_with("rnn.bias")) w = static_cast<T>(tensor->name.starts_with("rnn.bias_ih") ? bias : 0);
        if (tensor->name.starts_with("rnn.weight_ih") && i % tensor->cols == 0) w = static_cast<T>(-bias);
      }
    model->pack_all();
    shard->keep_hidden_gradients();
    shard->measure_activations(true);
    loss = run_shard(*shard, source);
  }
  const Layer<T>& layer(std::int64_t l) const { return std::as_const(*shard).layer(l); }
  std::span<const T> gradient() const { return {shard->gradient(), static_cast<std::size_t>(model->layout().size)}; }
  // (H), to be counted with norm_exponent().
  std::span<const T> dh(std::int64_t l, std::int64_t t, std::int64_t row) const {
    const std::int64_t width = layer(l).hidden();
    return {layer(l).hidden_gradients() + (t * shard->rows() + row) * width, static_cast<std::size_t>(width)};
  }
  double log2_dh(std::int64_t l, std::int64_t t, std::int64_t row) const {
    return log2_norm(layer(l).sum_squares_dh(t)[row], layer(l).norm_exponent(t)[row]);
  }
  double log2_dc(std::int64_t l, std::int64_t t, std::int64_t row) const {
    return log2_norm(layer(l).sum_squares_dc(t)[row], layer(l).norm_exponent(t)[row]);
  }
  // Everything that belongs to a row alone.
  std::vector<double> numbers_of(std::int64_t row) const {
    const std::int64_t outputs = model->shape().outputs, targets = std::ssize(std::as_const(*shard).logits()) / (shard->rows() * outputs);
    std::vector<double> all;
    for (std::int64_t s = 0; s < targets; ++s)
      for (std::int64_t j = 0; j < outputs; ++j) all.push_back(std::as_const(*shard).logits()[(s * shard->rows() + row) * outputs + j]);
    for (std::int64_t l = 0; l < model->layer_count(); ++l)
      for (std::int64_t t = 0; t < layer(l).steps(); ++t) {
        for (const T v : dh(l, t, row)) all.push_back(v);
        const Moments& m = layer(l).activations(t, row);
        for (const double v :
             {layer(l).sum_squares_dh(t)[row], static_cast<double>(layer(l).norm_exponent(t)[row]), m.count, m.sum, m.squares})
          all.push_back(v);
        if (model->has_cell_state()) all.push_back(layer(l).sum_squares_dc(t)[row]);
      }
    return all;
  }
  std::vector<double> numbers() const {
    std::vector<double> all = {loss};
    for (const T g : gradient()) all.push_back(g);
    for (std::int64_t row = 0; row < shard->rows(); ++row) std::ranges::copy(numbers_of(row), std::back_inserter(all));
    return all;
  }

  std::unique_ptr<Model<T>> model;
  std::unique_ptr<ModelShard<T>> shard;
  double loss = 0;
};

template <class T>
void expect_no_effect(const RunSpec& spec, const BatchSource& source, const std::string& what) {
  const std::vector<double> expected = Passed<T>(spec, source, 5).numbers();
  EXPECT_TRUE(std::ranges::all_of(expected, [](double v) { return std::isfinite(v); })) << what;
  for (const Padding padding : kPaddings)
    EXPECT_EQ(Passed<T>(spec, Padded(source, padding), 5).numbers(), expected) << what << " padding " << padding.number;
}

TEST(Lengths, WhatStandsBehindARowsEndChangesNoNumber) {
  for (const ModelCase& c : cases_with_lengths()) {
    RunSpec spec = spec_of(c, 6);
    const RandomSource source(shape_of(c, 3, 4));
    for (const std::string_view backend : backend_names()) {
      spec.engine.backend = backend;
      expect_no_effect<float>(spec, source, name_of(c) + " on " + std::string(backend));
    }
    spec.engine.backend = "reference";
    expect_no_effect<double>(spec, source, name_of(c) + " in double");
  }
}

TEST(Lengths, AShardHoldsZerosBehindARowsEnd) {
  for (const TargetKind target : {TargetKind::kClasses, TargetKind::kValues})
    for (const bool tokens : {false, true}) {
      ModelCase c{.cell = "rnn", .activation = "tanh", .every_step = true, .steps = 7, .target = target};
      c.variable_length = true, c.tokens = tokens;
      const SequenceShape shape = shape_of(c, 3, 4);
      const auto model = make_model<double>(spec_of(c, 4), shape, 5);
      const auto shard = model->make_shard(5);
      PhaseSeconds seconds{};
      PhaseClock clock(seconds);
      const RandomSource source(shape);
      shard->fill(Padded(source, kPaddings[0]), Split::kTrain, std::array<std::uint64_t, 5>{0, 1, 2, 3, 4}, clock);
      const auto expect_zeros = [&](const auto& values, std::int64_t width, const char* what) {
        for (std::int64_t i = 0; i < std::ssize(values); ++i)
          EXPECT_TRUE(i / width / 5 < shard->length(i / width % 5) || values[static_cast<std::size_t>(i)] == 0) << what << ' ' << i;
      };
      expect_zeros(shard->input(), shape.inputs, "input");
      expect_zeros(shard->tokens(), 1, "tokens");
      expect_zeros(shard->classes(), 1, "classes");
      expect_zeros(shard->values(), shape.outputs, "values");
    }
}

// The whole of a run: probes, evaluation, segments of steps that are computed twice.
TEST(Lengths, WhatStandsBehindARowsEndChangesNoRun) {
  Unwatched nobody;
  for (const bool every_step : {false, true})
    for (const std::int64_t segment : {0, 32}) {
      const SequenceShape shape{.steps = 70, .inputs = 3, .outputs = 4, .target_every_step = every_step, .variable_length = true};
      const RandomSource source(shape, 20, 101);
      RunSpec spec = small_training("lstm");
      spec.model.form = every_step ? "many_to_many" : "many_to_one";
      spec.model.reset_every = 30;
      spec.train.updates = 2, spec.train.checkpoint_every_steps = segment;
      spec.probe.loss_at = "last";
      ThreadPool pool(2);
      const auto expected = bits_of(train(spec, source, pool, nobody));
      for (const Padding padding : kPaddings)
        EXPECT_EQ(bits_of(train(spec, Padded(source, padding), pool, nobody)), expected) << every_step << segment << padding.number;
    }
}

// Another source's samples without token 0.
class WithoutTokenZero final : public BatchSource {
 public:
  explicit WithoutTokenZero(const BatchSource& source) : source_(source) {}
  SequenceShape shape() const override { return source_.shape(); }
  std::uint64_t size(Split split) const override { return source_.size(split); }
  void fill(Split split, std::span<const std::uint64_t> samples, const SampleRows& out) const override {
    source_.fill(split, samples, out);
    for (std::int64_t b = 0; b < out.rows; ++b)
      for (std::int64_t t = 0; t < out.lengths[b]; ++t) out.tokens[t * out.rows + b] = std::max(out.tokens[t * out.rows + b], 1);
  }

 private:
  const BatchSource& source_;
};

// Behind a row's end no token's vector is looked at, padding's 0 included.
TEST(Lengths, AVectorThatNoTokenOfARowHasIsNotRead) {
  for (const ModelCase& c : cases_with_lengths()) {
    if (!c.tokens) continue;
    const RandomSource source(shape_of(c, 1, 4));
    const WithoutTokenZero tokens(source);
    const RunSpec spec = spec_of(c, 6);
    const auto gradient_with = [&](float vector) {
      const auto model = make_model<float>(spec, tokens.shape(), 5);
      const Tensor table = model->layout().find("embedding.weight");
      std::fill_n(model->parameters() + table.offset, table.cols, vector);
      model->pack_all();
      const auto shard = model->make_shard(5);
      run_shard(*shard, tokens);
      return std::vector<float>(shard->gradient(), shard->gradient() + model->layout().size);
    };
    EXPECT_EQ(gradient_with(kNaN), gradient_with(1)) << c;
  }
}

// One sample of a source, as long as that is.
class OneSample final : public BatchSource {
 public:
  OneSample(const BatchSource& source, std::uint64_t sample, std::int64_t length) : source_(source), sample_(sample), length_(length) {}
  SequenceShape shape() const override {
    SequenceShape s = source_.shape();
    s.steps = length_, s.variable_length = false;
    return s;
  }
  std::uint64_t size(Split) const override { return 0; }
  void fill(Split split, std::span<const std::uint64_t>, const SampleRows& out) const override {
    const SequenceShape s = source_.shape();
    std::vector<float> inputs(s.steps * s.inputs), values(s.steps * s.outputs);
    std::vector<std::int32_t> tokens(s.steps), classes(s.steps);
    std::int32_t length = 0;
    source_.fill(split, std::array{sample_},
                 {.rows = 1,
                  .inputs = inputs.data(),
                  .tokens = tokens.data(),
                  .lengths = &length,
                  .classes = classes.data(),
                  .values = values.data()});
    if (out.inputs != nullptr) std::copy_n(inputs.data(), length_ * s.inputs, out.inputs);
    if (out.tokens != nullptr) std::copy_n(tokens.data(), length_, out.tokens);
    const std::int64_t targets = s.target_every_step ? length_ : 1;
    if (out.classes != nullptr) std::copy_n(classes.data(), targets, out.classes);
    if (out.values != nullptr) std::copy_n(values.data(), targets * s.outputs, out.values);
  }

 private:
  const BatchSource& source_;
  std::uint64_t sample_;
  std::int64_t length_;
};

// dL/dh_t and its norms of a row are those of the row alone, at each of its steps in both directions, and nothing behind its end.
void expect_row(const Passed<double>& together, std::int64_t row, const Passed<double>& alone, const std::string& what) {
  const double rows = static_cast<double>(together.shard->rows());
  const auto expect_norm = [&](double norm, double norm_alone, std::int64_t t) {
    EXPECT_TRUE((std::isinf(norm) && norm == norm_alone) || near(norm, norm_alone - std::log2(rows), 1e-10))
        << what << " t " << t;  // both may be -inf
  };
  for (std::int64_t l = 0; l < together.model->layer_count(); ++l)
    for (std::int64_t t = 0; t < together.layer(l).steps(); ++t) {
      if (t >= alone.layer(l).steps()) {
        EXPECT_EQ(together.layer(l).sum_squares_dh(t)[row], 0) << what << " t " << t;
        EXPECT_EQ(max_magnitude(together.dh(l, t, row)), 0) << what << " t " << t;
        continue;
      }
      expect_norm(together.log2_dh(l, t, row), alone.log2_dh(l, t, 0), t);
      if (together.model->has_cell_state()) expect_norm(together.log2_dc(l, t, row), alone.log2_dc(l, t, 0), t);
      const double exponent = together.layer(l).norm_exponent(t)[row], exponent_alone = alone.layer(l).norm_exponent(t)[0];
      for (std::size_t u = 0; u < alone.dh(l, t, 0).size(); ++u) {
        const double expected = alone.dh(l, t, 0)[u] * std::exp2(exponent_alone) / rows;
        EXPECT_TRUE(near(together.dh(l, t, row)[u] * std::exp2(exponent), expected, 1e-12 * (1 + std::abs(expected))))
            << what << " t " << t << " unit " << u;
      }
    }
}

void expect_rows_alone(const RunSpec& spec, const BatchSource& source, const std::string& what, double bias = 0) {
  constexpr std::int64_t kRows = 9;
  const Passed<double> together(spec, source, kRows, bias);
  std::vector<double> sum(together.gradient().size(), 0.0);
  double sum_loss = 0;
  std::set<std::int64_t> lengths;
  for (std::int64_t row = 0; row < kRows; ++row) {
    const std::int64_t length = together.shard->length(row);
    lengths.insert(length);
    const Passed<double> alone(spec, OneSample(source, static_cast<std::uint64_t>(row), length), 1, bias);
    for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += alone.gradient()[i] / kRows;
    sum_loss += alone.loss / kRows;
    expect_row(together, row, alone, what + " row " + std::to_string(row));
  }
  EXPECT_GT(lengths.size(), 2u);
  EXPECT_TRUE(near(together.loss, sum_loss, 1e-13)) << what;
  EXPECT_TRUE(close(together.gradient(), std::span<const double>(sum), {.c = 256})) << what;
}

TEST(Lengths, AShardIsTheMeanOfItsRowsEachAsLongAsItIs) {
  for (const ModelCase& c : cases_with_lengths()) {
    RunSpec spec = spec_of(c, 6);
    spec.engine.backend = "reference";
    expect_rows_alone(spec, RandomSource(shape_of(c, 3, 4)), name_of(c));
  }
}

// Another source's samples, with a first input of 1 at every step of a row.
class WithOne final : public BatchSource {
 public:
  explicit WithOne(const BatchSource& source) : source_(source) {}
  SequenceShape shape() const override { return source_.shape(); }
  std::uint64_t size(Split split) const override { return source_.size(split); }
  void fill(Split split, std::span<const std::uint64_t> samples, const SampleRows& out) const override {
    source_.fill(split, samples, out);
    for (std::int64_t b = 0; b < out.rows; ++b)
      for (std::int64_t t = 0; t < out.lengths[b]; ++t) out.inputs[(t * out.rows + b) * shape().inputs] = 1;
  }

 private:
  const BatchSource& source_;
};

// Gates are exp(800 - 800 + ...) within a row, and infinite behind its end.
TEST(Lengths, NothingComesBackFromGatesThatAreInfiniteBehindTheEnd) {
  for (const CellEntry& cell : cells())
    for (const bool bidirectional : {false, true})
      for (const bool every_step : {false, true}) {
        ModelCase c{.cell = std::string(cell.name), .activation = "tanh", .every_step = every_step, .steps = 7};
        c.target = TargetKind::kValues, c.variable_length = true, c.bidirectional = bidirectional, c.gain = 0.3;
        RunSpec spec = spec_of(c, 4);
        spec.engine.backend = "reference";
        if (cell.takes_any_activation) spec.model.activation = "expr: exp(x)";
        spec.cell_options = OptionsHandle(cell.make_options());
        set_choices(spec.cell_options, {{"gate_activation", "expr: exp(x)"}});
        const RandomSource source(shape_of(c, 3, 2));
        expect_rows_alone(spec, WithOne(source), name_of(c), 800);
      }
}

// Another source's samples, with NaN in the first input of one of them.
class Poisoned final : public BatchSource {
 public:
  Poisoned(const BatchSource& source, std::int64_t row) : source_(source), row_(row) {}
  SequenceShape shape() const override { return source_.shape(); }
  std::uint64_t size(Split split) const override { return source_.size(split); }
  void fill(Split split, std::span<const std::uint64_t> samples, const SampleRows& out) const override {
    source_.fill(split, samples, out);
    out.inputs[row_ * shape().inputs] = kNaN;
  }

 private:
  const BatchSource& source_;
  std::int64_t row_;
};

TEST(Lengths, WhatIsNoNumberInOneRowStaysThere) {
  constexpr std::int64_t kRows = 5, kPoisoned = 2;
  for (ModelCase c : cases_with_lengths()) {
    c.tokens = false;
    RunSpec spec = spec_of(c, 6);
    const RandomSource source(shape_of(c, 3, 4));
    for (const std::string_view backend : backend_names()) {
      spec.engine.backend = backend;
      const Passed<float> sound(spec, source, kRows), poisoned(spec, Poisoned(source, kPoisoned), kRows);
      EXPECT_TRUE(std::isnan(poisoned.loss)) << c << ' ' << backend;
      for (std::int64_t row = 0; row < kRows; ++row) {
        if (row == kPoisoned) continue;
        EXPECT_EQ(poisoned.numbers_of(row), sound.numbers_of(row)) << c << ' ' << backend << " row " << row;
      }
    }
  }
}

// Tokens, lengths and classes as said, behind the rows' ends too.
class Said final : public BatchSource {
 public:
  Said(std::int32_t length, std::array<std::int32_t, 3> tokens, std::array<std::int32_t, 3> classes)
      : length_(length), tokens_(tokens), classes_(classes) {}
  SequenceShape shape() const override {
    return {.steps = 3, .inputs = 1, .outputs = 2, .target_every_step = true, .vocabulary = 4, .variable_length = true};
  }
  std::uint64_t size(Split) const override { return 0; }
  void fill(Split, std::span<const std::uint64_t>, const SampleRows& out) const override {
    for (std::int64_t i = 0; i < 3 * out.rows; ++i) out.tokens[i] = tokens_[i / out.rows], out.classes[i] = classes_[i / out.rows];
    std::fill_n(out.lengths, out.rows, length_);
  }

 private:
  std::int32_t length_;
  std::array<std::int32_t, 3> tokens_, classes_;
};

TEST(Lengths, FillRefusesWhatIsOutOfRangeWithinARow) {
  RunSpec spec;
  spec.model.embedding = 2, spec.model.form = "many_to_many";
  const auto model = make_model<float>(spec, Said(1, {}, {}).shape(), 2);
  const auto shard = model->make_shard(2);
  PhaseSeconds seconds{};
  PhaseClock clock(seconds);
  const auto fill = [&](std::int32_t length, std::array<std::int32_t, 3> tokens, std::array<std::int32_t, 3> classes) {
    shard->fill(Said(length, tokens, classes), Split::kTrain, std::array<std::uint64_t, 2>{}, clock);
  };
  EXPECT_NO_THROW(fill(3, {3, 0, 3}, {0, 1, 1}));
  EXPECT_NO_THROW(fill(2, {3, 0, -1}, {0, 1, 2}));
  EXPECT_NO_THROW(fill(1, {3, 4, -1}, {0, -100, 2}));
  for (const std::int32_t length : {0, -1, 4}) EXPECT_THROW(fill(length, {}, {}), std::out_of_range) << length;
  for (const std::int32_t token : {-1, 4}) EXPECT_THROW(fill(2, {0, token, 0}, {}), std::out_of_range) << token;
  for (const std::int32_t c : {-1, 2}) EXPECT_THROW(fill(2, {}, {0, c, 0}), std::out_of_range) << c;
}

}  // namespace
}  // namespace vp::test
