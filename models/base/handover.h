// Tells ThreadSanitizer how the loops of parallel.cpp order things: a loop's tasks come after what its caller did, and before what it does
// next.
//
// Debian's libtbb is not instrumented, and TBB's templates in parallel.cpp are compiled without instrumentation (CMakeLists.txt), so that
// their inner workings are no noise. These four calls are the whole of what the sanitizer then has to be told; races between tasks stay
// visible. Elsewhere they do nothing.
#pragma once

namespace vp {

#if defined(VP_THREAD_SANITIZER)
void publish_loop();  // by the caller, before its tasks may start
void enter_task();
void leave_task();
void join_loop();  // by the caller, after all tasks are done
#else
inline void publish_loop() {}
inline void enter_task() {}
inline void leave_task() {}
inline void join_loop() {}
#endif

}  // namespace vp
