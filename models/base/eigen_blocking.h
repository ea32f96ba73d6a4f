// Eigen cuts its products by the sizes of the machine's caches, and where it cuts a sum is in the bits of a result. So the sizes are a
// constant of the code. Thread-safety: may be called by any thread; to be called before Eigen multiplies or decomposes large matrices.
#pragma once

namespace vp {

void fix_eigen_blocking();

}  // namespace vp
