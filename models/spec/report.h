// What a training run gives back: the only thing that crosses from models/ to the results of experiments/. Plain data.
//
// Absent values are empty optionals. Values may be non-finite here; how they are written is the business of the results. To add a column:
// a member and its line in visit_columns(), and where it is filled in.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "models/spec/batch_source.h"
#include "models/spec/columns.h"

namespace vp {

enum class Outcome : std::uint8_t { kCompleted, kSolved, kDiverged, kFailed };
inline constexpr std::array kOutcomes = {Outcome::kCompleted, Outcome::kSolved, Outcome::kDiverged, Outcome::kFailed};
std::string_view to_string(Outcome outcome);

using Number = std::optional<double>;

// "a; b": with a separator where there is something before; an empty text adds nothing.
void append_note(std::string& note, std::string_view text);

// Columns that many tables have.
inline constexpr std::string_view kLossUnit = "nats, or squared units for regression", kGradientUnit = "log10 of loss per unit";
inline constexpr Column kUpdateColumn = {
    .name = "update", .unit = "updates", .meaning = "updates applied to the weights when the row was taken", .is_key = true};
inline constexpr Column kLayerColumn = {.name = "layer", .meaning = "0 is nearest the input", .is_key = true};
inline constexpr Column kStepColumn = {.name = "t", .unit = "steps", .meaning = "time step, 0-based", .is_key = true};
inline constexpr Column kSplitColumn = {.name = "split", .meaning = "validation or test", .is_key = true};
inline constexpr Column kNoteColumn = {
    .name = "note", .meaning = "column=inf, -inf or nan for empty cells that stand for these", .is_note = true};

// "train", "validation" or "test".
std::string_view to_string(Split split);

struct CurveRow {
  std::int64_t update = 0;  // updates applied to the weights when the row was taken
  Number train_loss;        // mean over the batches since the previous row; at update 0 that of the first batch
  Number validation_loss, validation_accuracy, test_loss, test_accuracy;
  Number gradient_norm;  // of the batch gradient at these weights, before clipping
  Number clipped;        // share of the updates since the previous row that were clipped; absent without clipping
  std::string note;

  template <class Visitor>
  void visit_columns(Visitor& v) const {
    v(kUpdateColumn, update);
    v({.name = "train_loss",
       .unit = kLossUnit,
       .meaning = "mean over the batches since the previous row; at update 0 that of the first batch"},
      train_loss);
    v({.name = "validation_loss", .unit = kLossUnit, .meaning = "mean over the validation samples"}, validation_loss);
    v({.name = "validation_accuracy", .unit = "share", .meaning = "of the validation samples"}, validation_accuracy);
    v({.name = "test_loss", .unit = kLossUnit, .meaning = "mean over the test samples"}, test_loss);
    v({.name = "test_accuracy", .unit = "share", .meaning = "of the test samples"}, test_accuracy);
    v({.name = "gradient_norm",
       .unit = "loss per weight",
       .meaning = "Frobenius norm of the batch gradient at these weights, before clipping"},
      gradient_norm);
    v({.name = "clipped", .unit = "share", .meaning = "of the updates since the previous row that were clipped; absent without clipping"},
      clipped);
    v(kNoteColumn, note);
  }
};

struct TimestepRow {
  std::int64_t update = 0, layer = 0, t = 0;
  Number log10_dh, log10_dh_typical, log10_dc;
  Number activation_mean, activation_std, saturated;
  std::string note;

  template <class Visitor>
  void visit_columns(Visitor& v) const {
    v(kUpdateColumn, update), v(kLayerColumn, layer), v(kStepColumn, t);
    v({.name = "log10_dh",
       .unit = kGradientUnit,
       .meaning = "of the Frobenius norm over the batch of dL/dh_t, the total derivative by the step's output; of unequal lengths: see "
                  "results/README.md"},
      log10_dh);
    v({.name = "log10_dh_typical", .unit = kGradientUnit, .meaning = "mean over samples of log10 of each sample's norm of dL/dh_t"},
      log10_dh_typical);
    v({.name = "log10_dc",
       .unit = kGradientUnit,
       .meaning = "as log10_dh for the cell state, the path through h_t included; cells that have one"},
      log10_dc);
    v({.name = "activation_mean", .meaning = "mean over batch and units of h_t"}, activation_mean);
    v({.name = "activation_std", .meaning = "standard deviation over batch and units of h_t"}, activation_std);
    v({.name = "saturated",
       .unit = "share",
       .meaning = "of the units of h_t whose non-linearity has less than 5 % of the largest slope it can have; for the LSTM that of "
                  "tanh(c_t), or of model.state_activation"},
      saturated);
    v(kNoteColumn, note);
  }
};

struct LayerRow {
  std::int64_t update = 0, layer = 0;
  Number activation_mean, activation_std, saturated;
  Number log10_gradient;         // of dL/dh over all steps and rows
  Number log10_weight_gradient;  // of the layer's parameters
  Number dead_units;             // share of the units whose slope is zero on every probed sample; feed-forward layers
  std::string note;

  template <class Visitor>
  void visit_columns(Visitor& v) const {
    v(kUpdateColumn, update), v(kLayerColumn, layer);
    v({.name = "activation_mean",
       .meaning = "mean over steps, batch and units of the layer's output; of a feed-forward layer what its activation gives, before "
                  "dropout, shortcut and pooling"},
      activation_mean);
    v({.name = "activation_std", .meaning = "standard deviation over steps, batch and units of the layer's output"}, activation_std);
    v({.name = "saturated", .unit = "share", .meaning = "the same over all steps"}, saturated);
    v({.name = "log10_gradient", .unit = kGradientUnit, .meaning = "of the Frobenius norm of dL/dh over all steps and rows"},
      log10_gradient);
    v({.name = "log10_weight_gradient",
       .unit = "log10 of loss per weight",
       .meaning = "of the Frobenius norm of the gradient by the layer's parameters"},
      log10_weight_gradient);
    v({.name = "dead_units",
       .unit = "share",
       .meaning = "of the units (channels) whose non-linearity has slope zero on every probed sample; feed-forward layers"},
      dead_units);
    v(kNoteColumn, note);
  }
};

// One measure of a split at an evaluation (metrics.h).
struct MetricRow {
  std::int64_t update = 0;
  Split split = Split::kValidation;
  std::string metric, label;  // label: the class it is about, or empty: all
  Number value;
  std::string note;
  std::string label_name;  // what the data call this class; empty where classes have no names

  template <class Visitor>
  void visit_columns(Visitor& v) const {
    v(kUpdateColumn, update), v(kSplitColumn, to_string(split));
    v({.name = "metric", .meaning = "accuracy, recall, f1, auc, brier, calibration_error or mse", .is_key = true}, metric);
    v({.name = "class", .meaning = "the class or label it is about, from 0; empty: all", .is_key = true}, label);
    v({.name = "class_name", .meaning = "what the data call the class; see classes.csv"}, label_name);
    v({.name = "value", .unit = "share, or squared units for mse", .meaning = "over the samples of the split"}, value);
    v(kNoteColumn, note);
  }
};

// A class of a task whose classes are read from data.
struct ClassRow {
  std::int64_t label = 0;  // 0 .. C-1
  std::string name;
  std::array<std::int64_t, 3> counts{};  // targets of this class, in the order of Split

  template <class Visitor>
  void visit_columns(Visitor& v) const {
    v({.name = "class", .meaning = "number of the class, from 0: the output that stands for it", .is_key = true}, label);
    v({.name = "class_name", .meaning = "the label in the data"}, name);
    v({.name = "train", .unit = "targets", .meaning = "of this class in the training set"}, counts[0]);
    v({.name = "validation", .unit = "targets", .meaning = "of this class in the validation set"}, counts[1]);
    v({.name = "test", .unit = "targets", .meaning = "of this class in the test set"}, counts[2]);
  }
};

// A number that describes a layer's map, or one step of it.
struct SpectrumRow {
  std::int64_t update = 0, layer = 0;
  std::string_view kind;          // of static storage: singular_value, log10_slope or log10_step
  std::optional<std::int64_t> t;  // log10_slope, log10_step
  std::int64_t index = 0;         // singular_value: gate block * H + place in descending order; else t
  Number value;
  std::optional<std::int64_t> sample;  // where it is of one sample
  Number standard_error;               // where value is an estimate
  std::string note;

  template <class Visitor>
  void visit_columns(Visitor& v) const {
    v(kUpdateColumn, update), v(kLayerColumn, layer);
    v({.name = "sample", .meaning = "row of the batch; empty for what is of no one sample"}, sample);
    v({.name = "kind",
       .meaning = "singular_value: of a gate block of recurrent weights; log10_slope: mean over samples and units of log10 of the slope "
                  "of the unit's output non-linearity; log10_step: what log10_dh_typical changes from step t to t - 1, where all samples "
                  "have all steps",
       .is_key = true},
      kind);
    v({.name = "t", .unit = "steps", .meaning = "time step, 0-based; empty for what is of no one step"}, t);
    v({.name = "index",
       .meaning = "singular_value: gate block times H plus place in descending order; log10_slope, log10_step: t",
       .is_key = true},
      index);
    v({.name = "value", .meaning = "as kind says"}, value);
    v({.name = "standard_error", .meaning = "of value, where it is an estimate; else empty"}, standard_error);
    v(kNoteColumn, note);
  }
};

// What one unit did at one step of one sample.
struct TraceRow {
  std::int64_t update = 0, layer = 0, sample = 0, t = 0, unit = 0;
  std::string_view quantity;  // of static storage
  double value = 0;

  template <class Visitor>
  void visit_columns(Visitor& v) const {
    v(kUpdateColumn, update), v(kLayerColumn, layer);
    v({.name = "sample", .meaning = "row of the probed batch", .is_key = true}, sample);
    v(kStepColumn, t);
    v({.name = "unit", .meaning = "of the layer", .is_key = true}, unit);
    v({.name = "quantity",
       .meaning = "a gate by name (input_gate, forget_gate, output_gate, ...), candidate, slope, cell or hidden",
       .is_key = true},
      quantity);
    v({.name = "value", .meaning = "of that quantity after the step"}, value);
    v(kNoteColumn, std::string_view());
  }
};

// What the final weights answer to one target, and the truth (predictions.h).
struct PredictionRow {
  Split split = Split::kValidation;
  std::string sample;                       // BatchSource::sample_id
  std::optional<std::int64_t> t = {};       // step the target belongs to; absent where a sample has one target
  std::optional<std::int64_t> output = {};  // yes or no, and values: which label or output
  double target = 0;                        // class, 1 (yes) or 0, value
  Number prediction = {};                   // NaN where the outputs answer nothing (answers.h); absent in a run that diverged
  Number probability = {};                  // of the prediction; classes, yes or no
  // What the data call the two classes; empty where classes have no names.
  std::string target_name = {}, prediction_name = {};
  std::string note = {};

  template <class Visitor>
  void visit_columns(Visitor& v) const {
    v(kSplitColumn, to_string(split));
    v({.name = "sample",
       .meaning = "what the data call it (sequence, position in the file, ...), else its number in the split, from 0",
       .is_key = true},
      sample);
    v({.name = "t",
       .unit = "steps",
       .meaning = "time step the target belongs to, 0-based; empty where a sample has one target",
       .is_key = true},
      t);
    v({.name = "output", .meaning = "the label or output it is about, from 0; empty for classes", .is_key = true}, output);
    v({.name = "target", .meaning = "the truth: class from 0, yes (1) or no (0), or value"}, target);
    v({.name = "target_name", .meaning = "name of the class in the data; empty if it has none"}, target_name);
    v({.name = "prediction", .meaning = "class with the largest output, yes (1) or no (0), or value"}, prediction);
    v({.name = "prediction_name", .meaning = "name of that class in the data; empty if it has none"}, prediction_name);
    v({.name = "probability", .unit = "share", .meaning = "that the model gives its answer; empty for values"}, probability);
    v({.name = "note",
       .meaning = "column=inf, -inf or nan for empty cells that stand for these; why there is no prediction",
       .is_note = true},
      note);
  }
};

struct RunSummary {
  Outcome outcome = Outcome::kFailed;
  std::int64_t updates_done = 0;
  Number train_loss, validation_loss, validation_accuracy, test_loss, test_accuracy;
  Number gradient_slope, gradient_slope_low, gradient_slope_high, gradient_slope_final, max_gradient_norm;
  std::string note;

  template <class Visitor>
  void visit_columns(Visitor& v) const {
    constexpr std::string_view kPerStep = "log10 per step";
    v({.name = "outcome",
       .meaning = "completed, solved (met its stopping rule), diverged (non-finite loss) or failed (an error; see note)"},
      to_string(outcome));
    v({.name = "updates_done", .unit = "updates", .meaning = "updates applied to the weights"}, updates_done);
    v({.name = "train_loss", .unit = kLossUnit, .meaning = "the last row of curves.csv"}, train_loss);
    v({.name = "validation_loss", .unit = kLossUnit, .meaning = "at the end of the run, mean over the validation samples"},
      validation_loss);
    v({.name = "validation_accuracy", .unit = "share", .meaning = "at the end of the run, of the validation samples"}, validation_accuracy);
    v({.name = "test_loss", .unit = kLossUnit, .meaning = "at the end of the run, mean over the test samples"}, test_loss);
    v({.name = "test_accuracy", .unit = "share", .meaning = "at the end of the run, of the test samples"}, test_accuracy);
    v({.name = "gradient_slope",
       .unit = kPerStep,
       .meaning = "least-squares slope of log10_dh over the lag T-1-t, top layer, update 0; negative vanishes, positive explodes; of "
                  "unequal lengths: see results/README.md"},
      gradient_slope);
    v({.name = "gradient_slope_low", .unit = kPerStep, .meaning = "2.5 % quantile of the samples' own slopes, each over its own steps"},
      gradient_slope_low);
    v({.name = "gradient_slope_high", .unit = kPerStep, .meaning = "97.5 % quantile of the samples' own slopes, each over its own steps"},
      gradient_slope_high);
    v({.name = "gradient_slope_final", .unit = kPerStep, .meaning = "the same slope after the last update"}, gradient_slope_final);
    v({.name = "max_gradient_norm", .unit = "loss per weight", .meaning = "largest norm of a batch gradient in the run, before clipping"},
      max_gradient_norm);
    v({.name = "note",
       .meaning = "column=inf, -inf or nan for empty cells that stand for these; what is to be said of the data; the reason if the run "
                  "failed",
       .is_note = true},
      note);
  }
};

// Seconds of work, summed over threads, by phase.
enum class Phase : std::uint8_t { kProduct, kPointwise, kReduction, kOptimizer, kProbe, kEvaluation, kInput, kCount };
std::string_view to_string(Phase phase);
using PhaseSeconds = std::array<double, static_cast<std::size_t>(Phase::kCount)>;

struct RunReport {
  RunSummary summary;
  std::vector<CurveRow> curves;
  std::vector<TimestepRow> timesteps;
  std::vector<LayerRow> layers;
  std::vector<SpectrumRow> spectra;
  std::vector<TraceRow> traces;
  std::vector<MetricRow> metrics;
  std::vector<ClassRow> classes;
  std::vector<PredictionRow> predictions;  // of validation, then of test samples; empty without train.save_predictions
  PhaseSeconds phase_seconds{};
  double wall_seconds = 0;
  std::vector<std::byte> checkpoint;  // a safetensors file with the final parameters; empty without train.save_checkpoint

  // The tables that have many rows of a run, by the names of their files.
  template <class Visitor>
  void visit_tables(Visitor& v) const {
    v("curves", curves), v("timesteps", timesteps), v("layers", layers), v("spectra", spectra), v("traces", traces);
    v("metrics", metrics), v("classes", classes), v("predictions", predictions);
  }
};

}  // namespace vp
