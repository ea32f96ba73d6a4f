#include "experiments/verify/command_verify.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "experiments/io/progress.h"
#include "experiments/machine/instruction_set.h"
#include "experiments/machine/processors.h"
#include "experiments/verify/verify.h"

namespace vp {
namespace {

using Json = nlohmann::ordered_json;

// Red for what is wrong, on a terminal that has not said NO_COLOR (no-color.org).
std::string loud(const std::string& text) {
  const char* no_color = std::getenv("NO_COLOR");
  const bool colour = isatty(STDOUT_FILENO) == 1 && (no_color == nullptr || *no_color == '\0');
  return colour ? "\x1b[1;31m" + text + "\x1b[0m" : text;
}

std::string_view verdict(const VerifyRow& row) { return row.finding.holds() ? "ok" : "WRONG"; }

std::string figure(double worst) { return worst == 0 ? "0" : std::isfinite(worst) ? fmt::format("{:.3g}", worst) : "inf"; }

void print_machine(const VerifyMachine& machine) {
  for (const auto& [name, value] : machine.facts) fmt::print("{:22}  {}\n", name, value);
  for (const std::string& warning : machine.warnings) fmt::print("{}\n", loud("!!! " + warning));
}

void print_table(const std::vector<VerifyRow>& rows) {
  std::size_t width = 0;
  for (const VerifyRow& row : rows) width = std::max(width, row.subject.size());
  for (const VerifyTopic& topic : verify_topics()) {
    fmt::print("\n{}: {}\n  allowed: {}\n  {:{}}  {:>5}  {:>13}\n", topic.name, topic.claim, topic.allowed, "", width, "cases",
               "worst/allowed");
    for (const VerifyRow& row : rows) {
      if (row.topic != topic.name) continue;
      const std::string line =
          fmt::format("  {:{}}  {:>5}  {:>13}  {}", row.subject, width, row.cases, figure(row.finding.worst), verdict(row));
      fmt::print("{}\n", row.finding.holds() ? line : loud(line));
      if (!row.finding.holds()) fmt::print("      {}\n", row.finding.fault);
    }
  }
}

// Infinity is no JSON number: null.
Json to_json(const VerifyRow& row) {
  const auto topic = std::ranges::find(verify_topics(), row.topic, &VerifyTopic::name);
  return {{"check", row.topic},        {"subject", row.subject},
          {"cases", row.cases},        {"worst", std::isfinite(row.finding.worst) ? Json(row.finding.worst) : Json(nullptr)},
          {"allowed", topic->allowed}, {"holds", row.finding.holds()},
          {"fault", row.finding.fault}};
}

void print_json(const VerifyMachine& machine, const std::vector<VerifyRow>& rows, const std::vector<int>& threads, bool all_hold) {
  Json out = {
      {"machine", Json::object()}, {"warnings", machine.warnings}, {"threads", threads}, {"checks", Json::array()}, {"holds", all_hold}};
  for (const auto& [name, value] : machine.facts) out["machine"][name] = value;
  for (const VerifyRow& row : rows) out["checks"].push_back(to_json(row));
  fmt::print("{}\n", out.dump(2));
}

}  // namespace

std::string verify_help() {
  return "What a new machine is asked first: gradients of every cell, activation, loss and initialiser against central differences; every "
         "kernel of\n"
         "every backend against the double-precision reference, at odd sizes and with special values; the same bits on every number of "
         "threads.\n"
         "Each row is the worst of its cases as a multiple of what is allowed. Takes half a minute. Exit 1 if a row is wrong.";
}

ExitCode run_verify(const VerifyArguments& arguments) {
  if (!arguments.isa.empty()) limit_instruction_set(arguments.isa);
  const auto start = std::chrono::steady_clock::now();
  const VerifyMachine machine = verify_machine();
  const bool table = !arguments.json && !arguments.quiet;
  if (table) print_machine(machine);
  const std::vector<Check> checks = verify_checks(arguments.threads);
  const auto count = static_cast<std::int64_t>(checks.size());
  std::vector<VerifyRow> rows;
  {
    Progress progress(count, count, arguments.quiet, {.runs = "checks", .updates = "checks"});
    const auto done = [&] { progress.advance(1), progress.finish_run(0); };
    rows = run_checks(checks, usable_processors().count, done);
  }
  const auto wrong = std::ranges::count_if(rows, [](const VerifyRow& row) { return !row.finding.holds(); });
  if (arguments.json) print_json(machine, rows, arguments.threads, wrong == 0);
  if (table) {
    print_table(rows);
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    const std::string outcome = fmt::format("{} of {} rows are wrong", wrong, rows.size());
    fmt::print("\nverify: {} ({} checks, {:.0f} s)\n", wrong == 0 ? fmt::format("all {} rows hold", rows.size()) : loud(outcome), count,
               seconds);
  }
  if (arguments.quiet && !arguments.json)
    for (const VerifyRow& row : rows)
      if (!row.finding.holds()) fmt::print(stderr, "vpoint: {}, {}: {}\n", row.topic, row.subject, row.finding.fault);
  return wrong == 0 ? ExitCode::kGood : ExitCode::kFailed;
}

}  // namespace vp
