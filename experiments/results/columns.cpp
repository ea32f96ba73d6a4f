// The dictionary of the result files. To add a column: one row here, the cell where its table is made (bundle.cpp), and the same
// row in results/README.md; tests compare all three.
#include <algorithm>

#include "experiments/results/tables.h"

namespace vp {
namespace {

const std::vector<ColumnInfo>& dictionary() {
  static const std::vector<ColumnInfo> columns = {
      {"runs", "run_id", "string", "", "r and a hash of the run's configuration, seed included"},
      {"runs", "build", "string", "", "build id of the program that made the run; only with --allow-mixed"},
      {"runs", "isa", "string", "", "instruction sets in use; only with --allow-mixed"},
      {"runs", "libraries", "string", "", "library versions that touch numbers; only with --allow-mixed"},
      {"runs", "backend", "string", "", "the engine that run.backend stood for; only with --allow-mixed"},
      {"runs", "inputs", "string", "", "files the run read, each with the XXH3-64 of its bytes; only with --allow-mixed"},
      {"runs", "outcome", "string", "",
       "completed, solved (met its stopping rule), diverged (non-finite loss) or failed (an error; see note)"},
      {"runs", "updates_done", "integer", "updates", "updates applied to the weights"},
      {"runs", "train_loss", "number", "nats, or squared units for regression", "the last row of curves.csv"},
      {"runs", "validation_loss", "number", "nats, or squared units for regression",
       "at the end of the run, mean over the validation samples"},
      {"runs", "validation_accuracy", "number", "share", "at the end of the run, of the validation samples"},
      {"runs", "test_loss", "number", "nats, or squared units for regression", "at the end of the run, mean over the test samples"},
      {"runs", "test_accuracy", "number", "share", "at the end of the run, of the test samples"},
      {"runs", "gradient_slope", "number", "log10 per step",
       "least-squares slope of log10_dh over the lag T-1-t, top layer, update 0; negative vanishes, positive explodes; of unequal lengths: "
       "see results/README.md"},
      {"runs", "gradient_slope_low", "number", "log10 per step", "2.5 % quantile of the samples' own slopes, each over its own steps"},
      {"runs", "gradient_slope_high", "number", "log10 per step", "97.5 % quantile of the samples' own slopes, each over its own steps"},
      {"runs", "gradient_slope_final", "number", "log10 per step", "the same slope after the last update"},
      {"runs", "max_gradient_norm", "number", "loss per weight", "largest norm of a batch gradient in the run, before clipping"},
      {"runs", "note", "string", "",
       "column=inf, -inf or nan for empty cells that stand for these; what is to be said of the data; the reason if the run failed"},

      {"curves", "run_id", "string", "", "the run; see runs.csv"},
      {"curves", "update", "integer", "updates", "updates applied to the weights when the row was taken"},
      {"curves", "train_loss", "number", "nats, or squared units for regression",
       "mean over the batches since the previous row; at update 0 that of the first batch"},
      {"curves", "validation_loss", "number", "nats, or squared units for regression", "mean over the validation samples"},
      {"curves", "validation_accuracy", "number", "share", "of the validation samples"},
      {"curves", "test_loss", "number", "nats, or squared units for regression", "mean over the test samples"},
      {"curves", "test_accuracy", "number", "share", "of the test samples"},
      {"curves", "gradient_norm", "number", "loss per weight", "Frobenius norm of the batch gradient at these weights, before clipping"},
      {"curves", "clipped", "number", "share", "of the updates since the previous row that were clipped; absent without clipping"},
      {"curves", "note", "string", "", "column=inf, -inf or nan for empty cells that stand for these"},

      {"timesteps", "run_id", "string", "", "the run; see runs.csv"},
      {"timesteps", "update", "integer", "updates", "updates applied to the weights when the row was taken"},
      {"timesteps", "layer", "integer", "", "0 is nearest the input"},
      {"timesteps", "t", "integer", "steps", "time step, 0-based"},
      {"timesteps", "log10_dh", "number", "log10 of loss per unit",
       "of the Frobenius norm over the batch of dL/dh_t, the total derivative by the step's output; of unequal lengths: see "
       "results/README.md"},
      {"timesteps", "log10_dh_typical", "number", "log10 of loss per unit", "mean over samples of log10 of each sample's norm of dL/dh_t"},
      {"timesteps", "log10_dc", "number", "log10 of loss per unit",
       "as log10_dh for the cell state, the path through h_t included; cells that have one"},
      {"timesteps", "activation_mean", "number", "", "mean over batch and units of h_t"},
      {"timesteps", "activation_std", "number", "", "standard deviation over batch and units of h_t"},
      {"timesteps", "saturated", "number", "share",
       "of the units of h_t whose non-linearity has less than 5 % of the largest slope it can have; for the LSTM that of tanh(c_t), or of "
       "model.state_activation"},
      {"timesteps", "note", "string", "", "column=inf, -inf or nan for empty cells that stand for these"},

      {"layers", "run_id", "string", "", "the run; see runs.csv"},
      {"layers", "update", "integer", "updates", "updates applied to the weights when the row was taken"},
      {"layers", "layer", "integer", "", "0 is nearest the input"},
      {"layers", "activation_mean", "number", "",
       "mean over steps, batch and units of the layer's output; of a feed-forward layer what its activation gives, before dropout, "
       "shortcut "
       "and pooling"},
      {"layers", "activation_std", "number", "", "standard deviation over steps, batch and units of the layer's output"},
      {"layers", "saturated", "number", "share", "the same over all steps"},
      {"layers", "log10_gradient", "number", "log10 of loss per unit", "of the Frobenius norm of dL/dh over all steps and rows"},
      {"layers", "log10_weight_gradient", "number", "log10 of loss per weight",
       "of the Frobenius norm of the gradient by the layer's parameters"},
      {"layers", "dead_units", "number", "share",
       "of the units (channels) whose non-linearity has slope zero on every probed sample; feed-forward layers"},
      {"layers", "note", "string", "", "column=inf, -inf or nan for empty cells that stand for these"},

      {"spectra", "run_id", "string", "", "the run; see runs.csv"},
      {"spectra", "update", "integer", "updates", "updates applied to the weights when the row was taken"},
      {"spectra", "layer", "integer", "", "0 is nearest the input"},
      {"spectra", "sample", "integer", "", "row of the batch; empty for what is of no one sample"},
      {"spectra", "kind", "string", "",
       "singular_value: of a gate block of recurrent weights; log10_slope: mean over samples and units of log10 of the slope of the "
       "unit's output non-linearity; log10_step: what log10_dh_typical changes from step t to t - 1, where all samples have all steps"},
      {"spectra", "t", "integer", "steps", "time step, 0-based; empty for what is of no one step"},
      {"spectra", "index", "integer", "", "singular_value: gate block times H plus place in descending order; log10_slope, log10_step: t"},
      {"spectra", "value", "number", "", "as kind says"},
      {"spectra", "standard_error", "number", "", "of value, where it is an estimate; else empty"},
      {"spectra", "note", "string", "", "column=inf, -inf or nan for empty cells that stand for these"},

      {"traces", "run_id", "string", "", "the run; see runs.csv"},
      {"traces", "update", "integer", "updates", "updates applied to the weights when the row was taken"},
      {"traces", "layer", "integer", "", "0 is nearest the input"},
      {"traces", "sample", "integer", "", "row of the probed batch"},
      {"traces", "t", "integer", "steps", "time step, 0-based"},
      {"traces", "unit", "integer", "", "of the layer"},
      {"traces", "quantity", "string", "", "a gate by name (input_gate, forget_gate, output_gate, ...), candidate, slope, cell or hidden"},
      {"traces", "value", "number", "", "of that quantity after the step"},
      {"traces", "note", "string", "", "column=inf, -inf or nan for empty cells that stand for these"},

      {"metrics", "run_id", "string", "", "the run; see runs.csv"},
      {"metrics", "update", "integer", "updates", "updates applied to the weights when the row was taken"},
      {"metrics", "split", "string", "", "validation or test"},
      {"metrics", "metric", "string", "", "accuracy, recall, f1, auc, brier, calibration_error or mse"},
      {"metrics", "class", "string", "", "the class or label it is about, from 0; empty: all"},
      {"metrics", "class_name", "string", "", "what the data call the class; see classes.csv"},
      {"metrics", "value", "number", "share, or squared units for mse", "over the samples of the split"},
      {"metrics", "note", "string", "", "column=inf, -inf or nan for empty cells that stand for these"},

      {"classes", "run_id", "string", "", "the run; see runs.csv"},
      {"classes", "class", "integer", "", "number of the class, from 0: the output that stands for it"},
      {"classes", "class_name", "string", "", "the label in the data"},
      {"classes", "train", "integer", "targets", "of this class in the training set"},
      {"classes", "validation", "integer", "targets", "of this class in the validation set"},
      {"classes", "test", "integer", "targets", "of this class in the test set"},

      {"predictions", "run_id", "string", "", "the run; see runs.csv"},
      {"predictions", "split", "string", "", "validation or test"},
      {"predictions", "sample", "string", "",
       "what the data call it (sequence, position in the file, ...), else its number in the split, from 0"},
      {"predictions", "t", "integer", "steps", "time step the target belongs to, 0-based; empty where a sample has one target"},
      {"predictions", "output", "integer", "", "the label or output it is about, from 0; empty for classes"},
      {"predictions", "target", "number", "", "the truth: class from 0, yes (1) or no (0), or value"},
      {"predictions", "target_name", "string", "", "name of the class in the data; empty if it has none"},
      {"predictions", "prediction", "number", "", "class with the largest output, yes (1) or no (0), or value"},
      {"predictions", "prediction_name", "string", "", "name of that class in the data; empty if it has none"},
      {"predictions", "probability", "number", "share", "that the model gives its answer; empty for values"},
      {"predictions", "note", "string", "", "column=inf, -inf or nan for empty cells that stand for these; why there is no prediction"},

      {"timings", "run_id", "string", "", "the run; see runs.csv"},
      {"timings", "phase", "string", "",
       "product, pointwise, reduction, optimizer, probe, evaluation, input, output (the rows of the result files), or wall: the whole run"},
      {"timings", "seconds", "number", "s", "of work, summed over threads; for wall, of the clock"},
      {"timings", "host", "string", "", "name of the machine"},
      {"timings", "threads", "integer", "threads", "that the program was given"},

      {"claims", "claim", "string", "", "name of the claim in config.toml"},
      {"claims", "text", "string", "", "the statement in words"},
      {"claims", "metric", "string", "", "file and column that it is about"},
      {"claims", "runs", "integer", "runs", "in the group"},
      {"claims", "runs_against", "integer", "runs", "in the group it is compared with; 0 without one"},
      {"claims", "estimate", "number", "that of the metric", "what the aggregate says, or the ratio or difference of two"},
      {"claims", "low", "number", "that of the metric", "lower end of the 95 % interval over seeds; absent with too few of them"},
      {"claims", "high", "number", "that of the metric", "upper end of the 95 % interval over seeds; absent with too few of them"},
      {"claims", "required", "string", "", "what the estimate, or the whole interval, must be"},
      {"claims", "verdict", "string", "",
       "holds, fails, inconclusive (the interval straddles the bound) or incomplete (runs or values are missing)"},
      {"claims", "source", "string", "", "paper, table or equation that the claim is about, as the experiment gives it"},
      {"claims", "published", "string", "", "the value there"},
      {"claims", "note", "string", "",
       "how many seeds and runs, what was chosen, what is missing, why there is no interval, what the command line changed"},
  };
  return columns;
}

std::span<const ColumnInfo> from_column(std::span<const ColumnInfo> columns, std::string_view name) {
  const auto first = std::find_if(columns.begin(), columns.end(), [&](const ColumnInfo& c) { return c.name == name; });
  return {first, columns.end()};
}

}  // namespace

std::span<const ColumnInfo> result_columns() { return dictionary(); }

std::span<const ColumnInfo> table_columns(std::string_view table) {
  const std::span<const ColumnInfo> all = dictionary();
  const auto of_table = [&](const ColumnInfo& c) { return c.table == table; };
  const auto first = std::find_if(all.begin(), all.end(), of_table);
  return {first, std::find_if_not(first, all.end(), of_table)};
}

std::span<const ColumnInfo> bundle_columns(std::string_view table) {
  const auto columns = table_columns(table);
  if (columns.empty()) return columns;
  return table == "runs" ? from_column(columns, "outcome") : columns.subspan(1);
}

std::span<const ColumnInfo> provenance_columns() {
  const auto from_build = from_column(table_columns("runs"), "build");
  return from_build.first(from_build.size() - bundle_columns("runs").size());
}

}  // namespace vp
