// Combinations of settings that cannot be meant: each would leave a knob turned and ignored, or a run that cannot be computed.
// To add a check: one function here and its call at the end.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "experiments/config/error.h"
#include "experiments/config/resolve.h"
#include "experiments/config/visit.h"
#include "kernels/activation/custom_activation.h"
#include "models/cells/cell_list.h"
#include "models/feed_forward/plan.h"
#include "models/model_kinds.h"
#include "models/parameters/initializers.h"
#include "models/recurrent/forms.h"

namespace vp {

namespace {

class Checker {
 public:
  Checker(const RunSpec& run, const GridPoint& point, const std::string& file) : run_(run), point_(point), file_(file) {}

  void check_all() const {
    if (find_model_kind(run_.model.kind)->has_time) check_cell();
    if (const auto* mlp = dynamic_cast<const MlpOptions*>(&run_.kind_options.get())) check_widths(*mlp);
    if (const auto* cnn = dynamic_cast<const CnnOptions*>(&run_.kind_options.get())) check_channels(*cnn);
    check_role("input", run_.init.input);
    check_role("recurrent", run_.init.recurrent);
    check_role("readout", run_.init.readout);
    check_role("embedding", run_.init.embedding);
    check_embedding();
    check_role("hidden", run_.init.hidden);
    check_checkpoint();
    check_training();
    check_recurrence();
    check_probes();
    check_engine();
  }

 private:
  // At the first of the keys that the user set.
  [[noreturn]] void fail(std::initializer_list<std::string> keys, const std::string& message) const {
    for (const std::string& key : keys)
      if (const Setting* setting = point_.find(key)) fail_at(setting->value_origin, message);
    fail_at({file_}, message);
  }

  void check_cell() const {
    check_activation();
    check_cell_options();
    check_gate_bias("input_gate", run_.init.input_gate_bias);
    check_gate_bias("forget_gate", run_.init.forget_gate_bias);
    check_gate_bias("output_gate", run_.init.output_gate_bias);
    check_gate_bias("reset_gate", run_.init.reset_gate_bias);
    check_gate_bias("update_gate", run_.init.update_gate_bias);
    if (run_.model.output == "relu")
      fail({"model.output"}, "model.output = relu is for model.kind = mlp and cnn; a recurrent readout is softmax, sigmoid or linear");
  }

  void check_widths(const MlpOptions& options) const {
    const ModelSpec defaults;
    if (options.widths.empty()) return;
    if (run_.model.layers != defaults.layers || run_.model.hidden != defaults.hidden)
      fail({"model.layers", "model.hidden", "model.widths"},
           fmt::format("model.widths = {} says how many layers there are and how wide each is; remove model.layers and model.hidden",
                       toml_text(options.widths)));
    const IntegerList& w = options.widths;
    if (options.residual && std::adjacent_find(w.begin(), w.end()) == w.end())
      fail({"model.residual"}, fmt::format("model.residual: no two layers in a row of model.widths = {} are equally wide", toml_text(w)));
  }

  void check_channels(const CnnOptions& options) const {
    if (options.channels.empty()) fail({"model.channels"}, "model.channels is empty; give the channels of each convolution, as in [8, 16]");
    if (options.pool == "none" && (options.pool_window != CnnOptions().pool_window || options.pool_every != CnnOptions().pool_every))
      fail({"model.pool_window", "model.pool_every"}, "model.pool = none pools nothing: remove model.pool_window and model.pool_every");
  }

  void check_activation() const {
    const CellEntry& cell = *find_cell(run_.model.cell);
    if (cell.takes_any_activation || run_.model.activation == "tanh") return;
    fail({"model.activation", "model.cell"},
         fmt::format("model.activation = {}: model.cell = {} has activations of its own; leave model.activation at tanh",
                     run_.model.activation, run_.model.cell));
  }

  void check_cell_options() const {
    if (const auto misfit = run_.cell_options.get().misfit()) fail({std::string(misfit->key), "model.variant"}, misfit->message);
  }

  void check_gate_bias(const std::string& gate, const std::optional<double>& bias) const {
    const CellEntry& entry = *find_cell(run_.model.cell);
    const auto cell = entry.make_double(run_.cell_options.get(), resolve_activation(run_.model.activation));
    std::string has;
    for (std::size_t block = 0; block < entry.gate_names.size(); ++block) {
      if (entry.gate_names[block].empty() || !cell->uses_block(static_cast<std::int64_t>(block))) continue;
      if (!bias || entry.gate_names[block] == gate) return;
      has += (has.empty() ? "" : ", ") + std::string(entry.gate_names[block]);
    }
    if (!bias) return;
    const bool left_out = std::ranges::find(entry.gate_names, gate) != entry.gate_names.end();
    fail({"init.bias." + gate, "model.variant", "model.cell"},
         fmt::format("init.bias.{}: model.cell = {}{} has no {}; its gates: {}", gate, run_.model.cell,
                     left_out ? " with these options" : "", gate, has.empty() ? "none" : has));
  }

  void check_role(const std::string& role, const RoleInit& init) const {
    const std::string prefix = "init." + role + ".";
    const auto exclude = [&](const char* a, const char* b, const char* reason) {
      fail({prefix + b, prefix + a}, fmt::format("{0}{1} and {0}{2} exclude each other: {3}", prefix, a, b, reason));
    };
    if (init.std && init.gain) exclude("gain", "std", "both set the spread of the weights");
    if (init.std && init.spectral_radius) exclude("std", "spectral_radius", "both set the size of the weights");
    if (init.gain && init.spectral_radius) exclude("gain", "spectral_radius", "both set the size of the weights");
    if (!init.std) return;
    const bool own = !init.scheme.empty();
    const std::string& scheme = own ? init.scheme : run_.init.scheme;
    if (find_initializer(scheme)->takes_std) return;
    std::string takers;
    for (const InitializerEntry& entry : initializers())
      if (entry.takes_std) takers += (takers.empty() ? "" : ", ") + std::string(entry.name);
    fail({prefix + "std"}, fmt::format("{0}std: {1} = {2} has no standard deviation to set; those that have one: {3}", prefix,
                                       own ? prefix + "scheme" : "init.scheme", scheme, takers));
  }

  void check_embedding() const {
    const RoleInit& init = run_.init.embedding;
    if (run_.model.embedding > 0 || (init.scheme.empty() && !init.gain && !init.std)) return;
    fail({"init.embedding.scheme", "init.embedding.gain", "init.embedding.std"},
         "init.embedding: there is no embedding; set model.embedding to its width, or remove this");
  }

  // Parameters that are read are not drawn: a setting of how to draw them would do nothing.
  void check_checkpoint() const {
    if (run_.init.from_checkpoint.empty()) return;
    InitSpec given = run_.init, drawn;
    std::map<std::string_view, std::string> defaults;
    for_each_field(drawn, [&](const FieldInfo& info, const auto& value) { defaults[info.key] = toml_text(value); });
    for_each_field(given, [&](const FieldInfo& info, const auto& value) {
      if (info.key == "init.from_checkpoint" || toml_text(value) == defaults.at(info.key)) return;
      fail({std::string(info.key), "init.from_checkpoint"},
           fmt::format("{} = {} has no effect: init.from_checkpoint gives all parameters; remove one of the two", info.key,
                       toml_text(value)));
    });
  }

  void check_training() const {
    const TrainSpec& train = run_.train;
    if (train.clip_norm && train.clip_value)
      fail({"train.clip_value"}, "train.clip_norm and train.clip_value exclude each other: choose one");
    if (train.stop_at && train.evaluate_every == 0)
      fail({"train.stop_at"},
           "train.stop_at: the metric is never looked at while train.evaluate_every is 0; set it to a number of updates");
  }

  // Recurrent weights that are to stay orthogonal are so from the start.
  void check_recurrence() const {
    if (run_.train.recurrence != "orthogonal") return;
    const RoleInit& role = run_.init.recurrent;
    const bool own = !role.scheme.empty();
    const std::string& scheme = own ? role.scheme : run_.init.scheme;
    const char* const wanted = "train.recurrence = orthogonal: recurrent weights must be orthogonal from the start";
    if (!run_.init.from_checkpoint.empty())
      fail({"train.recurrence", "init.from_checkpoint"}, fmt::format("{}, so they are drawn; remove init.from_checkpoint", wanted));
    if (scheme != "orthogonal" && scheme != "identity")
      fail({"train.recurrence", own ? "init.recurrent.scheme" : "init.scheme"},
           fmt::format("{}: set init.recurrent.scheme to orthogonal or identity; it is {}", wanted, scheme));
    for (const auto& [key, set] : {std::pair{"spectral_radius", role.spectral_radius.has_value()}, {"nonzeros", role.nonzeros.has_value()}})
      if (set) fail({fmt::format("init.recurrent.{}", key), "train.recurrence"}, fmt::format("{}: remove init.recurrent.{}", wanted, key));
    const double gain = role.gain.value_or(run_.init.gain);
    if (gain != 1)
      fail({role.gain ? "init.recurrent.gain" : "init.gain", "train.recurrence"},
           fmt::format("{}: set init.recurrent.gain to 1; it is {}", wanted, gain));
  }

  void check_probes() const {
    const ProbeSpec& probe = run_.probe;
    if (probe.samples > run_.train.batch)
      fail({"probe.samples", "train.batch"},
           fmt::format("probe.samples = {} is more than train.batch = {}: a batch has no more rows", probe.samples, run_.train.batch));
    if (!probe.timesteps && probe.timesteps_every > 0)
      fail({"probe.timesteps_every"},
           fmt::format("probe.timesteps_every = {} is never used while probe.timesteps is false", probe.timesteps_every));
    const bool from_both_ends = run_.model.bidirectional, feeds_back = vp::feeds_back(form_of(run_.model));
    for (const auto& [key, wanted] : {std::pair("probe.spectra", probe.spectra), std::pair("probe.traces", probe.traces > 0)})
      if (wanted && (from_both_ends || feeds_back))
        fail({key, from_both_ends ? "model.bidirectional" : "model.form"},
             fmt::format("{} looks at layers that run once over the sequence, not at {}", key,
                         from_both_ends ? "model.bidirectional" : "model.form = " + run_.model.form));
    if (probe.traces > run_.train.batch)
      fail({"probe.traces", "train.batch"},
           fmt::format("probe.traces = {} is more than train.batch = {}: a batch has no more rows", probe.traces, run_.train.batch));
    if (probe.traces == 0 && probe.trace_units > 0)
      fail({"probe.trace_units"}, fmt::format("probe.trace_units = {} is never used while probe.traces is 0", probe.trace_units));
  }

  void check_engine() const {
    const std::string& backend = run_.engine.backend;
    if (run_.engine.precision == "f64" && backend != "auto" && backend != "reference")
      fail({"run.precision", "run.backend"},
           fmt::format("run.precision = f64: run.backend = {} computes in f32 only; use reference or auto", backend));
  }

  const RunSpec& run_;
  const GridPoint& point_;
  const std::string& file_;
};

}  // namespace

void check_combinations(const Config& config, const GridPoint& point, const std::string& file) {
  Checker(config.run, point, file).check_all();
}

}  // namespace vp
