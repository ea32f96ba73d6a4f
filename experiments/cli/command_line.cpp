#include "experiments/cli/command_line.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <exception>
#include <functional>
#include <memory>
#include <system_error>

#include "experiments/cli/commands.h"
#include "experiments/config/toml.h"
#include "experiments/inspect/command_inspect.h"
#include "experiments/io/files.h"
#include "experiments/machine/library_versions.h"
#include "experiments/machine/processors.h"
#include "experiments/profile/command_profile.h"
#include "experiments/sweep/runner.h"
#include "experiments/verify/command_verify.h"
#include "kernels/backend_list.h"
#include "models/base/suggest.h"

namespace vp {
namespace {

// Behind --threads of `run` and `inspect`.
constexpr const char* kThreadsHelp =
    "threads (default: as many as processors may be used, the fewest of affinity, cgroup quota rounded up, SLURM_CPUS_PER_TASK)";

Shard parse_shard(const std::string& text) {
  Shard shard;
  const char *begin = text.data(), *end = begin + text.size();
  const auto first = std::from_chars(begin, end, shard.index);
  const bool slash = first.ec == std::errc() && first.ptr != end && *first.ptr == '/';
  const auto second = slash ? std::from_chars(first.ptr + 1, end, shard.count) : first;
  if (!slash || second.ec != std::errc() || second.ptr != end || shard.count < 1 || shard.index < 1 || shard.index > shard.count)
    throw usage_error(fmt::format("--shard {}: expected i/N with 1 <= i <= N, e.g. 1/4", text));
  return shard;
}

int threads_or_all(int threads) { return threads > 0 ? threads : usable_processors().count; }

// Short words for keys of [run], behind any command that takes an experiment file.
struct EngineFlags {
  std::string backend, precision;
  bool ftz = false;

  void add_to(CLI::App& command) {
    command.add_option("--backend", backend, fmt::format("as run.backend=...: auto, {}", fmt::join(backend_names(), ", ")));
    command.add_option("--precision", precision, "as run.precision=...: f32, f64");
    command.add_flag("--ftz", ftz, "as run.ftz=true: flush denormals to zero");
  }
  void append_to(std::vector<std::string>& overrides) const {
    if (!backend.empty()) overrides.push_back("run.backend=" + backend);
    if (!precision.empty()) overrides.push_back("run.precision=" + precision);
    if (ftz) overrides.push_back("run.ftz=true");
  }
};

// The words behind `vpoint run`.
struct RunArguments {
  std::string file, out, shard = "1/1";
  std::vector<std::string> overrides;
  EngineFlags engine;
  int threads = 0;
  bool fresh = false, allow_mixed = false, dry_run = false, quiet = false;

  ExitCode operator()() {
    engine.append_to(overrides);
    const std::string text = read_file(file, kMaxExperimentBytes);  // once: it may be a pipe
    const Experiment experiment = load_experiment(text, file, overrides);
    check_planned_claims(experiment, text, file, overrides);
    RunOptions options{
        .directory = out.empty() ? "results/" + experiment.name : out, .threads = threads_or_all(threads), .shard = parse_shard(shard)};
    options.fresh = fresh, options.allow_mixed = allow_mixed, options.quiet = quiet;
    if (dry_run) return print_plan(experiment, options.threads);
    return run_experiment(experiment, options);
  }
};

void add_run(CLI::App& app, RunArguments& a, std::function<ExitCode()>& action) {
  CLI::App* run = app.add_subcommand("run", "Run what is missing of an experiment; goes on where an earlier run stopped");
  run->add_option("FILE", a.file, "experiment file (TOML)")->required();
  run->add_option("SETTING", a.overrides, "key=value sets a field, key=a,b,c makes it an axis of the grid, train.seed=0..9 is a range");
  run->add_option("--out", a.out, "result directory (default: results/<name>)");
  run->add_option("--threads", a.threads, kThreadsHelp)->check(CLI::Range(1, kMostThreads));
  a.engine.add_to(*run);
  run->add_option("--shard", a.shard, "i/N: only every N-th run, from the i-th on");
  run->add_flag("--fresh", a.fresh, "start over: remove this experiment's results from the directory first");
  run->add_flag("--allow-mixed", a.allow_mixed, "accept results of other builds, instruction sets and data, and name them in runs.csv");
  run->add_flag("--dry-run", a.dry_run, "print the runs and do nothing");
  run->add_flag("--quiet", a.quiet, "no progress and no summary");
  run->callback([&] { action = std::ref(a); });
}

struct DirectoryArguments {
  std::string directory, list, out;
  bool json = false, allow_mixed = false;
};

CLI::App* add_directory_command(CLI::App& app, const char* name, const char* help, DirectoryArguments& a) {
  CLI::App* command = app.add_subcommand(name, help);
  command->add_option("DIR", a.directory, "result directory")->required();
  return command;
}

void add_directory_commands(CLI::App& app, DirectoryArguments& a, std::function<ExitCode()>& action) {
  CLI::App* status = add_directory_command(app, "status", "Show which runs are finished, missing and failed", a);
  status->add_flag("--json", a.json, "machine-readable");
  status->callback([&] { action = [&a] { return print_status(a.directory, a.json); }; });
  CLI::App* merge = add_directory_command(app, "merge", "Write the CSV files from the finished runs", a);
  merge->add_flag("--allow-mixed", a.allow_mixed, "accept results of other builds, instruction sets and data, and name them in runs.csv");
  merge->callback([&] { action = [&a] { return merge_directory(a.directory, a.allow_mixed); }; });
  CLI::App* report = add_directory_command(app, "report", "Write report.html: plots, tables and verdicts on one page", a);
  report->add_option("--out", a.out, "file to write (default: DIR/report.html); nothing in DIR is then written");
  report->footer(
      "Finished runs are drawn, merged or not. Needs Python with pandas and plotly: /usr/bin/python3, or the absolute path in\n"
      "VPOINT_PYTHON. It is started isolated: no module of the current directory, of DIR or of PYTHONPATH is loaded.");
  report->callback([&] { action = [&a] { return write_report(a.directory, a.out); }; });
  CLI::App* check = add_directory_command(app, "check", "Check the claims; exit 1 unless all hold", a);
  check->add_flag("--json", a.json, "machine-readable");
  check->callback([&] { action = [&a] { return check_directory_claims(a.directory, a.json); }; });
  CLI::App* list = app.add_subcommand("list", "Show what can be chosen");
  list->add_option("WHAT", a.list, fmt::format("{}", fmt::join(list_names(), ", ")))->required();
  list->add_flag("--json", a.json, "machine-readable");
  list->callback([&] { action = [&a] { return print_list(a.list, a.json); }; });
}

void add_profile(CLI::App& app, std::function<ExitCode()>& action) {
  const auto a = std::make_shared<ProfileArguments>();
  CLI::App* profile =
      app.add_subcommand("profile", "Time kernels and training steps against the machine's peak; takes Google Benchmark's flags");
  profile->footer(profile_help());
  profile->allow_extras();  // Google Benchmark's flags are not ours to read
  profile->add_option("--step", a->steps, "a training step of any shape, e.g. lstm:T=100,B=64,H=128,I=2; may be given again")
      ->allow_extra_args(false);
  profile->add_option("--backend", a->backend, "only this engine");
  profile
      ->add_option("--threads", a->threads,
                   "thread counts of the steps, e.g. 1,2 (default: 1, and one for every processor that may be used)")
      ->delimiter(',')
      ->check(CLI::Range(1, kMostThreads));
  profile->add_option("--isa", a->isa, "only this instruction set, e.g. AVX2: peak, kernels and oneDNN alike");
  profile->add_option("--compare", a->compare, "print ratios to an earlier --benchmark_out file, with a Mann-Whitney test");
  profile->callback([=, &action] {
    a->flags = profile->remaining();
    action = [a] { return run_profile(*a); };
  });
}

void add_verify(CLI::App& app, std::function<ExitCode()>& action) {
  const auto a = std::make_shared<VerifyArguments>();
  CLI::App* verify = app.add_subcommand("verify", "Check gradients, kernels and bits on this machine; exit 1 if anything is wrong");
  verify->footer(verify_help());
  verify->add_option("--threads", a->threads, "thread counts that must give the same bits (default: 1,2,8)")
      ->delimiter(',')
      ->check(CLI::Range(1, kMostThreads));
  verify->add_option("--isa", a->isa, "only this instruction set, e.g. AVX2: kernels and oneDNN alike");
  verify->add_flag("--json", a->json, "machine-readable");
  verify->add_flag("--quiet", a->quiet, "no progress and no table; faults and the exit code tell");
  verify->callback([=, &action] { action = [a] { return run_verify(*a); }; });
}

void add_inspect(CLI::App& app, std::function<ExitCode()>& action) {
  const auto a = std::make_shared<InspectArguments>();
  const auto engine = std::make_shared<EngineFlags>();
  a->threads = 0;
  CLI::App* inspect =
      app.add_subcommand("inspect", "One forward and backward pass on your own weights and batch: every gradient, at every step");
  inspect->add_option("FILE", a->file, "experiment file (TOML): the model and the engine; its task is not looked at")->required();
  inspect->add_option("SETTING", a->overrides, "key=value sets a field");
  inspect->add_option("--tensors", a->tensors, "safetensors file: input, target, and optional h0, c0 and the parameters")->required();
  inspect->add_option("--out", a->out, "safetensors file to write: loss, logits, hidden states, gradients, norms")->required();
  inspect->add_option("--threads", a->threads, kThreadsHelp)->check(CLI::Range(1, kMostThreads));
  engine->add_to(*inspect);
  inspect->add_option("--classes", a->classes, "number of classes, where no readout.weight says it")->check(CLI::Range(1, 1 << 30));
  inspect->add_flag("--summary", a->summary, "print the norms by step, and write them to OUT with the ending .csv");
  inspect->callback([=, &action] {
    action = [a, engine] {
      engine->append_to(a->overrides);
      a->threads = threads_or_all(a->threads);
      return run_inspect(*a);
    };
  });
}

int fail(ExitCode code, const std::string& message) {
  fmt::print(stderr, "vpoint: {}\n", message);
  return static_cast<int>(code);
}

// The first word that looks like an option and is none of this command's; empty if there is none.
std::string unknown_option(const CLI::App& command) {
  std::vector<std::string> known;
  for (const CLI::Option* option : command.get_options())
    for (const std::string& name : option->get_lnames()) known.push_back("--" + name);
  for (const std::string& word : command.remaining()) {
    if (word.size() < 2 || word.front() != '-') continue;
    const std::string name = word.substr(0, std::min<std::size_t>(word.find('='), 64));
    const std::string of = command.get_parent() == nullptr ? "" : command.get_name() + ": ";
    return fmt::format("{}no option \"{}\"{}", of, name, suggestion(name, known));
  }
  return "";
}

// CLI11 prints help and errors itself; its own codes become ours.
int finish_parse(const CLI::App& app, const CLI::ParseError& error, int argc, char** argv) {
  if (error.get_exit_code() == 0) return app.exit(error);
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands(nullptr)) names.push_back(command->get_name());
  if (argc > 1 && argv[1][0] != '-' && std::ranges::find(names, argv[1]) == names.end())
    return fail(ExitCode::kUsage, fmt::format("no command \"{}\"{}", argv[1], suggestion(argv[1], names)));
  std::vector<const CLI::App*> parsed = {&app};
  for (const CLI::App* command : app.get_subcommands()) parsed.push_back(command);
  for (const CLI::App* command : parsed)
    if (const std::string unknown = unknown_option(*command); !unknown.empty()) return fail(ExitCode::kUsage, unknown);
  return fail(ExitCode::kUsage, fmt::format("{} (vpoint --help)", error.what()));
}

}  // namespace

int run_command_line(int argc, char** argv) {
  CLI::App app("Vanishing Point: experiments on vanishing and exploding gradients", "vpoint");
  app.set_version_flag("--version", [] { return fmt::format("vpoint {} ({}; {})", VP_VERSION, library_versions(), instruction_set()); });
  app.require_subcommand(1);
  app.footer(
      "Exit codes: 0 good, 1 a run failed or a claim does not hold, 2 wrong usage or configuration, 3 a file cannot be read or written,\n"
      "75 interrupted or unfinished: the same command goes on where it stopped.");
  RunArguments run;
  DirectoryArguments directory;
  std::function<ExitCode()> action;
  add_run(app, run, action);
  add_directory_commands(app, directory, action);
  add_profile(app, action);
  add_verify(app, action);
  add_inspect(app, action);
  try {
    app.parse(argc, argv);
    return static_cast<int>(action());
  } catch (const CLI::ParseError& error) {
    return finish_parse(app, error, argc, argv);
  } catch (const UserError& error) {
    return fail(error.code(), error.what());
  } catch (const std::bad_alloc&) {
    return fail(ExitCode::kFailed, "out of memory; smaller train.batch, model.hidden or task.length, or fewer --threads, need less");
  } catch (const std::exception& error) {
    return fail(ExitCode::kFailed, fmt::format("internal error: {}; please report it", error.what()));
  }
}

}  // namespace vp
