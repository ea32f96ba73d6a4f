#include "experiments/checkpoint_files.h"

#include <fmt/format.h>

#include <stdexcept>
#include <system_error>
#include <vector>

#include "experiments/files.h"
#include "experiments/task_support.h"
#include "models/checkpoint.h"
#include "models/model.h"

namespace vp {
namespace {

template <class T>
void check_fit(const Safetensors& file, const RunSpec& run, const SequenceShape& shape) {
  const ParameterLayout layout = make_layout(run, shape);
  std::vector<T> scratch(static_cast<std::size_t>(layout.size));
  load_parameters(file, layout, scratch.data());
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
  try {
    auto file = cache.get(path, [&] { return read_safetensors(path); });
    if (config.run.engine.precision == "f64")
      check_fit<double>(*file, config.run, shape);
    else
      check_fit<float>(*file, config.run, shape);
    return file;
  } catch (const std::invalid_argument& error) {
    throw io_error(fmt::format("{}: {} (init.from_checkpoint)", path, error.what()));
  }
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
