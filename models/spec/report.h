// What a training run gives back: the only thing that crosses from models/ to the results of experiments/. Plain data.
//
// Absent values are empty optionals. Values may be non-finite here; how they are written is the business of the results.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "models/spec/batch_source.h"

namespace vp {

enum class Outcome : std::uint8_t { kCompleted, kSolved, kDiverged, kFailed };
inline constexpr std::array kOutcomes = {Outcome::kCompleted, Outcome::kSolved, Outcome::kDiverged, Outcome::kFailed};
std::string_view to_string(Outcome outcome);

using Number = std::optional<double>;

struct CurveRow {
  std::int64_t update = 0;  // updates applied to the weights when the row was taken
  Number train_loss;        // mean over the batches since the previous row; at update 0 that of the first batch
  Number validation_loss, validation_accuracy, test_loss, test_accuracy;
  Number gradient_norm;  // of the batch gradient at these weights, before clipping
  Number clipped;        // share of the updates since the previous row that were clipped; absent without clipping
  std::string note;
};

struct TimestepRow {
  std::int64_t update = 0, layer = 0, t = 0;
  Number log10_dh, log10_dh_typical, log10_dc;
  Number activation_mean, activation_std, saturated;
  std::string note;
};

struct LayerRow {
  std::int64_t update = 0, layer = 0;
  Number activation_mean, activation_std, saturated;
  Number log10_gradient;         // of dL/dh over all steps and rows
  Number log10_weight_gradient;  // of the layer's parameters
  Number dead_units;             // share of the units whose slope is zero on every probed sample; feed-forward layers
  std::string note;
};

// One measure of a split at an evaluation (metrics.h).
struct MetricRow {
  std::int64_t update = 0;
  Split split = Split::kValidation;
  std::string metric, label;  // label: the class it is about, or empty: all
  Number value;
  std::string note;
  std::string label_name;  // what the data call this class; empty where classes have no names
};

// A class of a task whose classes are read from data.
struct ClassRow {
  std::int64_t label = 0;  // 0 .. C-1
  std::string name;
  std::array<std::int64_t, 3> counts{};  // targets of this class, in the order of Split
};

// A number that describes a layer's map, or one step of it.
struct SpectrumRow {
  std::int64_t update = 0, layer = 0;
  std::string_view kind;          // of static storage: singular_value, log10_slope or log10_step
  std::optional<std::int64_t> t;  // log10_slope, log10_step
  std::int64_t index = 0;         // singular_value: gate block * H + place in descending order; else t
  Number value;
};

// What one unit did at one step of one sample.
struct TraceRow {
  std::int64_t update = 0, layer = 0, sample = 0, t = 0, unit = 0;
  std::string_view quantity;  // of static storage
  double value = 0;
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
};

struct RunSummary {
  Outcome outcome = Outcome::kFailed;
  std::int64_t updates_done = 0;
  Number train_loss, validation_loss, validation_accuracy, test_loss, test_accuracy;
  Number gradient_slope, gradient_slope_low, gradient_slope_high, gradient_slope_final, max_gradient_norm;
  std::string note;
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
};

}  // namespace vp
