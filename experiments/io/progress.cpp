#include "experiments/io/progress.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace vp {
namespace {

constexpr std::int64_t kTerminalIntervalMs = 100, kPlainIntervalMs = 5000;
constexpr std::size_t kUnlimited = 1000;  // of a line in a file

std::string duration(double seconds) {
  const auto s = static_cast<std::int64_t>(seconds + 0.5);
  if (s >= 3600) return fmt::format("{}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60);
  return fmt::format("{}:{:02}", s / 60, s % 60);
}

constexpr std::size_t kBarWidth = 24, kLeastBarWidth = 6;

std::string bar(double share, std::size_t width) {
  const auto full = static_cast<std::size_t>(share * static_cast<double>(width));
  return '[' + std::string(full, '#') + std::string(width - full, '.') + "] ";
}

// The narrower of what the terminal says and the environment; a line as wide as the terminal would wrap on some.
std::size_t terminal_width() {
  std::size_t columns = 80;
  winsize size{};
  const bool known = ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  if (known) columns = size.ws_col;
  const char* text = std::getenv("COLUMNS");
  const std::string_view digits = text == nullptr ? "" : text;
  std::size_t wished = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), wished);
  if (wished > 0 && (!known || wished < columns)) columns = wished;
  return columns - 1;
}

}  // namespace

Progress::Progress(std::int64_t runs, std::int64_t total_updates, bool quiet, ProgressWords words)
    : runs_(runs), total_(std::max<std::int64_t>(1, total_updates)), quiet_(quiet), terminal_(isatty(STDERR_FILENO) == 1), words_(words) {}

Progress::~Progress() {
  if (!quiet_ && terminal_) fmt::print(stderr, "\r\x1b[K");
}

void Progress::advance(std::int64_t updates) {
  done_.fetch_add(updates, std::memory_order_relaxed);
  print(false);
}

void Progress::finish_run(std::int64_t left_over) {
  done_.fetch_add(left_over, std::memory_order_relaxed);
  runs_done_.fetch_add(1, std::memory_order_relaxed);
  print(runs_done_ == runs_);
}

void Progress::message(const std::string& line) {
  const std::lock_guard lock(mutex_);
  fmt::print(stderr, "{}{}\n", terminal_ && !quiet_ ? "\r\x1b[K" : "", line);
}

void Progress::print(bool force) {
  if (quiet_) return;
  const auto now_ms = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - start_).count();
  std::int64_t due = next_print_ms_.load(std::memory_order_relaxed);
  if (!force && now_ms < due) return;
  const std::int64_t interval = terminal_ ? kTerminalIntervalMs : kPlainIntervalMs;
  if (!next_print_ms_.compare_exchange_strong(due, now_ms + interval) && !force) return;  // another thread prints
  const std::lock_guard lock(mutex_);
  const std::string line = status_line(static_cast<double>(now_ms) / 1000, terminal_ ? terminal_width() : kUnlimited);
  fmt::print(stderr, "{}", terminal_ ? "\r" + line + "\x1b[K" : line + "\n");
  std::fflush(stderr);
}

// What does not fit the width is left out: first the bar gets shorter, then the rate goes, then the bar, the time left, the runs.
std::string Progress::status_line(double seconds, std::size_t width) const {
  const double share = std::min(1.0, static_cast<double>(done_) / static_cast<double>(total_));
  const double rate = seconds > 0 ? static_cast<double>(done_) / seconds : 0;
  const std::string percent = fmt::format("{:3.0f} %", 100 * share);
  const std::string runs = fmt::format("{}  {} of {} {}", percent, runs_done_.load(), runs_, words_.runs);
  const std::string left = share > 0.01 ? ", " + duration(seconds * (1 - share) / share) + " left" : "";
  const std::string whole = fmt::format("{}, {:.0f} {}/s{}", runs, rate, words_.updates, left);
  for (const std::string& text : {whole, runs + left}) {
    constexpr std::size_t kFrame = 3;
    if (text.size() + kFrame + kLeastBarWidth <= width) return bar(share, std::min(kBarWidth, width - kFrame - text.size())) + text;
  }
  for (const std::string& text : {runs + left, runs, percent})
    if (text.size() <= width) return text;
  return percent.substr(0, width);
}

}  // namespace vp
