#include "experiments/inspect/command_inspect.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "experiments/config/experiment_file.h"
#include "experiments/inspect/tensors.h"
#include "experiments/io/file_writer.h"
#include "experiments/io/files.h"
#include "experiments/results/checkpoint_files.h"
#include "experiments/results/provenance.h"
#include "experiments/results/tables.h"
#include "kernels/onednn/sequential_thread.h"
#include "models/model_kinds.h"
#include "models/parameters/checkpoint.h"

namespace vp {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kTableSteps = 12;  // of each layer in the printed table; the CSV file has them all

void warn(const std::string& text) { fmt::print(stderr, "warning: {}\n", text); }

Config load_single_run(const InspectArguments& a) {
  const Experiment experiment = read_experiment(a.file, a.overrides);
  if (experiment.runs.size() > 1)
    throw usage_error(fmt::format("{}: a grid of {} runs, and inspect looks at one; set a single value (key=value) for each axis: {}",
                                  a.file, experiment.runs.size(), fmt::join(experiment.grid_keys, ", ")));
  return experiment.runs.front();
}

template <class T>
GivenBatch<T> read_batch_file(const InspectArguments& a, const Config& config) {
  const std::optional<std::int64_t> classes = a.classes > 0 ? std::optional(a.classes) : std::nullopt;
  try {
    return read_batch<T>(read_safetensors(a.tensors), a.tensors, config.run, classes);
  } catch (const std::invalid_argument& error) {
    throw io_error(fmt::format("{}: {}", a.tensors, error.what()));
  }
}

// Of init.from_checkpoint, where it is set.
template <class T>
void load_checkpoint(const InspectArguments& a, const Config& config, GivenBatch<T>& batch) {
  const auto checkpoint = read_checkpoint(config, batch.shape);
  if (checkpoint == nullptr) return;
  if (!batch.parameters.empty())
    throw usage_error(fmt::format("{} holds parameters, and init.from_checkpoint = {} is set; leave one of them out", a.tensors,
                                  config.run.init.from_checkpoint));
  const ParameterLayout layout = make_layout(config.run, batch.shape);
  batch.parameters.resize(layout.size);
  load_parameters(*checkpoint, layout, batch.parameters.data());
}

fs::path table_path(const InspectArguments& a) { return fs::path(a.out).replace_extension(".csv"); }

void check_paths(const InspectArguments& a) {
  std::vector<fs::path> written = {a.out};
  if (a.summary) written.push_back(table_path(a));
  if (a.summary && written[0] == written[1])
    throw usage_error(fmt::format("--out {}: --summary writes the norms there; choose another ending, e.g. .safetensors", a.out));
  for (const fs::path& out : written)
    for (const std::string& in : {a.file, a.tensors}) {
      std::error_code ignored;
      if (fs::equivalent(out, in, ignored))
        throw usage_error(fmt::format("--out {}: {} would be overwritten; choose another name", a.out, in));
    }
}

// Every layer and step, in the columns of timesteps.csv.
std::string norms_csv(std::span<const TimestepRow> rows) { return header_of<TimestepRow>("update") + rows_text(rows, "update"); }

void print_norms(std::span<const TimestepRow> rows, std::int64_t steps) {
  const std::int64_t shown = std::min(steps, kTableSteps);
  fmt::print("{:>5} {:>6} {:>15} {:>15}\n", "layer", "t", "log10 |dL/dh_t|", "log10 |dL/dc_t|");
  for (std::size_t first = 0; first < rows.size(); first += static_cast<std::size_t>(steps))
    for (std::int64_t i = 0; i < shown; ++i) {
      const TimestepRow& r = rows[first + static_cast<std::size_t>(shown == 1 ? 0 : i * (steps - 1) / (shown - 1))];
      const auto text = [](const Number& norm) { return norm ? fmt::format("{:.4f}", *norm) : "-"; };
      fmt::print("{:>5} {:>6} {:>15} {:>15}\n", r.layer, r.t, text(r.log10_dh), text(r.log10_dc));
    }
}

template <class T>
void report_oddities(const Inspection<T>& inspection, const InspectionTensors<T>& tensors) {
  const std::vector<std::string> not_finite = tensors.not_finite();
  if (!not_finite.empty()) warn(fmt::format("not finite: {}", fmt::join(not_finite, ", ")));
  if (inspection.lost_in_parameters > 0)
    warn(fmt::format("{} parts of parameter gradients left the range of the precision", inspection.lost_in_parameters));
  if (inspection.lost_in_hidden_gradients > 0)
    warn(fmt::format("{} elements of dL/dh_t left the range of the precision and are zero or infinite; the log10 norms are right",
                     inspection.lost_in_hidden_gradients));
}

// What a reader of the file needs to know to compare its bits.
std::map<std::string, std::string> metadata(const RunSpec& spec) {
  const EngineSpec& engine = spec.engine;
  const Provenance provenance = current_provenance();
  return {{"format", "pt"},
          {"build", provenance.build},
          {"isa", provenance.isa},
          {"libraries", provenance.libraries},
          {"backend", engine_name(spec)},
          {"precision", engine.precision},
          {"ftz", engine.ftz ? "true" : "false"}};
}

template <class T>
ExitCode inspect_as(const InspectArguments& a, const Config& config) {
  const RunSpec& spec = config.run;
  GivenBatch<T> batch = read_batch_file<T>(a, config);
  load_checkpoint(a, config, batch);
  ThreadPool pool(a.threads);
  const Inspection<T> inspection = inspect(spec, batch, pool);
  const InspectionTensors<T> tensors(spec, batch, inspection);
  const std::vector<std::byte> bytes = encode_safetensors(tensors.views(), metadata(spec));

  FileWriter out(a.out);
  out.append({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  out.finish();
  if (a.summary) write_file(table_path(a), norms_csv(inspection.timesteps));
  out.commit();

  fmt::print("{}: T={} B={} I={} H={} C={} layers={} {} {}: loss {:.9g}; {} tensors\n", a.out, batch.shape.steps, batch.rows,
             batch.shape.inputs, inspection.shapes.back().front(), batch.shape.outputs, inspection.dh.size(), engine_name(spec),
             spec.engine.precision, inspection.loss, tensors.views().size());
  report_oddities(inspection, tensors);
  if (a.summary) {
    print_norms(inspection.timesteps, static_cast<std::int64_t>(inspection.timesteps.size() / inspection.dh.size()));
    fmt::print("all steps: {}\n", table_path(a).string());
  }
  return ExitCode::kGood;
}

}  // namespace

ExitCode run_inspect(const InspectArguments& a) {
  make_this_thread_sequential();
  const Config config = load_single_run(a);
  check_paths(a);
  return config.run.engine.precision == "f64" ? inspect_as<double>(a, config) : inspect_as<float>(a, config);
}

}  // namespace vp
