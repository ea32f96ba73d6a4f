// Thread-safety: about the calling thread alone.
#pragma once

namespace vp {

// oneDNN is built on OpenMP; called first on every thread that makes or runs products, this keeps it from starting threads of its own.
void make_this_thread_sequential();

}  // namespace vp
