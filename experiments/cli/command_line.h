// The command line of vpoint.
#pragma once

namespace vp {

// Parses the arguments, does what they ask and returns the exit code (error.h). Errors are printed to stderr, one message each.
int run_command_line(int argc, char** argv);

}  // namespace vp
