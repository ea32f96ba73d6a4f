// The form of all messages about an experiment file: place, then what is wrong. Thread-safety: pure functions.
#pragma once

#include <string>

#include "experiments/config/setting.h"
#include "experiments/io/error.h"

namespace vp {

[[noreturn]] inline void fail_at(const Origin& origin, const std::string& message) { throw usage_error(origin.place + ": " + message); }

}  // namespace vp
