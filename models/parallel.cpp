#include "models/parallel.h"

#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/task_arena.h>

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

#include <atomic>

#include "kernels/backend.h"

namespace vp {
namespace {

// Debian's libtbb is not instrumented, so ThreadSanitizer does not see that a loop's tasks come after what its caller did, and before what it does next.
// Under it, and only there, this says so; races between tasks stay visible.
#if defined(__SANITIZE_THREAD__)
std::atomic<int> g_started{0}, g_finished{0};
void publish_loop() { g_started.fetch_add(1, std::memory_order_release); }
void enter_task() { g_started.load(std::memory_order_acquire); }
void leave_task() { g_finished.fetch_add(1, std::memory_order_release); }
void join_loop() { g_finished.load(std::memory_order_acquire); }
#else
void publish_loop() {}
void enter_task() {}
void leave_task() {}
void join_loop() {}
#endif

}  // namespace

struct ThreadPool::Impl {
  explicit Impl(int threads) : limit(tbb::global_control::max_allowed_parallelism, static_cast<std::size_t>(threads)), arena(threads) {}
  tbb::global_control limit;  // the process never has more workers, whatever else uses TBB
  tbb::task_arena arena;
};

ThreadPool::ThreadPool(int threads) : threads_(threads), impl_(std::make_unique<Impl>(threads)) {}
ThreadPool::~ThreadPool() = default;

void ThreadPool::for_each(std::int64_t n, const std::function<void(std::int64_t)>& task, bool ftz) {
  const auto guarded = [&](std::int64_t i) {
    enter_task();
    make_this_thread_sequential();
    const FlushDenormals flush(ftz);
    task(i);
    leave_task();
  };
  publish_loop();
  impl_->arena.execute([&] {
    tbb::this_task_arena::isolate([&] { tbb::parallel_for(std::int64_t{0}, n, guarded, tbb::simple_partitioner()); });
  });
  join_loop();
}

void ThreadPool::for_each_run(std::int64_t n, const std::function<void(std::int64_t)>& task) {
  const auto guarded = [&](std::int64_t i) {
    enter_task();
    make_this_thread_sequential();
    task(i);
    leave_task();
  };
  publish_loop();
  impl_->arena.execute([&] { tbb::parallel_for(std::int64_t{0}, n, guarded, tbb::simple_partitioner()); });
  join_loop();
}

#if defined(__x86_64__)
FlushDenormals::FlushDenormals(bool on) : on_(on) {
  if (!on_) return;
  saved_ = _mm_getcsr();
  _mm_setcsr(saved_ | 0x8040);  // FTZ and DAZ
}
FlushDenormals::~FlushDenormals() {
  if (on_) _mm_setcsr(saved_);
}
#else
FlushDenormals::FlushDenormals(bool on) : on_(on) {}
FlushDenormals::~FlushDenormals() = default;
#endif

}  // namespace vp
