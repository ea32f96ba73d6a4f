// Small experiments, reports and directories for the tests of the results.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <limits>
#include <memory>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "experiments/config/experiment_file.h"
#include "experiments/io/error.h"
#include "experiments/results/results.h"
#include "tests/experiments/io/temp_dir.h"

namespace vp::test {

inline constexpr double kInf = std::numeric_limits<double>::infinity();
inline constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

// An option that only some runs have.
struct LengthOption : OptionsOf<LengthOption> {
  std::int64_t length = 100;
  void visit_fields(FieldVisitor& v) override { v.field({.key = "task.length", .description = "time steps", .minimum = 1}, length); }
};

inline Config config_of(std::int64_t seed) {
  Config config;
  config.task_name = "adding";
  config.run.train.seed = seed;
  return config;
}

inline Experiment experiment_of(std::int64_t seeds, const std::string& name = "small") {
  Experiment experiment;
  experiment.name = name;
  experiment.title = "A small one";
  for (std::int64_t seed = 0; seed < seeds; ++seed) experiment.runs.push_back(config_of(seed));
  experiment.resolved_toml = "name = \"" + name + "\"\n";
  return experiment;
}

// Another run in the place of run i: its configuration after `change`.
template <class Change>
void change_run(Experiment& experiment, std::size_t i, Change change) {
  Config config = experiment.runs[i];
  change(config);
  experiment.runs[i] = Run(std::move(config));
}

inline Provenance provenance_of(const std::string& build = "b1") {
  return {.build = build, .isa = "AVX2/avx2", .libraries = "oneDNN 2.6.3, Highway 1.0.3", .backend = "onednn"};
}

// Numbers that tell every column from the others.
inline RunReport report_of(double x) {
  RunReport report;
  report.summary = {.outcome = Outcome::kCompleted,
                    .updates_done = 7,
                    .train_loss = x + 0.25,
                    .validation_loss = x + 0.5,
                    .validation_accuracy = 0.1,
                    .test_loss = 1e-300,
                    .test_accuracy = {},
                    .gradient_slope = -0.125,
                    .gradient_slope_low = -0.25,
                    .gradient_slope_high = -0.0625,
                    .gradient_slope_final = 1e22,
                    .max_gradient_norm = 3,
                    .note = "a, \"b\"\nc"};
  report.curves = {{.update = 0,
                    .train_loss = x,
                    .validation_loss = 2.5,
                    .validation_accuracy = {},
                    .test_loss = {},
                    .test_accuracy = 0.5,
                    .gradient_norm = kInf,
                    .clipped = {},
                    .note = "early"},
                   {.update = 7,
                    .train_loss = kNan,
                    .validation_loss = {},
                    .validation_accuracy = {},
                    .test_loss = {},
                    .test_accuracy = {},
                    .gradient_norm = {},
                    .clipped = 0.75,
                    .note = ""}};
  report.timesteps = {{.update = 0,
                       .layer = 1,
                       .t = 2,
                       .log10_dh = -kInf,
                       .log10_dh_typical = kNan,
                       .log10_dc = -4.5,
                       .activation_mean = 0,
                       .activation_std = 1,
                       .saturated = 0.125,
                       .note = ""}};
  report.layers = {{.update = 0,
                    .layer = 1,
                    .activation_mean = 0.5,
                    .activation_std = 0.25,
                    .saturated = {},
                    .log10_gradient = -1.5,
                    .log10_weight_gradient = -2.5,
                    .dead_units = 0.375,
                    .note = ""}};
  report.spectra = {{.update = 0, .layer = 0, .kind = "singular_value", .t = {}, .index = 3, .value = 1.5},
                    {.update = 0, .layer = 0, .kind = "log10_slope", .t = 2, .index = 2, .value = -kInf}};
  report.traces = {{.update = 0, .layer = 0, .sample = 1, .t = 2, .unit = 3, .quantity = "forget_gate", .value = 0.5}};
  report.metrics = {{.update = 2, .split = Split::kTest, .metric = "recall", .label = "1", .value = 0.25, .note = "", .label_name = "cat"},
                    {.update = 2, .split = Split::kValidation, .metric = "mse", .label = "", .value = kNan, .note = ""}};
  report.classes = {{.label = 0, .name = "a,b", .counts = {5, 1, 0}}, {.label = 1, .name = "cat", .counts = {4, 2, 1}}};
  report.predictions = {
      {.split = Split::kValidation,
       .sample = "a,b",
       .t = 3,
       .output = {},
       .target = 1,
       .prediction = 0,
       .probability = 0.75,
       .target_name = "cat",
       .prediction_name = "a,b"},
      {.split = Split::kTest, .sample = "7", .t = {}, .output = 2, .target = 0.5, .prediction = kInf, .probability = {}},
      {.split = Split::kTest, .sample = "8", .t = {}, .output = {}, .target = 0, .target_name = "a,b", .note = "diverged"}};
  for (std::size_t i = 0; i < report.phase_seconds.size(); ++i) report.phase_seconds[i] = 0.5 * static_cast<double>(i + 1);
  report.wall_seconds = 12.5;
  return report;
}

inline Bundle bundle_of(const Config& config, double x = 1, const Provenance& provenance = provenance_of()) {
  return make_bundle(config, provenance, report_of(x), "host-a", 2);
}

inline std::string slurp(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return file ? text.str() : "(no file)";
}

inline void spill(const std::filesystem::path& path, const std::string& text) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << text;
}

inline std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

// A result directory of its own for each test, not yet made.
class ResultsTest : public ::testing::Test {
 protected:
  std::filesystem::path path_of(const Config& config) const { return bundle_path(directory_, run_id(config)); }
  void store(const Bundle& bundle) const { spill(bundle_path(directory_, bundle.run_id), encode_bundle(bundle)); }

  TempDir temporary_;
  std::filesystem::path directory_ = temporary_ / "results";
};

// The error that f throws.
template <class F>
std::pair<ExitCode, std::string> error_of(F f) {
  try {
    f();
  } catch (const UserError& error) {
    return {error.code(), error.what()};
  }
  return {ExitCode::kGood, "(no error)"};
}

inline ::testing::AssertionResult contains(const std::string& text, const std::string& part) {
  if (text.find(part) != std::string::npos) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << "\"" << part << "\" is not in: " << text;
}

}  // namespace vp::test
