// `vpoint inspect`: one forward and backward pass on the user's own weights and batch.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "experiments/io/error.h"

namespace vp {

struct InspectArguments {
  std::string file, tensors, out;      // experiment file; safetensors in and out
  std::vector<std::string> overrides;  // key=value
  int threads = 1;
  std::int64_t classes = 0;  // 0: as the tensors say
  bool summary = false;      // norms by step: a table on stdout, and OUT with the ending .csv
};

// Errors: UserError; then nothing has been written. Numbers that are not finite are results, and said on stderr.
ExitCode run_inspect(const InspectArguments& arguments);

}  // namespace vp
