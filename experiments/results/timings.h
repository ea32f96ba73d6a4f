// Where the time of a run went: a row of timings.csv, the one table that depends on the clock. Thread-safety: plain data.
#pragma once

#include <cstdint>
#include <string_view>

#include "models/spec/columns.h"

namespace vp {

struct TimingRow {
  std::string_view phase;
  double seconds = 0;
  std::string_view host;
  std::int64_t threads = 0;

  template <class Visitor>
  void visit_columns(Visitor& v) const {
    v({.name = "phase",
       .meaning = "product, pointwise, reduction, optimizer, probe, evaluation, input, output (the rows of the result files), or wall: the "
                  "whole run",
       .is_key = true},
      phase);
    v({.name = "seconds", .unit = "s", .meaning = "of work, summed over threads; for wall, of the clock"}, seconds);
    v({.name = "host", .meaning = "name of the machine"}, host);
    v({.name = "threads", .unit = "threads", .meaning = "that the program was given"}, threads);
  }
};

}  // namespace vp
