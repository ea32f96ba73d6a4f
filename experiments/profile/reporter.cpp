#include "experiments/profile/reporter.h"

#include <array>
#include <ostream>
#include <string>

namespace vp {
namespace {

using benchmark::BenchmarkReporter;
using Run = BenchmarkReporter::Run;

constexpr std::array kCounters = {"FLOPS",       "share_of_peak",  "share_beside_peak", "bytes",
                                  "bytes_per_s", "share_of_triad", "intensity",         "updates_per_s"};

// Google Benchmark 1.8 renamed the member.
template <class R>
bool has_error(const R& run) {
  if constexpr (requires { run.error_occurred; })
    return run.error_occurred;
  else
    return static_cast<int>(run.skipped) != 0;
}

std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) out += c == '"' ? "\"\"" : std::string(1, c);
  return out + "\"";
}

class CsvReporter final : public BenchmarkReporter {
 public:
  explicit CsvReporter(const ProfileSession& session) : session_(session) {}
  bool ReportContext(const Context& context) override {
    if (&GetErrorStream() != &GetOutputStream()) PrintBasicContext(&GetErrorStream(), context);  // a file holds rows only
    std::ostream& out = GetOutputStream();
    out << "name,iterations,real_time,cpu_time,time_unit";
    for (const char* counter : kCounters) out << ',' << counter;
    out << ",label,error\n";
    return true;
  }
  void ReportRuns(const std::vector<Run>& runs) override {
    for (const Run& run : runs) write(run);
  }

 private:
  void write(const Run& run) {
    std::ostream& out = GetOutputStream();
    out << quoted(run.benchmark_name());
    if (has_error(run)) {
      const auto fault = session_.faults().find(run.run_name.function_name);
      out << std::string(4 + kCounters.size() + 1, ',') << ',' << quoted(fault == session_.faults().end() ? "error" : fault->second)
          << '\n';
      return;
    }
    out << ',' << run.iterations << ',' << run.GetAdjustedRealTime() << ',' << run.GetAdjustedCPUTime() << ','
        << GetTimeUnitString(run.time_unit);
    for (const char* name : kCounters) {
      out << ',';
      if (const auto counter = run.counters.find(name); counter != run.counters.end()) out << static_cast<double>(counter->second);
    }
    out << ',' << quoted(run.report_label) << ",\n";
  }
  const ProfileSession& session_;
};

Run machine_row(const std::string& name, const char* counter, double rate) {
  Run run;
  run.run_name.function_name = "machine/" + name;
  run.family_index = run.per_family_instance_index = run.repetition_index = 0;
  run.repetitions = 1;
  run.time_unit = benchmark::kMicrosecond;
  run.counters[counter] = rate;
  run.report_label = "at the end of the run";
  return run;
}

// Passes everything on, takes the samples, and adds the machine's rows.
class ProfileReporter final : public BenchmarkReporter {
 public:
  ProfileReporter(std::shared_ptr<BenchmarkReporter> inner, ProfileSession& session, bool keep_samples)
      : inner_(std::move(inner)), session_(session), keep_samples_(keep_samples) {}
  bool ReportContext(const Context& context) override {
    inner_->SetOutputStream(&GetOutputStream());
    inner_->SetErrorStream(&GetErrorStream());
    return inner_->ReportContext(context);
  }
  void ReportRuns(const std::vector<Run>& runs) override {
    inner_->ReportRuns(runs);
    for (const Run& run : runs)
      if (keep_samples_ && run.run_type == Run::RT_Iteration && !has_error(run))
        session_.samples()[run.run_name.str()].push_back(run.GetAdjustedRealTime() / GetTimeUnitMultiplier(run.time_unit));
  }
  void Finalize() override {
    std::vector<Run> rows;
    for (const auto& [threads, limits] : session_.limits_at_end()) {
      rows.push_back(machine_row("fma_peak/threads:" + std::to_string(threads), "FLOPS", limits.flops_per_second));
      rows.push_back(machine_row("triad/threads:" + std::to_string(threads), "bytes_per_s", limits.bytes_per_second));
    }
    inner_->ReportRuns(rows);
    inner_->Finalize();
  }

 private:
  std::shared_ptr<BenchmarkReporter> inner_;
  ProfileSession& session_;
  bool keep_samples_;
};

std::shared_ptr<BenchmarkReporter> make_inner(std::string_view format, const ProfileSession& session, Target target) {
  if (format == "csv") return std::make_shared<CsvReporter>(session);
  if (format == "json") return std::make_shared<benchmark::JSONReporter>();
  if (target == Target::kFile) return std::make_shared<benchmark::ConsoleReporter>(benchmark::ConsoleReporter::OO_None);
  return {benchmark::CreateDefaultDisplayReporter(),
          [](BenchmarkReporter*) {}};  // honours the flags for colour and columns; the library keeps it
}

}  // namespace

std::unique_ptr<benchmark::BenchmarkReporter> make_reporter(std::string_view format, ProfileSession& session, Target target) {
  return std::make_unique<ProfileReporter>(make_inner(format, session, target), session, target == Target::kDisplay);
}

}  // namespace vp
