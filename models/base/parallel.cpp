#include "models/base/parallel.h"

#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/task_arena.h>
#include <oneapi/tbb/version.h>

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

#include "kernels/onednn/sequential_thread.h"
#include "models/base/handover.h"

namespace vp {
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
  impl_->arena.execute(
      [&] { tbb::this_task_arena::isolate([&] { tbb::parallel_for(std::int64_t{0}, n, guarded, tbb::simple_partitioner()); }); });
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

std::string tbb_version() { return TBB_runtime_version(); }

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
