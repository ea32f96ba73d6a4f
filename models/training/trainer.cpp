#include "models/training/trainer.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <iterator>

#include "kernels/memory/zeroed_memory.h"
#include "models/model_kinds.h"
#include "models/parameters/checkpoint.h"
#include "models/probes/probe_list.h"
#include "models/training/batch_engine.h"
#include "models/training/predictions.h"

namespace vp {
namespace {

constexpr std::int64_t kMeasures = 6;  // of metrics.csv that are not by class

template <class T>
std::unique_ptr<Optimizer<T>> make_optimizer(const RunSpec& spec, std::int64_t size) {
  const OptimizerEntry& entry = *find_optimizer(spec.train.optimizer);
  if constexpr (std::is_same_v<T, float>)
    return entry.make_float(size, spec.train.learning_rate, spec.optimizer_options.get());
  else
    return entry.make_double(size, spec.train.learning_rate, spec.optimizer_options.get());
}

template <class T>
class Trainer {
 public:
  Trainer(const RunSpec& spec, const BatchSource& source, ThreadPool& pool, TrainControl& control, const Checkpoints& checkpoints)
      : spec_(spec),
        source_(source),
        shape_(source.shape()),
        control_(control),
        checkpoints_(checkpoints),
        engine_(spec, source, pool),
        optimizer_(make_optimizer<T>(spec, engine_.model().layout().size)),
        probes_(make_probes(spec, engine_.model())),
        schedule_(spec.train.updates) {
    Model<T>& model = engine_.model();
    if (checkpoints.initial != nullptr) load_parameters(*checkpoints.initial, model.layout(), model.parameters());
  }

  RunReport run();
  void make_probe_arrays();  // that some update will need
  std::int64_t most_row_bytes() const;

 private:
  bool evaluation_due() const { return schedule_.is_due(spec_.train.evaluate_every); }
  Score evaluate(Split split);
  bool solved() const;
  bool any_probe_due() const {
    return std::ranges::any_of(probes_, [this](const auto& probe) { return probe->is_due(schedule_); });
  }
  void prepare(const ProbeNeeds& needs);
  Pass<T> probed_pass() const;
  bool updates_at_once() const;
  void run_batch();
  void probe();
  bool diverged() const { return !std::isfinite(loss_) || (!schedule_.is_last() && !std::isfinite(engine_.gradient_norm())); }
  void add_curve_row();
  void update();
  RunReport finish(Outcome outcome);
  void save_predictions();

  const RunSpec& spec_;
  const BatchSource& source_;
  const SequenceShape shape_;
  TrainControl& control_;
  const Checkpoints& checkpoints_;
  BatchEngine<T> engine_;
  std::unique_ptr<Optimizer<T>> optimizer_;
  const std::vector<std::unique_ptr<Probe<T>>> probes_;
  Schedule schedule_;  // at the last update the weights are final: its batch is measured, not learnt from
  // Of the update under way:
  double loss_ = 0;
  Score validation_, test_;
  // Since the last row of the curves:
  double loss_sum_ = 0;
  std::int64_t updates_ = 0, clipped_ = 0;
  std::int64_t lost_in_scaling_ = 0;
  RunReport report_;
};

template <class T>
RunReport Trainer<T>::run() {
  for (std::int64_t update = 0;; ++update) {
    if (control_.stop_requested()) throw Interrupted();
    engine_.pack();
    schedule_.begin(update);
    const bool due = evaluation_due();
    if (due) {
      validation_ = evaluate(Split::kValidation);
      test_ = evaluate(Split::kTest);
    }
    const bool goal = due && solved();
    if (goal) schedule_.end_early();
    run_batch();
    if (due || diverged()) add_curve_row();
    if (diverged()) return finish(Outcome::kDiverged);
    if (schedule_.is_last()) return finish(goal ? Outcome::kSolved : Outcome::kCompleted);
    this->update();
    control_.progress(update + 1);
  }
}

ProbeNeeds united(const ProbeNeeds& a, const ProbeNeeds& b) {
  return {.activations = a.activations || b.activations, .slopes = a.slopes || b.slopes, .traces = std::max(a.traces, b.traces)};
}

template <class T>
void Trainer<T>::prepare(const ProbeNeeds& needs) {
  engine_.measure_activations(needs.activations);
  engine_.measure_slopes(needs.slopes);
  engine_.keep_traces(needs.traces);
}

template <class T>
void Trainer<T>::make_probe_arrays() {
  ProbeNeeds needs;
  for (const auto& probe : probes_) needs = united(needs, probe->needs());
  prepare(needs);
}

template <class T>
Pass<T> Trainer<T>::probed_pass() const {
  const std::int64_t samples = spec_.probe.samples, batch = spec_.train.batch;
  return engine_.pass(samples > 0 ? std::min(samples, batch) : batch);
}

// Of all samples with all their steps, and a run that is not solved early.
template <class T>
std::int64_t Trainer<T>::most_row_bytes() const {
  const auto bytes = [](std::int64_t rows, std::size_t row) { return rows * static_cast<std::int64_t>(row); };
  const std::int64_t evaluations = schedule_.times(spec_.train.evaluate_every);
  std::int64_t sum = bytes(evaluations, sizeof(CurveRow));
  const std::int64_t measures = shape_.target == TargetKind::kValues ? 1 : kMeasures + 3 * shape_.outputs;
  if (engine_.evaluator().has_metrics()) sum += bytes(evaluations * 2 * measures, sizeof(MetricRow));
  for (const auto& probe : probes_) sum += probe->most_row_bytes(schedule_, probed_pass());
  return sum;
}

template <class T>
Score Trainer<T>::evaluate(Split split) {
  const Score score = engine_.evaluator().evaluate(split);
  const std::span<const std::string> names = source_.class_names();
  for (MetricRow& row : engine_.evaluator().metrics(split, schedule_.update())) {
    if (!names.empty() && !row.label.empty()) row.label_name = names[std::stoul(row.label)];
    report_.metrics.push_back(std::move(row));
  }
  return score;
}

// The validation accuracy is at or above train.stop_at, or, where the task has no accuracy, the loss at or below it.
template <class T>
bool Trainer<T>::solved() const {
  if (!spec_.train.stop_at) return false;
  if (validation_.accuracy) return *validation_.accuracy >= *spec_.train.stop_at;
  return validation_.loss && *validation_.loss <= *spec_.train.stop_at;
}

// The update may be made with the gradient, piece by piece, where nobody asks for the whole of it, nor, should it not be finite, for the
// parameters as they were.
template <class T>
bool Trainer<T>::updates_at_once() const {
  const auto& train = spec_.train;
  return engine_.can_run_and_update() && !schedule_.is_last() && !any_probe_due() && !train.clip_norm && !train.clip_value &&
         !train.save_checkpoint;
}

// The batch's loss and gradient, and the probes that are due. Where the probed loss is not the trained one, it gets a backward pass of its
// own.
template <class T>
void Trainer<T>::run_batch() {
  const bool own_pass = spec_.probe.loss_at == "last" && target_steps(shape_) > 1 && any_probe_due();
  ProbeNeeds needs;
  for (const auto& probe : probes_)
    if (probe->is_due(schedule_)) needs = united(needs, probe->needs());
  prepare(needs);
  const std::int64_t update = schedule_.update();
  optimizer_->begin_update(update + 1);
  if (updates_at_once())
    loss_ = engine_.run_and_update(update, *optimizer_);
  else
    loss_ = engine_.run(update, own_pass ? LossAt::kLastStep : LossAt::kTask);
  probe();
  if (own_pass) loss_ = engine_.run_backward(LossAt::kTask);
  lost_in_scaling_ += engine_.lost_in_scaling();
  const double norm = engine_.gradient_norm();
  Number& largest = report_.summary.max_gradient_norm;
  if (!largest || !(norm <= *largest)) largest = norm;
}

template <class T>
void Trainer<T>::probe() {
  if (!any_probe_due()) return;
  PhaseClock clock(engine_.own_seconds());
  const Pass<T> pass = probed_pass();
  for (const auto& probe : probes_)
    if (probe->is_due(schedule_)) probe->look(pass, schedule_, report_);
  clock.lap(Phase::kProbe);
}

template <class T>
void Trainer<T>::add_curve_row() {
  CurveRow row{.update = schedule_.update()};
  row.train_loss = updates_ == 0 || !std::isfinite(loss_) ? loss_ : loss_sum_ / static_cast<double>(updates_);
  if (evaluation_due()) {
    row.validation_loss = validation_.loss, row.validation_accuracy = validation_.accuracy;
    row.test_loss = test_.loss, row.test_accuracy = test_.accuracy;
  }
  row.gradient_norm = engine_.gradient_norm();
  if ((spec_.train.clip_norm || spec_.train.clip_value) && updates_ > 0)
    row.clipped = static_cast<double>(clipped_) / static_cast<double>(updates_);
  if (diverged()) row.note = "diverged";
  report_.curves.push_back(std::move(row));
  loss_sum_ = 0, updates_ = 0, clipped_ = 0;
}

template <class T>
void Trainer<T>::update() {
  double scale = 1;
  bool clipped = false;
  if (spec_.train.clip_norm && engine_.gradient_norm() > *spec_.train.clip_norm) {
    scale = *spec_.train.clip_norm / engine_.gradient_norm();
    clipped = true;
  }
  if (spec_.train.clip_value) clipped = engine_.clip_values(*spec_.train.clip_value);
  if (!updates_at_once()) engine_.update(*optimizer_, scale);
  loss_sum_ += loss_;
  ++updates_;
  clipped_ += clipped;
}

std::vector<ClassRow> class_rows(const BatchSource& source) {
  std::vector<ClassRow> rows;
  for (const std::string& name : source.class_names()) rows.push_back({.label = std::ssize(rows), .name = name});
  for (const Split split : {Split::kTrain, Split::kValidation, Split::kTest}) {
    const std::vector<std::int64_t> counts = source.class_counts(split);
    for (std::size_t c = 0; c < rows.size() && c < counts.size(); ++c) rows[c].counts[static_cast<std::size_t>(split)] = counts[c];
  }
  return rows;
}

template <class T>
RunReport Trainer<T>::finish(Outcome outcome) {
  RunSummary& summary = report_.summary;
  const CurveRow& row = report_.curves.back();
  summary.outcome = outcome;
  summary.updates_done = schedule_.update();
  summary.train_loss = row.train_loss;
  summary.validation_loss = row.validation_loss, summary.validation_accuracy = row.validation_accuracy;
  summary.test_loss = row.test_loss, summary.test_accuracy = row.test_accuracy;
  if (lost_in_scaling_ > 0)
    append_note(summary.note, std::to_string(lost_in_scaling_) + " parts of parameter gradients left the float range");
  if (outcome == Outcome::kDiverged && std::isfinite(loss_)) append_note(summary.note, "gradient not finite");
  for (const std::string& note : source_.notes()) append_note(summary.note, note);
  report_.classes = class_rows(source_);
  if (spec_.train.save_predictions) save_predictions();
  report_.phase_seconds = engine_.phase_seconds();
  const Model<T>& model = engine_.model();
  if (spec_.train.save_checkpoint)
    report_.checkpoint = encode_safetensors(parameter_views(model.layout(), model.parameters()), checkpoints_.metadata);
  return std::move(report_);
}

// A run that diverged has no answers left, but its samples and their targets are listed.
template <class T>
void Trainer<T>::save_predictions() {
  for (const Split split : {Split::kValidation, Split::kTest})
    std::ranges::move(engine_.evaluator().predict(split), std::back_inserter(report_.predictions));
  const std::span<const std::string> names = source_.class_names();
  const auto name_of = [&](const PredictionRow& row, const Number& number) {
    const bool is_known = !row.output && number && *number < static_cast<double>(names.size());
    return is_known ? names[static_cast<std::size_t>(*number)] : std::string();
  };
  for (PredictionRow& row : report_.predictions) {
    if (report_.summary.outcome == Outcome::kDiverged) row.prediction = row.probability = std::nullopt;
    row.target_name = name_of(row, row.target), row.prediction_name = name_of(row, row.prediction);
    if (!row.prediction) row.note = "diverged";
  }
}

template <class T>
RunReport train_as(const RunSpec& spec, const BatchSource& source, ThreadPool& pool, TrainControl& control,
                   const Checkpoints& checkpoints) {
  const auto start = std::chrono::steady_clock::now();
  const FlushDenormals flush(spec.engine.ftz);
  RunReport report = Trainer<T>(spec, source, pool, control, checkpoints).run();
  report.wall_seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return report;
}

std::string_view output_of(TargetKind target) {
  switch (target) {
    case TargetKind::kClasses:
      return "softmax";
    case TargetKind::kBinary:
      return "sigmoid";
    case TargetKind::kValues:
      return "linear";
  }
  return "";
}

}  // namespace

namespace {

double prediction_rows(const BatchSource& source) {
  const SequenceShape shape = source.shape();
  return most_prediction_rows(shape, source.size(Split::kValidation)) + most_prediction_rows(shape, source.size(Split::kTest));
}

std::string check_predictions(const RunSpec& spec, const BatchSource& source) {
  if (!spec.train.save_predictions || prediction_rows(source) <= static_cast<double>(kMostPredictionRows)) return "";
  return "train.save_predictions: predictions.csv would have more than " + std::to_string(kMostPredictionRows) +
         " rows a run; evaluate on fewer samples, or set it to false";
}

}  // namespace

std::string check_run(const RunSpec& spec, const BatchSource& source) {
  const SequenceShape shape = source.shape();
  if (const std::string misfit = find_model_kind(spec.model.kind)->misfit(spec, source); !misfit.empty()) return misfit;
  const std::string_view fitting = output_of(shape.target);
  const bool one_against_all = spec.model.output == "sigmoid" && shape.target == TargetKind::kClasses;
  if (spec.model.output != "task" && spec.model.output != "relu" && spec.model.output != fitting && !one_against_all)
    return "model.output = \"" + spec.model.output + "\" does not fit the task's targets; use \"" + std::string(fitting) + "\" or \"task\"";
  const std::uint64_t samples = source.size(Split::kTrain);
  if (samples > 0 && static_cast<std::uint64_t>(spec.train.batch) > samples)
    return "train.batch = " + std::to_string(spec.train.batch) + " is more than the " + std::to_string(samples) + " training samples";
  if (const std::string misfit = check_predictions(spec, source); !misfit.empty()) return misfit;
  if (spec.train.stop_at && source.size(Split::kValidation) == 0) return "train.stop_at needs validation samples, and the task has none";
  return "";
}

RunReport train(const RunSpec& spec, const BatchSource& source, ThreadPool& pool, TrainControl& control, const Checkpoints& checkpoints) {
  const std::string misfit = check_run(spec, source);
  if (!misfit.empty()) throw std::invalid_argument("[train] " + misfit);
  if (spec.init.from_checkpoint.empty() != (checkpoints.initial == nullptr))
    throw std::invalid_argument("[train] init.from_checkpoint: expected a checkpoint if, and only if, it is set");
  return spec.engine.precision == "f64" ? train_as<double>(spec, source, pool, control, checkpoints)
                                        : train_as<float>(spec, source, pool, control, checkpoints);
}

std::vector<std::string> implementation_names(const RunSpec& spec, const BatchSource& source) {
  if (spec.engine.precision == "f64") return {"reference"};
  const std::int64_t rows = std::min(spec.train.shard_rows, spec.train.batch);
  return make_model<float>(spec, source.shape(), rows)->make_shard(rows)->implementations();
}

namespace {

template <class T>
WorkspaceBytes workspace_as(const RunSpec& spec, const BatchSource& source, int threads) {
  ThreadPool pool(threads);
  Unwatched nobody;
  const Checkpoints none;
  const std::int64_t before = held_bytes();
  Trainer<T> trainer(spec, source, pool, nobody, none);
  trainer.make_probe_arrays();
  constexpr std::int64_t kTextBytes = 64;  // of a row of predictions.csv
  const auto predictions = static_cast<std::int64_t>(spec.train.save_predictions ? prediction_rows(source) : 0);
  return {.arrays = held_bytes() - before,
          .rows = trainer.most_row_bytes() + predictions * (static_cast<std::int64_t>(sizeof(PredictionRow)) + kTextBytes)};
}

}  // namespace

WorkspaceBytes workspace_bytes(const RunSpec& spec, const BatchSource& source, int threads) {
  return spec.engine.precision == "f64" ? workspace_as<double>(spec, source, threads) : workspace_as<float>(spec, source, threads);
}

}  // namespace vp
