// `vpoint report`: the page is drawn by scripts/report.py, whose text is part of this program, so that an installed binary needs no other
// file.
#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstring>

#include "experiments/commands.h"
#include "experiments/report_script.h"

extern char** environ;

namespace vp {
namespace {

constexpr const char* kPython = "/usr/bin/python3";  // the one that Debian's pandas and plotly belong to

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
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

}  // namespace

ExitCode run_report_script(const std::filesystem::path& directory) {
  const int script = script_descriptor();
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, script, STDIN_FILENO);
  std::string python = kPython, dash = "-", target = directory.string();
  std::array<char*, 4> arguments = {python.data(), dash.data(), target.data(), nullptr};
  pid_t child = 0;
  const int failure = posix_spawn(&child, kPython, &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  close(script);
  if (failure != 0)
    throw io_error(fmt::format("{}: {}; the report needs Python with pandas and plotly (scripts/setup.sh installs them)", kPython,
                               std::strerror(failure)));
  const int code = wait_for(child);
  if (code != 0)
    throw io_error(fmt::format("the report of {} was not written (see above); scripts/setup.sh installs what it needs", target));
  fmt::print("{}\n", (directory / "report.html").string());
  return ExitCode::kGood;
}

}  // namespace vp
