// The list of engines. To add one: its factory in backend/backend_factories.h, its name in kNames, a line in make_backend.
#include "kernels/backend_list.h"

#include <hwy/highway.h>

#include <array>
#include <stdexcept>

#include "kernels/backend/backend_factories.h"
#include "kernels/pointwise/pointwise_simd.h"

namespace vp {
namespace {

constexpr std::array<std::string_view, 3> kNames{"onednn", "native", "reference"};

[[noreturn]] void throw_unknown(std::string_view name) {
  std::string message = "[backend] unknown name \"" + std::string(name) + "\"; known: auto";
  for (const std::string_view known : kNames) message += ", " + std::string(known);
  throw std::invalid_argument(message);
}

}  // namespace

std::span<const std::string_view> backend_names() { return kNames; }

template <>
std::unique_ptr<Backend<float>> make_backend(std::string_view name) {
  if (name == "auto" || name == "onednn") return make_onednn_backend();
  if (name == "native") return make_native_backend();
  if (name == "reference") return make_reference_backend<float>();
  throw_unknown(name);
}

template <>
std::unique_ptr<Backend<double>> make_backend(std::string_view name) {
  if (name == "auto" || name == "reference") return make_reference_backend<double>();
  if (name == "onednn" || name == "native")
    throw std::invalid_argument("[backend] " + std::string(name) + " has no double precision; use \"reference\" or \"auto\"");
  throw_unknown(name);
}

std::string instruction_set() { return std::string(simd_target_name()) + "/" + onednn_isa_name(); }

std::string kernel_library_versions() {
  return "oneDNN " + onednn_version() + ", Highway " + std::to_string(HWY_MAJOR) + "." + std::to_string(HWY_MINOR) + "." +
         std::to_string(HWY_PATCH);
}

}  // namespace vp
