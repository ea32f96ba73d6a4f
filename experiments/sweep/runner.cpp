#include "experiments/sweep/runner.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <exception>
#include <set>
#include <system_error>

#include "experiments/io/files.h"
#include "experiments/io/input_files.h"
#include "experiments/io/progress.h"
#include "experiments/machine/build_info.h"
#include "experiments/machine/library_versions.h"
#include "experiments/results/checkpoint_files.h"
#include "experiments/tasks/task.h"
#include "kernels/onednn/sequential_thread.h"
#include "models/base/parallel.h"
#include "models/model_kinds.h"
#include "models/recurrent/forms.h"
#include "models/training/trainer.h"

namespace vp {
namespace {

std::atomic<bool> g_stop{false};  // set by a signal: runs end at their next update

extern "C" void on_signal(int) { g_stop = true; }

// While it lives, SIGINT and SIGTERM ask for an orderly end.
class SignalGuard {
 public:
  SignalGuard() {
    struct sigaction action {};
    action.sa_handler = on_signal;
    action.sa_flags = SA_RESETHAND;  // a second signal ends the process at once
    sigaction(SIGINT, &action, &interrupt_);
    sigaction(SIGTERM, &action, &terminate_);
  }
  ~SignalGuard() {
    sigaction(SIGINT, &interrupt_, nullptr);
    sigaction(SIGTERM, &terminate_, nullptr);
  }
  SignalGuard(const SignalGuard&) = delete;
  SignalGuard& operator=(const SignalGuard&) = delete;

 private:
  struct sigaction interrupt_ {
  }, terminate_{};
};

class RunControl final : public TrainControl {
 public:
  explicit RunControl(Progress& progress) : progress_(progress) {}
  void progress(std::int64_t updates_done) override {
    progress_.advance(updates_done - reported_);
    reported_ = updates_done;
  }
  bool stop_requested() const override { return g_stop; }
  std::int64_t reported() const { return reported_; }

 private:
  Progress& progress_;
  std::int64_t reported_ = 0;
};

std::shared_ptr<const BatchSource> make_source(const Config& config) {
  const Form form = form_of(config.run.model);
  const TaskContext context{.path = config.task_path,
                            .seed = static_cast<std::uint64_t>(config.run.train.seed),
                            .target_every_step = form == Form::kManyToMany || form == Form::kStateful,
                            .streams = form == Form::kStateful ? config.run.train.batch : 0,
                            .in_double = config.run.engine.precision == "f64"};
  return find_task(config.task_name)->make(context, config.task_options.get());
}

// A run that is still to be done, with its data.
struct Job {
  const Run* run;
  std::shared_ptr<const BatchSource> source;
  std::shared_ptr<const Safetensors> initial = nullptr;  // of init.from_checkpoint
  std::vector<InputFile> inputs = {};

  const RunSpec& spec() const { return (*run)->run; }
};

// Everything that can be wrong with data and their fit is found here, before anything is written.
std::vector<Job> make_jobs(const Experiment& experiment, const std::set<std::string>& wanted) {
  std::vector<Job> jobs;
  for (const Run& run : experiment.runs) {
    if (!wanted.contains(run.id())) continue;
    const InputRecorder recorder;
    Job job{&run, make_source(run)};
    const std::string misfit = check_run(run->run, *job.source);
    if (!misfit.empty()) throw usage_error(fmt::format("{} (task {}): {}", experiment.name, run->task_name, misfit));
    job.initial = read_checkpoint(run, job.source->shape());
    job.inputs = recorder.files();
    jobs.push_back(std::move(job));
  }
  return jobs;
}

std::vector<std::string> shard_ids(const Experiment& experiment, Shard shard) {
  std::vector<std::string> ids;
  for (std::size_t i = 0; i < experiment.runs.size(); ++i)
    if (static_cast<std::int64_t>(i) % shard.count == shard.index - 1) ids.push_back(experiment.runs[i].id());
  return ids;
}

// Of these, the ids of runs that have left no bundle, or not the checkpoint they should.
std::set<std::string> unfinished(const std::filesystem::path& directory, const Experiment& experiment, const std::vector<std::string>& ids,
                                 bool fresh) {
  std::set<std::string> open(ids.begin(), ids.end());
  for (const Run& run : experiment.runs) {
    const std::string& id = run.id();
    const bool complete = !run->run.train.save_checkpoint || std::filesystem::exists(checkpoint_path(directory, id));
    if (!fresh && complete && std::filesystem::exists(bundle_path(directory, id))) open.erase(id);
  }
  return open;
}

RunReport failed_report(const std::exception& error) {
  RunReport report;
  report.summary.outcome = Outcome::kFailed;
  report.summary.note = error.what();
  return report;
}

// "format" is what PyTorch's tools look for.
std::map<std::string, std::string> checkpoint_metadata(const Job& job) {
  std::map<std::string, std::string> metadata = {{"format", "pt"},
                                                 {"vanishing_point.run_id", job.run->id()},
                                                 {"vanishing_point.configuration", canonical_text(*job.run)},
                                                 {"vanishing_point.build", current_provenance().build}};
  if (const auto names = job.source->class_names(); !names.empty()) metadata[std::string(kClassesKey)] = classes_text(names);
  return metadata;
}

// Does the jobs, as many side by side as there are threads, each leaving its bundle.
class Sweep {
 public:
  Sweep(const RunOptions& options, const std::vector<Job>& jobs)
      : options_(options),
        jobs_(jobs),
        pool_(options.threads),
        progress_(static_cast<std::int64_t>(jobs.size()), total_updates(jobs), options.quiet) {}

  void run() {
    const std::int64_t workers = std::min<std::int64_t>(options_.threads, static_cast<std::int64_t>(jobs_.size()));
    pool_.for_each_run(workers, [this](std::int64_t) {
      for (std::size_t i = next_++; i < jobs_.size() && !g_stop; i = next_++) run_job(jobs_[i]);
    });
  }
  std::int64_t done() const { return done_; }  // runs that left a bundle

 private:
  static std::int64_t total_updates(const std::vector<Job>& jobs) {
    std::int64_t sum = 0;
    for (const Job& job : jobs) sum += job.spec().train.updates;
    return sum;
  }

  void run_job(const Job& job) {
    RunControl control(progress_);
    RunReport report;
    try {
      report = train(job.spec(), *job.source, pool_, control, {job.initial.get(), checkpoint_metadata(job)});
    } catch (const Interrupted&) {
      return;
    } catch (const std::exception& error) {
      report = failed_report(error);
      progress_.message(fmt::format("run {} failed: {}", job.run->id(), error.what()));
    }
    Provenance provenance = current_provenance();
    provenance.backend = engine_name(job.spec());
    provenance.inputs = job.inputs;
    if (!report.checkpoint.empty())
      write_checkpoint(options_.directory, job.run->id(), report.checkpoint);  // first: a bundle vouches for it
    const Bundle bundle = make_bundle(*job.run, provenance, report, host_name(), options_.threads);
    write_file(bundle_path(options_.directory, job.run->id()), encode_bundle(bundle));
    progress_.finish_run(job.spec().train.updates - control.reported());
    ++done_;
  }

  const RunOptions& options_;
  const std::vector<Job>& jobs_;
  ThreadPool pool_;
  Progress progress_;
  std::atomic<std::size_t> next_{0};
  std::atomic<std::int64_t> done_{0};
};

void make_directory(const std::filesystem::path& directory) {
  std::error_code failure;
  std::filesystem::create_directories(directory, failure);
  if (failure)
    throw io_error(fmt::format("{}: cannot be made: {}; choose another directory (--out)", directory.string(), failure.message()));
}

// The keys of the model, which decide what code runs.
std::string options_text(const Config& config) {
  std::string text;
  for (const auto& [key, value] : field_texts(config))
    if (key.starts_with("model.")) text += value + ' ';
  return text;
}

// The keys that decide how much is kept, beside the sizes.
std::string memory_text(const Config& config) {
  std::string text;
  for (const auto& [key, value] : field_texts(config))
    if (key.starts_with("probe.") || key == "train.optimizer" || key == "train.updates" || key.starts_with("train.evaluate") ||
        key == "train.recurrence")
      text += ' ' + value;
  return text;
}

// One job of each kind: runs that differ in seed, gain or rate alone run the same code on arrays of the same sizes.
std::vector<Job> kinds_of(const std::vector<Job>& jobs) {
  std::vector<Job> kinds;
  std::set<std::string> seen;
  for (const Job& job : jobs) {
    const RunSpec& r = job.spec();
    const SequenceShape shape = job.source->shape();
    const std::string kind = fmt::format("{} {} {} {} {} {} {} {} {} {} {} {}", options_text(*job.run), r.model.cell, r.model.layers,
                                         r.model.hidden, shape.steps, shape.inputs, shape.outputs, r.train.batch, r.train.shard_rows,
                                         r.train.checkpoint_every_steps, r.engine.backend, r.engine.precision) +
                             memory_text(*job.run);
    if (seen.insert(kind).second) kinds.push_back(job);
  }
  return kinds;
}

std::vector<std::string> all_implementations(const std::vector<Job>& jobs) {
  std::set<std::string> names;
  for (const Job& job : kinds_of(jobs))
    for (const std::string& name : implementation_names(job.spec(), *job.source)) names.insert(name);
  return {names.begin(), names.end()};
}

// Of finished runs and of those to be done.
std::vector<InputFile> all_inputs(const std::vector<InputFile>& of_finished, const std::vector<Job>& jobs) {
  std::set<InputFile> files(of_finished.begin(), of_finished.end());
  for (const Job& job : jobs) files.insert(job.inputs.begin(), job.inputs.end());
  return {files.begin(), files.end()};
}

void warn(const std::string& text) { fmt::print(stderr, "warning: {}\n", text); }

// What is to be said of the data, each sentence once: runs.csv says it for each run.
void warn_of_data(const std::vector<Job>& jobs) {
  constexpr std::size_t kShown = 10;
  std::set<std::string> seen;
  const auto say = [&](const Job& job, const std::string& file, const std::string& note) {
    if (!note.empty() && seen.insert(note).second && seen.size() <= kShown) warn(fmt::format("{}: {} (run {})", file, note, job.run->id()));
  };
  for (const Job& job : jobs) {
    for (const std::string& note : job.source->notes()) say(job, (*job.run)->task_path, note);
    if (job.initial) say(job, job.spec().init.from_checkpoint, classes_difference(*job.initial, job.source->class_names()));
  }
  if (seen.size() > kShown) warn(fmt::format("and {} more of this kind; the column note of runs.csv has them all", seen.size() - kShown));
}

Inventory inventory(const Experiment& experiment, const RunOptions& options) {
  return take_inventory(options.directory, experiment, current_provenance(), options.allow_mixed, warn);
}

// Ids of this shard that have no sound, finished bundle.
std::set<std::string> still_to_do(const Inventory& inventory, const std::vector<std::string>& mine) {
  std::set<std::string> open(inventory.missing.begin(), inventory.missing.end());
  open.insert(inventory.failed.begin(), inventory.failed.end());
  std::set<std::string> wanted;
  for (const std::string& id : mine)
    if (open.contains(id)) wanted.insert(id);
  return wanted;
}

Inventory nothing_done(const Experiment& experiment) {
  Inventory none;
  for (const Run& run : experiment.runs) none.missing.push_back(run.id());
  return none;
}

// How many were done. The progress bar is gone when this returns.
std::int64_t run_jobs(const RunOptions& options, const std::vector<Job>& jobs) {
  Sweep sweep(options, jobs);
  sweep.run();
  return sweep.done();
}

void print_summary(const Experiment& experiment, const RunOptions& options, const Inventory& after, std::int64_t done) {
  const std::string end = after.missing.empty() ? "CSV files in " + options.directory.string()
                          : g_stop              ? "interrupted; the same command goes on"
                                                : "not merged yet";
  fmt::print("{}: {} of {} runs finished ({} now), {}; {}\n", experiment.name, after.finished.size(), experiment.runs.size(), done,
             outcomes_text(after), end);
}

}  // namespace

ExitCode print_plan(const Experiment& experiment, int threads) {
  fmt::print("{}: {} runs\n", experiment.name, experiment.runs.size());
  std::set<std::string> ids;
  for (const Run& run : experiment.runs) {
    ids.insert(run.id());
    fmt::print("{}", run.id());
    for (const auto& [key, text] : field_texts(run))
      if (std::ranges::find(experiment.grid_keys, key) != experiment.grid_keys.end()) fmt::print("  {}={}", key, text);
    fmt::print("\n");
  }
  for (const std::string& note : activation_notes(experiment.runs)) fmt::print("note: {}\n", note);
  std::int64_t largest = 0;
  const std::vector<Job> jobs = make_jobs(experiment, ids);
  warn_of_data(jobs);
  for (const Job& job : kinds_of(jobs)) {
    const WorkspaceBytes bytes = workspace_bytes(job.spec(), *job.source, threads);
    largest = std::max(largest, bytes.arrays + bytes.rows);
  }
  const auto side_by_side = std::min<std::int64_t>(threads, static_cast<std::int64_t>(experiment.runs.size()));
  fmt::print("memory: up to {:.1f} MiB a run, {} side by side; train.checkpoint_every_steps lowers it for long sequences\n",
             static_cast<double>(largest) / (1 << 20), side_by_side);
  return ExitCode::kGood;
}

ExitCode run_experiment(const Experiment& experiment, const RunOptions& options) {
  make_this_thread_sequential();
  g_stop = false;
  const SignalGuard signals;
  if (options.fresh && options.shard.count > 1)
    throw usage_error(
        "--fresh with --shard would remove what the other shards have done; start over without --shard, or give another --out");
  const std::vector<std::string> mine = shard_ids(experiment, options.shard);
  const std::vector<Job> checked = make_jobs(experiment, unfinished(options.directory, experiment, mine, options.fresh));
  make_directory(options.directory);
  const DirectoryLock lock(options.directory, fmt::format("shard-{}-of-{}", options.shard.index, options.shard.count));
  // Refuses bundles of another build, or of other data, before anything is written.
  const Inventory before = options.fresh ? nothing_done(experiment) : inventory(experiment, options);
  prepare_directory(options.directory, experiment, current_provenance(), options.threads, options.fresh, all_implementations(checked),
                    all_inputs(before.inputs, checked));
  const std::vector<Job> jobs = make_jobs(experiment, still_to_do(before, mine));
  warn_of_data(jobs);
  const std::int64_t done = run_jobs(options, jobs);
  const Inventory after = inventory(experiment, options);
  if (after.missing.empty()) {
    write_manifest(options.directory, experiment, current_provenance(), options.threads, {}, after.inputs);
    merge_results(options.directory, experiment, options.allow_mixed, warn);
  }
  if (!options.quiet) print_summary(experiment, options, after, done);
  if (g_stop && !after.missing.empty()) return ExitCode::kInterrupted;
  return after.failed.empty() ? ExitCode::kGood : ExitCode::kFailed;
}

}  // namespace vp
