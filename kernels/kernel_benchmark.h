// The kernel benchmark behind `vpoint profile`: the case table (cases.h) under Google Benchmark, whose flags it takes.
// Thread-safety: once a process.
#pragma once

namespace vp {

// argv[0] is the program's name. Prints to stdout; returns 2 for a flag that Google Benchmark does not know.
int run_kernel_benchmark(int argc, char** argv);

}  // namespace vp
