// `vpoint report`: the page is drawn by scripts/report, whose text is part of this program, so that an installed binary needs no other
// file. Python is started isolated (-I): the current directory, PYTHON* variables and packages of the user have no say in what it runs.
#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <system_error>

#include "experiments/cli/commands.h"
#include "experiments/cli/report_script.h"
#include "experiments/config/experiment_file.h"
#include "experiments/io/files.h"
#include "experiments/results/tables.h"

extern char** environ;

namespace vp {
namespace {

namespace fs = std::filesystem;

constexpr const char* kPython = "/usr/bin/python3";  // the one that Debian's pandas and plotly belong to

void warn(const std::string& text) { fmt::print(stderr, "warning: {}\n", text); }

// A relative name would be looked up in the current directory, or along PATH, by whoever starts the program.
std::string python_path() {
  const char* named = std::getenv("VPOINT_PYTHON");
  if (named == nullptr || *named == '\0') return kPython;
  if (*named != '/') throw usage_error(fmt::format("VPOINT_PYTHON is \"{}\"; expected the absolute path of a Python", named));
  return named;
}

// --- what the page is drawn from ---

// A private directory with links to the result files, and beside them what they lack: the tables of runs that are not merged yet, and the
// verdicts. So a report changes no result file, and works where none may be written.
class Staging {
 public:
  explicit Staging(const fs::path& directory) : directory_(directory) {
    const char* place = std::getenv("TMPDIR");
    std::string name = (fs::path(place == nullptr || *place == '\0' ? "/tmp" : place) / "vpoint-report-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr)
      throw io_error(fmt::format("{}: {}; TMPDIR names another directory for temporary files", name, std::strerror(errno)));
    path_ = name;
    for (const char* entry : {"config.toml", "manifest.json", "runs", "checkpoints"}) link(entry);
  }
  ~Staging() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);  // the links, not what they lead to
  }
  Staging(const Staging&) = delete;
  Staging& operator=(const Staging&) = delete;

  const fs::path& path() const { return path_; }

  void link(const fs::path& name) {
    if (fs::exists(directory_ / name)) fs::create_symlink(fs::absolute(directory_ / name), path_ / name);
  }
  void link_tables() {
    link("datapackage.json");
    for (const fs::directory_entry& entry : fs::directory_iterator(directory_)) {
      const fs::path name = entry.path().filename();
      if (name.extension() == ".csv" && name != "claims.csv") link(name);
    }
  }
  // A message about a file in here, as one about the user's own.
  std::string in_users_words(std::string text) const {
    for (std::size_t at = text.find(path_.string()); at != std::string::npos; at = text.find(path_.string()))
      text.replace(at, path_.string().size(), directory_.string());
    return text;
  }

 private:
  const fs::path directory_;
  fs::path path_;
};

// runs.csv has a row for every bundle that is there, in grid order, and is newer than all. Results without bundles are as they are.
bool is_merged(const fs::path& directory, const Experiment& experiment) {
  const fs::path csv = directory / "runs.csv";
  if (!fs::exists(csv)) return false;
  std::vector<std::string> ids;
  fs::file_time_type newest = fs::file_time_type::min();
  for (const Run& run : experiment.runs) {
    const fs::path bundle = bundle_path(directory, run.id());
    if (!fs::exists(bundle)) continue;
    ids.push_back(run.id());
    newest = std::max(newest, fs::last_write_time(bundle));
  }
  if (ids.empty()) return true;
  const CsvDocument table = parse_csv(read_file(csv), csv.string());
  const std::size_t column = table.column("run_id");
  const auto is_run = [column](const auto& row, const std::string& id) { return row.fields[column] == id; };
  return newest <= fs::last_write_time(csv) && std::ranges::equal(table.rows, ids, is_run);
}

void stage_tables(Staging& staging, const fs::path& directory, const Experiment& experiment) {
  if (is_merged(directory, experiment)) return staging.link_tables();
  try {
    if (merge_results(staging.path(), experiment, true) == 0)
      throw io_error(fmt::format("{}: none of its {} runs has finished yet, so there is nothing to draw; `vpoint run` goes on with them",
                                 directory.string(), experiment.runs.size()));
  } catch (const UserError& error) {  // bundles that only another version of the program can read
    if (error.code() != ExitCode::kUsage || !fs::exists(directory / "runs.csv")) throw;
    warn(fmt::format("the CSV files are drawn as they are: {}", staging.in_users_words(error.what())));
    staging.link_tables();
  }
}

// A sweep that was changed on the command line may lack the groups its claims are about: the page is drawn all the same, and says nothing
// of them.
void stage_claims(const Staging& staging) {
  try {
    check_claims(staging.path());
  } catch (const UserError& error) {
    if (error.code() != ExitCode::kUsage) throw;
    warn(fmt::format("the claims are left out of the report: {}", staging.in_users_words(error.what())));
  }
}

// The verdicts of the page, as claims.csv beside it.
void keep_claims(const Staging& staging, const fs::path& directory) {
  std::error_code ignored;
  const fs::path verdicts = staging.path() / "claims.csv";
  if (fs::exists(verdicts)) return write_file(directory / "claims.csv", read_file(verdicts));
  fs::remove(directory / "claims.csv", ignored);
}

// --- Python ---

// An anonymous file that holds the script, as the child's standard input: no shell, no temporary file, no pipe that could fill.
int script_descriptor() {
  const int fd = memfd_create("report.py", MFD_CLOEXEC);
  if (fd < 0) throw io_error(fmt::format("the report script cannot be handed to Python: {}", std::strerror(errno)));
  std::string_view rest = report_script();
  while (!rest.empty()) {
    const ssize_t written = write(fd, rest.data(), rest.size());
    if (written < 0) throw io_error(fmt::format("the report script cannot be handed to Python: {}", std::strerror(errno)));
    rest.remove_prefix(static_cast<std::size_t>(written));
  }
  lseek(fd, 0, SEEK_SET);
  return fd;
}

int wait_for(pid_t child) {
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

// Python's exit code, or 128 + the signal that ended it.
int run_script(const std::string& python, std::vector<std::string> arguments) {
  const int script = script_descriptor();
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, script, STDIN_FILENO);
  std::vector<char*> pointers;
  for (std::string& argument : arguments) pointers.push_back(argument.data());
  pointers.push_back(nullptr);
  pid_t child = 0;
  const int failure = posix_spawn(&child, python.c_str(), &actions, nullptr, pointers.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  close(script);
  if (failure != 0)
    throw io_error(
        fmt::format("{}: {}; the report needs Python with pandas and plotly (scripts/setup.sh installs them, or VPOINT_PYTHON "
                    "names another)",
                    python, std::strerror(failure)));
  return wait_for(child);
}

}  // namespace

ExitCode write_report(const fs::path& directory, const fs::path& out) {
  const std::string python = python_path();
  const Experiment experiment = experiment_of(directory);
  const fs::path page = out.empty() ? directory / "report.html" : out;
  Staging staging(directory);
  try {
    stage_tables(staging, directory, experiment);
    stage_claims(staging);
  } catch (const UserError& error) {
    throw UserError(error.code(), staging.in_users_words(error.what()));
  } catch (const fs::filesystem_error& error) {
    throw io_error(fmt::format("{}: {}", staging.in_users_words(error.path1().string()), error.code().message()));
  }
  const int code = run_script(
      python, {python, "-I", "-", staging.path().string(), "--out=" + page.string(), fmt::format("--of={}", experiment.runs.size())});
  if (code == static_cast<int>(ExitCode::kInputOutput)) return ExitCode::kInputOutput;  // the script has said why
  if (code != 0) throw io_error(fmt::format("{}: not written: {} ended with code {} (see above)", page.string(), python, code));
  if (out.empty()) keep_claims(staging, directory);
  fmt::print("{}\n", page.string());
  return ExitCode::kGood;
}

}  // namespace vp
