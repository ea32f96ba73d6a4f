#include "models/verify/feed_forward_cases.h"

#include <array>
#include <memory>
#include <span>
#include <string>

#include "kernels/activation/custom_activation.h"
#include "models/feed_forward/plan.h"

namespace vp {
namespace {

constexpr std::uint64_t kFirstSeed = 324;  // seeds at which no relu of a gradient check stands within a difference of its kink
constexpr std::int64_t kMlpSteps = 2, kImageHeight = 9;
constexpr std::array kMlpVariants = {"layer norm", "residual", "dropout", "everything"};
constexpr std::array kCnnVariants = {"average", "no pooling", "stride", "no padding", "layer norm", "dropout", "everything"};

void add_targets(std::vector<ModelCase>& cases, ModelCase net) {
  net.steps = net.kind == "cnn" ? kImageHeight : kMlpSteps;
  for (const TargetKind target : {TargetKind::kClasses, TargetKind::kBinary, TargetKind::kValues}) {
    net.target = target, net.seed = kFirstSeed + cases.size();
    cases.push_back(net);
  }
}

void add_kind(std::vector<ModelCase>& cases, const std::string& kind, std::span<const char* const> variants) {
  for (const Activation& activation : activations())
    for (const std::int64_t layers : {1, 2, 3})
      add_targets(cases, {.activation = std::string(activation.name), .layers = layers, .kind = kind});
  for (const char* const variant : variants)
    for (const char* const activation : {"tanh", "gelu"})
      add_targets(cases, {.activation = activation, .layers = 3, .variant = variant, .kind = kind});
}

// One against all: the other readouts come from the targets.
void add_readouts(std::vector<ModelCase>& cases, const std::string& kind) {
  ModelCase c{.activation = "tanh", .layers = 2, .steps = kind == "cnn" ? kImageHeight : kMlpSteps, .kind = kind, .output = "sigmoid"};
  c.seed = kFirstSeed + cases.size();
  cases.push_back(c);
}

// Formulas of the user's own, behind the others, whose seeds are their places.
void add_formulas(std::vector<ModelCase>& cases, const std::string& kind) {
  for (const Activation& activation : checked_activations().subspan(activations().size()))
    add_targets(cases, {.activation = std::string(activation.name), .layers = 2, .kind = kind});
}

OptionsHandle mlp_options(const ModelCase& c, std::int64_t hidden, const FeedForwardOptions& common) {
  MlpOptions options;
  options.residual = c.variant == "everything" || c.variant == "residual";
  for (std::int64_t l = 0; l < c.layers && !options.residual; ++l) options.widths.push_back(hidden + l);
  options.common = common;
  return OptionsHandle(std::make_unique<MlpOptions>(options));
}

OptionsHandle cnn_options(const ModelCase& c, std::int64_t hidden, const FeedForwardOptions& common) {
  CnnOptions options;
  options.channels.clear();
  for (std::int64_t l = 0; l < c.layers; ++l) options.channels.push_back(1 + (13 * hidden + l) % 17);
  options.pool_every = 2;
  if (c.variant == "average" || c.variant == "everything") options.pool = "average";
  if (c.variant == "no pooling") options.pool = "none";
  if (c.variant == "stride") options.stride = 2, options.pool_every = 4;
  if (c.variant == "no padding") options.padding = 0, options.kernel = 2;
  options.common = common;
  return OptionsHandle(std::make_unique<CnnOptions>(options));
}

}  // namespace

std::vector<ModelCase> feed_forward_cases() {
  std::vector<ModelCase> cases;
  add_kind(cases, "mlp", kMlpVariants);
  add_kind(cases, "cnn", kCnnVariants);
  for (const char* const kind : {"mlp", "cnn"}) add_formulas(cases, kind);
  for (const char* const kind : {"mlp", "cnn"}) add_readouts(cases, kind);
  return cases;
}

OptionsHandle feed_forward_options(const ModelCase& c, std::int64_t hidden) {
  const bool all = c.variant == "everything";
  const FeedForwardOptions common = {.layer_norm = all || c.variant == "layer norm", .dropout = all || c.variant == "dropout" ? 0.3 : 0};
  return c.kind == "mlp" ? mlp_options(c, hidden, common) : cnn_options(c, hidden, common);
}

}  // namespace vp
