// Gated cells with all their options (variants, peepholes, layer normalisation, other activations) against their formulas, written out once
// more; and what theory says of the cell without a forget gate.
#include "models/verify/cell_variants.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <utility>

#include "kernels/activation/custom_activation.h"
#include "models/cells/cell_list.h"
#include "models/model/model.h"
#include "models/model_kinds.h"
#include "models/probes/probes.h"
#include "models/recurrent/sequence_layout.h"
#include "models/training/batch_engine.h"
#include "models/verify/model_checks.h"
#include "models/verify/random_source.h"
#include "models/verify/same_bits.h"
#include "tests/compare.h"

namespace vp::test {
namespace {

using Vector = std::vector<double>;

struct Choice {
  std::string variant = "plain";
  bool peepholes = false, layer_norm = false;
  std::string gate = "sigmoid", candidate = "tanh", state = "tanh", reset = "after";
};

constexpr const char *kAlgebraicGate = "expr: (1+x/sqrt(1+x^2))/2", *kSwish = "expr: x*sigmoid(x)";

// Three that differ, each where the variant has a place for it.
Choice with_other_activations(Choice choice) {
  choice.gate = kAlgebraicGate;
  if (choice.variant != "no_input_activation") choice.candidate = "softplus";
  if (choice.variant != "no_output_activation") choice.state = kSwish;
  return choice;
}

std::vector<Choice> lstm_choices() {
  std::vector<Choice> choices;
  for (const LstmVariantEntry& entry : kLstmVariants)
    for (const bool peepholes : {false, true})
      for (const bool layer_norm : {false, true}) {
        choices.push_back({std::string(entry.name), peepholes, layer_norm});
        choices.push_back(with_other_activations(choices.back()));
      }
  return choices;
}

std::string name_of(const Choice& c) {
  return c.variant + (c.peepholes ? " peepholes" : "") + (c.layer_norm ? " layer_norm" : "") + " " + c.gate + " " + c.candidate + " " +
         c.state + " " + c.reset;
}

RunSpec spec_of(const std::string& cell, const Choice& choice = {}, std::int64_t hidden = 4) {
  RunSpec spec;
  spec.model = {.cell = cell, .hidden = hidden};
  spec.cell_options = OptionsHandle(find_cell(cell)->make_options());
  set_choices(spec.cell_options, {{"variant", choice.variant},
                                  {"peepholes", choice.peepholes ? "true" : "false"},
                                  {"layer_norm", choice.layer_norm ? "true" : "false"},
                                  {"gate_activation", choice.gate},
                                  {"candidate_activation", choice.candidate},
                                  {"state_activation", choice.state},
                                  {"reset", choice.reset}});
  spec.init.gain = 1.5;
  spec.engine.backend = "reference";
  return spec;
}

double value(const std::string& activation, double z) {
  if (activation == "sigmoid") return 1 / (1 + std::exp(-z));
  if (activation == "tanh") return std::tanh(z);
  if (activation == "softplus") return std::log1p(std::exp(z));
  if (activation == kAlgebraicGate) return 0.5 + 0.5 * z / std::hypot(1, z);
  if (activation == kSwish) return z / (1 + std::exp(-z));
  throw std::invalid_argument(activation);
}

// The tensor of layer 0 by its short name, e.g. weight_ih; and products with it.
struct Weights {
  const Model<double>& model;
  const double* operator[](const std::string& name) const {
    for (const Tensor* tensor : model.layout().tensors())
      if (tensor->name == "rnn." + name + "_l0" || tensor->name == name) return model.parameters() + tensor->offset;
    throw std::invalid_argument("no tensor " + name);
  }
  Vector times(const std::string& name, std::int64_t rows, const Vector& x) const {
    Vector y(static_cast<std::size_t>(rows), 0.0);
    for (std::size_t r = 0; r < y.size(); ++r)
      for (std::size_t k = 0; k < x.size(); ++k) y[r] += (*this)[name][r * x.size() + k] * x[k];
    return y;
  }
};

Vector normalised(Vector x, const double* gain) {
  double mean = 0, variance = 0;
  for (const double v : x) mean += v / static_cast<double>(x.size());
  for (const double v : x) variance += (v - mean) * (v - mean) / static_cast<double>(x.size());
  for (std::size_t j = 0; j < x.size(); ++j) x[j] = gain[j] * (x[j] - mean) / std::sqrt(variance + 1e-5);
  return x;
}

// W_ih x + W_hh h + b, each product normalised or not.
Vector pre_activations(const Weights& w, std::int64_t width, const Vector& x, const Vector& h, bool layer_norm) {
  Vector from_x = w.times("weight_ih", width, x), from_h = w.times("weight_hh", width, h);
  if (layer_norm) from_x = normalised(from_x, w["gain_ih"]), from_h = normalised(from_h, w["gain_hh"]);
  for (std::int64_t j = 0; j < width; ++j) from_x[j] += from_h[j] + w["bias_ih"][j] + w["bias_hh"][j];
  return from_x;
}

void lstm_step(const Weights& w, const Choice& choice, const Vector& x, Vector& h, Vector& c) {
  const std::size_t n = h.size();
  const Vector z = pre_activations(w, static_cast<std::int64_t>(4 * n), x, h, choice.layer_norm);
  const std::string& v = choice.variant;
  for (std::size_t u = 0; u < n; ++u) {
    const auto seen = [&](std::size_t block, double state) { return choice.peepholes ? w["weight_ch"][block * n + u] * state : 0; };
    const double i = v == "no_input_gate" ? 1 : value(choice.gate, z[u] + seen(0, c[u]));
    const double f = v == "no_forget_gate" ? 1 : v == "coupled" ? 1 - i : value(choice.gate, z[n + u] + seen(1, c[u]));
    const double g = v == "no_input_activation" ? z[2 * n + u] : value(choice.candidate, z[2 * n + u]);
    c[u] = f * c[u] + i * g;
    const double o = v == "no_output_gate" ? 1 : value(choice.gate, z[3 * n + u] + seen(2, c[u]));
    h[u] = o * (v == "no_output_activation" ? c[u] : value(choice.state, c[u]));
  }
}

void rnn_step(const Weights& w, const Choice& choice, const Vector& x, Vector& h, Vector&) {
  const Vector z = pre_activations(w, static_cast<std::int64_t>(h.size()), x, h, choice.layer_norm);
  for (std::size_t u = 0; u < h.size(); ++u) h[u] = std::tanh(z[u]);
}

void mgu_step(const Weights& w, const Choice& choice, const Vector& x, Vector& h, Vector&) {
  const std::size_t n = h.size();
  const Vector from_x = w.times("weight_ih", static_cast<std::int64_t>(2 * n), x),
               from_h = w.times("weight_hh", static_cast<std::int64_t>(n), h);
  Vector f(n), kept(n);
  for (std::size_t u = 0; u < n; ++u) {
    f[u] = value(choice.gate, from_x[u] + from_h[u] + w["bias_ih"][u] + w["bias_hh"][u]);
    kept[u] = f[u] * h[u];
  }
  const Vector candidate = w.times("weight_hh", static_cast<std::int64_t>(2 * n), kept);
  for (std::size_t u = 0; u < n; ++u) {
    const double z = from_x[n + u] + candidate[n + u] + w["bias_ih"][n + u] + w["bias_hh"][n + u];
    h[u] = (1 - f[u]) * h[u] + f[u] * value(choice.candidate, z);
  }
}

void gru_step(const Weights& w, const Choice& choice, const Vector& x, Vector& h, Vector&) {
  const std::size_t n = h.size();
  const auto width = static_cast<std::int64_t>(3 * n);
  const Vector from_x = w.times("weight_ih", width, x), from_h = w.times("weight_hh", width, h);
  Vector r(n), z(n), reset(n);
  for (std::size_t u = 0; u < n; ++u) {
    r[u] = value(choice.gate, from_x[u] + w["bias_ih"][u] + from_h[u] + w["bias_hh"][u]);
    z[u] = value(choice.gate, from_x[n + u] + w["bias_ih"][n + u] + from_h[n + u] + w["bias_hh"][n + u]);
    reset[u] = r[u] * h[u];
  }
  const Vector from_reset = w.times("weight_hh", width, reset);
  for (std::size_t u = 0; u < n; ++u) {
    const std::size_t k = 2 * n + u;
    const double after = r[u] * (from_h[k] + w["bias_hh"][k]), before = from_reset[k] + w["bias_hh"][k];
    const double candidate = value(choice.candidate, from_x[k] + w["bias_ih"][k] + (choice.reset == "after" ? after : before));
    h[u] = (1 - z[u]) * candidate + z[u] * h[u];
  }
}

using Step = void (*)(const Weights&, const Choice&, const Vector&, Vector&, Vector&);

// Logits of the model against the formula's, and its gradients against central differences of its loss.
void expect_formula(const RunSpec& spec, const Choice& choice, Step step, const std::string& name) {
  const SequenceShape shape{.steps = 5, .inputs = 3, .outputs = 2};
  const RandomSource source(shape);
  const auto made = make_model<double>(spec, shape, 2);
  Model<double>& model = *made;
  for (const Tensor* tensor : model.layout().tensors())  // gains that are not 1
    if (tensor->starts_at)
      for (std::int64_t i = 0; i < tensor->size(); ++i) model.parameters()[tensor->offset + i] = 0.5 + 0.1 * static_cast<double>(i);
  model.pack_all();
  const auto made_shard = model.make_shard(2);
  ModelShard<double>& shard = *made_shard;
  run_shard(shard, source);
  const Weights w{model};
  for (std::int64_t row = 0; row < 2; ++row) {
    Vector h(static_cast<std::size_t>(spec.model.hidden), 0.0), c = h;
    for (std::int64_t t = 0; t < shape.steps; ++t) {
      const double* x = shard.input().data() + (t * 2 + row) * shape.inputs;
      step(w, choice, Vector(x, x + shape.inputs), h, c);
    }
    Vector logits = w.times("readout.weight", 2, h);
    for (std::int64_t j = 0; j < 2; ++j) logits[j] += w["readout.bias"][j];
    const auto actual = std::as_const(shard).logits().subspan(static_cast<std::size_t>(2 * row), 2);
    EXPECT_TRUE(close(actual, std::span<const double>(logits), {.c = 64, .scale = 1})) << name << " row " << row;
  }
  for (const std::int64_t steps : {1, 3, 7}) {
    const Finding finding = gradient_finding(spec, {.steps = steps, .inputs = 3, .outputs = 2});
    EXPECT_TRUE(finding.holds()) << name << " T=" << steps << ": " << finding.fault;
  }
}

TEST(CellVariants, EveryLstmIsItsFormula) {
  for (const Choice& choice : lstm_choices()) expect_formula(spec_of("lstm", choice), choice, lstm_step, name_of(choice));
}

TEST(CellVariants, EveryGruIsItsFormula) {
  for (const char* reset : {"after", "before"})
    for (const Choice& choice : {Choice{.reset = reset}, with_other_activations({.reset = reset})})
      expect_formula(spec_of("gru", choice), choice, gru_step, name_of(choice));
}

TEST(CellVariants, RnnWithLayerNormAndMguAreTheirFormulas) {
  for (const bool layer_norm : {false, true}) {
    const Choice choice{.layer_norm = layer_norm};
    expect_formula(spec_of("rnn", choice), choice, rnn_step, layer_norm ? "rnn layer_norm" : "rnn");
  }
  for (const Choice& choice : {Choice{}, with_other_activations({})}) expect_formula(spec_of("mgu", choice), choice, mgu_step, "mgu");
}

// Loss and gradient of one pass over random samples in double.
Vector loss_and_gradient(const RunSpec& spec) {
  const RandomSource source({.steps = 9, .inputs = 3, .outputs = 2, .target = TargetKind::kValues});
  const auto model = make_model<double>(spec, source.shape(), 4);
  model->pack_all();
  const auto shard = model->make_shard(4);
  Vector all = {run_shard(*shard, source)};
  all.insert(all.end(), shard->gradient(), shard->gradient() + model->layout().size);
  return all;
}

// Formulas of a cell's own activations take the way of other activations to the same numbers.
TEST(CellActivations, FormulasOfACellsOwnChangeNothing) {
  std::vector<std::pair<std::string, Choice>> cells = {{"gru", {}}, {"gru", {.reset = "before"}}, {"mgu", {}}};
  for (const LstmVariantEntry& entry : kLstmVariants)
    for (const bool peepholes : {false, true}) cells.push_back({"lstm", {.variant = std::string(entry.name), .peepholes = peepholes}});
  for (const auto& [cell, own] : cells) {
    Choice spelt_out = own;
    spelt_out.gate = "expr: 1/(1+exp(-x))";
    if (own.variant != "no_input_activation") spelt_out.candidate = "expr: tanh(x)";
    if (own.variant != "no_output_activation") spelt_out.state = "expr: 2/(1+exp(-2*x))-1";
    const Vector actual = loss_and_gradient(spec_of(cell, spelt_out, 11)), expected = loss_and_gradient(spec_of(cell, own, 11));
    EXPECT_TRUE(close(std::span<const double>(actual), std::span<const double>(expected), {.c = 32})) << cell << " " << name_of(own);
  }
}

// A linear activation and one that is left out are the same.
TEST(CellActivations, LinearIsLeftOut) {
  for (const bool peepholes : {false, true}) {
    const auto both = [&](Choice linear, Choice left_out) {
      linear.peepholes = left_out.peepholes = peepholes;
      const Vector actual = loss_and_gradient(spec_of("lstm", linear)), expected = loss_and_gradient(spec_of("lstm", left_out));
      EXPECT_TRUE(close(std::span<const double>(actual), std::span<const double>(expected), {.c = 32})) << name_of(left_out);
    };
    both({.candidate = "linear"}, {.variant = "no_input_activation"});
    both({.state = "linear"}, {.variant = "no_output_activation"});
  }
}

// Engines fuse the steps of the cells as they are known, however that is written, and no others.
TEST(CellActivations, OnlyACellsOwnAreFused) {
  const auto fused = [](const std::string& cell, const Choice& choice) {
    const RunSpec spec = spec_of(cell, choice);
    return find_cell(cell)->make_float(spec.cell_options.get(), resolve_activation("tanh"))->fused_shape().has_value();
  };
  for (const char* cell : {"lstm", "gru"}) {
    EXPECT_TRUE(fused(cell, {})) << cell;
    EXPECT_FALSE(fused(cell, {.gate = "softplus"})) << cell;
    EXPECT_FALSE(fused(cell, {.candidate = kSwish})) << cell;
  }
  EXPECT_FALSE(fused("lstm", {.state = "elu"}));
}

TEST(CellActivations, NoneWhereTheVariantHasNoPlaceForIt) {
  const auto make = [](const Choice& choice) {
    const RunSpec spec = spec_of("lstm", choice);
    find_cell("lstm")->make_double(spec.cell_options.get(), resolve_activation("tanh"));
  };
  EXPECT_THROW(make({.variant = "no_input_activation", .candidate = "relu"}), std::invalid_argument);
  EXPECT_THROW(make({.variant = "no_output_activation", .state = kSwish}), std::invalid_argument);
  EXPECT_NO_THROW(make({.variant = "no_input_activation", .state = kSwish}));
  EXPECT_NO_THROW(make({.variant = "no_output_activation", .candidate = "relu"}));
}

// What counts as saturated, and the log10 of a slope, are those of the activation in use.
TEST(CellActivations, ProbesReadTheSlopeInUse) {
  const std::pair<const char*, Choice> cells[] = {{"lstm", {.state = "linear"}},
                                                  {"gru", {.candidate = "linear"}},
                                                  {"gru", {.candidate = "linear", .reset = "before"}},
                                                  {"mgu", {.candidate = "linear"}}};
  for (const auto& [cell, choice] : cells) {
    RunSpec spec = spec_of(cell, choice, 8);
    spec.init.gain = 50;  // far out: tanh would be flat
    spec.train.batch = 4;
    const RandomSource source({.steps = 8, .inputs = 3, .outputs = 2});
    ThreadPool pool(1);
    for (const bool own : {false, true}) {
      if (own) spec.cell_options = spec_of(cell, {.reset = choice.reset}, 8).cell_options;
      BatchEngine<float> engine(spec, source, pool);
      engine.measure_activations(true);
      engine.pack();
      engine.run(0, LossAt::kTask);
      std::vector<TimestepRow> rows;
      probe_timesteps(engine.pass(spec.train.batch), 0, rows);
      EXPECT_EQ(std::ranges::any_of(rows, [](const TimestepRow& row) { return *row.saturated > 0; }), own)
          << cell << " " << name_of(choice);
    }
  }
}

std::vector<double> log10_cell_norms(const RunSpec& spec, std::int64_t steps) {
  const RandomSource source({.steps = steps, .inputs = 3, .outputs = 2});
  ThreadPool pool(1);
  BatchEngine<float> engine(spec, source, pool);
  engine.measure_activations(true);
  engine.pack();
  engine.run(0, LossAt::kTask);
  std::vector<TimestepRow> rows;
  probe_timesteps(engine.pass(spec.train.batch), 0, rows);
  std::vector<double> norms;
  for (const TimestepRow& row : rows) norms.push_back(*row.log10_dc);
  return norms;
}

// Hochreiter & Schmidhuber 1997: where nothing comes back through the gates, the error in the cell is the same at every step.
TEST(CellVariants, WithoutAForgetGateTheErrorInTheCellIsConstant) {
  for (const char* backend : {"reference", "onednn", "native"}) {
    RunSpec spec = spec_of("lstm", {.variant = "no_forget_gate"}, 16);
    spec.init.recurrent.scheme = "zeros";  // W_hh = 0: no path through h, which is what gates and input see
    spec.train.batch = 8;
    spec.engine.backend = backend;
    const std::vector<double> norms = log10_cell_norms(spec, 200);
    for (const double norm : norms) EXPECT_EQ(norm, norms.back()) << backend;
    spec = spec_of("lstm", {}, 16);
    spec.init.recurrent.scheme = "zeros";
    spec.train.batch = 8;
    const std::vector<double> forgetting = log10_cell_norms(spec, 200);
    EXPECT_LT(forgetting.front(), forgetting.back() - 30) << "a forget gate near 1/2 loses some 0.3 decades a step";
  }
}

// What a gate that is left out would weigh stays as drawn, whatever the optimiser.
void expect_still(const Choice& choice, std::int64_t block) {
  RunSpec spec = small_training("lstm");
  spec.model.layers = 1;
  spec.cell_options = spec_of("lstm", choice).cell_options;
  const RandomSource source({.steps = 7, .inputs = 3, .outputs = 4});
  ThreadPool pool(1);
  BatchEngine<float> engine(spec, source, pool);
  const ParameterLayout& layout = engine.model().layout();
  const std::vector<float> start(engine.model().parameters(), engine.model().parameters() + layout.size);
  const auto optimizer = find_optimizer("adam")->make_float(layout.size, 0.01, spec.optimizer_options.get());
  for (int update = 0; update < 5; ++update) {
    engine.pack();
    engine.run(update, LossAt::kTask);
    optimizer->begin_update(update + 1);
    engine.update(*optimizer, 1);
  }
  const RecurrentTensors tensors = recurrent_tensors(layout, 0);
  for (const Tensor* tensor : {&tensors.weight_ih, &tensors.weight_hh, &tensors.bias_ih, &tensors.bias_hh, &tensors.own.at(0)}) {
    const bool peephole = tensor == &tensors.own[0];
    const std::int64_t size = spec.model.hidden * tensor->cols, where = peephole && block == 3 ? 2 : block;
    for (std::int64_t i = 0; i < tensor->size(); ++i) {
      const std::int64_t at = tensor->offset + i;
      EXPECT_EQ(engine.model().parameters()[at] == start[at], i / size == where) << name_of(choice) << " " << tensor->name << " " << i;
    }
  }
}

TEST(CellVariants, WeightsOfAMissingGateNeverMove) {
  const std::pair<const char*, std::int64_t> missing[] = {
      {"no_input_gate", 0}, {"no_forget_gate", 1}, {"coupled", 1}, {"no_output_gate", 3}};
  for (const auto& [variant, block] : missing) {
    const Choice choice{.variant = variant, .peepholes = true};
    expect_still(choice, block);
    expect_still(with_other_activations(choice), block);
  }
}

TEST(CellVariants, StartFromTheSameWeights) {
  RunSpec plain = spec_of("lstm"), other = spec_of("lstm", {.variant = "coupled", .peepholes = true, .layer_norm = true});
  plain.model.layers = other.model.layers = 2;
  const SequenceShape shape{.steps = 2, .inputs = 3, .outputs = 2};
  const auto made_a = make_model<double>(plain, shape, 1), made_b = make_model<double>(other, shape, 1);
  const Model<double>&a = *made_a, &b = *made_b;
  std::size_t shared = 0;
  for (const Tensor* tensor : a.layout().tensors())
    for (const Tensor* same : b.layout().tensors())
      if (same->name == tensor->name) {
        ++shared;
        for (std::int64_t i = 0; i < tensor->size(); ++i)
          EXPECT_EQ(a.parameters()[tensor->offset + i], b.parameters()[same->offset + i]) << tensor->name;
      }
  EXPECT_EQ(shared, a.layout().tensors().size());
  EXPECT_EQ(b.layout().tensors().size(), shared + 2 * 3);
}

}  // namespace
}  // namespace vp::test
