// `vpoint verify`: is what this program computes right on this machine? Thread-safety: one thread.
#pragma once

#include <string>
#include <vector>

#include "experiments/io/error.h"

namespace vp {

struct VerifyArguments {
  std::vector<int> threads = {1, 2, 8};
  std::string isa;  // empty: the best
  bool json = false, quiet = false;
};

std::string verify_help();

// Prints machine, table and verdict; kFailed if a row does not hold. UserError for bad arguments.
ExitCode run_verify(const VerifyArguments& arguments);

}  // namespace vp
