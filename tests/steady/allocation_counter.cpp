#include "tests/steady/allocation_counter.h"

#include <dlfcn.h>
#include <execinfo.h>
#include <malloc.h>

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <string_view>

extern "C" {
void* __libc_malloc(std::size_t);
void* __libc_calloc(std::size_t, std::size_t);
void* __libc_realloc(void*, std::size_t);
void* __libc_memalign(std::size_t, std::size_t);
void __libc_free(void*);
}

namespace {

std::atomic<bool> g_armed{false};
std::atomic<std::int64_t> g_own{0}, g_libraries{0}, g_primitives{0}, g_heap{0};
thread_local bool g_inside = false;

bool is_runtime(std::string_view file) {
  for (const std::string_view name : {"libstdc++", "libc.so", "libgcc", "ld-linux", "libm.so"})
    if (file.find(name) != std::string_view::npos) return true;
  return false;
}

// The first frame above the allocation functions that is not the C or C++ runtime decides.
bool asked_by_this_program() {
  void* frames[24];
  const int depth = backtrace(frames, 24);
  Dl_info self{};
  dladdr(reinterpret_cast<void*>(&vp::test::start_counting_allocations), &self);
  for (int i = 3; i < depth; ++i) {  // 0-2: this function, note(), malloc()
    Dl_info info{};
    if (dladdr(frames[i], &info) == 0 || info.dli_fname == nullptr) continue;
    if (is_runtime(info.dli_fname)) continue;
    return std::strcmp(info.dli_fname, self.dli_fname) == 0;
  }
  return true;
}

__attribute__((noinline)) void note() {
  if (!g_armed.load(std::memory_order_relaxed) || g_inside) return;
  g_inside = true;
  (asked_by_this_program() ? g_own : g_libraries).fetch_add(1, std::memory_order_relaxed);
  g_inside = false;
}

void* taken(void* memory) {
  if (memory != nullptr) g_heap.fetch_add(static_cast<std::int64_t>(malloc_usable_size(memory)), std::memory_order_relaxed);
  return memory;
}
void given_back(void* memory) {
  if (memory != nullptr) g_heap.fetch_sub(static_cast<std::int64_t>(malloc_usable_size(memory)), std::memory_order_relaxed);
}

}  // namespace

extern "C" {

void* malloc(std::size_t size) {
  note();
  return taken(__libc_malloc(size));
}
void* calloc(std::size_t count, std::size_t size) {
  note();
  return taken(__libc_calloc(count, size));
}
void* realloc(void* old, std::size_t size) {
  note();
  given_back(old);
  return taken(__libc_realloc(old, size));
}
void free(void* memory) {
  given_back(memory);
  __libc_free(memory);
}
void* memalign(std::size_t alignment, std::size_t size) {
  note();
  return taken(__libc_memalign(alignment, size));
}
void* aligned_alloc(std::size_t alignment, std::size_t size) {
  note();
  return taken(__libc_memalign(alignment, size));
}
int posix_memalign(void** out, std::size_t alignment, std::size_t size) {
  note();
  *out = taken(__libc_memalign(alignment, size));
  return *out == nullptr ? ENOMEM : 0;
}

// Stands before oneDNN's own, counts, and passes on.
int dnnl_primitive_create(void** primitive, const void* descriptor) {
  using Create = int (*)(void**, const void*);
  static const auto next = reinterpret_cast<Create>(dlsym(RTLD_NEXT, "dnnl_primitive_create"));
  g_primitives.fetch_add(1, std::memory_order_relaxed);
  return next(primitive, descriptor);
}

}  // extern "C"

namespace vp::test {

void start_counting_allocations() {
  void* frames[4];
  backtrace(frames, 4);  // its first call allocates
  g_own = g_libraries = 0;
  g_armed = true;
}

AllocationCounts stop_counting_allocations() {
  g_armed = false;
  return {g_own, g_libraries};
}

std::int64_t heap_bytes() { return g_heap; }

std::int64_t primitives_created() { return g_primitives; }

}  // namespace vp::test
