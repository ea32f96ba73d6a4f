#include "models/base/handover.h"

#if defined(VP_THREAD_SANITIZER)
#include <atomic>

namespace vp {
namespace {

std::atomic<int> g_started{0}, g_finished{0};

}  // namespace

void publish_loop() { g_started.fetch_add(1, std::memory_order_release); }
void enter_task() { g_started.load(std::memory_order_acquire); }
void leave_task() { g_finished.fetch_add(1, std::memory_order_release); }
void join_loop() { g_finished.load(std::memory_order_acquire); }

}  // namespace vp
#endif
