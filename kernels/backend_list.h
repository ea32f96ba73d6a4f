// The engines there are, by name. Thread-safety: the list is constant; make_backend() is called at set-up.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "kernels/backend/backend.h"

namespace vp {

// Names of the engines that can be asked for, the default first.
std::span<const std::string_view> backend_names();

// Throws std::invalid_argument naming the known ones if `name` is unknown, or saying what to use instead if the engine has no such
// precision (oneDNN has no f64). "auto" is the default where no model asks: onednn for float, reference for double. Which engine a model
// gets for run.backend = "auto" is engine_name()'s to say (models/model/model.h).
template <class T>
std::unique_ptr<Backend<T>> make_backend(std::string_view name);

// The instruction sets in use, e.g. "AVX3/avx512_core_bf16": Highway's choice, then oneDNN's. Bits compare only where these agree.
std::string instruction_set();
// E.g. "oneDNN 2.6.3, Highway 1.0.3".
std::string kernel_library_versions();

}  // namespace vp
