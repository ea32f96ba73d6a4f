#include "experiments/results/checkpoint_files.h"

#include <fmt/format.h>

#include <optional>
#include <stdexcept>
#include <system_error>
#include <vector>

#include "experiments/config/visit.h"
#include "experiments/io/files.h"
#include "experiments/tasks/task_support.h"
#include "models/model_kinds.h"
#include "models/parameters/checkpoint.h"

namespace vp {
namespace {

template <class T>
void check_fit(const Safetensors& file, const RunSpec& run, const SequenceShape& shape) {
  const ParameterLayout layout = make_layout(run, shape);
  std::vector<T> scratch(static_cast<std::size_t>(layout.size));
  load_parameters(file, layout, scratch.data());
}

// Outputs of the net in a file: rows of readout.weight, or of the last of layers.{k}.weight.
std::optional<std::int64_t> outputs_of(const Safetensors& file) {
  const TensorView* readout = file.find("readout.weight");
  for (std::int64_t k = 0; const TensorView* layer = file.find(fmt::format("layers.{}.weight", k)); ++k) readout = layer;
  return readout == nullptr || readout->shape.empty() ? std::nullopt : std::optional(readout->shape[0]);
}

// Where the number of classes follows from the data: how to fix it.
std::string classes_hint(const Safetensors& file, const Config& config, const SequenceShape& shape) {
  Config copy = config;
  bool has_list = false;
  for_each_field(copy, [&](const FieldInfo& info, const auto&) { has_list = has_list || info.key == "task.classes"; });
  const auto outputs = outputs_of(file);
  if (!has_list || shape.target != TargetKind::kClasses || !outputs || *outputs == shape.outputs) return "";
  return fmt::format("; its readout has {} outputs, the data {} classes: list the classes it was trained on in task.classes", *outputs,
                     shape.outputs);
}

}  // namespace

Safetensors read_safetensors(const std::filesystem::path& path) {
  const std::string text = read_file(path);
  const auto bytes = std::as_bytes(std::span(text));
  return Safetensors::parse({bytes.begin(), bytes.end()});
}

std::shared_ptr<const Safetensors> read_checkpoint(const Config& config, const SequenceShape& shape) {
  static ReadOnce<Safetensors> cache;
  const std::string& path = config.run.init.from_checkpoint;
  if (path.empty()) return nullptr;
  std::shared_ptr<const Safetensors> file;
  try {
    file = cache.get(path, [&] { return read_safetensors(path); });
    if (config.run.engine.precision == "f64")
      check_fit<double>(*file, config.run, shape);
    else
      check_fit<float>(*file, config.run, shape);
    return file;
  } catch (const std::invalid_argument& error) {
    throw io_error(fmt::format("{}: {} (init.from_checkpoint){}", path, error.what(), file ? classes_hint(*file, config, shape) : ""));
  }
}

std::string classes_text(std::span<const std::string> names) { return toml_text(TextList(names.begin(), names.end())); }

std::string classes_difference(const Safetensors& file, std::span<const std::string> names) {
  const auto found = file.metadata().find(std::string(kClassesKey));
  if (names.empty() || found == file.metadata().end() || found->second == classes_text(names)) return "";
  constexpr std::size_t kLongest = 200;
  const auto shortened = [&](const std::string& text) { return text.size() > kLongest ? text.substr(0, kLongest) + " ..." : text; };
  return fmt::format("it was trained on the classes {}, and these are {}; task.classes fixes their order", shortened(found->second),
                     shortened(classes_text(names)));
}

void write_checkpoint(const std::filesystem::path& directory, std::string_view run_id, std::span<const std::byte> bytes) {
  const std::filesystem::path path = checkpoint_path(directory, run_id);
  std::error_code failure;
  std::filesystem::create_directories(path.parent_path(), failure);
  if (failure)
    throw io_error(fmt::format("{}: cannot be made: {}; move away what stands there", path.parent_path().string(), failure.message()));
  write_file(path, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

}  // namespace vp
