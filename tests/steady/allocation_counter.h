// Counts heap allocations while armed, by who asks: the project's own code, or a library below it. The test program replaces malloc and its
// kin (allocation_counter.cpp), so that nothing escapes: operator new ends there as well.
#pragma once

#include <cstdint>

namespace vp::test {

struct AllocationCounts {
  std::int64_t own = 0;        // the nearest caller outside of the C and C++ runtimes is this program
  std::int64_t libraries = 0;  // ... is libdnnl, libtbb, libgomp, ...
};

void start_counting_allocations();
AllocationCounts stop_counting_allocations();

// Bytes of the heap that are in use by anybody; what is mapped beside it (kernels/memory/zeroed_memory.cpp, from 1 MiB on) does not count.
std::int64_t heap_bytes();

// Calls of dnnl_primitive_create since the program began.
std::int64_t primitives_created();

}  // namespace vp::test
