#include "models/verify/model_checks.h"

#include <algorithm>
#include <cmath>
#include <iterator>

#include "kernels/activation/custom_activation.h"
#include "kernels/verify/cases.h"
#include "models/base/random.h"
#include "models/cells/cell_list.h"
#include "models/feed_forward/plan.h"
#include "models/model/shard.h"
#include "models/model_kinds.h"
#include "models/verify/cell_variants.h"
#include "models/verify/random_source.h"

namespace vp {
namespace {

// The error of a central difference is O(step^2) + eps/step, about 1e-9 for losses and weights of order one. Through layer normalisation of
// small states third derivatives reach 1e4.
constexpr double kStep = 1e-6, kGradientTolerance = 2e-8, kSmallestGradient = 1e-3;
constexpr ModelSize kGradientSize{.hidden = 4, .rows = 2, .inputs = 3, .outputs = 3};
constexpr double kLossBound = 8, kLogitBound = 8, kGradientBound = 16,
                 kLeastScale = 0.05;      // float eps, times the square root of the terms that feed a number
constexpr std::int64_t kNormLayers = 60;  // of an mlp: 1e-180 at g = 0.001
constexpr double kMostFlops = 2e7;        // of a parity case: the reference does some 1e9 a second

double largest(std::span<const double> x) {
  double most = 0;
  for (const double v : x) most = std::max(most, std::abs(v));
  return most;
}

std::vector<double> numeric_gradient(Model<double>& model, ModelShard<double>& shard) {
  std::vector<double> gradient(static_cast<std::size_t>(model.layout().size), 0.0);
  const auto loss_at = [&](double& parameter, double value) {
    parameter = value;
    model.pack_all();
    return shard_loss(shard);
  };
  for (const Tensor* tensor : model.layout().tensors())
    for (std::int64_t i = tensor->offset; i < tensor->offset + tensor->size(); ++i) {
      double& parameter = model.parameters()[i];
      const double value = parameter, above = loss_at(parameter, value + kStep), below = loss_at(parameter, value - kStep);
      gradient[i] = (above - below) / (2 * kStep);
      parameter = value;
    }
  model.pack_all();
  return gradient;
}

// A tensor may be a single number, and small by cancellation: then the rounding of what it was summed from counts.
Finding compare_tensors(const ParameterLayout& layout, const float* actual, const double* expected, double bound) {
  const double least_scale = kLeastScale * largest({expected, static_cast<std::size_t>(layout.size)});
  Finding finding;
  for (const Tensor* t : layout.tensors()) {
    const auto size = static_cast<std::size_t>(t->size());
    const std::span<const double> e(expected + t->offset, size);
    const double tolerance = bound * 0x1p-23 * std::max(largest(e), least_scale);
    finding.add(compare_within("gradient of " + t->name, std::span(actual + t->offset, size), e, tolerance));
  }
  return finding;
}

Finding parity_with_seed(const ModelCase& c, const std::string& backend, const ModelSize& size) {
  RunSpec spec = spec_of(c, size.hidden);
  const RandomSource source(shape_of(c, size.inputs, size.outputs));
  spec.engine.backend = "reference";
  const auto exact = make_model<double>(spec, source.shape(), size.rows);
  spec.engine.backend = backend;
  const auto model = make_model<float>(spec, source.shape(), size.rows);
  for (std::int64_t i = 0; i < exact->layout().size; ++i) exact->parameters()[i] = static_cast<double>(model->parameters()[i]);
  exact->pack_all();
  model->pack_all();
  const auto exact_shard = exact->make_shard(size.rows);
  const auto shard = model->make_shard(size.rows);
  const double exact_loss = run_shard(*exact_shard, source), loss = run_shard(*shard, source);
  const double growth = std::sqrt(static_cast<double>(size.hidden * c.steps * c.layers + size.inputs));
  Finding finding =
      compare_within("loss", std::span(&loss, 1), std::span(&exact_loss, 1), kLossBound * 0x1p-23 * growth * (1 + exact_loss));
  finding.add(compare("logits", shard->logits(), exact_shard->logits(), kLogitBound * growth));
  finding.add(compare_tensors(exact->layout(), shard->gradient(), exact_shard->gradient(), kGradientBound * growth));
  return finding;
}

// A slope that jumps at 0 may be read on the other side of the jump in float; some 1 in 10^6 pre-activations is that close.
bool slope_jumps(const ModelCase& c) {
  std::vector<std::string> names = {c.activation};
  if (c.kind == "sequence")
    std::ranges::copy(activations_of(find_cell_variant(c.variant.empty() ? c.cell : c.variant).options), std::back_inserter(names));
  return std::ranges::any_of(names, [](const std::string& name) {
    const Activation f = resolve_activation(name);
    return std::abs(activate(f, 1e-30).slope - activate(f, -1e-30).slope) > 1e-3;
  });
}

double flops(const ModelCase& c, const ModelSize& s) {
  if (c.kind == "cnn") return static_cast<double>(s.rows) * 6e5;  // an image's, at the most: 17 channels of 9 x 8 pixels, three layers
  const double gates = static_cast<double>((c.kind == "mlp" ? 1 : find_cell(c.cell)->gates) * s.hidden);
  return 6 * gates * static_cast<double>(s.rows * c.steps * (s.inputs + s.hidden + (c.layers - 1) * 2 * s.hidden));
}

// Odd sizes from 1 to 127 that the reference computes in some milliseconds.
ModelSize draw_size(const ModelCase& c) {
  RandomStream random(1, RandomUse::kTest, c.seed);
  const auto draw = [&] { return kOddSizes[random.below(kOddSizes.size())]; };
  // One unit or three have nothing to average rounding over, and layer normalisation of so few is a difference of equals: the plain cells
  // are enough for such sizes.
  const std::int64_t least_hidden = c.variant.empty() || c.variant == c.cell ? 1 : 7;
  ModelSize size{};
  do {
    size = {.hidden = draw(), .rows = draw(), .inputs = draw(), .outputs = std::min<std::int64_t>(draw(), 17)};
  } while (flops(c, size) > kMostFlops || size.hidden < least_hidden);
  return size;
}

std::string name_of(const ModelSize& s) {
  return "H=" + std::to_string(s.hidden) + " B=" + std::to_string(s.rows) + " I=" + std::to_string(s.inputs) +
         " C=" + std::to_string(s.outputs);
}

}  // namespace

Finding gradient_finding(const ModelCase& c) {
  return gradient_finding(spec_of(c, kGradientSize.hidden), shape_of(c, kGradientSize.inputs, kGradientSize.outputs));
}

Finding gradient_finding(RunSpec spec, const SequenceShape& shape) {
  spec.engine.backend = "reference";
  const RandomSource source(shape);
  const auto model = make_model<double>(spec, source.shape(), kGradientSize.rows);
  model->pack_all();
  const auto shard = model->make_shard(kGradientSize.rows);
  run_shard(*shard, source);
  const std::vector<double> actual(shard->gradient(), shard->gradient() + model->layout().size);
  if (!(largest(actual) > kSmallestGradient))
    return fault_finding("the gradient is zero, or not a number");  // zeros would agree with nothing
  return compare_within("gradient", actual, numeric_gradient(*model, *shard), kGradientTolerance * (1 + largest(actual)));
}

Finding parity_finding(const ModelCase& c, const std::string& backend, const ModelSize& size) {
  const Finding finding = parity_with_seed(c, backend, size);
  if (finding.holds() || (!slope_jumps(c) && !decides(c))) return finding;
  ModelCase other = c;
  other.seed += 1000000;
  return parity_with_seed(other, backend, size);  // what is wrong is wrong on other numbers as well
}

Finding scaled_norm_finding(const std::string& backend, double gain, std::int64_t steps) {
  RunSpec spec;
  spec.model = {.cell = "rnn", .hidden = 24, .activation = "linear"};
  spec.init.scheme = "orthogonal";
  spec.init.recurrent.gain = gain;
  spec.engine.backend = backend;
  const ZeroSource source(steps);
  const std::vector<double> norms = log10_norms<float>(spec, source, 4);
  Finding finding;
  for (std::int64_t t = 0; t < steps; ++t) {
    const double lag = static_cast<double>(steps - 1 - t), expected = norms.back() + lag * std::log10(gain), actual = norms[t];
    finding.add(
        compare_within("log10 |dL/dh_" + std::to_string(t) + "|", std::span(&actual, 1), std::span(&expected, 1), 1e-6 * (1 + lag)));
  }
  return finding;
}

Finding rescaling_finding(const std::string& cell, const std::string& backend) {
  RunSpec spec;
  const CellVariant& variant = find_cell_variant(cell);
  spec.model = {.cell = std::string(variant.entry->name), .layers = 2, .hidden = 16};
  spec.cell_options = variant.options;
  spec.init.recurrent.gain = 0.02;  // falls some 1e-2 or so a step: 1e-120 at the first
  const RandomSource source({.steps = 60, .inputs = 3, .outputs = 2, .target = TargetKind::kValues});
  spec.engine.backend = "reference";
  const std::vector<double> exact = log10_norms<double>(spec, source, 3);
  const bool may_stay = variant.name != variant.entry->name;  // a cell without a forget gate, say, has nothing to vanish by
  if (!(exact[0] < -12) && !may_stay) return fault_finding("the gradient does not vanish: nothing would be rescaled");
  spec.engine.backend = backend;
  return compare_within("log10 |dL/dh_t|", log10_norms<float>(spec, source, 3), exact, 1e-4);
}

// The norms of the layers' signals in log10, from the input up.
template <class T>
std::vector<double> layer_norms(const RunSpec& spec, const BatchSource& source, std::int64_t rows) {
  const auto model = make_model<T>(spec, source.shape(), rows);
  model->pack_all();
  std::vector<std::unique_ptr<ModelShard<T>>> shards;
  shards.push_back(model->make_shard(rows));
  shards[0]->measure_activations(true);
  run_shard(*shards[0], source);
  std::vector<LayerRow> table;
  probe_layers<T>({*model, shards, rows, {shards[0]->gradient(), static_cast<std::size_t>(model->layout().size)}}, 0, table);
  std::vector<double> norms;
  for (const LayerRow& row : table) norms.push_back(*row.log10_gradient);
  return norms;
}

Finding layer_norm_finding(const std::string& backend, double gain, std::int64_t layers) {
  RunSpec spec;
  spec.model = {.kind = "mlp", .layers = layers, .hidden = 24, .activation = "linear"};
  spec.kind_options = OptionsHandle(std::make_unique<MlpOptions>());
  spec.init.scheme = "orthogonal";
  spec.init.hidden.gain = gain;
  spec.engine.backend = backend;
  const RandomSource source({.steps = 1, .inputs = 5, .outputs = 3, .target = TargetKind::kValues});
  const std::vector<double> norms = layer_norms<float>(spec, source, 4);
  Finding finding;
  for (std::int64_t l = 0; l < layers; ++l) {
    const double above = static_cast<double>(layers - 1 - l), expected = norms.back() + above * std::log10(gain), actual = norms[l];
    finding.add(
        compare_within("log10 |dL/dh| of layer " + std::to_string(l), std::span(&actual, 1), std::span(&expected, 1), 1e-6 * (1 + above)));
  }
  return finding;
}

Finding deep_sigmoid_finding(const std::string& backend, bool residual) {
  RunSpec spec;
  spec.model = {.kind = "mlp", .layers = 80, .hidden = 16, .activation = "sigmoid"};
  MlpOptions options;
  options.residual = residual;
  spec.kind_options = OptionsHandle(std::make_unique<MlpOptions>(options));
  spec.init.hidden.gain = residual ? 8 : 0.5;
  const RandomSource source({.steps = 1, .inputs = 5, .outputs = 3, .target = TargetKind::kValues});
  spec.engine.backend = "reference";
  const std::vector<double> exact = layer_norms<double>(spec, source, 3);
  if (!residual && !(exact[0] < -60)) return fault_finding("the gradient does not vanish: nothing would be rescaled");
  spec.engine.backend = backend;
  return compare_within("log10 |dL/dh|", layer_norms<float>(spec, source, 3), exact, 1e-4);
}

std::vector<Check> gradient_checks() {
  std::vector<ModelCase> cases = model_cases();
  std::ranges::copy(form_cases(), std::back_inserter(cases));
  std::ranges::copy(initializer_cases(), std::back_inserter(cases));
  std::vector<Check> checks;
  for (const ModelCase& c : cases) checks.push_back({"gradients", subjects_of(c), vp::name_of(c), [=] { return gradient_finding(c); }});
  return checks;
}

std::vector<Check> model_parity_checks(const std::string& backend) {
  std::vector<Check> checks;
  std::vector<ModelCase> cases = model_cases();
  std::ranges::copy(form_cases(), std::back_inserter(cases));
  for (const ModelCase& c : cases) {
    const ModelSize size = draw_size(c);
    std::vector<std::string> subjects = {net_row(c) + " on " + backend};
    if (c.kind != "sequence" || find_cell(c.cell)->takes_any_activation)
      subjects.push_back("activation " + c.activation + " on " + backend);
    for (const std::string& subject : form_subjects(c)) subjects.push_back(subject + " on " + backend);
    checks.push_back({"model parity", subjects, backend + " " + vp::name_of(c) + ", " + name_of(size),
                      [=] { return parity_finding(c, backend, size); }});
  }
  return checks;
}

std::vector<Check> scaled_norm_checks(const std::string& backend, std::int64_t steps) {
  std::vector<Check> checks;
  for (const CellVariant& variant : cell_variants()) {
    const std::string& cell = variant.name;
    checks.push_back(
        {"rescaled norms", {"cell " + cell + " on " + backend}, backend + " " + cell, [=] { return rescaling_finding(cell, backend); }});
  }
  const std::string mlp = "mlp on " + backend;
  for (const bool residual : {false, true})
    checks.push_back(
        {"rescaled norms", {mlp}, mlp + (residual ? " residual" : ""), [=] { return deep_sigmoid_finding(backend, residual); }});
  for (const double gain : {0.5, 2.0, 0.001, 1.0})
    checks.push_back({"rescaled norms", {"linear mlp on " + backend}, mlp + " linear g=" + std::to_string(gain), [=] {
                        return layer_norm_finding(backend, gain, kNormLayers);
                      }});
  for (const double gain : {0.5, 2.0, 0.001, 1.0})
    checks.push_back({"rescaled norms",
                      {"linear recurrence on " + backend},
                      backend + " T=" + std::to_string(steps) + " g=" + std::to_string(gain),
                      [=] { return scaled_norm_finding(backend, gain, steps); }});
  return checks;
}

}  // namespace vp
