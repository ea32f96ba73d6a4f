#include "experiments/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

namespace vp {
namespace {

constexpr std::int64_t kTerminalIntervalMs = 100, kPlainIntervalMs = 5000;

std::string duration(double seconds) {
  const auto s = static_cast<std::int64_t>(seconds + 0.5);
  if (s >= 3600) return fmt::format("{}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60);
  return fmt::format("{}:{:02}", s / 60, s % 60);
}

std::string bar(double share) {
  constexpr int kWidth = 24;
  const int full = static_cast<int>(share * kWidth);
  return '[' + std::string(full, '#') + std::string(kWidth - full, '.') + ']';
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
  const std::string line = status_line(static_cast<double>(now_ms) / 1000);
  fmt::print(stderr, "{}", terminal_ ? "\r" + line + "\x1b[K" : line + "\n");
  std::fflush(stderr);
}

std::string Progress::status_line(double seconds) const {
  const double share = std::min(1.0, static_cast<double>(done_) / static_cast<double>(total_));
  const double rate = seconds > 0 ? static_cast<double>(done_) / seconds : 0;
  const std::string left = share > 0.01 ? ", " + duration(seconds * (1 - share) / share) + " left" : "";
  return fmt::format("{} {:3.0f} %  {} of {} {}, {:.0f} {}/s{}", bar(share), 100 * share, runs_done_.load(), runs_, words_.runs, rate,
                     words_.updates, left);
}

}  // namespace vp
