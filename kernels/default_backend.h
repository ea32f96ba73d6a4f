// Which engine a recurrent layer gets where nobody asked for one by name (run.backend = auto, f32).
//
// Thread-safety: safe to call from any thread, but not beside force_simd_target.
#pragma once

#include <optional>
#include <string_view>

#include "kernels/backend/fused_step.h"

namespace vp {

// By the shape of the step (inputs and hidden count, rows do not); nullopt: no engine fuses the cell's step. A static rule, the same on
// every machine of one instruction set, so that results do not depend on how fast a machine was on some day.
std::string_view default_engine(const std::optional<FusedShape>& step);

// The same for dense layers without time.
std::string_view default_dense_engine();

}  // namespace vp
