// The text of scripts/report.py, put into the program when it is built.
#pragma once

#include <string_view>

namespace vp {

std::string_view report_script();

}  // namespace vp
