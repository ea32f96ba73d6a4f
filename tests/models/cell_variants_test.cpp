// LSTM variants, peepholes, layer normalisation and the minimal gated unit against their formulas, written out once more; and what theory
// says of the cell without a forget gate.
#include <gtest/gtest.h>

#include <cmath>
#include <utility>

#include "models/batch_engine.h"
#include "models/cell_list.h"
#include "models/model.h"
#include "models/model_checks.h"
#include "models/probes.h"
#include "models/random_source.h"
#include "models/same_bits.h"
#include "tests/compare.h"

namespace vp::test {
namespace {

using Vector = std::vector<double>;

// Sets the fields that are named.
struct Choose final : FieldVisitor {
  explicit Choose(std::vector<std::pair<std::string, std::string>> values) : wanted(std::move(values)) {}
  const std::string* find(const FieldInfo& info) const {
    for (const auto& [key, value] : wanted)
      if (info.key == key) return &value;
    return nullptr;
  }
  void field(const FieldInfo& info, bool& value) override {
    if (const auto* text = find(info)) value = *text == "true";
  }
  void field(const FieldInfo& info, std::string& value) override {
    if (const auto* text = find(info)) value = *text;
  }
  void field(const FieldInfo&, std::int64_t&) override {}
  void field(const FieldInfo&, double&) override {}
  void field(const FieldInfo&, std::optional<double>&) override {}
  void field(const FieldInfo&, std::optional<std::int64_t>&) override {}
  std::vector<std::pair<std::string, std::string>> wanted;
};

struct Choice {
  std::string variant = "plain";
  bool peepholes = false, layer_norm = false;
};

std::vector<Choice> lstm_choices() {
  std::vector<Choice> choices;
  for (const LstmVariantEntry& entry : kLstmVariants)
    for (const bool peepholes : {false, true})
      for (const bool layer_norm : {false, true}) choices.push_back({std::string(entry.name), peepholes, layer_norm});
  return choices;
}

RunSpec spec_of(const std::string& cell, const Choice& choice = {}, std::int64_t hidden = 4) {
  RunSpec spec;
  spec.model = {.cell = cell, .hidden = hidden};
  spec.cell_options = OptionsHandle(find_cell(cell)->make_options());
  const auto text = [](bool value) { return value ? "true" : "false"; };
  Choose choose(
      {{"model.variant", choice.variant}, {"model.peepholes", text(choice.peepholes)}, {"model.layer_norm", text(choice.layer_norm)}});
  spec.cell_options.visit_fields(choose);
  spec.init.gain = 1.5;
  spec.engine.backend = "reference";
  return spec;
}

double sigmoid(double z) { return 1 / (1 + std::exp(-z)); }

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
    const double i = v == "no_input_gate" ? 1 : sigmoid(z[u] + seen(0, c[u]));
    const double f = v == "no_forget_gate" ? 1 : v == "coupled" ? 1 - i : sigmoid(z[n + u] + seen(1, c[u]));
    const double g = v == "no_input_activation" ? z[2 * n + u] : std::tanh(z[2 * n + u]);
    c[u] = f * c[u] + i * g;
    const double o = v == "no_output_gate" ? 1 : sigmoid(z[3 * n + u] + seen(2, c[u]));
    h[u] = o * (v == "no_output_activation" ? c[u] : std::tanh(c[u]));
  }
}

void rnn_step(const Weights& w, const Choice& choice, const Vector& x, Vector& h, Vector&) {
  const Vector z = pre_activations(w, static_cast<std::int64_t>(h.size()), x, h, choice.layer_norm);
  for (std::size_t u = 0; u < h.size(); ++u) h[u] = std::tanh(z[u]);
}

void mgu_step(const Weights& w, const Choice&, const Vector& x, Vector& h, Vector&) {
  const std::size_t n = h.size();
  const Vector from_x = w.times("weight_ih", static_cast<std::int64_t>(2 * n), x),
               from_h = w.times("weight_hh", static_cast<std::int64_t>(n), h);
  Vector f(n), kept(n);
  for (std::size_t u = 0; u < n; ++u) f[u] = sigmoid(from_x[u] + from_h[u] + w["bias_ih"][u] + w["bias_hh"][u]), kept[u] = f[u] * h[u];
  const Vector candidate = w.times("weight_hh", static_cast<std::int64_t>(2 * n), kept);
  for (std::size_t u = 0; u < n; ++u) {
    const double z = from_x[n + u] + candidate[n + u] + w["bias_ih"][n + u] + w["bias_hh"][n + u];
    h[u] = (1 - f[u]) * h[u] + f[u] * std::tanh(z);
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
  for (const Choice& choice : lstm_choices())
    expect_formula(spec_of("lstm", choice), choice, lstm_step,
                   choice.variant + (choice.peepholes ? " peepholes" : "") + (choice.layer_norm ? " layer_norm" : ""));
}

TEST(CellVariants, RnnWithLayerNormAndMguAreTheirFormulas) {
  for (const bool layer_norm : {false, true}) {
    const Choice choice{.layer_norm = layer_norm};
    expect_formula(spec_of("rnn", choice), choice, rnn_step, layer_norm ? "rnn layer_norm" : "rnn");
  }
  expect_formula(spec_of("mgu"), {}, mgu_step, "mgu");
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
TEST(CellVariants, WeightsOfAMissingGateNeverMove) {
  const std::pair<const char*, std::int64_t> missing[] = {
      {"no_input_gate", 0}, {"no_forget_gate", 1}, {"coupled", 1}, {"no_output_gate", 3}};
  for (const auto& [variant, block] : missing) {
    RunSpec spec = small_training("lstm");
    spec.model.layers = 1;
    spec.cell_options = spec_of("lstm", {.variant = variant, .peepholes = true}).cell_options;
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
        EXPECT_EQ(engine.model().parameters()[at] == start[at], i / size == where) << variant << " " << tensor->name << " " << i;
      }
    }
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
