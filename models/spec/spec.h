// What a run is: plain option structs, each visited by one function. See fields.h.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "models/spec/fields.h"

namespace vp {

inline constexpr std::int64_t kMaxShardRows = 4096;

struct ModelSpec {
  std::string kind = "sequence";
  std::string cell = "rnn";
  std::int64_t layers = 1;
  std::int64_t hidden = 64;
  std::string activation = "tanh";
  std::string form = "many_to_one";  // or another of forms()
  std::string output = "task";       // the readout that fits the task's target, or softmax, sigmoid, linear, relu by name
  std::int64_t embedding = 0;        // width of the vectors that token ids become; 0: the inputs are numbers
  bool bidirectional = false;        // a second net reads from the end
  std::int64_t reset_every = 0;      // steps after which the state is cut; 0: never
  bool teacher_forcing = true;       // where outputs come back as inputs: in training, the targets come back instead
  void visit_fields(FieldVisitor& v);
};

// How the weights of one role are drawn. Unset: as for all weights.
struct RoleInit {
  std::optional<double> gain, std, spectral_radius;
  std::optional<std::int64_t> nonzeros;  // non-zero inputs per unit, the others are cut (Pascanu 2013)
  std::string scheme;                    // empty: init.scheme
};

struct InitSpec {
  std::string scheme = "pytorch";
  double gain = 1;
  RoleInit input, recurrent, readout, hidden;
  std::optional<double> input_gate_bias, forget_gate_bias, output_gate_bias;
  std::string from_checkpoint;  // path of a safetensors file that holds every parameter; empty: they are drawn
  std::optional<double> reset_gate_bias, update_gate_bias;
  RoleInit embedding;
  void visit_fields(FieldVisitor& v);
};

struct TrainSpec {
  std::string optimizer = "adam";
  double learning_rate = 0.001;
  std::int64_t batch = 128;
  std::int64_t shard_rows = 32;
  std::int64_t updates = 1000;
  std::int64_t evaluate_every = 0;  // 0: before the first and after the last update only
  std::optional<double> stop_at;    // of the validation metric: accuracy at or above it, or, where there is none, loss at or below it
  std::optional<double> clip_norm, clip_value;
  std::int64_t seed = 0;
  std::int64_t checkpoint_every_steps = 0;  // hold the states of so many steps, and compute the others again on the way back; 0: hold all
  bool save_checkpoint = false;             // the final parameters are part of the report
  std::string recurrence = "free";          // or orthogonal: recurrent blocks stay so (orthogonal_recurrence.h)
  bool save_predictions = false;            // what the final parameters answer is part of the report
  void visit_fields(FieldVisitor& v);
};

struct ProbeSpec {
  std::int64_t every = 0;  // layers.csv: 0: before the first and after the last update only
  bool timesteps = true;
  std::int64_t timesteps_every = 0;  // timesteps.csv: 0: as `every`
  bool layers = true;
  std::int64_t samples = 0;      // leading rows of the training batch that are probed; 0: all
  std::string loss_at = "task";  // or last: the probed loss looks at the last step only
  bool spectra = false;          // spectra.csv, when layers.csv is due
  std::int64_t traces = 0;       // leading rows of the batch whose gates and states go to traces.csv, when layers.csv is due
  std::int64_t trace_units = 0;  // leading units of each layer that are traced; 0: all
  void visit_fields(FieldVisitor& v);
};

struct EngineSpec {
  std::string backend = "auto";
  std::string precision = "f32";
  bool ftz = false;
  void visit_fields(FieldVisitor& v);
};

// Everything that decides a run's numbers, but for the task.
struct RunSpec {
  ModelSpec model;
  OptionsHandle cell_options;
  InitSpec init;
  TrainSpec train;
  OptionsHandle optimizer_options;
  ProbeSpec probe;
  EngineSpec engine;
  OptionsHandle kind_options;                // of model.kind
  std::vector<OptionsHandle> probe_options;  // of each probe, in the order of probes(); empty: all at their defaults
};

}  // namespace vp
